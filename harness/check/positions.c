/* A ring for each channel. */
#include "harness/check/positions.h"

#include <stdlib.h>

struct position {
	uint64_t seq;
	uint32_t epoch;
	bool asked;
};

struct ring {
	struct position of[POSITIONS];
	unsigned next;
};

bool positions_ask(struct positions *p, struct track *t, const struct track_sub *sub)
{
	uint64_t channel = sub->channel->number;
	struct ring *r = map_get(&p->channels, channel);
	if (!r)
		r = track_made(t, &p->channels, channel, sizeof(*r));
	for (size_t i = 0; r && i < POSITIONS; i++)
		if (r->of[i].asked && r->of[i].seq == sub->asked_seq && r->of[i].epoch == sub->asked_epoch)
			return true;
	if (r)
		r->of[r->next++ % POSITIONS] = (struct position){sub->asked_seq, sub->asked_epoch, true};
	return false;
}

void positions_fini(struct positions *p)
{
	map_fini_values(&p->channels);
}
