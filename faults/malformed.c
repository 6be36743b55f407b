/*
 * Clients that get it wrong: frames that no RFC allows, text that is no UTF-8, JSON that is none, is too deep, or has
 * other types than the server expects. Each connection does one thing wrong and sees what comes; then it comes again
 * with the next.
 */
#include "faults/peer.h"

struct malformed_options {
	struct peer_options peers;
	int kind;
	uint64_t pause_ms;
};

#define MALFORMED_KINDS(X) \
	X(RESERVED_OPCODE, "reserved_opcode") X(RSV, "rsv") X(UNMASKED, "unmasked") X(LONG_PING, "long_ping") \
	X(FRAGMENTED_PING, "fragmented_ping") X(ORPHAN, "orphan_continuation") X(INTERLEAVED, "interleaved") \
	X(BAD_UTF8, "bad_utf8") X(BAD_CLOSE, "bad_close") X(TOP_BIT, "top_bit") X(OCTETS, "random_octets") \
	X(NOT_JSON, "not_json") X(DEEP_JSON, "deep_json") X(LONG_NUMBER, "long_number") X(WRONG_TYPE, "wrong_type") \
	X(NO_OBJECT, "no_object") X(NUL_TEXT, "nul_text") X(LONE_SURROGATE, "lone_surrogate")

enum malformed_kind {
	MALFORMED_ANY,
#define KIND(NAME, name) MALFORMED_##NAME,
	MALFORMED_KINDS(KIND)
#undef KIND
	MALFORMED_END
};
static const char *const kinds[] = {
	"any",
#define KIND(NAME, name) name,
	MALFORMED_KINDS(KIND)
#undef KIND
	NULL
};

static const struct opt malformed_options[] = {
	PEER_OPTIONS(struct malformed_options, peers, "1"),
	{.name = "kind",
	 .type = OPT_ENUM,
	 .offset = offsetof(struct malformed_options, kind),
	 .choices = kinds,
	 .def = "any",
	 .help = "what is wrong; any: one after the other, from a place that the seed gives"},
	{.name = "pause",
	 .type = OPT_DURATION,
	 .offset = offsetof(struct malformed_options, pause_ms),
	 .def = "500ms",
	 .min = 1,
	 .max = 600000,
	 .help = "how long a connection waits for an answer before it comes again with the next"},
	{0},
};

enum { JSON_DEPTH = 20000, DIGITS = 100000, GARBAGE = 4096 };

static bool frame(struct peer *p, bool fin, uint8_t opcode, uint8_t rsv, struct span payload)
{
	return peer_send(p, (struct frame){.fin = fin, .opcode = opcode, .rsv = rsv, .payload = payload});
}

static void text(struct peer *p, struct span payload)
{
	frame(p, true, OPCODE_TEXT, 0, payload);
}

static void raw_frame(struct peer *p, struct frame f)
{
	struct buf b CLEANUP(buf_fini) = {0};
	buf_init(&b, 64 << 10);
	if (frame_write(&b, &f) == 0)
		peer_send_raw(p, buf_span(&b));
}

/* `open` n times, then `inside`. */
static void nested(struct peer *p, const char *open, size_t n, const char *inside)
{
	struct buf b CLEANUP(buf_fini) = {0};
	buf_init(&b, 1 << 20);
	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "%s", open);
	buf_printf(&b, "%s", inside);
	text(p, buf_span(&b));
}

static void garbage(struct peer *p)
{
	uint8_t octets[GARBAGE];
	rng_fill(&p->rng, octets, sizeof(octets));
	peer_send_raw(p, span_of(octets, sizeof(octets)));
}

