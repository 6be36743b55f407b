/* A conversation over a WebSocket, said and heard in words; see test_talk.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "faults/test_talk.h"

enum { TALK_MAX = 16 << 20 };

const char talk_request[] = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n"
			    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
			    "Sec-WebSocket-Version: 13\r\nOrigin: http://example.com\r\n\r\n";
const char talk_reply[] = "HTTP/1.1 101 Switching Protocols\r\nServer: sample\r\nUpgrade: websocket\r\n"
			  "Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

static const struct letter {
	char letter;
	uint8_t opcode;
	bool fin;
} letters[] = {
	{'t', OPCODE_TEXT, true}, {'b', OPCODE_BINARY, true}, {'c', OPCODE_CONTINUATION, true},
	{'f', OPCODE_TEXT, false}, {'g', OPCODE_CONTINUATION, false}, {'i', OPCODE_PING, true},
	{'o', OPCODE_PONG, true}, {'x', OPCODE_CLOSE, true},
};

void talk_frame(struct buf *b, enum direction d, uint8_t opcode, bool fin, const void *payload, size_t len)
{
	struct frame f = {.fin = fin, .opcode = opcode, .masked = d == UPSTREAM, .payload = span_of(payload, len)};
	uint32_t key = (uint32_t)(b->len + len) * 2654435761u;
	memcpy(f.key, &key, sizeof(f.key));
	assert_int_equal(frame_write(b, &f), 0);
}

void talk_frames(struct buf *b, enum direction d, const char *words)
{
	while (*words) {
		size_t len = strcspn(words, " "), i = 0;
		while (letters[i].letter != *words)
			assert_true(++i < ARRAY_LEN(letters));
		assert_true(len >= 2 && words[1] == ':');
		talk_frame(b, d, letters[i].opcode, letters[i].fin, words + 2, len - 2);
		words += len + (words[len] == ' ');
	}
}

void talk_feed(struct bench *b, enum direction d, const char *words)
{
	struct buf octets CLEANUP(buf_fini) = {.max = TALK_MAX};
	talk_frames(&octets, d, words);
	bench_feed(b, d, octets.p, octets.len, 0);
}

void talk_open(struct bench *b)
{
	bench_feed_text(b, UPSTREAM, talk_request);
	bench_feed_text(b, DOWNSTREAM, talk_reply);
}

struct listener {
	enum direction d;
	struct buf *words;
};

static void on_head(void *owner, const struct frame_head *h)
{
	struct listener *l = owner;
	size_t i = 0;
	assert_int_equal(h->masked, l->d == UPSTREAM);
	while (letters[i].opcode != h->opcode || letters[i].fin != h->fin)
		assert_true(++i < ARRAY_LEN(letters));
	assert_int_equal(buf_printf(l->words, "%s%c:", l->words->len ? " " : "", letters[i].letter), 0);
}

static void on_payload(void *owner, struct span part)
{
	struct listener *l = owner;
	assert_int_equal(buf_append_span(l->words, part), 0);
}

const char *talk_heard(const struct bench *b, enum direction d, size_t skip)
{
	static struct buf words;
	struct listener l = {d, &words};
	struct frame_reader r;
	buf_fini(&words);
	words.max = TALK_MAX;
	frame_reader_init(&r, &l);
	r.on_head = on_head;
	r.on_payload = on_payload;
	assert_true(b->out[d].len >= skip);
	frame_reader_feed(&r, span_sub(buf_span(&b->out[d]), skip, SIZE_MAX));
	assert_false(frame_reader_pending(&r));
	return buf_cstr(&words);
}

const char *talk_after(const struct bench *b, enum direction d)
{
	return talk_heard(b, d, strlen(d == UPSTREAM ? talk_request : talk_reply));
}

/* Chunks ---------------------------------------------------------------------------------------------------------- */

static const struct {
	enum direction d;
	const char *words; /* NULL: a long binary frame */
	uint64_t then_us;
} script[] = {
	{UPSTREAM, "t:one", 10}, {DOWNSTREAM, "t:uno i: b:xyz", 700}, {UPSTREAM, "o: t:two", 3000},
	{DOWNSTREAM, "f:fr i:in g:ag c:ment", 0}, {UPSTREAM, "i:1 i:2 i:3 f:a g:b c:c", 40000}, {DOWNSTREAM, NULL, 5},
	{DOWNSTREAM, "o:1 o:2 o:3 t:done", 2000000}, {UPSTREAM, NULL, 1}, {UPSTREAM, "t:bye x:", 10},
	{DOWNSTREAM, "x:", 10},
};

/* All octets of a direction, each run of the same time by itself. */
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
	buf_printf(story, "%s %zu-%zu at %llu\n", direction_name(d), from, to, (unsigned long long)at_us);
	buf_append_span(story, buf_span(&b->out[d]));
	if (b->eof[d])
		buf_printf(story, "\n%s fin at %llu\n", direction_name(d), (unsigned long long)b->eof_at_us[d]);
}

