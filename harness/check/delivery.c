/*
 * Whether each subscriber got what it was owed, once and whole.
 *
 * Owed is what was published after a subscription's first confirmation and was taken by the target, for as long as the
 * subscription goes on: its connection lives, or it comes back and the target said that nothing is lost. A gap that the
 * target told honestly, or that the contract allows, is excused. What is missing is judged when it can come no more:
 * when the client says goodbye after the last phase, and when the history is over.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/check/check.h"
#include "harness/check/slots.h"
#include "harness/check/track.h"

enum { EXCUSED_MAX = 64 }; /* ranges of one pair; beyond it neighbours are excused with what lies between them */

static const char LOST[] = "delivery.lost", PHANTOM[] = "delivery.phantom", DUPLICATE[] = "delivery.duplicate",
		  CORRUPT[] = "delivery.corrupt";
static const char *const checks[] = {LOST, PHANTOM, DUPLICATE, CORRUPT, NULL};

/* Of a pair of subscription and stream. */
struct owed {
	struct ranges excused;
	struct range gap;          /* the last one that was */
	struct check_moment *moment; /* when the gap at `hole` opened */
	uint64_t hole;
	uint64_t top;              /* the highest that came before the subscription was asked for again */
};

/* Of a subscription. */
struct away {
	bool may_go_on;            /* untold whether it was recovered: the next message shows it */
	bool asked;                /* again, and not confirmed yet: what comes already is of the new spell */
	uint64_t tampered_from;
};

struct deliveries {
	struct slots owed, away;
	uint64_t deliveries, messages; /* all; those that were new */
};

static struct owed *owed_of(struct check_run *run, const struct track_pair *p)
{
	struct deliveries *d = check_state(run);
	return slots_get(&d->owed, p->slot, sizeof(struct owed));
}

static void add_excuse(struct owed *o, uint64_t first, uint64_t last)
{
	if (ranges_add(&o->excused, first, last) == 0 && o->excused.n > EXCUSED_MAX) {
		const struct range *p = ranges_at(&o->excused);
		ranges_add(&o->excused, p[0].last + 1, p[1].first - 1);
	}
}

/* A run of messages that were taken, never came and are not excused. */
static void lose(struct check_run *run, struct track_pair *p, struct owed *o, struct range lost, const struct event *at)
{
	struct check_moment *moment = NULL;
	uint32_t client = p->sub->client->number, channel = p->sub->channel->number, publisher = p->stream->publisher;
	char which[80];
	if (lost.first == lost.last)
		snprintf(which, sizeof(which), "message %" PRIu64, lost.first);
	else
		snprintf(which, sizeof(which), "messages %" PRIu64 " to %" PRIu64, lost.first, lost.last);
	if (o->moment && o->hole >= lost.first && o->hole <= lost.last)
		moment = TAKE_PTR(o->moment);
	if (check_contract(run)->delivery == DELIVERY_AT_MOST_ONCE) {
		check_moment_drop(run, moment);
		check_warn(run, LOST, at, "client %u never got %s of publisher %u on channel %u, where at most once is promised",
			   client, which, publisher, channel);
	} else {
		check_fail_then(run, LOST, moment, at, client, channel,
				"client %u never got %s of publisher %u on channel %u", client, which, publisher, channel);
	}
	add_excuse(o, lost.first, lost.last);
}

/* What of [first, last] was taken is lost, unless it is excused. */
static void decide_gap(struct check_run *run, struct track_pair *p, struct owed *o, struct range gap,
		       const struct event *at)
{
	struct range claimed, beyond;
	for (; ranges_gap(&o->excused, gap.first, gap.last, &claimed); gap.first = claimed.last + 1) {
		uint64_t index = claimed.first;
		if (index <= p->stream->forgotten)
			check_unknown(run, LOST, "too many publishes of publisher %u had no answer", p->stream->publisher);
		while (index <= claimed.last) {
			bool more = ranges_gap(&p->stream->ok, index, claimed.last, &beyond);
			uint64_t end = more ? beyond.first - 1 : claimed.last;
			if (end >= index)
				lose(run, p, o, (struct range){index, end}, at);
			if (!more)
				break;
			index = beyond.last + 1;
		}
	}
}

