#ifndef SERVER_WIRE_H
#define SERVER_WIRE_H

#include "server-under-test/hub/frame.h"
#include "server-under-test/log.h"

/*
 * One open WebSocket as the service behind its path sees it: whole messages in, shared frames out. The libwebsockets
 * engine implements it (lws_wire.c); framing in, masking, Pongs to the peer's Pings, inflating and the closing
 * handshake are the engine's.
 */
struct wire;
struct handshake_request;
struct identity;

/* What the opening handshake told. The texts are borrowed for the call. */
struct wire_opening {
	struct text query; /* of the request-target, without the ? */
	struct text cookie; /* the Cookie field, "" when there was none */
	struct identity *identity; /* whose credentials were shown, NULL when none are needed; the service frees it */
};

/* What a path offers. A service keeps its state behind wire_user. */
struct service {
	const char *path;
	/* The 101 has been sent. */
	void (*opened)(struct wire *wire, const struct wire_opening *opening);
	/* A whole message, text already checked to be UTF-8. data is borrowed. */
	void (*message)(struct wire *wire, bool binary, const uint8_t *data, size_t len);
	/* A Pong came. */
	void (*pong)(struct wire *wire);
	/* The queue fell to or under the mark that wire_queued had been above, see WIRE_LOW. NULL: not needed. */
	void (*drained)(struct wire *wire);
	/* It is over: conn and end are what the log gets. The wire must not be used after this. */
	void (*closed)(struct wire *wire, const struct conn_end *end);
	/* Octets; a longer one is closed with 1009. At most MESSAGE_UNLIMITED. */
	size_t (*message_max)(const struct config *config);
};

#define MESSAGE_UNLIMITED (SIZE_MAX / 4) /* leaves room to reckon with */
#define WIRE_LOW (64u * 1024) /* queued octets at or under which `drained` is called */

extern const struct service service_echo;
extern const struct service service_ws;

void wire_set_user(struct wire *wire, void *user);
void *wire_user(const struct wire *wire);
struct server *wire_server(const struct wire *wire);
struct conn_info *wire_info(struct wire *wire);

/*
 * Queues a frame (takes a reference); it leaves at the end of this loop turn together with the others, or when the
 * socket takes it. data: it counts as a data message in `sent`. Ignored once a Close was sent or wanted.
 */
void wire_send(struct wire *wire, struct frame *frame);
/* Queues the echo of a message: a frame of its own. */
void wire_send_copy(struct wire *wire, bool binary, const uint8_t *data, size_t len);
void wire_ping(struct wire *wire); /* a Ping, with a payload of one octet */
/* Octets queued in this process that the socket has not taken. */
size_t wire_queued(const struct wire *wire);

/* What is queued stays queued until it is called with false. */
void wire_hold(struct wire *wire, bool hold);

/* No more messages until it is called with false; what the engine has read already is held back too. */
void wire_pause(struct wire *wire, bool pause);

/*
 * Starts the closing handshake behind what is queued; false when one is under way. The end is logged with this code
 * and reason, initiator server. `closed` comes later.
 */
bool wire_close(struct wire *wire, unsigned code, const char *reason);
/*
 * The same for a peer that is not expected to read or answer (slow consumer, heartbeat timeout): what is queued is
 * dropped, the Close goes out if the socket takes it at once, TCP ends after at most WIRE_ABORT_S.
 */
void wire_abort(struct wire *wire, unsigned code, const char *reason);
#define WIRE_ABORT_S 1.0

#endif