static struct buf story_of(const char *fault, const char *options, unsigned streams, uint64_t seed, size_t chunk)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct buf story = {.max = TALK_MAX};
	bench_init_seed(b, seed);
	bench_open(b);
	bench_add(b, fault, options, streams);
	bench_feed(b, UPSTREAM, talk_request, strlen(talk_request), chunk);
	bench_feed(b, DOWNSTREAM, talk_reply, strlen(talk_reply), chunk);
	for (size_t i = 0; i < ARRAY_LEN(script) && !b->ended; i++) {
		struct buf octets CLEANUP(buf_fini) = {.max = TALK_MAX};
		if (script[i].words)
			talk_frames(&octets, script[i].d, script[i].words);
		else
			talk_frame(&octets, script[i].d, OPCODE_BINARY, true, bench_pattern(), 900);
		bench_feed(b, script[i].d, octets.p, octets.len, chunk);
		bench_pass_us(b, script[i].then_us);
	}
	for (enum direction d = 0; d < DIRECTIONS && !b->ended; d++)
		bench_eof(b, d);
	while (bench_next(b))
		;
	for (enum direction d = 0; d < DIRECTIONS; d++)
		tell_octets(b, d, &story);
	if (b->ended)
		buf_printf(&story, "end %d at %llu\n", (int)b->how, (unsigned long long)b->ended_at_us);
	assert_int_equal(buf_append_span(&story, buf_span(&b->events)), 0);
	bench_fini(b);
	free(b);
	return story;
}

struct buf talk_assert_same(const char *fault, const char *options, unsigned streams, uint64_t seed)
{
	static const size_t chunks[] = {0, 1, 2, 3, 7, 1460};
	struct buf whole = story_of(fault, options, streams, seed, 0);
	for (size_t i = 0; i < ARRAY_LEN(chunks); i++) {
		struct buf cut CLEANUP(buf_fini) = story_of(fault, options, streams, seed, chunks[i]);
		if (!span_eq(buf_span(&whole), buf_span(&cut)))
			fail_msg("%s %s in reads of %zu:\n%s\nwhole:\n%s", fault, options, chunks[i], buf_cstr(&cut), buf_cstr(&whole));
	}
	return whole;
}

/* Hostile octets -------------------------------------------------------------------------------------------------- */

static void fill(struct buf *b, size_t len, const char *with)
{
	while (b->len < len)
		assert_int_equal(buf_append_span(b, span_str(with)), 0);
}

bool talk_hostile(size_t n, enum direction d, struct buf *b)
{
	static const uint8_t huge[] = {0x82, 0x7f, 0x80, 0, 0, 0, 0, 0, 0, 0};
	static const uint8_t huge_masked[] = {0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4};
	const char *head = d == UPSTREAM ? talk_request : talk_reply;
	switch (n) {
	case 0: /* nothing like HTTP */
		return buf_append(b, "\x16\x03\x01garbage", 10) == 0;
	case 1: /* begins like HTTP */
		return buf_append_span(b, d == UPSTREAM ? SPAN_LIT("GET\r\n\r\nGE") : SPAN_LIT("HTTP/2 200\r\n\r\nHT")) == 0;
	case 2: /* a head that does not end */
		buf_append_span(b, span_of(head, strlen(head) - 2));
		fill(b, 100000, "X-More: and more\r\n");
		return true;
	case 3: /* nor does its line */
		buf_append_span(b, span_of(head, strlen(head) - 2));
		fill(b, 100000, "aaaaaaaaaaaaaaaaaaaaaaaaaaa");
		return true;
	case 4: /* a connection that was open: half of a frame */
		return buf_append(b, "\x82\xff\x01\x02", 4) == 0;
	case 5: /* octets of every kind */
		return buf_append(b, bench_pattern() + 3, 50000) == 0;
	case 6: /* a NUL in the status */
		return buf_append(b, "HTTP/1.1 1\0001\r\n\r\nGET \0\r\n\r\n", 25) == 0;
	case TALK_HOSTILE_HEADLESS: /* no upgrade */
		buf_append_span(b, d == UPSTREAM ? SPAN_LIT("GET / HTTP/1.1\r\n\r\n\x89\x80") :
						   SPAN_LIT("HTTP/1.1 403 No\r\nUpgrade: websocket\r\n\r\n\x89"));
		fill(b, 5000, "\x81\x85\x89");
		return true;
	case 8: /* a frame that nobody will ever see the end of */
		buf_append_span(b, span_of(head, strlen(head)));
		buf_append_span(b, d == UPSTREAM ? span_of(huge_masked, sizeof(huge_masked)) : span_of(huge, sizeof(huge)));
		fill(b, 300000, "payload");
		return true;
	case 9: /* a frame head that does not come to its end */
		buf_append_span(b, span_of(head, strlen(head)));
		return buf_append(b, "\x82\xff\x01\x02", 4) == 0;
	default:
		return false;
	}
}

void talk_assert_hostile_passes(const char *fault, const char *options, size_t rows)
{
	static const size_t chunks[] = {0, 1, 7};
	struct bench *b = calloc(1, sizeof(*b));
	for (size_t row = 0, more = 1; more; row++)
		for (size_t i = 0; i < 2 * ARRAY_LEN(chunks); i++) {
			enum direction d = i % 2 ? DOWNSTREAM : UPSTREAM;
			struct buf octets CLEANUP(buf_fini) = {.max = TALK_MAX};
			more = row < rows && talk_hostile(row, d, &octets);
			if (!more)
				break;
			bench_init(b);
			bench_add(b, fault, options, 0);
			size_t chunk = chunks[i / 2];
			for (size_t at = 0, n; at < octets.len; at += n) { /* pieces are not what is looked at */
				n = chunk && chunk < octets.len - at ? chunk : octets.len - at;
				b->n_pieces = 0;
				bench_feed(b, d, octets.p + at, n, 0);
			}
			bench_eof(b, d);
			assert_false(b->ended);
			bench_assert_out(b, d, octets.p, octets.len);
			assert_true(b->eof[d]);
			bench_fini(b);
		}
	free(b);
}
