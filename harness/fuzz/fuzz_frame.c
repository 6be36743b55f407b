/*
 * Any octets are frames: cut anywhere, stopped anywhere, they must be the same frames as those a slow reader finds
 * in the whole, and writing what was read must give the octets back.
 */
#include "harness/base/buf.h"
#include "harness/base/err.h"
#include "harness/fuzz/fuzz.h"
#include "harness/ws/frame.h"

enum { RECORD_MAX = 64 << 20 };

struct record {
	struct buf seen;
	struct frame_reader reader;
	struct rng *stops; /* NULL: never stop */
};

static void put(struct buf *b, const void *p, size_t len)
{
	int r = buf_append(b, p, len);
	assert(r == 0);
	(void)r;
}

static void put_head(struct buf *b, const struct frame_head *h)
{
	const uint8_t flags[] = {'H', h->fin, h->masked, h->rsv, h->opcode, (uint8_t)h->form, h->size};
	put(b, flags, sizeof(flags));
	put(b, h->key, sizeof(h->key));
	put(b, &h->len, sizeof(h->len));
}

static void maybe_stop(struct record *rec)
{
	if (rec->stops && rng_below(rec->stops, 3) == 0)
		rec->reader.stop = true;
}

static void on_head(void *owner, const struct frame_head *h)
{
	struct record *rec = owner;
	put_head(&rec->seen, h);
	maybe_stop(rec);
}

static void on_payload(void *owner, struct span part)
{
	struct record *rec = owner;
	assert(part.len > 0);
	put(&rec->seen, part.p, part.len);
	maybe_stop(rec);
}

static void on_end(void *owner)
{
	struct record *rec = owner;
	put(&rec->seen, "E", 1);
	maybe_stop(rec);
}

/* Reads wire in parts of 0 to `part` octets (0: whole); appends the rest of a stopped call again. */
static void read_in_parts(struct span wire, size_t part, struct rng *rng, bool stop, struct span want)
{
	struct record rec = {.stops = stop ? rng : NULL};
	buf_init(&rec.seen, RECORD_MAX);
	frame_reader_init(&rec.reader, &rec);
	rec.reader.on_head = on_head;
	rec.reader.on_payload = on_payload;
	rec.reader.on_end = on_end;
	size_t at = 0;
	while (at < wire.len || rec.reader.stop) {
		struct span s = span_sub(wire, at, part ? (size_t)rng_below(rng, part + 1) : wire.len);
		size_t used = frame_reader_feed(&rec.reader, s);
		assert(used == s.len || (rec.reader.stop && used < s.len));
		at += used;
	}
	assert(span_eq(buf_span(&rec.seen), want));
	buf_fini(&rec.seen);
}

static uint64_t number(const uint8_t *p, size_t octets)
{
	uint64_t n = 0;
	while (octets--)
		n = n * 256 + *p++;
	return n;
}

/*
 * The slow reader: by the figure in RFC 6455 5.2, from the whole; ret_payload comes empty. Returns the octets of the
 * frame at wire, 0 when not even its head is there.
 */
static size_t slow_frame(struct span wire, struct frame_head *ret_head, struct buf *ret_seen, struct buf *ret_payload)
{
	if (wire.len < 2)
		return 0;
	unsigned seven = wire.p[1] % 128;
	size_t extra = seven < 126 ? 0 : seven == 126 ? 2 : 8;
	bool masked = wire.p[1] >= 128;
	size_t size = 2 + extra + masked * 4u;
	if (wire.len < size)
		return 0;
	*ret_head = (struct frame_head){
		.fin = wire.p[0] >= 128, .rsv = wire.p[0] % 128 / 16, .opcode = wire.p[0] % 16, .masked = masked,
		.size = (uint8_t)size,
		.form = extra == 0 ? FRAME_FORM_7 : extra == 2 ? FRAME_FORM_16 : FRAME_FORM_64,
		.len = extra ? number(wire.p + 2, extra) : seven,
	};
	if (masked)
		memcpy(ret_head->key, wire.p + size - 4, 4);
	put_head(ret_seen, ret_head);
	size_t have = wire.len - size;
	if (ret_head->len < have)
		have = (size_t)ret_head->len;
	put(ret_payload, wire.p + size, have);
	for (size_t i = 0; i < have; i++)
		ret_payload->p[i] ^= ret_head->key[i % 4];
	put(ret_seen, ret_payload->p, have);
	if (have == ret_head->len)
		put(ret_seen, "E", 1);
	return size + have;
}

/*
 * What was read, written again, is what was on the wire; in the shortest form it is shorter exactly when it was not
 * minimal.
 */
static void write_again(const struct frame_head *h, struct span payload, struct span wire, struct buf *scratch)
{
	struct frame f = {
		.fin = h->fin, .rsv = h->rsv, .opcode = h->opcode, .masked = h->masked, .form = h->form,
		.declare = payload.len != h->len, .declared = h->len, .payload = payload,
	};
	memcpy(f.key, h->key, 4);
	scratch->len = 0;
	int r = frame_write(scratch, &f);
	assert(r == 0 && span_eq(buf_span(scratch), wire));
	scratch->len = 0;
	f.form = FRAME_FORM_AUTO;
	r = frame_write(scratch, &f);
	assert(r == 0);
	assert((scratch->len < wire.len) == !!(frame_head_faults(h) & FRAME_FAULT_NOT_MINIMAL));
	struct frame_head again;
	size_t size = frame_head_parse(buf_span(scratch), &again);
	assert(size > 0 && again.len == h->len && !(frame_head_faults(&again) & FRAME_FAULT_NOT_MINIMAL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct rng rng;
	struct span wire = fuzz_input(data, len, &rng);
	struct buf want CLEANUP(buf_fini), payload CLEANUP(buf_fini), scratch CLEANUP(buf_fini);
	buf_init(&want, RECORD_MAX);
	buf_init(&payload, RECORD_MAX);
	buf_init(&scratch, RECORD_MAX);
	for (size_t at = 0, size; at < wire.len; at += size) {
		struct frame_head h;
		payload.len = 0;
		size = slow_frame(span_sub(wire, at, wire.len), &h, &want, &payload);
		if (size == 0)
			break;
		write_again(&h, buf_span(&payload), span_sub(wire, at, size), &scratch);
	}
	read_in_parts(wire, 0, &rng, false, buf_span(&want));
	read_in_parts(wire, 1, &rng, false, buf_span(&want));
	read_in_parts(wire, 40, &rng, false, buf_span(&want));
	read_in_parts(wire, 0, &rng, true, buf_span(&want));
	read_in_parts(wire, 5, &rng, true, buf_span(&want));
	return 0;
}
