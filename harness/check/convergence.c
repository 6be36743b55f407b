/*
 * Once everything is healed the target is as before, by itself: every client is connected and subscribed, and every
 * subscription gets messages again. Judged when the last phase begins, before anybody says goodbye.
 */
#include "harness/check/check.h"
#include "harness/check/slots.h"
#include "harness/check/track.h"

static const char CONNECTED[] = "convergence.connected", DELIVERY[] = "convergence.delivery";
static const char *const checks[] = {CONNECTED, DELIVERY, NULL};

struct convergence {
	struct slots got;          /* by subscription: bool, it got something that was published after the heal */
	struct slots sent;         /* by channel: when the newest confirmed message was published; since the heal */
	uint64_t heal_us;
	bool healed, over;
};

static uint64_t sent_us(const struct event *e)
{
	return e->sent_us ? e->sent_us : e->at_us;
}

static void on_heal(struct check_run *run, const struct event *e)
{
	struct convergence *c = check_state(run);
	slots_fini(&c->got);
	slots_fini(&c->sent);
	c->heal_us = e->at_us;
	c->healed = true;
}

/* Something was published after both the heal and the subscription's confirmation, and none of it came. */
static void judge_sub(struct check_run *run, const struct track_sub *s, const struct event *at)
{
	struct convergence *c = check_state(run);
	uint32_t channel = s->channel->number;
	uint64_t *sent = channel < c->sent.n ? slots_get(&c->sent, channel, sizeof(*sent)) : NULL;
	bool *got = s->slot < c->got.n ? slots_get(&c->got, s->slot, sizeof(*got)) : NULL;
	if (!sent || *sent <= s->ok_us || !track_live(s))
		return;
	check_samples(run, DELIVERY, 1);
	if (!got || !*got)
		check_fail_of(run, DELIVERY, at, s->client->number, channel,
			      "client %u is subscribed to channel %u, and got nothing that was published after the heal", s->client->number,
			      channel);
}

static void judge(struct check_run *run, const struct event *at)
{
	struct convergence *c = check_state(run);
	struct track *t = check_track(run);
	c->over = true;
	for (size_t i = 0; c->healed && i < t->n_clients; i++) {
		const struct track_client *client = t->clients[i];
		size_t missing = 0;
		if (!client || !client->connections)
			continue;
		for (const struct track_sub *s = client->subs; s; s = s->next_of_client) {
			missing += s->spells && !track_live(s);
			judge_sub(run, s, at);
		}
		check_samples(run, CONNECTED, 1);
		if (!client->up)
			check_fail_of(run, CONNECTED, at, client->number, 0, "client %u is not connected", client->number);
		else if (missing)
			check_fail_of(run, CONNECTED, at, client->number, 0, "client %u is connected, and %zu of its subscriptions are not "
				      "confirmed", client->number, missing);
	}
}

static void convergence_event(struct check_run *run, const struct event *e)
{
	struct convergence *c = check_state(run);
	struct track *t = check_track(run);
	if (c->over)
		return;
	if (e->kind == EVENT_PHASE && t->phase == TRACK_HEAL) {
		on_heal(run, e);
	} else if (e->kind == EVENT_PHASE && t->phase == TRACK_CHAOS) {
		c->healed = false;
	} else if (e->kind == EVENT_PHASE && t->phase == TRACK_END) {
		judge(run, e);
	} else if (!c->healed || sent_us(e) <= c->heal_us) {
		return;
	} else if (e->kind == EVENT_DELIVER && t->pair) {
		bool *got = slots_get(&c->got, t->sub->slot, sizeof(*got));
		if (got)
			*got = true;
	} else if (e->kind == EVENT_PUBLISH && e->type == EVENT_OK && t->stream) {
		uint64_t *sent = slots_get(&c->sent, e->channel, sizeof(*sent));
		if (sent)
			*sent = sent_us(e);
	}
}

static void convergence_end(struct check_run *run)
{
	struct convergence *c = check_state(run);
	if (!c->over)
		judge(run, NULL);
}

static void convergence_stop(struct check_run *run)
{
	struct convergence *c = check_state(run);
	slots_fini(&c->got);
	slots_fini(&c->sent);
}

static const struct opt options[] = {{0}};

const struct checker checker_convergence = {
	.name = "convergence",
	.about = "after the heal everybody is connected, subscribed, and gets messages again",
	.checks = checks,
	.options = options,
	.state_size = sizeof(struct convergence),
	.event = convergence_event,
	.end = convergence_end,
	.stop = convergence_stop,
};
