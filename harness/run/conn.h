#pragma once
/*
 * One WebSocket connection as a test sees it: it opens, writes exactly the octets it is given, and turns what comes back into events, in order,
 * without judging them. The rules that hold on every octet of a target (watch.def) are noted on the way.
 */
#include "harness/net/dial.h"
#include "harness/run/case.h"
#include "harness/run/transcript.h"
#include "harness/ws/handshake.h"
#include "harness/ws/utf8.h"

enum conn_event_kind {
	CONN_OPEN,          /* the stream is open (TLS included); nothing was written yet */
	CONN_REPLY,         /* the final reply head came: conn->reply */
	CONN_MESSAGE,       /* a complete data message: opcode, octets */
	CONN_PING, CONN_PONG, CONN_CLOSE, /* a control frame: octets are its payload */
	CONN_EOF,           /* FIN; clean tells about TLS */
	CONN_ERROR,         /* terminal: error is a negative errno, -ECONNRESET for RST */
	CONN_ENDLESS,       /* a named limit was passed: what it was is in conn->limit_text; reading has stopped */
	CONN_FRAME,         /* a frame that is none of the above: a reserved opcode, or part of a message (a sign of life) */
};

struct conn_event {
	enum conn_event_kind kind;
	uint8_t opcode;
	struct span octets;
	int error;
	bool clean;
};

struct conn;


struct conn_watch {
	uint32_t samples;   /* chances the rule had to be broken */
	uint32_t seen;      /* times it was broken */
};

struct conn {
	struct stream *stream;
	void (*on_event)(void *owner, const struct conn_event *e);
	void *owner;
	struct transcript *transcript;
	struct arena *arena;
	const struct handshake_request *request; /* what was sent, to judge the 101; may be NULL */

	struct buf head;           /* reply head until it is complete */
	struct handshake_reply reply;
	bool replied, upgraded, extension, eof, dead;
	bool edited;               /* set by the owner: the request is not the standard one, and its case judges the reply */
	bool odd_offer;            /* set by the owner: the request offers what breaks the grammar, so there is no telling what it offers */
	bool deaf;                 /* set by the owner: data is not kept, and messages come without octets */
	bool provoked;             /* set by the owner once it has broken the protocol: some watches no longer bind */
	bool we_closed, peer_closed; /* a Close frame went this way */
	int our_code;              /* of our Close, set by the owner with we_closed; repeating it is not the target's own idea */
	struct frame_reader reader;
	struct buf control;        /* payload of the control frame being read */
	struct buf message;        /* payload of the data message being assembled; when refused: what follows the reply head */
	uint8_t message_opcode;
	bool message_open, message_lost; /* lost: fragments that belong to no message; octets are dropped */
	uint32_t message_frames;
	uint64_t received, frames; /* octets and frames from the peer */
	uint64_t opened_us;
	uint64_t progress_us;      /* the last octets that were not of Pings or Pongs */
	const char *limit_text;
	struct conn_watch watch[WATCH_COUNT];
};

/* Dials. The owner's struct keeps conn; arena, transcript and request outlive it. */
int conn_dial(struct conn *c, struct loop *l, const struct dial_options *o, struct arena *a, struct transcript *t, void (*on_event)(void *owner, const struct conn_event *e),
	      void *owner);
/* Writes octets; a frame's decoded form for the transcript is noted by the caller. 0, -ENOBUFS, -EPIPE once the connection is dead. */
int conn_write(struct conn *c, struct span octets);
void conn_fin(struct conn *c);
void conn_reset(struct conn *c);
/* Closes what is open and frees; on_event is not called any more. Safe on a zeroed struct and inside on_event. */
void conn_fini(struct conn *c);
/* What a watch looks for, from watch.def. */
const char *conn_watch_about(enum watch w);
/* Neither FIN nor an error has come, and we did not reset. */
bool conn_alive(const struct conn *c);
