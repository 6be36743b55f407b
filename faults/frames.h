#pragma once
/*
 * Cuts one direction of a connection into its HTTP heads and then its WebSocket frames (RFC 6455 5.2), as the octets
 * come: nothing is copied but what an incomplete frame head needs, so a frame may be as long as it likes.
 *
 * Frames begin behind a request head with "Upgrade: websocket", and behind a 101. Heads before that one (100, 103) are
 * heads of their own. Anything else is plain from there on, to the end: a reply that is not 101, octets that cannot
 * become a head, a head longer than FRAMES_HEAD_MAX; `why` says which. A direction that begins with a sound frame head
 * is taken to be in frames already: a filter that is put on an open connection sees no handshake. (Put on in the middle
 * of a frame it finds none, or guesses wrong; one that was there from the start never guesses.)
 */
#include "faults/filter.h"
#include "harness/ws/frame.h"

enum {
	FRAMES_HEAD_MAX = 64 << 10, /* octets of one HTTP head */
	FRAMES_LINE_MAX = 128,      /* octets of one of its lines that are looked at */
};

enum frames_kind { FRAMES_NONE, FRAMES_HEAD, FRAMES_FRAME, FRAMES_PLAIN };

/* A piece of a head, of a frame, or of what is neither. */
struct cut {
	enum frames_kind kind;
	bool first, last;          /* the head or frame begins with it; ends with it (plain never ends) */
	struct span octets;        /* as they came; valid until the next call */
	const struct frame_head *head; /* of a frame: its head, complete from the first piece on */
	uint64_t at;               /* where the head or frame begins: octets of this direction before it */
};

struct frames {
	enum direction direction;
	enum frames_kind kind;     /* what the next octet belongs to; NONE: not known yet */
	const char *why;           /* plain: why, one word such as "not-http"; else NULL */
	int status;                /* of the last complete reply head; 0 none */
	uint64_t seen;             /* octets given out */

	/* internal */
	bool inside;               /* a head or frame has begun and not ended */
	bool upgrade;              /* the head at hand asks for it, or grants it */
	bool bad;                  /* the next octet cannot be of a head */
	uint64_t began;
	struct frame_head head;
	uint64_t left;             /* of the payload */
	uint8_t kept[FRAME_HEAD_MAX]; /* an incomplete frame head, or the first octets */
	uint8_t n_kept, n_given;
	char line[FRAMES_LINE_MAX];
	size_t line_len, lines;
	struct span run;           /* frames_pass */
};

void frames_init(struct frames *c, enum direction d);
/* Takes the next piece from the front of *octets. False: they are all taken, and some may be kept. */
bool frames_next(struct frames *c, struct span *octets, struct cut *ret_cut);
/* A head or frame has been given out in part. */
bool frames_inside(const struct frames *c);
/*
 * The kept octets that no piece has brought yet, at most FRAME_HEAD_MAX - 1; they count as given afterwards. For the
 * end of a direction, and for a filter that is taken off.
 */
struct span frames_rest(struct frames *c);

/* What a filter does with pieces that it does not touch: neighbours leave as one. frames_flush() at the end, and before
 * anything else is passed. */
void frames_pass(struct frames *c, struct filter *f, struct span octets);
void frames_flush(struct frames *c, struct filter *f);
/* Everything kept leaves. */
void frames_let_go(struct frames *c, struct filter *f);
/* Tells "plain" once, at the first plain piece: from here on the direction passes as it is, and why. */
void frames_tell_plain(struct frames *c, struct filter *f, const struct cut *cut);
