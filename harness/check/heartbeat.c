/*
 * Heartbeats: an idle client is pinged in time; who does not answer is let go in time; who answers is not. Time is only
 * judged while no fault is in force and the harness itself is not late.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/check/check.h"
#include "harness/check/heartbeat_gauge.h"
#include "harness/check/slots.h"
#include "harness/check/track.h"

enum {
	SLACK_MS = 1000,           /* beside a fifth of what is promised */
	ADVISED_MS = 30000,        /* proxies drop what is quiet for longer */
};

static const char INTERVAL[] = "heartbeat.interval", TIMEOUT[] = "heartbeat.timeout", GHOSTS[] = "heartbeat.ghosts";
static const char *const checks[] = {INTERVAL, TIMEOUT, GHOSTS, NULL};

/* Faults that make a client silent for the target. */
static const char *const silencing[] = {"half_open", "never_pong"};

struct beat {
	uint32_t connection;
	uint64_t quiet_us;         /* since when nothing went over it */
	uint64_t pings;
	uint64_t id;               /* hash of its correlation id; 0: it has none */
	bool told;
};

/* A connection whose client went silent. */
struct ghost {
	uint32_t client, connection;
	uint64_t since_us;         /* 0: it is so no more */
	bool let_go, gone;         /* told, or judged */
	bool talks;                /* only its Pongs are missing: it has not vanished, and leaves no ghost */
	struct check_moment *kept; /* it seems to be open still */
	uint64_t silent_us;        /* then */
	char fault[TRACK_NAME_MAX];
};

/* A connection, by its correlation id. */
struct line {
	uint32_t client, connection;
	uint64_t up_us;
};

struct heartbeat_options {
	uint64_t ghosts_ms;
};

struct heartbeat {
	struct slots beats;        /* by client */
	struct map ids;            /* by the hash of the correlation id: struct line */
	struct map ghosts;         /* by the hash of the correlation id */
	bool logs, ends;           /* the log tells of our connections, and of the ends of some */
	bool cut_short;            /* some were heard again before they had to be gone */
	struct heartbeat_gauge gauge;
};

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
	if (!c->heartbeat_ms || !c->heartbeat_timeout_ms) {
		check_skip(run, TIMEOUT, "the contract promises no end for those who do not answer");
		check_skip(run, GHOSTS, "the contract promises no end for those who do not answer");
	}
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
		*b = (struct beat){
			.connection = e->connection, .quiet_us = e->at_us, .id = e->id ? map_text(e->id) : 0};
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

static struct ghost *ghost_of(struct check_run *run, uint64_t id, bool make)
{
	struct heartbeat *h = check_state(run);
	struct ghost *g = id ? map_get(&h->ghosts, id) : NULL;
	return g || !id || !make ? g : track_made(check_track(run), &h->ghosts, id, sizeof(*g));
}

static bool is_pong_thief(const char *fault)
{
	return strncmp(fault, "frame_drop", strlen("frame_drop")) == 0;
}

/* From the first moment on the target hears nothing that counts: neither the client nor its Pongs. */
static bool is_silencing(const struct check_run *run, const struct event *e)
{
	for (size_t i = 0; e->text && i < ARRAY_LEN(silencing); i++)
		if (strncmp(e->text, silencing[i], strlen(silencing[i])) == 0)
			return true;
	return check_contract(run)->pongs_only && e->text && is_pong_thief(e->text) && e->note &&
	       strstr(e->note, "opcode=pong");
}

static void on_silenced(struct check_run *run, const struct event *e)
{
	struct heartbeat *h = check_state(run);
	struct track *t = check_track(run);
	struct beat *b = slots_get(&h->beats, e->client, sizeof(*b));
	uint32_t connection = e->connection ? e->connection : t->client ? t->client->connection : 0;
	struct ghost *g = b && b->connection == connection && is_silencing(run, e) ? ghost_of(run, b->id, true) : NULL;
	if (!g || g->since_us)
		return;
	*g = (struct ghost){.client = e->client, .connection = connection, .since_us = e->at_us};
	g->talks = is_pong_thief(e->text);
	snprintf(g->fault, sizeof(g->fault), "%s", e->text);
}

