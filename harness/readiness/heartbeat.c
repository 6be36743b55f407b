/* Who is quiet: Pings in time, an end for who does not answer them, and none for who does. */
#include "harness/base/clock.h"
#include "harness/readiness/rows.h"

enum { SLACK_MS = 2000, LONGEST_MS = 30000, LIVING_MS = 1000, TALKS = 4 };

static uint64_t ping_within(const struct dialogue *d)
{
	uint64_t ms = d->r->site->contract.heartbeat_ms;
	return ms + ms / 2 + SLACK_MS;
}

/* After a Ping without an answer: at the next one, or when its time is over, whatever the target does. */
static uint64_t end_within(const struct dialogue *d)
{
	const struct contract *c = &d->r->site->contract;
	return c->heartbeat_timeout_ms + c->heartbeat_timeout_ms / 2 + c->heartbeat_ms + SLACK_MS;
}

static struct link *idle(struct dialogue *d, const char *label, bool answers)
{
	return dialogue_link(d, &(struct link_options){.label = label, .no_pongs = !answers});
}

struct quiet {
	struct link *living, *silent, *talker;
	const char *channel;
	struct reading *reading;
	double before;
	uint64_t since_us;
};

/* Interval ------------------------------------------------------------------------------------------------------- */

static void talk_interval(struct dialogue *d)
{
	struct quiet *q = d->state;
	uint64_t promised_ms = d->r->site->contract.heartbeat_ms;
	TALK_BEGIN(d);
	q->living = idle(d, "an idle client", true);
	TALK_AWAIT(d, dialogue_patience(d), link_settled(q->living));
	if (!q->living->opened) {
		dialogue_unknown(d, "it was not let in: %s", link_how(q->living));
		TALK_STOP(d);
	}
	TALK_AWAIT(d, ping_within(d), q->living->pings || link_ended(q->living));
	if (!q->living->pings && link_ended(q->living))
		dialogue_fail(d, "an idle client got no Ping, but %s", link_how(q->living));
	else if (!q->living->pings)
		dialogue_fail_timed(d, "no Ping came to an idle client in %.1f s, where one every %.1f s is promised",
				    (double)dialogue_since_ms(q->living->opened_us) / 1e3, (double)promised_ms / 1e3);
	else if (promised_ms > LONGEST_MS)
		dialogue_warn(d, "a Ping every %.0f s is too rare for proxies that end what is quiet for 60 s",
			      (double)promised_ms / 1e3);
	else
		dialogue_pass(d, "the first Ping came after %.1f s", (double)(q->living->pinged_us - q->living->opened_us) / 1e6);
	TALK_END(d);
}

const struct dialogue_row dialogue_heartbeat_interval = {
	.check = "heartbeat.interval", .about = "is quiet until a Ping comes",
	.needs = NEEDS_HEARTBEAT, .state_size = sizeof(struct quiet), .talk = talk_interval,
};

/* Timeout -------------------------------------------------------------------------------------------------------- */

static bool over(const struct quiet *q)
{
	return link_ended(q->silent) && (!q->talker || link_ended(q->talker));
}

/* Clock: when who does not answer must be gone. Who was pinged in time has from then on, others from their beginning.
 */
static uint64_t gone_by_us(const struct dialogue *d, const struct link *l)
{
	const struct contract *c = &d->r->site->contract;
	if (l->pings && l->pinged_us < l->opened_us + ping_within(d) * 1000)
		return l->pinged_us + end_within(d) * 1000;
	return l->opened_us + (ping_within(d) + c->heartbeat_timeout_ms + c->heartbeat_timeout_ms / 2) * 1000;
}

static uint64_t ended_us(const struct link *l)
{
	return l->closed ? l->closed_us : l->over_us;
}

static void judge_silent(struct dialogue *d, const struct link *l)
{
	bool late = l->pings && l->pinged_us >= l->opened_us + ping_within(d) * 1000;
	uint64_t from_us = l->pings && !late ? l->pinged_us : l->opened_us;
	double after_s = (double)((link_ended(l) ? ended_us(l) : clock_now_us()) - from_us) / 1e6;
	const char *since = late       ? "it came; its first Ping is overdue"
			    : l->pings ? "a Ping that it did not answer"
				       : "it came, without a Ping";
	if (!l->opened)
		dialogue_unknown(d, "%s was not let in: %s", l->label, link_how(l));
	else if (!link_ended(l))
		dialogue_fail_timed(d, "%s is still there %.1f s after %s", l->label, after_s, since);
	else if (ended_us(l) > gone_by_us(d, l))
		dialogue_fail_timed(d, "%s was there until %.1f s after %s", l->label, after_s, since);
	else
		dialogue_pass(d, "%s is gone %.1f s after %s", l->label, after_s, since);
}

static bool in_time(const struct dialogue *d, const struct quiet *q)
{
	uint64_t now_us = clock_now_us();
	return now_us < gone_by_us(d, q->silent) || (q->talker && now_us < gone_by_us(d, q->talker));
}

static bool quiet_settled(const struct quiet *q)
{
	return link_settled(q->living) && link_settled(q->silent) && (!q->talker || link_settled(q->talker));
}

