/* A ring for each channel, or the newest one of each session. */
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

struct session_position {
	uint64_t seq;
	uint32_t epoch, connection;
	bool again;
};

static bool session_asks(struct positions *p, const struct track_sub *sub)
{
	uint32_t connection = sub->client->connection;
	struct session_position *s = slots_get(&p->sessions, sub->client->number, sizeof(*s));
	if (!s || s->connection == connection)
		return s && s->again;
	bool again = s->connection && s->seq == sub->asked_seq && s->epoch == sub->asked_epoch;
	*s = (struct session_position){sub->asked_seq, sub->asked_epoch, connection, again};
	return again;
}

bool positions_ask(struct positions *p, struct track *t, const struct track_sub *sub)
{
	if (contract_by_session(t->contract))
		return session_asks(p, sub);
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
	slots_fini(&p->sessions);
}
