/*
 * A few kilobytes that inflate to a gigabyte. With permessage-deflate (RFC 7692) a server must look at the size while
 * it inflates, not afterwards.
 */
#include <stdlib.h>
#include <zlib.h>

#include "faults/peer.h"

struct compress_bomb_options {
	struct peer_options peers;
	uint64_t inflated;
};

static const struct opt compress_bomb_options[] = {
	PEER_OPTIONS(struct compress_bomb_options, peers, "1"),
	{.name = "inflated", .type = OPT_SIZE, .offset = offsetof(struct compress_bomb_options, inflated), .def = "256MiB",
	 .min = 1 << 20, .max = 1ll << 34, .help = "octets of the message once it is inflated, in whole MiB"},
	{0},
};

enum { BLOCK = 1 << 20, BLOCK_DEFLATED_MAX = 8 << 10 };

struct bomb {
	struct crowd *crowd;
	struct buf octets;         /* the compressed message */
};

/* BLOCK letters, deflated so that the result can be repeated: a full flush forgets what came before. */
static int deflate_block(uint8_t *out, size_t *ret_len)
{
	static uint8_t letters[BLOCK];
	z_stream z = {.next_in = letters, .avail_in = BLOCK, .next_out = out, .avail_out = BLOCK_DEFLATED_MAX};
	memset(letters, 'x', sizeof(letters));
	if (deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, -MAX_WBITS, MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	int r = deflate(&z, Z_FULL_FLUSH) == Z_OK && z.avail_in == 0 ? 0 : -ENOMEM;
	*ret_len = BLOCK_DEFLATED_MAX - z.avail_out;
	deflateEnd(&z);
	return r;
}

static int build(struct buf *into, uint64_t inflated)
{
	uint8_t block[BLOCK_DEFLATED_MAX];
	size_t len;
	int r = deflate_block(block, &len);
	for (uint64_t i = 0; r == 0 && i < inflated / BLOCK; i++)
		r = buf_append(into, block, len);
	if (r == 0)
		into->len -= 4; /* RFC 7692 7.2.1: the message ends before 00 00 ff ff */
	return r;
}

static void on_request(struct peer *p, struct handshake_request *q)
{
	(void)p;
	handshake_request_set(q, "Sec-WebSocket-Extensions", SPAN_LIT("permessage-deflate"));
}

static void on_open(struct peer *p)
{
	struct bomb *b = p->run->state;
	if (!p->deflate) {
		peer_tell(p, "refused", "permessage-deflate was not agreed");
		peer_end(p, false, "not-agreed");
		return;
	}
	peer_send(p, (struct frame){.fin = true, .rsv = 4, .opcode = OPCODE_TEXT, .payload = buf_span(&b->octets)});
	peer_tell(p, "hit", "deflated=%zu", b->octets.len);
}

static const struct peer_ops ops = {.request = on_request, .open = on_open};

static int start(struct fault_run *run, struct err *e)
{
	const struct compress_bomb_options *o = run->options;
	struct bomb *b = run->state;
	buf_init(&b->octets, o->inflated / BLOCK * BLOCK_DEFLATED_MAX);
	int r = build(&b->octets, o->inflated) < 0 ? err_set(e, ENOMEM, "out of memory")
						   : crowd_start(run, &o->peers, &ops, 0, &b->crowd, e);
	if (r < 0)
		buf_fini(&b->octets);
	return r;
}

static void stop(struct fault_run *run)
{
	struct bomb *b = run->state;
	crowd_stop(b->crowd);
	buf_fini(&b->octets);
}

static const struct fault_action compress_bomb_peer = {.state_size = sizeof(struct bomb), .start = start, .stop = stop};

const struct fault fault_compress_bomb = {
	.name = "compress_bomb",
	.about = "clients send a small compressed message that inflates to a huge one",
	.known_as = "decompression bombs",
	.options = compress_bomb_options,
	.options_size = sizeof(struct compress_bomb_options),
	.peer = &compress_bomb_peer,
};
