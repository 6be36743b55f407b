/*
 * Every fault of the stream plane, without knowing what it does: put on and taken off it leaves no trace; under
 * random traffic, cuts, times and changes nothing is lost, doubled or turned round, and the seed alone decides.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "faults/test_bench.h"

enum { SEEDS = 300, STEPS = 60, WAKES_MAX = 200000, ON_MAX = 6, TRAFFIC = 96 << 10 };

/* What comes out is not what came in, by nature. All others give a beginning of it. */
static const char *const changing[] = {"corrupt", "frame_drop", "frame_duplicate", "frame_close", "handshake"};
/* Taken off, it ends the connection, or has ended it: octets were lost. */
static const char *const ending[] = {"timeout", "reset_peer", "down", "half_open"};

/* More than the defaults, which every fault is tried with. Where these are refused, the first one is in their place. */
static const struct variant {
	const char *fault, *options;
} variants[] = {
	{"latency", "latency=2ms"},
	{"latency", "latency=3ms jitter=5ms"},
	{"latency", "latency=1h jitter=1m distribution=normal"},
	{"bandwidth", "rate=100kB"},
	{"bandwidth", "rate=10MB burst=5kB"},
	{"bandwidth", "rate=777B burst=1B"},
	{"slicer", "average_size=900B size_variation=300B delay=30us"},
	{"slicer", "average_size=5kB delay=1h"},
	{"limit_data", "bytes=20kB"},
	{"limit_data", "bytes=100MB"},
	{"limit_data", "bytes=9kB how=blackhole"},
	{"slow_close", "delay=3ms"},
	{"timeout", "timeout=20ms"},
	{"reset_peer", "timeout=30ms"},
	{"corrupt", "probability=2%"},
	{"idle_kill", "idle=5ms"},
	{"idle_kill", "idle=20ms how=fin counts=payload"},
	{"lifetime_kill", "lifetime=20ms jitter=50ms"},
	{"half_open", "after_octets=5kB"},
	{"half_open", "after=10ms who=server sent=swallowed"},
	{"partition", "direction=to"},
	{"partition", "style=reject"},
	{"buffer", "size=1kB"},
	{"buffer", "size=3kB hold=500us"},
	{"buffer", "until=frame"},
	{"handshake", "delay=2ms"},
	{"handshake", "status=503"},
	{"handshake", "bad_accept=true"},
	{"handshake", "cut=rst"},
	{"frame_delay", "delay=1ms"},
	{"frame_delay", "delay=100us every=3"},
	{"frame_drop", "every=2"},
	{"frame_duplicate", "copies=2 every=5"},
	{"frame_close", "every=10"},
};

/* NULL: its defaults are fine. */
static const char *in_place_of_defaults(const struct fault *f)
{
	struct bench b;
	const char *options = NULL;
	bench_init_seed(&b, 1);
	if (bench_refusal(&b, f->name, ""))
		for (size_t i = ARRAY_LEN(variants); i-- > 0; )
			options = strcmp(variants[i].fault, f->name) == 0 ? variants[i].options : options;
	bench_fini(&b);
	return options;
}

