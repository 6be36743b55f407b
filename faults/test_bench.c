/* One connection on virtual time; see test_bench.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "faults/test_bench.h"
#include "harness/net/tls.h"

static void on_out(void *owner, enum direction d, struct span octets)
{
	struct bench *b = owner;
	assert_true(b->n_pieces < BENCH_PIECES_MAX && octets.len && !b->eof[d] && !b->ended);
	b->pieces[b->n_pieces++] = (struct bench_piece){d, b->now_us, b->out[d].len, octets.len};
	assert_int_equal(buf_append_span(&b->out[d], octets), 0);
}

static void on_out_eof(void *owner, enum direction d)
{
	struct bench *b = owner;
	assert_true(!b->eof[d] && !b->ended);
	b->eof[d] = true;
	b->eof_at_us[d] = b->now_us;
}

static void on_end(void *owner, enum stream_end how)
{
	struct bench *b = owner;
	assert_true(!b->ended || b->how == STREAM_END_SILENCE);
	b->ended = true;
	b->how = how;
	b->ended_at_us = b->now_us;
}

static void on_wake_at(void *owner, uint64_t at_us)
{
	struct bench *b = owner;
	b->wake_at_us = at_us;
}

static void on_change(void *owner)
{
	(void)owner;
}

static const struct chain_events events = {on_out, on_out_eof, on_end, on_wake_at, on_change};

static void on_event(void *owner, const struct fault_event *e)
{
	struct bench *b = owner;
	assert_int_equal(buf_printf(&b->events, "%s %s conn=%llu %s at=%llu%s%s\n", e->name, e->what,
				    (unsigned long long)e->connection, e->stream, (unsigned long long)e->at,
				    e->detail ? " " : "", e->detail ? e->detail : ""),
			 0);
}

/* As of a proxy that ends TLS, so that every toxic can be put on. One for all benches of a test. */
static const struct tls_context *usual_certificate(void)
{
	static struct tls_context *certificate;
	if (!certificate)
		assert_int_equal(tls_server_context_new(&(struct tls_server_options){0}, &certificate, NULL), 0);
	return certificate;
}

void bench_init_seed(struct bench *b, uint64_t seed)
{
	*b = (struct bench){.wake_at_us = UINT64_MAX};
	toxics_init(&b->toxics, seed, "bench");
	b->toxics.on_event = on_event;
	b->toxics.owner = b;
	b->toxics.certificate = usual_certificate();
	buf_init(&b->events, BENCH_EVENTS_MAX);
	for (enum direction d = 0; d < DIRECTIONS; d++)
		buf_init(&b->out[d], 256 << 20);
}

void bench_init(struct bench *b)
{
	bench_init_seed(b, 1);
	bench_open(b);
}

void bench_open(struct bench *b)
{
	chain_free(TAKE_PTR(b->chain));
	for (enum direction d = 0; d < DIRECTIONS; d++) {
		b->out[d].len = 0;
		b->eof[d] = false;
	}
	b->n_pieces = 0;
	b->ended = false;
	b->wake_at_us = UINT64_MAX;
	assert_int_equal(chain_new(&b->toxics, 0, CHAIN_BOTH, &events, b, b->now_us, &b->chain), 0);
	chain_open(b->chain, b->now_us);
}

void bench_fini(struct bench *b)
{
	chain_free(TAKE_PTR(b->chain));
	toxics_fini(&b->toxics);
	buf_fini(&b->events);
	for (enum direction d = 0; d < DIRECTIONS; d++)
		buf_fini(&b->out[d]);
}

static int fill(const void *from, const struct fault *f, void *options, struct arena *a, struct err *e)
{
	char *words = arena_strdup(a, from), *at = NULL;
	for (char *word = strtok_r(words, " ", &at); word; word = strtok_r(NULL, " ", &at)) {
		char *equals = strchr(word, '=');
		const struct opt *o = f->options;
		assert_non_null(equals);
		*equals = '\0';
		while (o->name && strcmp(o->name, word) != 0)
			o++;
		if (!o->name)
			fail_msg("%s has no option %s", f->name, word);
		int r = opt_set(o, options, equals + 1, a, e);
		if (r < 0)
			return r;
		opt_mark_seen(o, options);
	}
	return 0;
}

static struct toxic_spec spec_of(const char *fault, const char *options, unsigned streams)
{
	const struct fault *f = fault ? fault_find(fault) : NULL;
	if (fault && !f)
		fail_msg("no fault %s", fault);
	return (struct toxic_spec){.fault = f, .streams = streams, .toxicity = 1, .fill = fill, .from = options};
}

struct toxic *bench_add(struct bench *b, const char *fault, const char *options, unsigned streams)
{
	struct toxic_spec spec = spec_of(fault, options, streams);
	struct toxic *toxic = NULL;
	struct err e = {0};
	if (toxics_add(&b->toxics, &spec, b->now_us, &toxic, &e) < 0)
		fail_msg("%s %s: %s", fault, options, e.text);
	return toxic;
}

const char *bench_refusal(struct bench *b, const char *fault, const char *options)
{
	static struct err e;
	struct toxic_spec spec = spec_of(fault, options, 0);
	struct toxic *toxic;
	if (toxics_add(&b->toxics, &spec, b->now_us, &toxic, &e) < 0)
		return e.text;
	toxics_remove(&b->toxics, toxic, b->now_us);
	return NULL;
}

void bench_change(struct bench *b, struct toxic *toxic, const char *options)
{
	struct toxic_spec spec = spec_of(NULL, options, 0);
	struct err e = {0};
	if (toxics_update(&b->toxics, toxic, &spec, b->now_us, &e) < 0)
		fail_msg("%s: %s", options, e.text);
}

void bench_remove(struct bench *b, struct toxic *toxic)
{
	toxics_remove(&b->toxics, toxic, b->now_us);
}

void bench_feed(struct bench *b, enum direction d, const void *octets, size_t len, size_t chunk)
{
	const uint8_t *p = octets;
	for (size_t at = 0, n; at < len && !b->ended; at += n) {
		n = chunk && chunk < len - at ? chunk : len - at;
		chain_data(b->chain, d, span_of(p + at, n), b->now_us);
	}
}

void bench_feed_text(struct bench *b, enum direction d, const char *text)
{
	bench_feed(b, d, text, strlen(text), 0);
}

void bench_eof(struct bench *b, enum direction d)
{
	chain_eof(b->chain, d, b->now_us);
}

bool bench_next(struct bench *b)
{
	if (b->wake_at_us == UINT64_MAX || b->ended)
		return false;
	if (b->wake_at_us > b->now_us)
		b->now_us = b->wake_at_us;
	b->wake_at_us = UINT64_MAX;
	chain_wake(b->chain, b->now_us);
	return true;
}

void bench_pass_us(struct bench *b, uint64_t us)
{
	uint64_t until = b->now_us + us;
	while (b->wake_at_us <= until && bench_next(b))
		;
	b->now_us = until;
}

void bench_assert_out(struct bench *b, enum direction d, const void *octets, size_t len)
{
	assert_int_equal(b->out[d].len, len);
	if (len)
		assert_memory_equal(b->out[d].p, octets, len);
}

void bench_assert_text(struct bench *b, enum direction d, const char *text)
{
	assert_string_equal(buf_cstr(&b->out[d]), text);
}

const uint8_t *bench_pattern(void)
{
	static uint8_t pattern[BENCH_PATTERN];
	if (!pattern[1])
		for (uint32_t i = 0; i < BENCH_PATTERN; i++)
			pattern[i] = (uint8_t)((i * 2654435761u) >> 24);
	return pattern;
}