static void talk_timeout(struct dialogue *d)
{
	struct quiet *q = d->state;
	TALK_BEGIN(d);
	q->living = idle(d, "an idle client that answers Pings", true);
	q->silent = idle(d, "an idle client that answers none", false);
	q->channel = dialogue_channel(d);
	if (d->r->site->contract.pongs_only && dialogue_speaks(d) && d->r->site->dialect->can_publish)
		q->talker = idle(d, "a client that talks and answers no Ping", false);
	TALK_AWAIT(d, dialogue_patience(d), quiet_settled(q));
	while (!over(q) && in_time(d, q)) {
		TALK_AWAIT(d, 1 + d->r->site->contract.heartbeat_timeout_ms / TALKS, over(q));
		if (q->talker && link_alive(q->talker))
			link_publish(q->talker, q->channel, "wsquall");
	}
	judge_silent(d, q->silent);
	if (q->talker)
		judge_silent(d, q->talker);
	TALK_PAUSE(d, LIVING_MS);
	link_barrier(q->living);
	TALK_AWAIT(d, dialogue_patience(d), link_passed(q->living) || link_ended(q->living));
	if (q->living->opened && !link_alive(q->living))
		dialogue_fail(d, "a client that answers Pings is thrown out: %s", link_how(q->living));
	TALK_END(d);
}

const struct dialogue_row dialogue_heartbeat_timeout = {
	.check = "heartbeat.timeout",
	.about = "answers no Ping, and beside it one that does",
	.needs = NEEDS_HEARTBEAT | NEEDS_HEARTBEAT_TIMEOUT,
	.state_size = sizeof(struct quiet),
	.talk = talk_timeout,
};

/* Ghosts --------------------------------------------------------------------------------------------------------- */

static struct reading *look(struct dialogue *d)
{
	const char *name = d->r->site->target->metrics.names[TARGET_METRIC_connections];
	return reading_new(d, &name, 1);
}

static bool counted(const struct reading *r)
{
	return r && !r->failed && r->found[0];
}

static void talk_ghosts(struct dialogue *d)
{
	struct quiet *q = d->state;
	TALK_BEGIN(d);
	q->since_us = clock_now_us();
	q->reading = look(d);
	TALK_AWAIT(d, dialogue_patience(d), reading_done(q->reading));
	if (!counted(q->reading)) {
		dialogue_unknown(d, "the metrics do not tell how many connections there are");
		TALK_STOP(d);
	}
	/* Those of other checks are on their way out: until a second look finds as many. */
	do {
		q->before = q->reading->values[0];
		TALK_PAUSE(d, LIVING_MS);
		q->reading = look(d);
		TALK_AWAIT(d, dialogue_patience(d), reading_done(q->reading));
	} while (counted(q->reading) && q->reading->values[0] != q->before &&
		 dialogue_since_ms(q->since_us) < DIALOGUE_METRICS_MS);
	q->before = counted(q->reading) ? q->reading->values[0] : q->before;
	q->silent = dialogue_link(
		d, &(struct link_options){.label = "a client that vanished", .no_pongs = true, .no_closes = true});
	TALK_AWAIT(d, dialogue_patience(d), link_settled(q->silent));
	TALK_AWAIT(d, ping_within(d) + end_within(d) + dialogue_patience(d), link_gone(q->silent));
	if (!link_gone(q->silent)) {
		dialogue_fail_timed(d, "the connection of a client that vanished is kept: after %.1f s there is %s",
				    (double)dialogue_since_ms(q->silent->began_us) / 1e3, link_how(q->silent));
		TALK_STOP(d);
	}
	q->since_us = clock_now_us();
	do {
		TALK_PAUSE(d, LIVING_MS / 4);
		q->reading = look(d);
		TALK_AWAIT(d, dialogue_patience(d), reading_done(q->reading));
	} while (!(counted(q->reading) && q->reading->values[0] <= q->before) &&
		 dialogue_since_ms(q->since_us) < DIALOGUE_METRICS_MS);
	if (!counted(q->reading))
		dialogue_unknown(d, "the metrics can no longer be read");
	else if (q->reading->values[0] > q->before)
		dialogue_fail(d, "a client that vanished is still counted: %.0f connections, %.0f before it came",
			      q->reading->values[0], q->before);
	else
		dialogue_pass(d, "a client that vanished is gone, and not counted any more");
	TALK_END(d);
}

const struct dialogue_row dialogue_heartbeat_ghosts = {
	.check = "heartbeat.ghosts", .about = "vanishes without a word, and looks whether it is still counted",
	.needs = NEEDS_HEARTBEAT | NEEDS_HEARTBEAT_TIMEOUT | NEEDS_METRICS | NEEDS_METRIC_CONNECTIONS, .alone = true,
	.state_size = sizeof(struct quiet), .talk = talk_ghosts,
};

/* The path's idle time ------------------------------------------------------------------------------------------- */

static void talk_idle(struct dialogue *d)
{
	struct quiet *q = d->state;
	uint64_t idle_ms = d->r->site->target->front.idle_ms;
	TALK_BEGIN(d);
	q->living = idle(d, "an idle client", true);
	TALK_AWAIT(d, dialogue_patience(d), link_settled(q->living));
	if (!q->living->opened) {
		dialogue_unknown(d, "it was not let in: %s", link_how(q->living));
		TALK_STOP(d);
	}
	TALK_AWAIT(d, idle_ms, q->living->pings || link_ended(q->living));
	if (q->living->pings)
		dialogue_pass(d, "a Ping came after %.1f s, and the path ends what is quiet for %.1f s",
			      (double)(q->living->pinged_us - q->living->opened_us) / 1e6, (double)idle_ms / 1e3);
	else if (link_ended(q->living))
		dialogue_fail(d, "an idle client is ended before a Ping came: %s", link_how(q->living));
	else
		dialogue_fail_timed(d, "no Ping came in the %.1f s after which the path ends what is quiet", (double)idle_ms / 1e3);
	TALK_END(d);
}

const struct dialogue_row dialogue_path_idle = {
	.check = "path.idle", .about = "is quiet until a Ping comes, or for as long as the path allows",
	.needs = NEEDS_FRONT_IDLE | NEEDS_HEARTBEAT, .state_size = sizeof(struct quiet), .talk = talk_idle,
};