/* What of the pair has not come by now, up to `to`, comes no more. */
static void decide(struct check_run *run, struct track_pair *p, uint64_t to, const struct event *at)
{
	struct owed *o = owed_of(run, p);
	struct range gap;
	for (uint64_t from = p->from + 1; o && from <= to && ranges_gap(&p->got, from, to, &gap); from = gap.last + 1)
		decide_gap(run, p, o, gap, at);
}

/* A gap that is kept no longer. */
static void decide_dropped(struct check_run *run, struct track_pair *p, struct range gap, const struct event *at)
{
	struct owed *o = owed_of(run, p);
	if (gap.first <= p->from)
		gap.first = p->from + 1;
	if (o && gap.first <= gap.last)
		decide_gap(run, p, o, gap, at);
}

/* Every stream of the subscription's channel, up to what may still be claimed. */
static void decide_all(struct check_run *run, struct track_sub *s, bool there, const struct event *at)
{
	struct track *t = check_track(run);
	bool ordered = check_contract(run)->ordered;
	for (struct track_stream *stream = s->spells ? s->channel->streams : NULL; stream; stream = stream->next) {
		struct track_pair *p = track_pair(t, s, stream);
		if (!p)
			continue;
		/* Who is away may have lost with its connection whatever came after the last message it got. */
		decide(run, p, there ? stream->invoked : ordered ? p->top : 0, at);
	}
}

/* What was missed until now is not owed; of a stream that is ordered, what came before its last message still is. */
static void excuse(struct check_run *run, struct track_sub *s, bool all)
{
	struct deliveries *d = check_state(run);
	const struct away *away = slots_get(&d->away, s->slot, sizeof(*away));
	bool ordered = check_contract(run)->ordered && !all;
	for (struct track_stream *stream = s->channel->streams; stream; stream = stream->next) {
		struct track_pair *p = track_pair(check_track(run), s, stream);
		struct owed *o = p ? owed_of(run, p) : NULL;
		if (!o)
			continue;
		uint64_t top = away && away->asked ? o->top : p->top;
		o->gap = (struct range){ordered && top > p->from ? top + 1 : p->from + 1, stream->invoked};
		add_excuse(o, o->gap.first, o->gap.last);
	}
}

static bool goes_on(struct check_run *run, const struct track_sub *s)
{
	if (s->recovered != RECOVERED_UNTOLD)
		return s->recovered == RECOVERED_YES && (!s->resumes || !s->ok_epoch || s->ok_epoch == s->asked_epoch);
	if (s->connection == s->old_connection)
		return true; /* its position is kept */
	if (s->resumes && s->ok_epoch && s->ok_epoch != s->asked_epoch)
		return false;
	return s->resumes && track_promised(check_track(run), s);
}

static void on_asked(struct check_run *run)
{
	struct track *t = check_track(run);
	struct deliveries *d = check_state(run);
	struct away *away = slots_get(&d->away, t->sub->slot, sizeof(*away));
	if (!away || away->asked || !t->sub->spells)
		return;
	away->asked = true;
	for (struct track_pair *p = t->sub->pairs; p; p = p->next) {
		struct owed *o = owed_of(run, p);
		if (o)
			o->top = p->top;
	}
}

static void on_confirmed(struct check_run *run)
{
	struct track *t = check_track(run);
	struct deliveries *d = check_state(run);
	struct away *away = slots_get(&d->away, t->sub->slot, sizeof(*away));
	if (!away || t->first_spell)
		return;
	away->may_go_on = false;
	bool goes = goes_on(run, t->sub);
	if (!goes)
		excuse(run, t->sub, false);
	away->asked = false;
	away->may_go_on = !goes && t->sub->recovered == RECOVERED_UNTOLD && check_contract(run)->ordered &&
			  track_promised(t, t->sub);
}

