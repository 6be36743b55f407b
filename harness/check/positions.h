#pragma once
/* Positions that were asked for, so that a second resume from one is known: the newest POSITIONS of each channel. */
#include "harness/check/track.h"

enum { POSITIONS = 64 };

/* A zeroed struct is empty. */
struct positions {
	struct map channels;
};

/* Somebody asks for this position: had anybody asked for it before? */
bool positions_ask(struct positions *p, struct track *t, const struct track_sub *sub);
void positions_fini(struct positions *p);
