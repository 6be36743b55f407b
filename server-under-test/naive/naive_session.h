#ifndef SERVER_NAIVE_SESSION_H
#define SERVER_NAIVE_SESSION_H

#include "server-under-test/base/bytes.h"
#include "server-under-test/log.h"
#include "server-under-test/naive/naive_frame.h"
#include "server-under-test/base/utf8.h"

enum session_state {
	SESSION_OPEN,
	SESSION_CLOSING, /* our Close is queued; the peer's is awaited */
	SESSION_ENDED, /* nothing more is read; send what is queued, then FIN */
};

/*
 * One open WebSocket of the echo service: octets in, octets out, no sockets and no clock. The owner moves `out` to
 * the peer. A message is held until it is complete; `out` grows by at most one message and its head beyond what the
 * owner lets it.
 */
struct session {
	enum session_state state;
	struct conn_info *info; /* counters; borrowed */
	struct conn_end end; /* valid from SESSION_CLOSING on; code 0 before */
	uint64_t message_max;
	const char *close_trigger; /* borrowed, or NULL */
	struct bytes out;

	uint8_t head[FRAME_HEAD_MAX]; /* of the frame being read */
	size_t head_len;
	bool in_payload;
	struct frame_head frame;
	uint64_t payload_done;

	bool in_message;
	uint8_t message_opcode;
	unsigned message_frames;
	struct bytes message;
	struct utf8 utf8;
	uint8_t control[FRAME_CONTROL_MAX];
	size_t control_len;
	struct bytes late_pongs; /* only a deliberate bug uses it */
	unsigned pings;
};

void session_init(struct session *session, struct conn_info *info, uint64_t message_max);
void session_fini(struct session *session);

/* Octets from the peer, in any pieces. Whatever they are is answered in `out` and `state`. */
void session_input(struct session *session, const uint8_t *data, size_t len);

/* Starts the closing handshake (RFC 6455 7.1.2). Nothing happens unless the session is open. */
void session_close(struct session *session, unsigned code, const char *reason);

/* The peer's FIN or a network error came: what the log says if no Close settled it before. */
void session_lost(struct session *session);

#endif
