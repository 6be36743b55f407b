#pragma once
/*
 * What went over one connection, both ways, with times: recorded as it happens, rendered only when a case did not pass.
 * Bounded: TRANSCRIPT_EVENTS_MAX events are kept (the first ones; the rest are counted), TRANSCRIPT_PAYLOAD_MAX octets of each.
 */
#include "harness/base/arena.h"
#include "harness/base/buf.h"
#include "harness/target/secrets.h"
#include "harness/ws/frame.h"

enum { TRANSCRIPT_EVENTS_MAX = 2000 };

enum transcript_kind {
	TRANSCRIPT_NOTE,        /* text: what we did or noticed ("tcp open", "FIN", "deadline") */
	TRANSCRIPT_OCTETS,      /* octets as they were written or read, before or outside frames */
	TRANSCRIPT_FRAME,       /* a frame, decoded; octets are the unmasked payload, head holds the rest */
};

struct transcript_event {
	uint64_t at_us;
	enum transcript_kind kind;
	bool sent;
	struct frame_head head;
	struct span octets;     /* a copy, cut */
	uint64_t total;         /* octets before the cut */
	const char *text;       /* NOTE */
};

struct transcript {
	struct arena *arena;
	uint64_t start_us;
	struct transcript_event *events;
	size_t n, cap, dropped;
	const struct secrets *secrets; /* hidden when it is rendered; NULL: none. Set by the owner */
};

void transcript_init(struct transcript *t, struct arena *a, uint64_t now_us);
void transcript_note(struct transcript *t, uint64_t now_us, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void transcript_octets(struct transcript *t, uint64_t now_us, bool sent, struct span octets);
void transcript_frame(struct transcript *t, uint64_t now_us, bool sent, const struct frame_head *head, struct span payload, uint64_t total);
/* One line an event and hex below it; safe on a terminal. Cut at the buffer's maximum. Secrets are gone from then on. */
void transcript_render(struct transcript *t, struct buf *out);