/* It should have been let go, and gone, by now. */
static void judge_ghost(struct check_run *run, struct ghost *g, const struct event *at)
{
	const struct heartbeat_options *o = check_options(run);
	struct track *t = check_track(run);
	uint64_t bound_us = death_us(check_contract(run)), silent_us = g->since_us ? t->now_us - g->since_us : 0;
	if (!g->since_us || g->gone)
		return;
	if (!g->let_go && silent_us > bound_us) {
		g->let_go = true;
		check_fail_of(run, TIMEOUT, at, g->client, 0, "client %u was silent for %.1f s and was never let go", g->client,
			      (double)silent_us / 1e6);
	}
	if (!g->talks && silent_us > bound_us + o->ghosts_ms * 1000) {
		g->gone = true; /* a log that tells of nobody's end shows nothing: judge_kept() */
		g->kept = check_moment(run, at, g->client, 0);
		g->silent_us = silent_us;
	}
}

static void judge_kept(struct check_run *run, struct ghost *g)
{
	const struct heartbeat *h = check_state(run);
	if (!g->silent_us)
		return;
	if (!h->ends) {
		check_unknown(run, GHOSTS, "the log tells of the end of none of our connections");
		check_moment_drop(run, TAKE_PTR(g->kept));
		return;
	}
	check_fail_then(run, GHOSTS, TAKE_PTR(g->kept), NULL, g->client, 0,
			"client %u vanished %.1f s ago, and its connection is still open", g->client, (double)g->silent_us / 1e6);
}

/* It has vanished, and must be gone. */
static bool is_overdue(const struct check_run *run, const struct ghost *g)
{
	const struct heartbeat_options *o = check_options(run);
	uint64_t bound_us = death_us(check_contract(run)) + o->ghosts_ms * 1000;
	return !g->since_us || check_track(run)->now_us - g->since_us > bound_us;
}

/* How many connections vanished; 0 while one of them may still be open. Those that nobody but us knows to be dead are
 * no living ones. */
static uint64_t vanished(const struct check_run *run, uint64_t *ret_living)
{
	const struct heartbeat *h = check_state(run);
	const struct track *t = check_track(run);
	uint64_t n = 0;
	bool all = !h->cut_short;
	*ret_living = gauge_living(t);
	for (size_t i = 0; i < h->ghosts.cap; i++) {
		const struct ghost *g = h->ghosts.slots[i].key ? h->ghosts.slots[i].value : NULL;
		if (!g || g->talks)
			continue;
		const struct track_client *c = track_client(t, g->client);
		n++;
		all &= is_overdue(run, g);
		*ret_living -= g->since_us && c && c->up && c->connection == g->connection;
	}
	return all ? n : 0;
}

static void on_gauge(struct check_run *run, const struct event *e)
{
	struct heartbeat *h = check_state(run);
	uint64_t living, n = vanished(run, &living);
	heartbeat_gauge_sample(run, &h->gauge, e, n, living);
}

/* The fault is healed: the silent ones are heard again, or reset, and what becomes of them proves nothing. */
static void end_silence(struct check_run *run, const struct event *e)
{
	struct heartbeat *h = check_state(run);
	for (size_t i = 0; i < h->ghosts.cap; i++) {
		struct ghost *g = h->ghosts.slots[i].key ? h->ghosts.slots[i].value : NULL;
		if (!g || !e->text || strcmp(g->fault, e->text) != 0)
			continue;
		if (h->logs)
			judge_ghost(run, g, e);
		h->cut_short |= !g->talks && !is_overdue(run, g);
		g->since_us = 0;
		g->gone = g->let_go = true;
	}
}

static void is_let_go(struct check_run *run, struct ghost *g, const struct event *e)
{
	uint64_t silent_us = e->at_us - g->since_us;
	if (g->let_go)
		return;
	g->let_go = true;
	check_samples(run, TIMEOUT, 1);
	if (silent_us > death_us(check_contract(run)))
		check_fail_of(run, TIMEOUT, e, g->client, 0, "client %u was silent for %.1f s before it was let go", g->client,
			      (double)silent_us / 1e6);
}

static void is_gone(struct check_run *run, struct ghost *g, const struct event *e)
{
	const struct heartbeat_options *o = check_options(run);
	uint64_t silent_us = e->at_us - g->since_us;
	is_let_go(run, g, e);
	if (g->gone || g->talks)
		return;
	g->gone = true;
	check_samples(run, GHOSTS, 1);
	if (silent_us > death_us(check_contract(run)) + o->ghosts_ms * 1000)
		check_fail_of(run, GHOSTS, e, g->client, 0, "client %u vanished %.1f s before its connection was gone", g->client,
			      (double)silent_us / 1e6);
}