/* The first message after an absence is the one that follows the last before it: the target went on where it was. */
static void see_whether_it_goes_on(struct check_run *run, struct track_sub *s, const struct event *e)
{
	struct track *t = check_track(run);
	struct owed *o = owed_of(run, t->pair);
	if (!o || e->index != o->gap.first || e->index > o->gap.last)
		return;
	for (struct track_pair *p = s->pairs; p; p = p->next) {
		struct owed *each = owed_of(run, p);
		if (each)
			ranges_remove(&each->excused, each->gap.first, each->gap.last);
	}
}

static void on_gap(struct check_run *run, const struct event *e)
{
	struct track *t = check_track(run);
	struct track_pair *p = t->pair;
	struct owed *o = owed_of(run, p);
	if (!o)
		return;
	if (o->moment && ranges_has(&p->got, o->hole)) {
		check_moment_drop(run, o->moment);
		o->moment = NULL;
	}
	uint64_t hole = t->drop_top + 1;
	if (!o->moment && e->index > hole && hole > p->from && ranges_has(&p->stream->ok, hole) &&
	    !ranges_has(&o->excused, hole)) {
		o->hole = hole;
		o->moment = check_moment(run, e, e->client, e->channel);
	}
}

static bool is_duplicate(struct check_run *run, const struct event *e)
{
	const struct contract *c = check_contract(run);
	const struct track *t = check_track(run);
	if (t->fresh || ranges_has(&t->stream->repeated, e->index) || t->client->tampered == e->connection)
		return false;
	if (c->delivery != DELIVERY_AT_LEAST_ONCE)
		return true;
	/* After a reconnect it may come again, numbered or not; on one connection a numbered one may not. */
	return t->again && (c->numbered || t->sub->spells == 1);
}

static void on_message(struct check_run *run, const struct event *e)
{
	struct track *t = check_track(run);
	struct deliveries *d = check_state(run);
	struct away *away = slots_get(&d->away, t->sub->slot, sizeof(*away));
	d->messages += t->fresh;
	if (ranges_has(&t->stream->failed, e->index))
		check_fail(run, PHANTOM, e, "client %u got message %llu of publisher %u, which the target had refused", e->client,
			   (unsigned long long)e->index, e->publisher);
	if (is_duplicate(run, e))
		check_fail(run, DUPLICATE, e, "client %u got message %llu of publisher %u twice%s", e->client,
			   (unsigned long long)e->index, e->publisher, t->again ? " over one connection" : "");
	if (away && away->may_go_on && t->fresh) {
		see_whether_it_goes_on(run, t->sub, e);
		away->may_go_on = false;
	}
	if (t->fresh && (e->index != t->drop_top + 1 || t->dropped.last))
		on_gap(run, e);
	if (t->dropped.last)
		decide_dropped(run, t->pair, t->dropped, e);
}

static bool was_subscribed(const struct track_client *c, uint32_t channel)
{
	for (const struct track_sub *s = c->subs; s; s = s->next_of_client)
		if (s->channel->number == channel && s->spells)
			return true;
	return false;
}

