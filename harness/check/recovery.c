/*
 * How long clients are away: from the loss of a connection, or from the moment when no fault is in force any more,
 * until the client is connected and all that it was subscribed to is confirmed again.
 */
#include "harness/check/check.h"
#include "harness/check/slots.h"
#include "harness/check/track.h"

static const char RECOVERY[] = "restart.recovery";
static const char *const checks[] = {RECOVERY, NULL};

enum { FROM_HEAL, FROM_END };
struct recovery_options {
	uint64_t within_ms;
	int from;
};

struct outage {
	uint64_t end_us;           /* 0: it is there */
	bool told;
};

struct recovery {
	struct slots outages;      /* by client */
	uint64_t n, longest_us;
	bool over;                 /* the last phase came: who goes now goes for good */
};

static uint64_t bound_us(struct check_run *run)
{
	const struct recovery_options *o = check_options(run);
	return (o->within_ms ? o->within_ms : check_contract(run)->recovery_ms) * 1000;
}

static int recovery_start(struct check_run *run, struct err *e)
{
	(void)e;
	if (!bound_us(run))
		check_skip(run, RECOVERY, "neither `within` nor the contract's `recovery` gives a bound");
	return 0;
}

/* Since when it counts as away; UINT64_MAX: not yet. */
static uint64_t since_us(struct check_run *run, const struct outage *out)
{
	const struct recovery_options *o = check_options(run);
	uint64_t calm_us = check_track(run)->calm_us;
	return o->from == FROM_END || calm_us < out->end_us ? out->end_us : calm_us;
}

static bool is_back(const struct track_client *c)
{
	for (const struct track_sub *s = c->subs; s; s = s->next_of_client)
		if (s->spells && !track_live(s))
			return false;
	return c->up;
}

static void too_late(struct check_run *run, struct outage *out, uint32_t client, const struct event *at,
		     const char *how)
{
	out->told = true;
	check_fail_of(run, RECOVERY, at, client, 0, "client %u %s after %.1f s, within %.1f s it should be", client, how,
		      (double)(check_track(run)->now_us - since_us(run, out)) / 1e6, (double)bound_us(run) / 1e6);
}

static void look(struct check_run *run, const struct event *e)
{
	struct recovery *r = check_state(run);
	struct track *t = check_track(run);
	struct outage *out = e->client < r->outages.n ? slots_get(&r->outages, e->client, sizeof(*out)) : NULL;
	if (!out || !out->end_us || !is_back(t->client))
		return;
	uint64_t since = since_us(run, out), away_us = since < t->now_us ? t->now_us - since : 0;
	check_samples(run, RECOVERY, 1);
	r->n++;
	r->longest_us = away_us > r->longest_us ? away_us : r->longest_us;
	if (away_us > bound_us(run) && !out->told)
		too_late(run, out, e->client, e, "is back");
	*out = (struct outage){0};
}

/* Who is still away. */
static void look_at_all(struct check_run *run, const struct event *at)
{
	struct recovery *r = check_state(run);
	for (uint32_t i = 1; i < r->outages.n; i++) {
		struct outage *out = slots_get(&r->outages, i, sizeof(*out));
		uint64_t since = out->end_us ? since_us(run, out) : UINT64_MAX;
		if (out->told || since >= check_track(run)->now_us || check_track(run)->now_us - since <= bound_us(run))
			continue;
		too_late(run, out, i, at, "is not back");
	}
}

static void recovery_event(struct check_run *run, const struct event *e)
{
	struct recovery *r = check_state(run);
	struct track *t = check_track(run);
	if (r->over || !bound_us(run))
		return;
	if (e->kind == EVENT_PHASE && t->phase == TRACK_END) {
		look_at_all(run, e);
		r->over = true;
	} else if (e->kind == EVENT_END && t->ended) {
		struct outage *out = slots_get(&r->outages, e->client, sizeof(*out));
		if (out && !out->end_us)
			*out = (struct outage){e->at_us, false};
	} else if ((e->kind == EVENT_CONNECT || e->kind == EVENT_SUBSCRIBE) && e->type == EVENT_OK && t->client) {
		look(run, e);
	}
}

static void recovery_end(struct check_run *run)
{
	struct recovery *r = check_state(run);
	if (!r->over && bound_us(run))
		look_at_all(run, NULL);
	if (r->n)
		check_note(run, RECOVERY, "%llu times somebody came back, at the latest after %.1f s", (unsigned long long)r->n,
			   (double)r->longest_us / 1e6);
}

static void recovery_stop(struct check_run *run)
{
	struct recovery *r = check_state(run);
	slots_fini(&r->outages);
}

static const char *const from_choices[] = {"heal", "end", NULL};
static const struct opt options[] = {
	{.name = "within", .type = OPT_DURATION, .offset = offsetof(struct recovery_options, within_ms), .max = INT64_MAX,
	 .help = "everybody is back within this; default: `recovery` of the contract"},
	{.name = "from", .type = OPT_ENUM, .offset = offsetof(struct recovery_options, from), .choices = from_choices,
		.def = "heal", .help = "what it counts from: the end of all faults, or the end of each connection"},
	{0},
};

const struct checker checker_recovery = {
	.name = "recovery",
	.about = "everybody is back, subscriptions included, within the bound",
	.checks = checks,
	.options = options,
	.options_size = sizeof(struct recovery_options),
	.state_size = sizeof(struct recovery),
	.start = recovery_start,
	.event = recovery_event,
	.end = recovery_end,
	.stop = recovery_stop,
};