static void on_log(struct check_run *run, const struct event *e)
{
	struct heartbeat *h = check_state(run);
	struct track *t = check_track(run);
	uint64_t id = e->id ? map_text(e->id) : 0;
	const struct line *line = id ? map_get(&h->ids, id) : NULL;
	bool death = e->text && strcmp(e->text, "heartbeat") == 0, end = e->text && strcmp(e->text, "disconnect") == 0;
	struct ghost *g = ghost_of(run, id, false);
	h->logs |= line != NULL;
	h->ends |= line && end;
	if (!line || (!death && !end))
		return;
	const struct track_client *c = track_client(t, line->client);
	/* No fault since it came, or it had its time after the last one. */
	uint64_t half_us = check_contract(run)->heartbeat_timeout_ms * 500;
	bool calm = t->calm_us != UINT64_MAX && c->hit != line->connection && t->lag_us < half_us &&
		    (line->up_us >= t->calm_us || e->at_us > t->calm_us + death_us(check_contract(run)));
	if (g && g->since_us && end)
		is_gone(run, g, e);
	else if (g && g->since_us)
		is_let_go(run, g, e);
	else if (!g && death && calm)
		check_fail_of(run, TIMEOUT, e, line->client, 0, "client %u answers its Pings, and was let go as if it did not",
			      line->client);
}

static void heartbeat_event(struct check_run *run, const struct event *e)
{
	struct heartbeat *h = check_state(run);
	if (!check_contract(run)->heartbeat_ms)
		return;
	if (e->kind == EVENT_CONNECT && e->type == EVENT_OK && e->id && !map_get(&h->ids, map_text(e->id))) {
		struct line *line = track_made(check_track(run), &h->ids, map_text(e->id), sizeof(*line));
		if (line)
			*line = (struct line){e->client, e->connection, e->at_us};
	}
	/* Pings of ours are no traffic: a client is idle while it says nothing and is told nothing. */
	bool traffic = e->kind != EVENT_FAULT && e->kind != EVENT_ANSWER && e->kind != EVENT_LOG;
	if (e->kind == EVENT_LOG && check_contract(run)->heartbeat_timeout_ms)
		on_log(run, e);
	else if (e->kind == EVENT_FAULT && e->type == EVENT_INFO && e->client)
		on_silenced(run, e);
	else if (e->kind == EVENT_FAULT && e->type == EVENT_OK)
		end_silence(run, e);
	else if (e->kind == EVENT_METRIC && check_contract(run)->heartbeat_timeout_ms && e->text &&
		 strcmp(e->text, "connections") == 0)
		on_gauge(run, e);
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
	}
	for (size_t i = 0; h->logs && i < h->ghosts.cap; i++)
		if (h->ghosts.slots[i].key)
			judge_ghost(run, h->ghosts.slots[i].value, NULL);
	for (size_t i = 0; i < h->ghosts.cap; i++)
		if (h->ghosts.slots[i].key)
			judge_kept(run, h->ghosts.slots[i].value);
	uint64_t living;
	heartbeat_gauge_end(run, &h->gauge, GHOSTS, vanished(run, &living));
}

static void heartbeat_stop(struct check_run *run)
{
	struct heartbeat *h = check_state(run);
	slots_fini(&h->beats);
	check_moment_drop(run, TAKE_PTR(h->gauge.at));
	for (size_t i = 0; i < h->ghosts.cap; i++)
		if (h->ghosts.slots[i].key) {
			struct ghost *g = h->ghosts.slots[i].value;
			check_moment_drop(run, g->kept);
			free(g);
		}
	map_fini(&h->ghosts);
	map_fini_values(&h->ids);
}

static const struct opt options[] = {
	{.name = "ghosts", .type = OPT_DURATION, .offset = offsetof(struct heartbeat_options, ghosts_ms), .def = "8s",
	 .max = INT64_MAX,
	 .help = "how long a connection may outlive the time at which its silent client is let go"},
	{0},
};

const struct checker checker_heartbeat = {
	.name = "heartbeat",
	.about = "idle clients are pinged in time, dead ones let go, living ones kept",
	.checks = checks,
	.options = options,
	.options_size = sizeof(struct heartbeat_options),
	.state_size = sizeof(struct heartbeat),
	.start = heartbeat_start,
	.event = heartbeat_event,
	.end = heartbeat_end,
	.stop = heartbeat_stop,
};