static void send_kind(struct peer *p, enum malformed_kind kind)
{
	static const uint8_t x126[126];
	switch (kind) {
	case MALFORMED_RESERVED_OPCODE: frame(p, true, (uint8_t)(3 + rng_below(&p->rng, 5)), 0, SPAN_LIT("x")); break;
	case MALFORMED_RSV: frame(p, true, OPCODE_TEXT, 2, SPAN_LIT("x")); break;
	case MALFORMED_UNMASKED:
		raw_frame(p, (struct frame){.fin = true, .opcode = OPCODE_TEXT, .payload = SPAN_LIT("x")});
		break;
	case MALFORMED_LONG_PING: frame(p, true, OPCODE_PING, 0, span_of(x126, sizeof(x126))); break;
	case MALFORMED_FRAGMENTED_PING: frame(p, false, OPCODE_PING, 0, SPAN_LIT("x")); break;
	case MALFORMED_ORPHAN: frame(p, true, OPCODE_CONTINUATION, 0, SPAN_LIT("x")); break;
	case MALFORMED_INTERLEAVED:
		if (frame(p, false, OPCODE_TEXT, 0, SPAN_LIT("x")))
			text(p, SPAN_LIT("y"));
		break;
	case MALFORMED_BAD_UTF8: text(p, SPAN_LIT("\xce\xba\xe1\xbd\xb9\xcf\x83\xed\xa0\x80")); break;
	case MALFORMED_BAD_CLOSE: frame(p, true, OPCODE_CLOSE, 0, SPAN_LIT("\x03\xee")); break; /* 1006 */
	case MALFORMED_TOP_BIT:
		raw_frame(p, (struct frame){.fin = true,
					    .opcode = OPCODE_TEXT,
					    .masked = true,
					    .form = FRAME_FORM_64,
					    .declare = true,
					    .declared = 1ull << 63 | 1,
					    .payload = SPAN_LIT("x")});
		break;
	case MALFORMED_OCTETS: garbage(p); break;
	case MALFORMED_NOT_JSON: text(p, SPAN_LIT("{\"type\": \"subscribe\", ")); break;
	case MALFORMED_DEEP_JSON: nested(p, "[", JSON_DEPTH, ""); break;
	case MALFORMED_LONG_NUMBER: nested(p, "9", DIGITS, ""); break;
	case MALFORMED_WRONG_TYPE: text(p, SPAN_LIT("{\"type\": [1], \"channel\": {\"a\": null}, \"id\": 1e999}")); break;
	case MALFORMED_NO_OBJECT: text(p, SPAN_LIT("null")); break;
	case MALFORMED_NUL_TEXT: text(p, SPAN_LIT("{\"type\": \"sub\0scribe\"}")); break;
	case MALFORMED_LONE_SURROGATE: text(p, SPAN_LIT("{\"type\": \"\\ud800\"}")); break;
	case MALFORMED_ANY:
	case MALFORMED_END: break;
	}
}

/* Over all connections of the run: their states are zeroed each time they come again. */
struct malformed {
	struct crowd *crowd;
	uint64_t first, turns;
};

static enum malformed_kind next_kind(struct malformed *m, const struct malformed_options *o)
{
	return o->kind ? (enum malformed_kind)o->kind
		       : (enum malformed_kind)(1 + (m->first + m->turns++) % (MALFORMED_END - 1));
}

static void on_open(struct peer *p)
{
	const struct malformed_options *o = p->run->options;
	enum malformed_kind kind = next_kind(p->run->state, o);
	send_kind(p, kind);
	peer_tell(p, "hit", "kind=%s", kinds[kind]);
	if (!p->ended)
		peer_wake_in(p, o->pause_ms);
}

static void on_end(struct peer *p)
{
	const struct malformed_options *o = p->run->options;
	peer_again(p, o->pause_ms);
}

static void on_wake(struct peer *p)
{
	peer_end(p, false, "answered-or-not");
	on_end(p);
}

static const struct peer_ops ops = {.open = on_open, .wake = on_wake, .end = on_end};

static int start(struct fault_run *run, struct err *e)
{
	const struct malformed_options *o = run->options;
	struct malformed *m = run->state;
	m->first = rng_below(&run->rng, MALFORMED_END - 1);
	return crowd_start(run, &o->peers, &ops, 0, &m->crowd, e);
}

static void stop(struct fault_run *run)
{
	struct malformed *m = run->state;
	crowd_stop(m->crowd);
}

static const struct fault_action malformed_peer = {
	.state_size = sizeof(struct malformed), .start = start, .stop = stop};

const struct fault fault_malformed = {
	.name = "malformed",
	.about = "clients send frames and messages that are wrong, one kind after the other",
	.known_as = "hostile clients, bad input",
	.options = malformed_options,
	.options_size = sizeof(struct malformed_options),
	.peer = &malformed_peer,
};
