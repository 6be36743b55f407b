/*
 * Heartbeats: an idle client is pinged in time; who does not answer is let go in time; who answers is not. Time is only
 * judged while no fault is in force and the harness itself is not late.
 */
#include <string.h>

#include "harness/check/check.h"
#include "harness/check/slots.h"
#include "harness/check/track.h"

enum {
	SLACK_MS = 1000,           /* beside a fifth of what is promised */
	ADVISED_MS = 30000,        /* proxies drop what is quiet for longer */
};

static const char INTERVAL[] = "heartbeat.interval", TIMEOUT[] = "heartbeat.timeout";
static const char *const checks[] = {INTERVAL, TIMEOUT, NULL};

/* Faults that make a client silent for the target. */
static const char *const silencing[] = {"half_open", "never_pong"};

struct beat {
	uint32_t connection;
	uint64_t quiet_us;         /* since when nothing went over it */
	uint64_t pings, silent_us;
	bool told;
};

struct heartbeat {
	struct slots beats;        /* by client */
	struct map ids;            /* hash of the correlation id: client number + 1, as a pointer */
	bool logs;
};

static uint64_t hash_of(const char *text)
{
	uint64_t h = 0xcbf29ce484222325;
	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 0x100000001b3;
	return h | 1;
}

static uint64_t interval_us(const struct contract *c)
{
	return (c->heartbeat_ms + c->heartbeat_ms / 5 + SLACK_MS) * 1000;
}

static uint64_t death_us(const struct contract *c)
{
	uint64_t ms = c->heartbeat_ms + c->heartbeat_timeout_ms;
	return (ms + ms / 5 + SLACK_MS) * 1000;
}

static int heartbeat_start(struct check_run *run, struct err *e)
{
	const struct contract *c = check_contract(run);
	(void)e;
	if (!c->heartbeat_ms)
		check_skip(run, INTERVAL, "the contract promises no heartbeat");
	else if (c->heartbeat_ms > ADVISED_MS)
		check_warn(run, INTERVAL, NULL,
			"the contract promises a heartbeat every %.0f s only, and proxies drop what is quiet for 30 s "
			   "or more", (double)c->heartbeat_ms / 1000);
	if (!c->heartbeat_ms || !c->heartbeat_timeout_ms)
		check_skip(run, TIMEOUT, "the contract promises no end for those who do not answer");
	return 0;
}

/* The quiet of this connection is over, or is looked at. */
static void judge_quiet(struct check_run *run, const struct track_client *c, struct beat *b, const struct event *at,
			bool ping)
{
	struct track *t = check_track(run);
	uint64_t from_us = b->quiet_us > t->calm_us ? b->quiet_us : t->calm_us, bound_us = interval_us(check_contract(run));
	if (t->calm_us == UINT64_MAX || c->hit == b->connection || t->lag_us > bound_us / 10 || b->told)
		return;
	if (t->now_us > from_us + bound_us) {
		b->told = true;
		check_fail_of(run, INTERVAL, at, c->number, 0, "client %u was idle for %.1f s without a Ping; %.1f s are promised",
			c->number, (double)(t->now_us - from_us) / 1e6, (double)check_contract(run)->heartbeat_ms / 1000);
	} else if (ping) {
		check_samples(run, INTERVAL, 1);
	}
}

static struct beat *beat_of(struct check_run *run, const struct event *e)
{
	struct heartbeat *h = check_state(run);
	struct track *t = check_track(run);
	struct beat *b = slots_get(&h->beats, e->client, sizeof(*b));
	if (b && e->kind == EVENT_CONNECT && e->type == EVENT_OK)
		*b = (struct beat){.connection = e->connection, .quiet_us = e->at_us};
	return b && b->connection == e->connection && b->connection == t->client->connection ? b : NULL;
}

/* It lived through more than a client that does not answer may. */
static void count_life(struct check_run *run, const struct track_client *c, const struct beat *b)
{
	struct track *t = check_track(run);
	uint64_t from_us = c->up_us > t->calm_us ? c->up_us : t->calm_us;
	if (b->pings && t->calm_us != UINT64_MAX && c->hit != b->connection &&
		t->now_us > from_us + death_us(check_contract(run)))
		check_samples(run, TIMEOUT, 1);
}

