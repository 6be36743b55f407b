/*
 * The frame codec of a conformance client: the writer sends whatever it is told, right or wrong, and the reader
 * understands any octets as frames, because what a broken server sent must be shown before it is judged.
 */
#include "harness/ws/frame.h"

#include <assert.h>
#include <errno.h>

#include "harness/ws/mask.h"

enum { UNMASK_CHUNK = 4096 };

static enum frame_form shortest_form(uint64_t len)
{
	if (len <= 125)
		return FRAME_FORM_7;
	return len <= UINT16_MAX ? FRAME_FORM_16 : FRAME_FORM_64;
}

static size_t put_big_endian(uint8_t *p, uint64_t value, size_t octets)
{
	for (size_t i = 0; i < octets; i++)
		p[i] = (uint8_t)(value >> 8 * (octets - 1 - i));
	return octets;
}

static uint64_t get_big_endian(const uint8_t *p, size_t octets)
{
	uint64_t value = 0;
	for (size_t i = 0; i < octets; i++)
		value = value << 8 | p[i];
	return value;
}

static size_t head_write(uint8_t out[FRAME_HEAD_MAX], const struct frame *f)
{
	uint64_t len = f->declare ? f->declared : f->payload.len;
	enum frame_form form = f->form == FRAME_FORM_AUTO ? shortest_form(len) : f->form;
	size_t n = 0;
	out[n++] = (uint8_t)(f->fin << 7 | (f->rsv & 7) << 4 | (f->opcode & 15));
	uint8_t mask_bit = (uint8_t)(f->masked << 7);
	switch (form) {
	case FRAME_FORM_16:
		out[n++] = mask_bit | 126;
		n += put_big_endian(out + n, len, 2);
		break;
	case FRAME_FORM_64:
		out[n++] = mask_bit | 127;
		n += put_big_endian(out + n, len, 8);
		break;
	default:
		out[n++] = mask_bit | (len & 0x7f);
	}
	if (f->masked) {
		memcpy(out + n, f->key, 4);
		n += 4;
	}
	return n;
}

int frame_write(struct buf *b, const struct frame *f)
{
	uint8_t head[FRAME_HEAD_MAX];
	size_t head_len = head_write(head, f);
	if (f->payload.len > SIZE_MAX - head_len)
		return -ENOBUFS;
	int r = buf_reserve(b, head_len + f->payload.len);
	if (r < 0)
		return r;
	memcpy(b->p + b->len, head, head_len);
	b->len += head_len;
	if (f->payload.len == 0)
		return 0;
	if (f->masked)
		mask_apply(b->p + b->len, f->payload.p, f->payload.len, f->key, 0);
	else
		memcpy(b->p + b->len, f->payload.p, f->payload.len);
	b->len += f->payload.len;
	return 0;
}

size_t frame_head_parse(struct span in, struct frame_head *ret_head)
{
	if (in.len < 2)
		return 0;
	struct frame_head h = {
		.fin = in.p[0] >> 7,
		.rsv = in.p[0] >> 4 & 7,
		.opcode = in.p[0] & 15,
		.masked = in.p[1] >> 7,
		.form = FRAME_FORM_7,
		.len = in.p[1] & 0x7f,
	};
	size_t extended = h.len == 126 ? 2 : h.len == 127 ? 8 : 0;
	h.size = (uint8_t)(2 + extended + (h.masked ? 4 : 0));
	if (in.len < h.size)
		return 0;
	if (extended) {
		h.form = extended == 2 ? FRAME_FORM_16 : FRAME_FORM_64;
		h.len = get_big_endian(in.p + 2, extended);
	}
	if (h.masked)
		memcpy(h.key, in.p + 2 + extended, 4);
	*ret_head = h;
	return h.size;
}

unsigned frame_head_faults(const struct frame_head *h)
{
	unsigned faults = 0;
	if (h->rsv)
		faults |= FRAME_FAULT_RSV;
	if (opcode_is_reserved(h->opcode))
		faults |= FRAME_FAULT_OPCODE;
	if (h->form != shortest_form(h->len))
		faults |= FRAME_FAULT_NOT_MINIMAL;
	if (h->len >> 63)
		faults |= FRAME_FAULT_TOP_BIT;
	if (opcode_is_control(h->opcode) && h->form != FRAME_FORM_7)
		faults |= FRAME_FAULT_CONTROL_LONG;
	if (opcode_is_control(h->opcode) && !h->fin)
		faults |= FRAME_FAULT_CONTROL_FRAGMENTED;
	if (h->masked)
		faults |= FRAME_FAULT_MASKED;
	return faults;
}

void frame_reader_init(struct frame_reader *r, void *owner)
{
	*r = (struct frame_reader){.owner = owner};
}

/* Gathers head octets one at a time at most; returns how many of s it took. A whole head makes in_payload true. */
static size_t feed_head(struct frame_reader *r, struct span s)
{
	size_t used = 0;
	while (!r->in_payload && used < s.len) {
		assert(r->head_have < FRAME_HEAD_MAX);
		r->head_octets[r->head_have++] = s.p[used++];
		if (!frame_head_parse(span_of(r->head_octets, r->head_have), &r->head))
			continue;
		r->in_payload = true;
		r->payload_left = r->head.len;
		r->payload_seen = 0;
		if (r->on_head)
			r->on_head(r->owner, &r->head);
	}
	return used;
}

static size_t feed_payload(struct frame_reader *r, struct span s)
{
	uint8_t clear[UNMASK_CHUNK];
	struct span part = span_sub(s, 0, r->payload_left < s.len ? (size_t)r->payload_left : s.len);
	if (r->head.masked && r->on_payload) {
		part = span_sub(part, 0, sizeof(clear));
		mask_apply(clear, part.p, part.len, r->head.key, (size_t)(r->payload_seen & 3));
		part.p = clear;
	}
	r->payload_left -= part.len;
	r->payload_seen += part.len;
	if (r->on_payload)
		r->on_payload(r->owner, part);
	return part.len;
}

size_t frame_reader_feed(struct frame_reader *r, struct span s)
{
	size_t used = 0;
	r->stop = false;
	for (;;) {
		if (!r->in_payload) {
			if (used == s.len)
				return used;
			used += feed_head(r, span_sub(s, used, s.len));
		} else if (r->payload_left > 0) {
			if (used == s.len)
				return used;
			used += feed_payload(r, span_sub(s, used, s.len));
		} else {
			r->in_payload = false;
			r->head_have = 0;
			if (r->on_end)
				r->on_end(r->owner);
		}
		if (r->stop)
			return used;
	}
}

bool frame_reader_pending(const struct frame_reader *r)
{
	return r->in_payload || r->head_have > 0;
}
