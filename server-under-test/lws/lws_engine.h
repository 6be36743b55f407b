#ifndef SERVER_LWS_ENGINE_H
#define SERVER_LWS_ENGINE_H

#include <ev.h>
#include <libwebsockets.h>
#include <zlib.h>

#include "server-under-test/base/bytes.h"
#include "server-under-test/http/door.h"
#include "server-under-test/http/handshake.h"
#include "server-under-test/server.h"
#include "server-under-test/base/utf8.h"
#include "server-under-test/wire.h"

#define LWS_TICK_S 0.1 /* how late the library's timeouts may be */
#define LWS_RX_SMALL 1024 /* octets the library keeps for each connection; also what it reads at once */
#define LWS_MORE_READS 256 /* of LWS_RX_SMALL octets, in one turn, for all whose sockets hold more */
#define LWS_RX_LARGE (64 * 1024)
#define LWS_WRITE_MAX (1 << 30) /* octets the library gives to the socket at once */
#define LWS_LINGER_S 2.0 /* after our FIN, for the peer's */
#define LWS_FLUSHES_EACH_TURN 4 /* passes over what the flushing itself made due */

/* What the door knew, kept until the 101 is sent. Texts are owned. */
struct wire_start {
	struct identity *identity;
	char *query, *cookie;
};

/* A message of which a part has come, in a list of the engine by the time at which it began or went on. */
struct incoming {
	struct incoming *next, *prev;
	struct wire *wire;
	double since_s; /* loop time from which the fragment timeout counts */
	bool begun; /* false: only the head of a frame has come, and it may be a control frame's */
	bool fragmented; /* since_s stays what it is */
	bool frame_ended; /* what comes next is another frame */
	bool binary;
	struct utf8 utf8;
	uint64_t compressed_len; /* octets before inflating */
	z_stream *inflating; /* NULL: it is not compressed */
	struct bytes data;
};

/* One WebSocket, behind the library's opaque pointer from the adoption to LWS_CALLBACK_WSI_DESTROY. */
struct wire {
	struct wire *next, *prev;
	struct wire *dirty_next; /* of engine->dirty */
	struct lws_engine *engine;
	struct lws *wsi;
	const struct service *service;
	void *user;
	struct wire_start *start; /* NULL once opened */
	struct incoming *incoming; /* NULL between messages */
	struct conn_end *end; /* NULL: nothing ends it yet */
	struct frame **queue; /* a ring; NULL when it is empty */
	uint32_t first, count, capacity;
	size_t queued; /* octets in the ring */
	size_t handed; /* octets that the library took because the socket did not; it does not tell when some have left */
	ev_io readable; /* runs after the library's own */
	struct conn_info info;
	bool dirty; /* it is in engine->dirty */
	bool open; /* `opened` has been called, `closed` not yet */
	bool deflate; /* frames are sent compressed where it pays */
	bool inflate; /* permessage-deflate was agreed */
	bool paused; /* by the service */
	bool held; /* by the service: nothing is sent */
	bool stuck; /* the library holds the rest of a frame, see lws_output.c */
	bool resting; /* it reads before it sends again */
	bool blocked; /* the socket did not take everything */
	bool reading;
	bool above_low; /* wire_queued was above WIRE_LOW, `drained` is due */
	bool closing; /* no more messages, no more data frames */
	bool close_sent;
	bool aborted; /* by wire_abort: its deadline stands */
	bool ending; /* the library closes it */
};

struct lws_engine {
	struct server *server;
	struct lws_context *context;
	struct lws_vhost *vhost;
	struct wire *wires;
	unsigned websockets;
	struct wire *dirty; /* they have something to send */
	struct wire *later; /* in the next turn */
	unsigned more_reads; /* of this turn, see LWS_MORE_READS */
	struct incoming *oldest, *newest;
	struct lws_linger *lingering;
	z_stream *spare; /* an inflater nobody uses */
	struct frame *ping; /* made once */
	ev_timer tick;
	ev_timer fragment_timer; /* of the oldest */
	ev_prepare prepare; /* flushes */
	ev_idle idle; /* keeps the loop from sleeping while something is due */
	struct doors doors;
	struct wire *adopting; /* until the library knows the pointer */
	char names[2][LOG_TEXT_MAX]; /* of the library's protocol rows, see lws_context.c */
};

/* lws_wire.c: from the 101 to the end. What returns int returns what the library's callback returns. */
int lws_wire_opened(struct wire *wire);
int lws_wire_peer_close(struct wire *wire, const unsigned char *body, size_t len);
int lws_wire_timed_out(struct wire *wire); /* our Close was not answered in time */
void lws_wire_over(struct wire *wire); /* `closed` and the log */
void lws_wire_free(struct wire *wire); /* NULL: nothing */
/* Fails the connection (RFC 6455 7.1.7) within a callback of the library, which then ends TCP. Returns -1. */
int lws_wire_fail(struct wire *wire, unsigned code, const char *reason);
void lws_wire_fail_outside(struct wire *wire, unsigned code, const char *reason); /* the same elsewhere */
/*
 * The library has failed the connection by itself: what is queued is dropped, for it must not follow the library's
 * Close, which becomes the end that is logged. False: it has not.
 */
bool lws_wire_library_failed(struct wire *wire);
void lws_wire_close_left(struct wire *wire); /* a Close is the socket's or the library's */
void lws_wire_mark(struct wire *wire); /* there is something to do at the end of this turn */

/* lws_output.c */
void lws_output_init(struct lws_engine *engine);
void lws_output_fini(struct lws_engine *engine);
void lws_output_add(struct wire *wire, struct frame *frame); /* takes the reference */
void lws_output_add_first(struct wire *wire, struct frame *frame); /* before what is queued */
void lws_output_drop(struct wire *wire); /* what the library has not taken yet */
/* Sends what the socket takes. False: the socket is of no use. */
bool lws_output_send(struct wire *wire);
/* The same, and the library takes all the rest: it sends that before it ends TCP. */
bool lws_output_send_all(struct wire *wire);
void lws_output_writeable(struct wire *wire);

/* lws_input.c */
void lws_input_init(struct lws_engine *engine);
void lws_input_fini(struct lws_engine *engine);
int lws_input_receive(struct wire *wire, const void *data, size_t len);
void lws_input_watch(struct wire *wire); /* looks at frames whose payload does not come */
void lws_input_reading(struct wire *wire); /* reads or not, by what the wire's flags say now */
void lws_input_stop(struct wire *wire); /* forgets the message that is coming */

/*
 * lws_linger.c: reads what the peer still sends until its FIN, at most LWS_LINGER_S, so that closing a socket with
 * unread octets does not send a RST that destroys our Close. The library closes its own descriptor meanwhile.
 */
void lws_linger_start(struct lws_engine *engine, int fd);
void lws_linger_stop_all(struct lws_engine *engine);

extern const struct lws_extension lws_deflate_extensions[];
#define LWS_EXTENSIONS_MAX 160
/* The field, CRLF included, that makes the library give this answer. */
void lws_deflate_offer(char field[LWS_EXTENSIONS_MAX], const struct deflate_answer *deflate);

#endif