static void on_traffic(struct check_run *run, const struct event *e)
{
	struct track *t = check_track(run);
	struct beat *b = beat_of(run, e);
	if (!b)
		return;
	judge_quiet(run, t->client, b, e, e->kind == EVENT_PING);
	b->quiet_us = e->at_us;
	b->pings += e->kind == EVENT_PING;
	if (e->kind == EVENT_END && e->by == END_BY_CLIENT)
		count_life(run, t->client, b);
}

static void on_silenced(struct check_run *run, const struct event *e)
{
	struct heartbeat *h = check_state(run);
	struct beat *b = slots_get(&h->beats, e->client, sizeof(*b));
	for (size_t i = 0; b && e->text && i < ARRAY_LEN(silencing); i++)
		if (strncmp(e->text, silencing[i], strlen(silencing[i])) == 0 && !b->silent_us)
			b->silent_us = e->at_us;
}

static void on_log(struct check_run *run, const struct event *e)
{
	struct heartbeat *h = check_state(run);
	struct track *t = check_track(run);
	uint32_t client = e->id ? (uint32_t)(uintptr_t)map_get(&h->ids, hash_of(e->id)) : 0;
	bool death = e->text && strcmp(e->text, "heartbeat") == 0;
	struct beat *b = client ? slots_get(&h->beats, client, sizeof(*b)) : NULL;
	if (!b || !e->text || (!death && strcmp(e->text, "disconnect") != 0))
		return;
	h->logs = true;
	const struct track_client *c = track_client(t, client);
	uint64_t bound_us = death_us(check_contract(run));
	if (b->silent_us) {
		check_samples(run, TIMEOUT, 1);
		if (e->at_us > b->silent_us + bound_us)
			check_fail_of(run, TIMEOUT, e, client, 0, "client %u was silent for %.1f s before it was let go", client,
				      (double)(e->at_us - b->silent_us) / 1e6);
		b->silent_us = 0;
	} else if (death && c->hit != b->connection && t->calm_us != UINT64_MAX && e->at_us > t->calm_us + bound_us) {
		check_fail_of(run, TIMEOUT, e, client, 0, "client %u answers its Pings, and was let go as if it did not", client);
	}
}

static void heartbeat_event(struct check_run *run, const struct event *e)
{
	struct heartbeat *h = check_state(run);
	if (!check_contract(run)->heartbeat_ms)
		return;
	if (e->kind == EVENT_CONNECT && e->type == EVENT_OK && e->id && !map_get(&h->ids, hash_of(e->id)))
		map_put(&h->ids, hash_of(e->id), (void *)(uintptr_t)e->client);
	/* Pings of ours are no traffic: a client is idle while it says nothing and is told nothing. */
	bool traffic = e->kind != EVENT_FAULT && e->kind != EVENT_ANSWER && e->kind != EVENT_LOG;
	if (e->kind == EVENT_LOG && check_contract(run)->heartbeat_timeout_ms)
		on_log(run, e);
	else if (e->kind == EVENT_FAULT && e->type == EVENT_INFO && e->client)
		on_silenced(run, e);
	else if (traffic && e->client && e->connection && check_track(run)->client)
		on_traffic(run, e);
}

static void heartbeat_end(struct check_run *run)
{
	struct heartbeat *h = check_state(run);
	struct track *t = check_track(run);
	for (uint32_t i = 1; i < h->beats.n; i++) {
		struct beat *b = slots_get(&h->beats, i, sizeof(*b));
		const struct track_client *c = track_client(t, i);
		if (c && c->up && b->connection == c->connection) {
			judge_quiet(run, c, b, NULL, false);
			count_life(run, c, b);
		}
		if (b->silent_us && h->logs && t->now_us > b->silent_us + death_us(check_contract(run)))
			check_fail_of(run, TIMEOUT, NULL, i, 0, "client %u was silent for %.1f s and was never let go", i,
				      (double)(t->now_us - b->silent_us) / 1e6);
	}
}

static void heartbeat_stop(struct check_run *run)
{
	struct heartbeat *h = check_state(run);
	slots_fini(&h->beats);
	map_fini(&h->ids);
}

static const struct opt options[] = {{0}};

const struct checker checker_heartbeat = {
	.name = "heartbeat",
	.about = "idle clients are pinged in time, dead ones let go, living ones kept",
	.checks = checks,
	.options = options,
	.state_size = sizeof(struct heartbeat),
	.start = heartbeat_start,
	.event = heartbeat_event,
	.end = heartbeat_end,
	.stop = heartbeat_stop,
};
