/* What was published, and what came where. */
#include <string.h>

#include "harness/check/track.h"

static struct track_stream *stream_of(struct track *t, uint32_t publisher, bool make)
{
	uint64_t key = map_pair(t->channel->number, publisher);
	struct track_stream *s = map_get(&t->streams, key);
	if (s || !make)
		return s;
	s = track_made(t, &t->streams, key, sizeof(*s));
	if (!s)
		return NULL;
	s->slot = t->n_streams++;
	s->channel = t->channel->number;
	s->publisher = publisher;
	s->next = t->channel->streams;
	t->channel->streams = s;
	return s;
}

static void note_era(struct track_stream *s, const struct event *e)
{
	if (s->n_eras && s->era_connection == e->connection)
		return;
	if (s->n_eras == TRACK_ERAS_MAX)
		memmove(s->eras, s->eras + 1, --s->n_eras * sizeof(s->eras[0]));
	s->eras[s->n_eras++] = e->index;
	s->era_connection = e->connection;
}

uint64_t track_era(const struct track_stream *s, uint64_t index)
{
	size_t i = s->n_eras;
	while (i && s->eras[i - 1] > index)
		i--;
	return i ? s->eras[i - 1] : 0;
}

/* The lowest gap is given up when there are too many ranges; where it was. */
static struct range bound(struct ranges *r, uint32_t max)
{
	const struct range *p = ranges_at(r);
	if (r->n <= max)
		return (struct range){0};
	struct range gap = {p[0].last + 1, p[1].first - 1};
	ranges_add(r, gap.first, gap.last);
	return gap;
}

static void forget(struct track_stream *s)
{
	struct range gap = bound(&s->ok, TRACK_STREAM_MAX);
	if (gap.last > s->forgotten)
		s->forgotten = gap.last;
	gap = bound(&s->failed, TRACK_STREAM_MAX); /* nothing there is claimed to be refused by mistake: see below */
	if (gap.last)
		ranges_remove(&s->failed, 1, gap.last);
	bound(&s->answered, TRACK_STREAM_MAX);
	bound(&s->repeated, TRACK_STREAM_MAX);
}

void track_publish(struct track *t, const struct event *e)
{
	uint32_t publisher = e->publisher ? e->publisher : e->client;
	if (!t->channel || !publisher || !e->index)
		return;
	struct track_stream *s = t->stream = stream_of(t, publisher, e->type == EVENT_INVOKE);
	if (!s)
		return;
	int r = 0;
	if (e->type == EVENT_INVOKE && e->index > s->invoked) {
		note_era(s, e);
		s->invoked = e->index;
		t->channel->published++;
	} else if (e->type == EVENT_INVOKE) {
		r = ranges_add(&s->repeated, e->index, e->index);
		ranges_remove(&s->failed, e->index, e->index);
	} else {
		/* Nobody knows what became of the first try of a repeated one: a refusal then says nothing. */
		if (e->type == EVENT_OK) {
			r = ranges_add(&s->ok, e->index, e->index);
			ranges_remove(&s->failed, e->index, e->index);
		} else if (e->type == EVENT_FAIL && !ranges_has(&s->repeated, e->index)) {
			r = ranges_add(&s->failed, e->index, e->index);
		}
		if (r == 0)
			r = ranges_add(&s->answered, e->index, e->index);
	}
	forget(s);
	if (r < 0)
		t->out_of_memory = true;
}

static void note_got(struct track *t, struct track_sub *s, struct track_pair *p, const struct event *e)
{
	uint64_t turn = map_pair(e->connection, s->turn);
	if (p->here_turn != turn) {
		p->here_turn = turn;
		ranges_clear(&p->here);
	}
	t->fresh = !ranges_has(&p->got, e->index);
	t->again = !t->fresh && ranges_has(&p->here, e->index);
	t->drop_top = p->top;
	if (ranges_add(&p->here, e->index, e->index) < 0 || (t->fresh && ranges_add(&p->got, e->index, e->index) < 0))
		t->out_of_memory = true;
	if (e->index > p->top)
		p->top = e->index;
	t->dropped = bound(&p->got, TRACK_GOT_MAX);
	bound(&p->here, TRACK_GOT_MAX);
	s->got_published = s->channel->published;
}

void track_deliver(struct track *t, const struct event *e)
{
	if (!t->sub || e->said_channel != e->channel)
		return;
	if (e->corrupt && t->client->tampered == e->connection)
		return; /* our own doing: nobody knows what it was; what the target damaged came all the same */
	struct track_stream *s = stream_of(t, e->publisher, false);
	if (!s || e->index == 0 || e->index > s->invoked)
		return; /* never published */
	uint64_t placed_us = e->sent_us ? e->sent_us : e->at_us;
	if (e->connection == t->sub->connection && placed_us > t->sub->placed_us)
		t->sub->placed_us = placed_us;
	t->stream = s;
	t->pair = track_pair(t, t->sub, s);
	if (t->pair)
		note_got(t, t->sub, t->pair, e);
}

uint64_t track_session_missed(const struct track_client *c)
{
	uint64_t missed = 0;
	for (const struct track_sub *s = c->subs; s; s = s->next_of_client)
		if (s->on)
			missed += s->channel->published - (s->connection == c->connection ? s->old_published : s->got_published);
	return missed;
}

bool track_within(const struct track *t, const struct track_sub *s)
{
	const struct contract *c = t->contract;
	if (!c->resumes || !c->resume_window_ms || s->asked_us - s->old_heard_us > c->resume_window_ms * 1000)
		return false;
	if (!c->resume_messages)
		return true;
	if (s->resumes && s->ok_seq && s->asked_epoch == s->ok_epoch)
		return s->ok_seq <= s->asked_seq || s->ok_seq - s->asked_seq <= c->resume_messages;
	/* By count: what was on its way when it last got something is missed too, so half of it is left as a margin. */
	uint64_t missed = contract_by_session(c) ? track_session_missed(s->client)
						 : s->channel->published - s->old_published;
	return missed <= c->resume_messages / 2;
}

bool track_promised(const struct track *t, const struct track_sub *s)
{
	return track_within(t, s) && lives_kept(&t->lives, t->contract, s->old_placed_us);
}
