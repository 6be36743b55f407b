/* Where heads and frames begin and end, whatever comes and however it is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "faults/frames.h"
#include "faults/test_talk.h"

enum { STORY_MAX = 1 << 20 };

static const char *const kind_names[] = {"none", "head", "frame", "plain"};

/* "head 0-120 frame 120-127/text/5 plain 127-" and the octets again, to be the same as those that came. */
static void tell(struct buf *story, struct frames *c, struct span octets, size_t chunk)
{
	struct buf out CLEANUP(buf_fini) = {.max = STORY_MAX};
	struct cut cut;
	for (size_t at = 0; at < octets.len; at += chunk) {
		struct span part = span_sub(octets, at, chunk);
		while (frames_next(c, &part, &cut)) {
			assert_true(cut.octets.len > 0);
			if (cut.first)
				buf_printf(story, "%s %llu", kind_names[cut.kind], (unsigned long long)cut.at);
			buf_append_span(&out, cut.octets);
			if (cut.last && cut.head)
				buf_printf(story, "-%zu/%s/%llu", out.len, opcode_name(cut.head->opcode),
					   (unsigned long long)cut.head->len);
			else if (cut.last)
				buf_printf(story, "-%zu", out.len);
			if (cut.last)
				buf_append_u8(story, ' ');
		}
	}
	if (c->why)
		buf_printf(story, " %s", c->why);
	assert_int_equal(c->seen, out.len);
	struct span rest = frames_rest(c);
	assert_true(rest.len < FRAME_HEAD_MAX);
	buf_append_span(&out, rest);
	assert_true(span_eq(buf_span(&out), octets));
}

static const struct {
	enum direction d;
	struct span octets;
	const char *story;
} rows[] = {
	{UPSTREAM, SPAN_LIT("GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n\x89\x80\1\2\3\4"), "head 0-38 frame 38-44/ping/0 "},
	{UPSTREAM, SPAN_LIT("GET / HTTP/1.1\nupgrade:h2c, WebSocket\n\n\x81\x81\1\2\3\4x"), "head 0-39 frame 39-46/text/1 "},
	{UPSTREAM, SPAN_LIT("GET / HTTP/1.1\r\nHost: a\r\n\r\n\x89\x80\1\2\3\4"), "head 0-27 plain 27 no-upgrade"},
	{UPSTREAM, SPAN_LIT("POST / HTTP/1.1\r\n\r\n"), "plain 0 not-http"},
	{UPSTREAM, SPAN_LIT("GEX / HTTP/1.1\r\n\r\n"), "head 0plain 2 not-http"},
	{UPSTREAM, SPAN_LIT("\x81\x82\1\2\3\4xy\x89\x80\1\2\3\4"), "frame 0-8/text/2 frame 8-14/ping/0 "},
	{UPSTREAM, SPAN_LIT("\x81\x02xy"), "plain 0 not-http"},               /* not masked */
	{UPSTREAM, SPAN_LIT("\x91\x82\1\2\3\4xy"), "plain 0 not-http"},       /* RSV3 */
	{UPSTREAM, SPAN_LIT("\xc1\x82\1\2\3\4xy"), "frame 0-8/text/2 "},      /* compressed */
	{UPSTREAM, SPAN_LIT("\x09\x80\1\2\3\4"), "plain 0 not-http"},         /* a Ping in fragments */
	{DOWNSTREAM, SPAN_LIT("HTTP/1.1 101 Go\r\n\r\n\x81\x01x\x88"), "head 0-19 frame 19-22/text/1 "},
	{DOWNSTREAM, SPAN_LIT("HTTP/1.0 101\r\n\r\n\x8a\x00"), "head 0-16 frame 16-18/pong/0 "},
	{DOWNSTREAM, SPAN_LIT("HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 101 Go\r\n\r\n\x81\x00"),
	 "head 0-22 head 22-41 frame 41-43/text/0 "},
	{DOWNSTREAM, SPAN_LIT("HTTP/1.1 200 Fine\r\n\r\n\x81\x01x"), "head 0-21 plain 21 not-101"},
	{DOWNSTREAM, SPAN_LIT("HTTP/1.1 1010 Go\r\n\r\n\x81\x01x"), "head 0plain 17 not-http"},
	{DOWNSTREAM, SPAN_LIT("HTTP/1.1101 Go\r\n\r\n\x81\x01x"), "head 0plain 15 not-http"},
	{DOWNSTREAM, SPAN_LIT("\r\nHTTP/1.1 101 Go\r\n\r\n"), "plain 0 not-http"},
	{DOWNSTREAM, SPAN_LIT("\x82\x7e\x00\x7e"), "frame 0"},
	{DOWNSTREAM, SPAN_LIT("\x82\x7e\x00\x01z"), "plain 0 not-http"},      /* not the shortest form */
	{DOWNSTREAM, SPAN_LIT("\x82\x7f"), ""},
	{DOWNSTREAM, SPAN_LIT("HTTP/1.1 101 Go\r\n\r\n\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xffmore"), "head 0-19 frame 19"},
	{DOWNSTREAM, SPAN_LIT("HTTP/1.1 101 Go\r\n\r\n\x7f\x00\x0b\x00"),
	 "head 0-19 frame 19-21/reserved-f/0 frame 21-23/reserved-b/0 "},
};

