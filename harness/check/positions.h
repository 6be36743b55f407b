#pragma once
/*
 * Positions that were asked for, so that a second resume from one is known: the newest POSITIONS of each channel. Where
 * each session has numbers of its own, the same position is one of the same client, and it asks once a connection.
 */
#include "harness/check/slots.h"
#include "harness/check/track.h"

enum { POSITIONS = 64 };

/* A zeroed struct is empty. */
struct positions {
	struct map channels;
	struct slots sessions;     /* by client: the newest */
};

/* Somebody asks for this position: had anybody asked for it before? */
bool positions_ask(struct positions *p, struct track *t, const struct track_sub *sub);
void positions_fini(struct positions *p);
