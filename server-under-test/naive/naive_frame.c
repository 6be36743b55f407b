/* The frame layer of the naive engine, and the home of the bugs that frame layers have. */
#include "server-under-test/naive/naive_frame.h"

#include <stdlib.h>
#include <string.h>

#include "server-under-test/defects.h"

static int fault(struct frame_fault *ret_fault, unsigned code, const char *why)
{
	*ret_fault = (struct frame_fault){ code, why };
	return -1;
}

static bool opcode_is_known(uint8_t opcode)
{
	if (defect(opcode_data_reserved_accepted) && opcode > 2 && opcode < 8)
		return true;
	if (defect(opcode_control_reserved_accepted) && opcode > 10)
		return true;
	return opcode <= OPCODE_BINARY || (opcode >= OPCODE_CLOSE && opcode <= OPCODE_PONG);
}

static bool rsv_ignored(uint8_t opcode)
{
	if (defect(rsv_ignored))
		return true;
	if (defect(rsv_on_control_ignored) && opcode_is_control(opcode))
		return true;
	return defect(rsv_on_continuation_ignored) && opcode == OPCODE_CONTINUATION;
}

/* First octet: FIN, RSV1-3, opcode; and the order of fragments (RFC 6455 5.2, 5.4). */
static int parse_first(uint8_t c, bool in_message, struct frame_head *head, struct frame_fault *ret_fault)
{
	head->fin = c & 0x80;
	head->opcode = c & 0x0f;
	if ((c & 0x70) && !rsv_ignored(head->opcode))
		return fault(ret_fault, 1002, "a reserved bit is set");
	if (!opcode_is_known(head->opcode))
		return fault(ret_fault, 1002, "a reserved opcode");
	if (opcode_is_control(head->opcode))
		return head->fin || defect(control_fragment_accepted) ? 0 : fault(ret_fault, 1002, "a fragmented control frame");
	if (head->opcode == OPCODE_CONTINUATION && !in_message && !defect(fragment_orphan_accepted))
		return fault(ret_fault, 1002, "a continuation without a message");
	if (head->opcode != OPCODE_CONTINUATION && in_message && !defect(fragment_interleaved_accepted))
		return fault(ret_fault, 1002, "a new message inside a fragmented one");
	return 0;
}

/* The extended length, most significant octet first (RFC 6455 5.2). */
static uint64_t extended_length(const uint8_t *p, unsigned octets)
{
	uint64_t len = 0;

	if (octets == 2 && defect(length_16_little_endian))
		return (uint64_t)p[0] | (uint64_t)p[1] << 8;
	if (octets == 8 && defect(length_64_low_half_only))
		return extended_length(p + 6, 2);
	for (unsigned i = 0; i < octets; i++)
		len = len << 8 | p[i];
	return len;
}

static int check_length(const struct frame_head *head, unsigned octets, uint64_t room, struct frame_fault *ret_fault)
{
	if (head->len >> 63)
		return fault(ret_fault, 1002, "the top bit of the length is set");
	if (head->len < (octets == 8 ? 65536u : octets == 2 ? 126u : 0u) && !defect(length_nonminimal_accepted))
		return fault(ret_fault, 1002, "the length is not in its shortest form");
	if (defect(length_huge_crashes) && head->len > (1ull << 40))
		abort();
	if (!opcode_is_control(head->opcode) && head->len > room)
		return fault(ret_fault, defect(limit_code_1006) ? 1006 : 1009, "the message is too large");
	return 0;
}

int frame_head_parse(const uint8_t *p, size_t len, bool in_message, uint64_t message_room, struct frame_head *head,
		     struct frame_fault *ret_fault)
{
	unsigned octets;
	bool masked;

	if (len < 1)
		return 0;
	if (parse_first(p[0], in_message, head, ret_fault) < 0)
		return -1;
	if (len < 2)
		return 0;
	masked = p[1] & 0x80;
	head->len = p[1] & 0x7f;
	octets = head->len == 127 ? 8 : head->len == 126 ? 2 : 0;
	if (!masked && !defect(mask_missing_accepted) &&
	    !(defect(mask_missing_on_control_accepted) && opcode_is_control(head->opcode)))
		return fault(ret_fault, 1002, "the frame is not masked");
	if (opcode_is_control(head->opcode) && octets > 0 && !defect(control_long_accepted))
		return fault(ret_fault, 1002, "a control frame of more than 125 octets");
	if (len < 2 + octets)
		return 0;
	if (octets > 0)
		head->len = extended_length(p + 2, octets);
	if (defect(length_top_bit_dropped))
		head->len &= UINT64_MAX >> 1;
	if (check_length(head, octets, message_room, ret_fault) < 0)
		return -1;
	memset(head->mask, 0, sizeof(head->mask));
	if (!masked)
		return (int)(2 + octets);
	if (len < 2 + octets + 4)
		return 0;
	memcpy(head->mask, p + 2 + octets, 4);
	if (defect(mask_zero_refused) && memcmp(head->mask, "\0\0\0\0", 4) == 0)
		return fault(ret_fault, 1002, "the mask is zero");
	return (int)(2 + octets + 4);
}

void frame_unmask(uint8_t *p, size_t len, const uint8_t mask[4], uint64_t position)
{
	if (defect(mask_restarts_each_read))
		position = 0;
	if (defect(mask_tail_skipped))
		len -= len % 4;
	for (size_t i = 0; i < len; i++)
		p[i] ^= mask[(position + i) & 3];
}

static unsigned write_length(uint8_t *head, size_t len)
{
	unsigned octets = len < 126 ? 0 : len < 65536 ? 2 : 8;

	if (defect(own_length_boundary) && len == 65535)
		octets = 8;
	if (defect(own_length_always_16) && octets == 0 && !(head[0] & 8))
		octets = 2;
	head[1] = octets == 8 ? 127 : octets == 2 ? 126 : (uint8_t)len;
	for (unsigned i = 0; i < octets; i++) {
		unsigned place = defect(own_length_little_endian) ? i : octets - 1 - i;

		head[2 + i] = (uint8_t)((uint64_t)len >> (8 * place));
	}
	return 2 + octets;
}

void frame_write(struct bytes *out, enum opcode opcode, const void *payload, size_t len)
{
	uint8_t head[FRAME_HEAD_MAX] = { (uint8_t)(0x80 | opcode) };
	unsigned head_len;

	if (defect(own_rsv_set) && opcode == OPCODE_TEXT)
		head[0] |= 0x40;
	if (defect(own_pong_fragmented) && opcode == OPCODE_PONG)
		head[0] &= 0x7f;
	if (defect(own_pong_as_ping) && opcode == OPCODE_PONG)
		head[0] = 0x80 | OPCODE_PING;
	head_len = write_length(head, len);
	if (defect(own_frames_masked)) {
		head[1] |= 0x80;
		head_len += 4; /* a zero key: the payload stays as it is */
	}
	bytes_append(out, head, head_len);
	bytes_append(out, payload, len);
}
