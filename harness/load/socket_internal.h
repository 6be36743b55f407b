#pragma once
/* The inside of the WebSocket transport: socket.c lives, asks and says, socket_read.c hears. */
#include "harness/base/limits.h"
#include "harness/load/transport.h"
#include "harness/ws/close_code.h"
#include "harness/ws/frame.h"
#include "harness/ws/handshake.h"

enum socket_phase { SOCKET_DIALING, SOCKET_ASKED, SOCKET_OPEN };

struct socket {
	struct transport transport; /* first */
	struct alarms *alarms;
	struct stream *stream;
	struct rng *rng;
	struct buf *scratch;
	const struct opt_strings *subprotocols;
	const char *id_header;
	char *id;
	enum socket_phase phase;
	unsigned busy;       /* callbacks on the stack; memory stays until they return */
	bool freed, over;    /* transport_free() called; the last callback was made */
	bool we_closed, we_began, peer_closed; /* a Close went this way; ours before theirs */
	bool answered;       /* our answer to their Close was taken by the stream */
	int our_code, peer_code;
	char *reason;        /* of their Close */
	const char *broken;  /* what of the protocol the target broke, or NULL */
	struct alarm wait;   /* for the end, once a Close went */

	char key[HANDSHAKE_KEY_LEN + 1];
	struct buf request;  /* until it is sent */
	struct buf in;       /* the reply head; then a message that came in parts */
	struct frame_reader reader;
	struct span whole;   /* a message that came in one part; .p NULL: none */
	uint8_t message_opcode; /* of the message that is being read; 0: none */
	uint8_t control_len;
	uint8_t control[CONTROL_PAYLOAD_MAX];
};

/* Data of the stream. May lead to any callback. */
void socket_read(struct socket *s, struct span data);
void socket_reader_init(struct socket *s);
/* The last callback of a connection that was open. */
void socket_finish(struct socket *s, const char *note);
/* The last callback of one that was not. */
void socket_refuse(struct socket *s, int status, const char *why);
/* The target broke the protocol: says Close, reads nothing any more, and waits for the end. */
void socket_break(struct socket *s, int code, const char *what);
/* One control frame; 0 or what the stream gave. */
int socket_control(struct socket *s, enum opcode opcode, struct span payload);
/* Says Close with this code (CLOSE_NO_CODE: without one) and begins to wait for the end. */
void socket_say_close(struct socket *s, int code, const char *reason);
