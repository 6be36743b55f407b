#pragma once
/*
 * For the tests of faults that read WebSockets: a handshake and frames to feed, and the frames that come out. And what
 * every fault must hold: that it does not matter how read() cuts the octets.
 */
#include "faults/test_bench.h"
#include "harness/ws/frame.h"

extern const char talk_request[], talk_reply[]; /* RFC 6455 1.2; talk_reply is the 101 */

/* A whole frame: client frames are masked with a key that differs from frame to frame. */
void talk_frame(struct buf *b, enum direction d, uint8_t opcode, bool fin, const void *payload, size_t len);
/* "t:hello" text, "b:" binary, "c:" continuation, "f:" text without FIN, "g:" continuation without FIN, "i:" ping,
 * "o:" pong, "x:" Close (payload as it is); words with blanks between them. */
void talk_frames(struct buf *b, enum direction d, const char *words);
/* Feeds them to the bench. */
void talk_feed(struct bench *b, enum direction d, const char *words);
/* The handshake, both directions. */
void talk_open(struct bench *b);
/* What came out of d behind its first `skip` octets, as words; every frame must be whole and rightly masked. Valid
 * until the next call. */
const char *talk_heard(const struct bench *b, enum direction d, size_t skip);
/* talk_heard behind the handshake. */
const char *talk_after(const struct bench *b, enum direction d);

/*
 * One conversation, with a handshake and with everything frames can be, in reads of 1, 2, 3, 7 and 1460 octets and
 * whole: each octet comes out at the same time, and the events are the same. Gives what happened; buf_fini it.
 */
struct buf talk_assert_same(const char *fault, const char *options, unsigned streams, uint64_t seed);
/*
 * Octets that are no WebSocket at all, endless heads and endless frames: the first `rows` rows of talk_hostile, in
 * reads of 1 and 7 octets and whole. All of them come out, and the FIN behind them.
 */
void talk_assert_hostile_passes(const char *fault, const char *options, size_t rows);
/* Row n of what a peer may send in this direction; false behind the last one. */
bool talk_hostile(size_t n, enum direction d, struct buf *b);
enum { TALK_HOSTILE_HEADLESS = 7 /* those before have no complete head */, TALK_HOSTILE = 10 };
