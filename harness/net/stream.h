#pragma once
/*
 * A connection as the code above sees it: octets out, octets in, FIN, RST. What lies below (TCP, TLS over TCP, an in-
 * memory pair, a fault filter) cannot be told apart from here. Everything happens on one loop thread.
 *
 * Life: created by dial(), stream_pair() or a filter's constructor; on_open once; then on_data*, at most one on_eof, at
 * most one on_error. After on_error nothing more comes. stream_free() may be called from inside any callback, at any
 * time; no callback comes after it.
 *
 * Callbacks come from the loop only, never from inside a call to a function of this header. All but on_drain must be
 * set. What the peer sent before it ended is delivered before the ending is told, also when a write has failed
 * meanwhile.
 */
#include <stdbool.h>
#include <stdint.h>

#include "harness/base/span.h"

struct stream;

struct stream_events {
	void (*on_open)(void *owner);
	/* 1 to STREAM_READ_CHUNK octets, valid during the call. */
	void (*on_data)(void *owner, struct span data);
	/* Nothing more comes from the peer. TCP: its FIN, clean is true. TLS: its close_notify (clean; a server may
	 * wait for ours before it closes TCP, so this does not wait for the FIN), or a FIN without one (not clean:
	 * perhaps cut). Writing is still possible. */
	void (*on_eof)(void *owner, bool clean);
	/* Terminal: -ECONNREFUSED, -ETIMEDOUT, -ECONNRESET (a RST came), -EPROTO (TLS; stream_error_text says what),
	 * ... It may follow on_eof: a FIN, then a RST. */
	void (*on_error)(void *owner, int error);
	/* stream_unsent() was above 0 and is 0 again. May be NULL. */
	void (*on_drain)(void *owner);
};

struct stream_ops {
	const char *name;
	int (*write)(struct stream *s, struct span data);
	int (*shutdown)(struct stream *s);
	void (*reset)(struct stream *s);
	void (*pause)(struct stream *s, bool paused);
	size_t (*unsent)(const struct stream *s);
	const char *(*error_text)(const struct stream *s);
	const char *(*describe)(const struct stream *s);
	void (*free)(struct stream *s);
};

struct stream {
	const struct stream_ops *ops;
	const struct stream_events *events;
	void *owner;
};

/* Takes all or nothing. Each write is one send (TCP_NODELAY; TLS: its own record), as long as nothing is unsent. An
 * empty one does nothing. -ENOBUFS past STREAM_UNSENT_MAX, -ENOTCONN before on_open, -EPIPE after shutdown, reset or
 * on_error. When the peer has reset the connection the octets are dropped, 0 is returned, and on_error tells it. */
int stream_write(struct stream *s, struct span data);
/* FIN after everything written (TLS: close_notify first). Reading goes on. Again: does nothing. -ENOTCONN before
 * on_open, -EPIPE after reset or on_error. */
int stream_shutdown(struct stream *s);
/* RST now (a plain close while connecting), unsent octets are dropped. The stream stays to be freed; no callback comes
 * any more. */
void stream_reset(struct stream *s);
/* Stop reading from the peer (its window fills), or go on. Paused: no on_data, on_eof or on_error comes of an open
 * connection. */
void stream_pause(struct stream *s, bool paused);
/* Octets written that the kernel (or the pair's other end) has not taken yet. */
size_t stream_unsent(const struct stream *s);
/* One phrase about the last error, never NULL. */
const char *stream_error_text(const struct stream *s);
/* "tcp 127.0.0.1:5000 -> 127.0.0.1:80", "tls TLSv1.3 TLS_AES_256_GCM_SHA384 over tcp ..."; never NULL. */
const char *stream_describe(const struct stream *s);
/* Closes (FIN if still open; what is unsent is dropped; nothing more is read, and the kernel sends RST for what came
 * unread) and frees. NULL is fine. */
void stream_free(struct stream *s);
