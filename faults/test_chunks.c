/* One script, told in one text for each way of cutting the octets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "faults/test_chunks.h"

enum { STORY_MAX = 8 << 20, WAKES_MAX = 100000 };

static const struct {
	enum direction d;
	size_t len;
	uint64_t then_us;
} script[] = {
	{DOWNSTREAM, 1, 1}, {UPSTREAM, 300, 10}, {DOWNSTREAM, 1300, 0}, {UPSTREAM, 7, 2500}, {DOWNSTREAM, 400, 4000},
	{UPSTREAM, 800, 50000}, {DOWNSTREAM, 1050, 30},
};

/* All octets of a direction, each with its time, runs of the same time together. */
static void tell_octets(const struct bench *b, enum direction d, struct buf *story)
{
	size_t from = 0, to = 0;
	uint64_t at_us = 0;
	for (size_t i = 0; i < b->n_pieces; i++) {
		const struct bench_piece *p = &b->pieces[i];
		if (p->stream != d)
			continue;
		if (p->at_us != at_us && to > from) {
			buf_printf(story, "%s %zu-%zu at %llu\n", direction_name(d), from, to, (unsigned long long)at_us);
			from = p->from;
		}
		at_us = p->at_us;
		to = p->from + p->len;
	}
	if (to > from)
		buf_printf(story, "%s %zu-%zu at %llu\n", direction_name(d), from, to, (unsigned long long)at_us);
	buf_append_span(story, buf_span(&b->out[d]));
	if (b->eof[d])
		buf_printf(story, "\n%s fin at %llu\n", direction_name(d), (unsigned long long)b->eof_at_us[d]);
}

static struct buf story_of(const char *fault, const char *options, unsigned streams, uint64_t seed, size_t chunk)
{
	struct bench b;
	struct buf story;
	size_t fed[DIRECTIONS] = {0}, wakes = 0;
	buf_init(&story, STORY_MAX);
	bench_init_seed(&b, seed);
	bench_open(&b);
	bench_add(&b, fault, options, streams);
	for (size_t i = 0; i < ARRAY_LEN(script); i++) {
		enum direction d = script[i].d;
		bench_feed(&b, d, bench_pattern() + fed[d], script[i].len, chunk);
		fed[d] += script[i].len;
		bench_pass_us(&b, script[i].then_us);
	}
	for (enum direction d = 0; d < DIRECTIONS; d++)
		bench_eof(&b, d);
	while (bench_next(&b))
		assert_true(++wakes < WAKES_MAX);
	for (enum direction d = 0; d < DIRECTIONS; d++)
		tell_octets(&b, d, &story);
	if (b.ended)
		buf_printf(&story, "end %d at %llu\n", (int)b.how, (unsigned long long)b.ended_at_us);
	assert_int_equal(buf_append_span(&story, buf_span(&b.events)), 0);
	bench_fini(&b);
	return story;
}

struct buf chunks_assert_same(const char *fault, const char *options, unsigned streams, uint64_t seed)
{
	static const size_t chunks[] = {1, 7, 1460, 1461};
	struct buf whole = story_of(fault, options, streams, seed, 0);
	for (size_t i = 0; i < ARRAY_LEN(chunks); i++) {
		struct buf cut CLEANUP(buf_fini) = story_of(fault, options, streams, seed, chunks[i]);
		if (!span_eq(buf_span(&whole), buf_span(&cut)))
			fail_msg("%s %s in reads of %zu:\n%s\nwhole:\n%s", fault, options, chunks[i], buf_cstr(&cut), buf_cstr(&whole));
	}
	return whole;
}