static void on_deliver(struct check_run *run, const struct event *e)
{
	struct track *t = check_track(run);
	struct deliveries *d = check_state(run);
	bool tampered = t->client && t->client->tampered == e->connection;
	d->deliveries++;
	if (e->corrupt && tampered)
		return;
	if (e->corrupt)
		check_fail(run, CORRUPT, e, "client %u got a message on channel %u that is not as any publisher sent it", e->client,
			   e->channel);
	if (e->corrupt && !t->pair)
		return;
	if (!e->channel && t->client && was_subscribed(t->client, e->said_channel))
		return; /* it was on its way when the subscription ended */
	else if (e->said_channel != e->channel)
		check_fail(run, PHANTOM, e, "client %u got on channel %u what was published on channel %u", e->client, e->channel,
			   e->said_channel);
	else if (!t->sub)
		check_fail(run, PHANTOM, e, "client %u got a message of channel %u, to which it never subscribed", e->client,
			   e->channel);
	else if (!t->stream)
		check_fail(run, PHANTOM, e, "client %u got message %llu of publisher %u, which was never published", e->client,
			   (unsigned long long)e->index, e->publisher);
	else if (t->pair)
		on_message(run, e);
}

/* Refused, but somebody has it. */
static void on_refused(struct check_run *run, const struct event *e)
{
	struct track *t = check_track(run);
	if (!t->stream || !ranges_has(&t->stream->failed, e->index))
		return;
	for (struct track_sub *s = t->channel->subs; s; s = s->next_of_channel) {
		struct track_pair *p = track_pair(t, s, t->stream);
		if (p && ranges_has(&p->got, e->index))
			check_fail_of(run, PHANTOM, e, s->client->number, e->channel,
				      "client %u got message %llu of publisher %u, which the target then refused", s->client->number,
				      (unsigned long long)e->index, t->stream->publisher);
	}
}

static void on_end(struct check_run *run, const struct event *e)
{
	struct track *t = check_track(run);
	for (struct track_sub *s = t->client->subs; s; s = s->next_of_client) {
		if (!s->on || s->connection != e->connection)
			continue;
		if (t->client->tampered == e->connection)
			excuse(run, s, true);
		else if (t->client->closes)
			decide_all(run, s, true, e);
	}
}

static void delivery_event(struct check_run *run, const struct event *e)
{
	struct track *t = check_track(run);
	if (e->kind == EVENT_DELIVER)
		on_deliver(run, e);
	else if (e->kind == EVENT_PUBLISH && e->type == EVENT_FAIL)
		on_refused(run, e);
	else if (e->kind == EVENT_SUBSCRIBE && e->type == EVENT_INVOKE && t->sub)
		on_asked(run);
	else if (e->kind == EVENT_SUBSCRIBE && e->type == EVENT_OK && t->sub)
		on_confirmed(run);
	else if (e->kind == EVENT_END && t->ended)
		on_end(run, e);
}

static void delivery_end(struct check_run *run)
{
	struct track *t = check_track(run);
	struct deliveries *d = check_state(run);
	for (size_t i = 0; i < t->n_clients; i++)
		for (struct track_sub *s = t->clients[i] ? t->clients[i]->subs : NULL; s; s = s->next_of_client)
			if (t->clients[i]->tampered != s->connection)
				decide_all(run, s, track_live(s), NULL);
	check_samples(run, LOST, d->messages);
	check_samples(run, PHANTOM, d->deliveries);
	check_samples(run, DUPLICATE, d->deliveries);
	check_samples(run, CORRUPT, d->deliveries);
	check_note(run, LOST, "%llu messages came to %u subscriptions", (unsigned long long)d->messages, t->n_subs);
}

static void delivery_stop(struct check_run *run)
{
	struct deliveries *d = check_state(run);
	for (uint32_t i = 0; i < d->owed.n; i++) {
		struct owed *o = slots_get(&d->owed, i, sizeof(*o));
		check_moment_drop(run, o->moment);
		ranges_fini(&o->excused);
	}
	slots_fini(&d->owed);
	slots_fini(&d->away);
}

static const struct opt options[] = {{0}};

const struct checker checker_delivery = {
	.name = "delivery",
	.about = "every subscriber gets what it is owed: nothing lost, invented, broken, or twice",
	.checks = checks,
	.options = options,
	.state_size = sizeof(struct deliveries),
	.event = delivery_event,
	.end = delivery_end,
	.stop = delivery_stop,
};
