#pragma once
/*
 * For the tests of filters: one connection's chain on virtual time. Octets fed on one side are collected on the other,
 * each piece with the time at which it came out. Nothing here waits.
 */
#include "faults/toxics.h"
#include "harness/base/buf.h"

enum { BENCH_PIECES_MAX = 4096, BENCH_EVENTS_MAX = 1 << 20 };

struct bench_piece {
	enum direction stream;
	uint64_t at_us;
	size_t from, len;          /* in bench->out[stream] */
};

struct bench {
	struct toxics toxics;
	struct chain *chain;
	uint64_t now_us;
	uint64_t wake_at_us;
	struct buf out[DIRECTIONS]; /* all that came out */
	bool eof[DIRECTIONS];      /* a FIN came out */
	uint64_t eof_at_us[DIRECTIONS];
	struct bench_piece pieces[BENCH_PIECES_MAX];
	size_t n_pieces;
	bool ended;
	enum stream_end how;
	uint64_t ended_at_us;
	struct buf events;         /* a line an event: "latency hit conn=1 downstream at=0 delay_us=5" */
};

/* Seed 1; a connection is open at time 0. */
void bench_init(struct bench *b);
/* As bench_init with another seed, and no connection yet. */
void bench_init_seed(struct bench *b, uint64_t seed);
/* Opens the connection (or, after the first, a new one in its place; what came out is forgotten, events are not). */
void bench_open(struct bench *b);
void bench_fini(struct bench *b);
/* Puts a fault on by its name; options as "key=value key=value" in a user's words; streams 0: its own. Fails the test
 * when refused. */
struct toxic *bench_add(struct bench *b, const char *fault, const char *options, unsigned streams);
/* As bench_add; gives the sentence of a refusal, or NULL when it was taken. Valid until the next call. */
const char *bench_refusal(struct bench *b, const char *fault, const char *options);
void bench_change(struct bench *b, struct toxic *toxic, const char *options);
void bench_remove(struct bench *b, struct toxic *toxic);
/* Octets from the sender of d, cut into reads of `chunk` octets (0: one). */
void bench_feed(struct bench *b, enum direction d, const void *octets, size_t len, size_t chunk);
void bench_feed_text(struct bench *b, enum direction d, const char *text);
void bench_eof(struct bench *b, enum direction d);
/* Time goes on by this much; every wake on the way comes at its time. */
void bench_pass_us(struct bench *b, uint64_t us);
/* To the next wake; false: none is wished. */
bool bench_next(struct bench *b);
/* What came out of d so far is exactly this. */
void bench_assert_out(struct bench *b, enum direction d, const void *octets, size_t len);
void bench_assert_text(struct bench *b, enum direction d, const char *text);
/* 1 MiB with every octet at a known place, for byte-identity. */
const uint8_t *bench_pattern(void);
enum { BENCH_PATTERN = 1 << 20 };