static void cuts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t chunk = 1; chunk <= rows[i].octets.len; chunk++) {
			struct buf story CLEANUP(buf_fini) = {.max = STORY_MAX};
			struct frames c;
			frames_init(&c, rows[i].d);
			tell(&story, &c, rows[i].octets, chunk);
			if (strcmp(buf_cstr(&story), rows[i].story) != 0)
				fail_msg("row %zu in reads of %zu: '%s', want '%s'", i, chunk, buf_cstr(&story), rows[i].story);
		}
}

static void a_head_has_a_limit(void **state)
{
	static const struct {
		size_t len;
		const char *story;
	} heads[] = {{FRAMES_HEAD_MAX, "head 0-65536 frame 65536-65538/text/0 "},
		     {FRAMES_HEAD_MAX + 1, "head 0plain 65536 head-too-long"}};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(heads); i++)
		for (size_t chunk = 1; chunk < 100000; chunk = chunk * 3 + 1) {
			struct buf story CLEANUP(buf_fini) = {.max = STORY_MAX}, octets CLEANUP(buf_fini) = {.max = STORY_MAX};
			struct frames c;
			buf_append_span(&octets, SPAN_LIT("HTTP/1.1 101 Go\r\nX: "));
			while (octets.len < heads[i].len - 4)
				buf_append_u8(&octets, 'x');
			buf_append_span(&octets, SPAN_LIT("\r\n\r\n\x81\0"));
			frames_init(&c, DOWNSTREAM);
			tell(&story, &c, buf_span(&octets), chunk);
			assert_string_equal(buf_cstr(&story), heads[i].story);
		}
}

/* Conversations with octets spoilt here and there: whatever they are, how they are cut changes nothing. */
static void any_octets(void **state)
{
	static const char *const words = "t:one i:2 b: f:three g:4 o:5 c:six x:\x03\xe8 t:after";
	(void)state;
	for (unsigned round = 0; round < 1500; round++) {
		struct buf octets CLEANUP(buf_fini) = {.max = STORY_MAX};
		struct rng rng;
		rng_init(&rng, round, "any_octets");
		enum direction d = (enum direction)rng_below(&rng, DIRECTIONS);
		if (rng_below(&rng, 4))
			buf_append_span(&octets, span_str(d == UPSTREAM ? talk_request : talk_reply));
		talk_frames(&octets, d, words);
		for (uint64_t spoilt = rng_below(&rng, 4); spoilt > 0; spoilt--)
			octets.p[rng_below(&rng, octets.len)] = (uint8_t)rng_u64(&rng);
		octets.len -= rng_below(&rng, 20);
		struct buf whole CLEANUP(buf_fini) = {.max = STORY_MAX};
		for (int cut = 0; cut < 6; cut++) {
			struct buf story CLEANUP(buf_fini) = {.max = STORY_MAX};
			struct frames c;
			frames_init(&c, d);
			tell(cut ? &story : &whole, &c, buf_span(&octets), cut ? 1 + rng_below(&rng, 1u << 2 * cut) : octets.len);
			if (cut && !span_eq(buf_span(&story), buf_span(&whole)))
				fail_msg("round %u: '%s', whole '%s'", round, buf_cstr(&story), buf_cstr(&whole));
		}
	}
}

/* Nobody waits for the rest of what cannot become a frame. */
static void early_octets_are_not_kept(void **state)
{
	(void)state;
	static const struct {
		struct span octets;
		bool kept;
	} first[] = {{SPAN_LIT("\x81"), true}, {SPAN_LIT("\x81\xfe"), true}, {SPAN_LIT("\x81\x7e"), false},
		     {SPAN_LIT("S"), false},
		     {SPAN_LIT("\x80"), true}, {SPAN_LIT("\x83"), false}};
	for (size_t i = 0; i < ARRAY_LEN(first); i++) {
		struct frames c;
		struct cut cut;
		struct span octets = first[i].octets;
		frames_init(&c, UPSTREAM);
		assert_int_equal(frames_next(&c, &octets, &cut), !first[i].kept);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cuts),
		cmocka_unit_test(a_head_has_a_limit),
		cmocka_unit_test(any_octets),
		cmocka_unit_test(early_octets_are_not_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