static bool is_among(const char *name, const char *const *names, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* Traffic --------------------------------------------------------------------------------------------------------- */

static void put_frame(struct buf *b, struct rng *rng, bool masked)
{
	static const uint8_t opcodes[] = {0x81, 0x82, 0x89, 0x8a, 0x82, 0x81};
	uint8_t opcode = opcodes[rng_below(rng, sizeof(opcodes))];
	size_t len = opcode >= 0x88 ? rng_below(rng, 126) : rng_below(rng, 8) ? rng_below(rng, 300) : rng_below(rng, 9000);
	buf_append_u8(b, opcode);
	buf_append_u8(b, (uint8_t)((masked ? 0x80 : 0) | (len < 126 ? len : 126)));
	if (len >= 126) {
		buf_append_u8(b, (uint8_t)(len >> 8));
		buf_append_u8(b, (uint8_t)len);
	}
	if (masked)
		buf_printf(b, "mask");
	for (size_t i = 0; i < len; i++)
		buf_append_u8(b, bench_pattern()[(b->len * 3) % BENCH_PATTERN] & 0x7f);
}

/* A WebSocket conversation, or octets that are none. */
static void make_traffic(struct buf traffic[DIRECTIONS], struct rng *rng)
{
	bool is_websocket = rng_below(rng, 3) > 0;
	for (enum direction d = 0; d < DIRECTIONS; d++) {
		buf_init(&traffic[d], 2 * TRAFFIC);
		if (!is_websocket) {
			buf_append(&traffic[d], bench_pattern() + rng_below(rng, 1000), TRAFFIC);
			continue;
		}
		buf_printf(&traffic[d], "%s",
			   d == UPSTREAM ? "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
					   "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
					 : "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
					   "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
		while (traffic[d].len < TRAFFIC)
			put_frame(&traffic[d], rng, d == UPSTREAM);
	}
}

/* On and off ------------------------------------------------------------------------------------------------------ */

static void put_on_and_taken_off_it_leaves_no_trace(void **state)
{
	(void)state;
	for (size_t i = 0; i < faults_len; i++) {
		struct bench b;
		if (!faults[i]->stream)
			continue;
		const char *options = in_place_of_defaults(faults[i]);
		bench_init(&b);
		bench_feed(&b, UPSTREAM, bench_pattern(), 100, 0);
		bench_remove(&b, bench_add(&b, faults[i]->name, options ? options : "", 0));
		if (b.ended && !is_among(faults[i]->name, ending, ARRAY_LEN(ending)))
			fail_msg("%s ended the connection", faults[i]->name);
		if (!b.ended) {
			assert_true(chain_idle(b.chain) && !chain_full(b.chain, UPSTREAM) && !chain_full(b.chain, DOWNSTREAM));
			bench_feed(&b, UPSTREAM, bench_pattern() + 100, BENCH_PATTERN - 100, 3000);
			bench_feed(&b, DOWNSTREAM, bench_pattern(), BENCH_PATTERN, 4001);
			for (enum direction d = 0; d < DIRECTIONS; d++) {
				bench_assert_out(&b, d, bench_pattern(), BENCH_PATTERN);
				bench_eof(&b, d);
				assert_true(b.eof[d] && b.eof_at_us[d] == 0);
			}
			assert_false(bench_next(&b));
		}
		bench_fini(&b);
	}
}

/* Random ---------------------------------------------------------------------------------------------------------- */

struct play {
	struct bench b;
	struct rng rng, cuts;      /* what happens; how octets are cut */
	bool cut;
	struct buf traffic[DIRECTIONS];
	size_t fed[DIRECTIONS];
	bool eof[DIRECTIONS];
	struct toxic *on[ON_MAX];
	size_t n_on;
	bool changed;              /* a fault was on that changes octets */
	uint64_t story;            /* a sum over all octets and ends with their times */
	size_t pieces;
};

static void add_to_story(struct play *p, uint64_t what)
{
	p->story = (p->story ^ what) * 0x100000001b3u;
	p->story ^= p->story >> 29;
}

/* Octet by octet: how they lie together may differ. Directions follow each other as they were fed. */
static void note(struct play *p)
{
	for (enum direction d = 0; d < DIRECTIONS; d++)
		for (size_t i = 0; i < p->b.n_pieces; i++) {
			const struct bench_piece *piece = &p->b.pieces[i];
			for (size_t at = 0; piece->stream == d && at < piece->len; at++) {
				add_to_story(p, piece->at_us << 9 | (uint64_t)d << 8 | p->b.out[d].p[piece->from + at]);
				add_to_story(p, piece->from + at);
			}
		}
	p->b.n_pieces = 0;
	for (enum direction d = 0; d < DIRECTIONS && !p->changed; d++)
		if (p->b.out[d].len > p->fed[d] ||
		    (p->b.out[d].len && memcmp(p->b.out[d].p, p->traffic[d].p, p->b.out[d].len) != 0))
			fail_msg("what came out %s is not a beginning of what came in; events:\n%s", direction_name(d),
				 buf_cstr(&p->b.events));
}

static void feed(struct play *p)
{
	enum direction d = (enum direction)rng_below(&p->rng, 2);
	size_t len = rng_below(&p->rng, 4) ? rng_below(&p->rng, 600) : rng_below(&p->rng, 6000);
	if (p->eof[d] || p->b.ended)
		return;
	len = len < p->traffic[d].len - p->fed[d] ? len : p->traffic[d].len - p->fed[d];
	for (size_t n; len && !p->b.ended; len -= n) {
		n = p->cut ? 1 + rng_below(&p->cuts, len < 700 ? len : 700) : len;
		bench_feed(&p->b, d, p->traffic[d].p + p->fed[d], n, 0);
		p->fed[d] += n;
	}
}

static void eof(struct play *p)
{
	enum direction d = (enum direction)rng_below(&p->rng, 2);
	if (p->eof[d] || p->b.ended || rng_below(&p->rng, 6))
		return;
	p->eof[d] = true;
	bench_eof(&p->b, d);
}

static const char *options_for(struct play *p, const struct fault *f)
{
	const char *chosen = in_place_of_defaults(f);
	size_t n = 1;
	for (size_t i = 0; i < ARRAY_LEN(variants); i++)
		if (strcmp(variants[i].fault, f->name) == 0 && rng_below(&p->rng, ++n) == 0)
			chosen = variants[i].options;
	return chosen ? chosen : "";
}

static void add(struct play *p)
{
	const struct fault *f = faults[rng_below(&p->rng, faults_len)];
	const char *options = options_for(p, f);
	char name[160];
	bool taken = false;
	if (!f->stream || p->n_on == ON_MAX)
		return;
	if (is_among(f->name, ending, ARRAY_LEN(ending)) && rng_below(&p->rng, 4))
		return;
	for (enum direction d = 0; d <= DIRECTIONS; d++) {
		snprintf(name, sizeof(name), "%s_%s", f->name, d < DIRECTIONS ? direction_name(d) : "both");
		taken |= toxics_find(&p->b.toxics, name) != NULL;
	}
	if (taken)
		return;
	p->changed |= is_among(f->name, changing, ARRAY_LEN(changing));
	p->on[p->n_on++] = bench_add(&p->b, f->name, options, (unsigned)rng_below(&p->rng, 4));
}

static void change(struct play *p)
{
	if (p->n_on) {
		struct toxic *t = p->on[rng_below(&p->rng, p->n_on)];
		bench_change(&p->b, t, options_for(p, t->fault));
	}
}

static void take_off(struct play *p)
{
	if (p->n_on) {
		size_t i = rng_below(&p->rng, p->n_on);
		bench_remove(&p->b, p->on[i]);
		p->on[i] = p->on[--p->n_on];
	}
}

static void wait(struct play *p)
{
	bench_pass_us(&p->b, rng_below(&p->rng, 3) ? rng_below(&p->rng, 3000) : rng_below(&p->rng, 100000));
}

static void step(struct play *p)
{
	static const struct {
		void (*f)(struct play *p);
		unsigned weight;
	} deeds[] = {{feed, 10}, {wait, 6}, {add, 4}, {change, 1}, {take_off, 2}, {eof, 1}};
	uint64_t x = rng_below(&p->rng, 24);
	for (size_t i = 0; i < ARRAY_LEN(deeds); x -= deeds[i++].weight)
		if (x < deeds[i].weight) {
			deeds[i].f(p);
			break;
		}
	note(p);
}

/* Everything is taken off: who was not ended has it all. */
static void settle(struct play *p)
{
	size_t wakes = 0;
	while (rng_below(&p->rng, 30) && bench_next(&p->b)) {
		note(p);
		assert_true(++wakes < WAKES_MAX);
	}
	while (p->n_on) {
		take_off(p);
		note(p);
	}
	for (enum direction d = 0; d < DIRECTIONS && !p->b.ended; d++) {
		if (!p->changed)
			bench_assert_out(&p->b, d, p->traffic[d].p, p->fed[d]);
		assert_int_equal(p->b.eof[d], p->eof[d]);
	}
	if (p->b.ended)
		add_to_story(p, p->b.ended_at_us << 8 | (uint64_t)p->b.how);
	for (enum direction d = 0; d < DIRECTIONS; d++)
		add_to_story(p, p->b.eof[d] ? p->b.eof_at_us[d] : UINT64_MAX);
}

static uint64_t play(uint64_t seed, uint64_t set_seed, bool cut, struct buf *ret_events)
{
	struct play p = {.cut = cut};
	rng_init(&p.rng, seed, "play");
	rng_init(&p.cuts, seed, "cuts");
	make_traffic(p.traffic, &p.rng);
	bench_init_seed(&p.b, set_seed);
	bench_open(&p.b);
	for (int i = 0; i < STEPS; i++)
		step(&p);
	settle(&p);
	buf_init(ret_events, BENCH_EVENTS_MAX);
	buf_append_span(ret_events, buf_span(&p.b.events));
	bench_fini(&p.b);
	for (enum direction d = 0; d < DIRECTIONS; d++)
		buf_fini(&p.traffic[d]);
	return p.story;
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Events of two toxics at the same time come in either order: octets reach the second in one piece or in several. */
static bool same_events(const struct buf *a, const struct buf *b)
{
	static char *lines[2][BENCH_EVENTS_MAX / 16];
	const struct buf *both[2] = {a, b};
	size_t n[2] = {0};
	bool same = true;
	char *copies[2];
	for (int i = 0; i < 2; i++) {
		char *at = NULL;
		copies[i] = strndup((const char *)both[i]->p, both[i]->len);
		assert_non_null(copies[i]);
		for (char *line = strtok_r(copies[i], "\n", &at); line; line = strtok_r(NULL, "\n", &at))
			lines[i][n[i]++] = line;
		qsort(lines[i], n[i], sizeof(lines[i][0]), compare_lines);
	}
	same = n[0] == n[1];
	for (size_t i = 0; same && i < n[0]; i++)
		same = strcmp(lines[0][i], lines[1][i]) == 0;
	for (int i = 0; i < 2; i++)
		free(copies[i]);
	return same;
}

static void nothing_is_lost_and_the_seed_decides(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct buf whole CLEANUP(buf_fini) = {0}, again CLEANUP(buf_fini) = {0}, cut CLEANUP(buf_fini) = {0};
		uint64_t story = play(seed, 1, false, &whole);
		if (play(seed, 1, false, &again) != story || !span_eq(buf_span(&whole), buf_span(&again)))
			fail_msg("seed %llu: not the same twice", (unsigned long long)seed);
		if (play(seed, 1, true, &cut) != story || !same_events(&whole, &cut))
			fail_msg("seed %llu: cut otherwise it differs:\n%s\nwhole:\n%s", (unsigned long long)seed, buf_cstr(&cut),
				 buf_cstr(&whole));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(put_on_and_taken_off_it_leaves_no_trace),
		cmocka_unit_test(nothing_is_lost_and_the_seed_decides),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
