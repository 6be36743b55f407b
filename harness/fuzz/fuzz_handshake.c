/*
 * Any octets as a reply head: a prefix says either "more" or what the whole says; all spans lie inside the input; a
 * head without faults, written again in the plainest way, is read as the same. The same octets also serve as a raw
 * request in which the key and the offers are looked up.
 */
#include "harness/base/buf.h"
#include "harness/base/err.h"
#include "harness/fuzz/fuzz.h"
#include "harness/ws/handshake.h"

enum { ARENA_MAX = 1 << 16, PREFIXES_ALL = 300, PREFIXES_SOME = 24 };

static void inside(struct span s, struct span in)
{
	assert(s.len == 0 || (s.p >= in.p && s.len <= in.len && (size_t)(s.p - in.p) <= in.len - s.len));
}

static void check_shape(const struct handshake_reply *r, struct span in)
{
	assert(r->size <= in.len && r->size <= HANDSHAKE_REPLY_MAX);
	assert(r->n_fields <= HANDSHAKE_FIELDS_MAX);
	assert(r->status >= 0 && r->status <= 999);
	assert(r->version_minor >= -1 && r->version_minor <= 9);
	assert(r->status || (r->faults & HANDSHAKE_FAULT_STATUS_LINE));
	struct span head = span_sub(in, 0, r->size);
	inside(r->reason, head);
	for (size_t i = 0; i < r->n_fields; i++) {
		const struct handshake_field *f = &r->fields[i];
		inside(f->name, head);
		inside(f->value, head);
		assert(f->name.len > 0 && !f->raw.p);
		assert(span_eq(span_trim(f->value), f->value));
		uint8_t last = f->value.len ? f->value.p[f->value.len - 1] : 0;
		assert(last != '\n' && (last != '\r' || (r->faults & HANDSHAKE_FAULT_VALUE)));
		assert(span_find(f->name, SPAN_LIT("\n")) < 0);
		assert(handshake_is_token(f->name) || (r->faults & HANDSHAKE_FAULT_FIELD));
	}
}

static bool same(const struct handshake_reply *a, const struct handshake_reply *b)
{
	bool equal = a->faults == b->faults && a->status == b->status && a->version_minor == b->version_minor &&
		span_eq(a->reason, b->reason) && a->n_fields == b->n_fields;
	for (size_t i = 0; equal && i < a->n_fields; i++)
		equal = span_eq(a->fields[i].name, b->fields[i].name) && span_eq(a->fields[i].value, b->fields[i].value);
	return equal;
}

static void check_prefix(struct span in, size_t len, int whole, const struct handshake_reply *r)
{
	struct arena a CLEANUP(arena_fini);
	arena_init(&a, ARENA_MAX);
	struct handshake_reply part;
	int got = handshake_reply_parse(span_sub(in, 0, len), &a, &part);
	assert(got == 0 || got == 1);
	if (got == 0) {
		assert(a.used == 0);
		bool early = r->faults & (HANDSHAKE_FAULT_TOO_LONG | HANDSHAKE_FAULT_NOT_HTTP);
		assert(!whole || early || len < r->size);
		return;
	}
	assert(whole == 1 && part.size == r->size && same(&part, r));
}

static void check_round_trip(const struct handshake_reply *r)
{
	struct buf b CLEANUP(buf_fini);
	buf_init(&b, 2 * HANDSHAKE_REPLY_MAX);
	int res = buf_printf(&b, "HTTP/1.%d %03d ", r->version_minor, r->status);
	res |= buf_append_span(&b, r->reason) | buf_append(&b, "\r\n", 2);
	for (size_t i = 0; i < r->n_fields; i++) {
		res |= buf_append_span(&b, r->fields[i].name) | buf_append(&b, ":", 1);
		res |= buf_append_span(&b, r->fields[i].value) | buf_append(&b, "\r\n", 2);
	}
	res |= buf_append(&b, "\r\n", 2);
	assert(res == 0);
	struct arena a CLEANUP(arena_fini);
	arena_init(&a, ARENA_MAX);
	struct handshake_reply again;
	res = handshake_reply_parse(buf_span(&b), &a, &again);
	assert(res == 1 && again.size == b.len && same(&again, r));
}

static void check_lists(const struct handshake_reply *r)
{
	static const char *const names[] = {"Connection", "Upgrade", "Sec-WebSocket-Extensions"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct span element;
		bool upgrade = false;
		size_t n = 0;
		for (; n < 200 && handshake_reply_element(r, names[i], n, &element); n++) {
			assert(element.len > 0 && span_eq(span_trim(element), element));
			upgrade |= span_eq_nocase(element, SPAN_LIT("upgrade"));
		}
		assert(!upgrade || handshake_reply_has_token(r, names[i], "upgrade"));
		assert(n == 0 || handshake_reply_count(r, names[i], NULL) > 0);
	}
}

static void check_upgrade(const struct handshake_reply *r, struct span in)
{
	struct handshake_request q;
	handshake_request_init(&q, SPAN_LIT("/"), SPAN_LIT("h"), SPAN_LIT("dGhlIHNhbXBsZSBub25jZQ=="));
	handshake_request_add(&q, "Sec-WebSocket-Protocol", SPAN_LIT("chat, superchat"));
	handshake_request_add(&q, "Sec-WebSocket-Extensions", SPAN_LIT("permessage-deflate"));
	unsigned faults = handshake_upgrade_faults(&q, r);
	struct span accept = {0};
	if (!(faults & (UPGRADE_FAULT_ACCEPT | UPGRADE_FAULT_ACCEPT_TWICE))) {
		assert(handshake_reply_count(r, "sec-websocket-accept", &accept) == 1);
		assert(span_eq(accept, SPAN_LIT("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")));
	}
	assert(!!(faults & UPGRADE_FAULT_HEAD) == !!r->faults);
	q.raw = in;
	handshake_upgrade_faults(&q, r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct rng rng;
	struct span in = fuzz_input(data, len, &rng);
	struct arena a CLEANUP(arena_fini);
	arena_init(&a, ARENA_MAX);
	struct handshake_reply r = {0};
	int whole = handshake_reply_parse(in, &a, &r);
	assert(whole == 0 || whole == 1);
	if (in.len <= PREFIXES_ALL)
		for (size_t cut = 0; cut < in.len; cut++)
			check_prefix(in, cut, whole, &r);
	else
		for (int i = 0; i < PREFIXES_SOME; i++)
			check_prefix(in, (size_t)rng_below(&rng, in.len), whole, &r);
	if (!whole)
		return 0;
	check_shape(&r, in);
	if (r.faults == 0)
		check_round_trip(&r);
	check_lists(&r);
	check_upgrade(&r, in);
	return 0;
}
