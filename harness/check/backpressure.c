/*
 * Slow consumers: the others do not notice, memory stays bounded, and the target does something about them and says so.
 * Slow is whom a fault hit. Delivery time is from publish to arrival, both on our clock; what was on its way while the
 * harness's own loop was late is not measured.
 */
#include <stdlib.h>
#include <string.h>

#include "harness/base/hist.h"
#include "harness/check/check.h"
#include "harness/check/track.h"

enum {
	METRIC_SAMPLES_MIN = 5, /* of one node, to say how it grows */
	CONTENDED_PERCENT = 10, /* of the time the harness waited for a processor: the machine is too small */
	CONTENDED_TIMES = 4,    /* then only what is so many times too late is the target's fault */
	SHOWN_US = 1000,        /* a message that waited less is not shown */
	LATE_TIMES = 4,            /* a message waits at most so many times as long for us as we are late in all */
	LATE_MS = 1000, /* the harness itself was later than that: who was let go may have been so for our silence */
};

static const char ISOLATED[] = "backpressure.isolated", BOUNDED[] = "backpressure.bounded",
		  POLICY[] = "backpressure.policy";
static const char MEMORY[] = "process_resident_memory_bytes";
static const char *const checks[] = {ISOLATED, BOUNDED, POLICY, NULL};

struct backpressure_options {
	uint64_t p99_ms, times;
	const char *metric;
	uint64_t growth, peak, held;
	uint64_t code, closed;
	const char *policy_in;
};

/* A straight line through samples, by sums; times count from the first one, in seconds. */
struct line {
	uint64_t n;
	double peak;
	double from_s, to_s, t, v, tt, tv;
	struct check_moment *highest;
};

/* Who was not slow and lost its connection. */
struct lost {
	struct check_moment *moment;
	uint32_t client;
	int code;
};

struct backpressure {
	struct hist calm, stormy;
	struct line lines[EVENT_NODES_MAX];
	struct line memory[EVENT_NODES_MAX]; /* where nothing tells of the metric that was asked for */
	uint64_t closed, logs;
	uint64_t ended;            /* connections of slow ones that ended, and not by the client */
	bool queue_known;
	double queue;              /* octets that waited in one node, at most */
	uint64_t late_us, late_until_us,
		late_all_us; /* the harness's own loop: the worst of it, when it was late last, the sum */
	uint64_t waited_us, hurt_us, hurt_from_us; /* for a processor; while a fault was in force, and that time */
	uint64_t storm_us;         /* since when the first one was */
	bool hurt;                 /* a fault was in force */
	struct lost lost[CHECK_FINDINGS_MAX]; /* the first of n_lost */
	unsigned n_lost;
	/* What a finding shows: a message of the slowest, and the first of the slow ones. */
	struct check_moment *slowest, *slow;
	uint64_t slowest_us;
	uint32_t slowest_client, slow_client;
};

static bool is_fast(const struct track *t)
{
	return t->client->hit == 0 || t->client->hit != t->client->connection;
}

static void note_slowest(struct check_run *run, const struct event *e)
{
	struct backpressure *b = check_state(run);
	uint64_t wait_us = e->at_us - e->sent_us;
	if (wait_us < 2 * b->slowest_us + SHOWN_US)
		return;
	check_moment_drop(run, b->slowest);
	b->slowest = check_moment(run, e, e->client, e->channel);
	b->slowest_us = wait_us;
	b->slowest_client = e->client;
}

static void on_deliver(struct check_run *run, const struct event *e)
{
	struct backpressure *b = check_state(run);
	struct track *t = check_track(run);
	/* What was published before the subscription was confirmed is replayed: it is late by nature. */
	if (!t->fresh || e->replay || e->sent_us < t->sub->ok_us || e->sent_us > e->at_us || !is_fast(t))
		return;
	/* It waited for us; but not so long. */
	if (e->sent_us <= b->late_until_us && e->at_us - e->sent_us <= LATE_TIMES * b->late_all_us)
		return;
	bool waited = b->hurt && e->sent_us >= b->storm_us && e->sent_us < t->calm_us; /* until it was over */
	if (t->n_faults || waited) {
		hist_record(&b->stormy, e->at_us - e->sent_us);
		note_slowest(run, e);
	} else if (t->phase <= TRACK_WARM)
		hist_record(&b->calm, e->at_us - e->sent_us);
}

/* Who was not slow pays with its connection: a target that stood still takes everybody for dead, or is taken for it. */
static void on_end(struct check_run *run, const struct event *e)
{
	struct backpressure *b = check_state(run);
	const struct track *t = check_track(run);
	if (!b->hurt || t->phase >= TRACK_END || (e->by == END_BY_CLIENT && e->clean))
		return;
	b->ended += t->client->hit == e->connection;
	if (t->client->hit)
		return;
	if (b->late_us > LATE_MS * 1000)
		check_unknown(run, ISOLATED, "the harness itself was late by %.0f ms", (double)b->late_us / 1000);
	else if (b->n_lost++ < CHECK_FINDINGS_MAX)
		b->lost[b->n_lost - 1] = (struct lost){check_moment(run, e, e->client, 0), e->client, e->code};
}

static void note_value(struct check_run *run, struct line *l, const struct event *e)
{
	double at_s = (double)e->at_us / 1e6;
	if (!l->n++)
		l->from_s = at_s;
	double t = at_s - l->from_s;
	if (e->value > l->peak || !l->highest) {
		l->peak = e->value;
		check_moment_drop(run, l->highest);
		l->highest = check_moment(run, e, 0, 0);
	}
	l->to_s = at_s;
	l->t += t;
	l->v += e->value;
	l->tt += t * t;
	l->tv += t * e->value;
}

static void on_metric(struct check_run *run, const struct event *e)
{
	const struct backpressure_options *o = check_options(run);
	struct backpressure *b = check_state(run);
	if (e->text && strcmp(e->text, "queue") == 0 && check_track(run)->n_faults) {
		b->queue_known = true;
		b->queue = e->value > b->queue ? e->value : b->queue;
	}
	if (!e->text || e->node >= EVENT_NODES_MAX || !check_track(run)->n_faults)
		return;
	if (strcmp(e->text, o->metric) == 0)
		note_value(run, &b->lines[e->node], e);
	else if (strcmp(e->text, MEMORY) == 0)
		note_value(run, &b->memory[e->node], e);
}

static void on_lag(struct backpressure *b, const struct event *e, bool stormy)
{
	b->late_until_us = e->at_us;
	b->late_all_us += (uint64_t)(e->value * 1000);
	if (stormy && e->value * 1000 > (double)b->late_us)
		b->late_us = (uint64_t)(e->value * 1000);
}

static void backpressure_event(struct check_run *run, const struct event *e)
{
	const struct backpressure_options *o = check_options(run);
	struct backpressure *b = check_state(run);
	struct track *t = check_track(run);
	if (t->n_faults && !b->hurt)
		b->storm_us = e->at_us;
	b->hurt |= t->n_faults > 0;
	if (t->n_faults && !b->hurt_from_us) {
		b->hurt_from_us = e->at_us;
	} else if (!t->n_faults && b->hurt_from_us) {
		b->hurt_us += e->at_us - b->hurt_from_us;
		b->hurt_from_us = 0;
	}
	if (e->kind == EVENT_FAULT && e->type == EVENT_INFO && e->client && !b->slow) {
		b->slow = check_moment(run, e, e->client, 0);
		b->slow_client = e->client;
	}
	if (e->kind == EVENT_DELIVER && t->pair)
		on_deliver(run, e);
	else if (e->kind == EVENT_END && t->ended)
		on_end(run, e);
	else if (e->kind == EVENT_METRIC)
		on_metric(run, e);
	else if (e->kind == EVENT_LAG && e->type == EVENT_INFO)
		b->waited_us += t->n_faults ? (uint64_t)(e->value * 1000) : 0;
	else if (e->kind == EVENT_LAG)
		on_lag(b, e, t->n_faults > 0);
	else if (e->kind == EVENT_LOG && e->type == EVENT_OK) {
		b->logs++;
		b->closed += o->code ? e->code == (int)o->code : e->text && strcmp(e->text, "slow") == 0;
	}
}

/*
 * On a machine that is too small our clients read slowly, all of them. Beyond CHECK_FINDINGS_MAX a finding is only
 * counted.
 */
static void judge_lost(struct check_run *run, bool contended, double waited_percent)
{
	struct backpressure *b = check_state(run);
	if (contended && b->n_lost) {
		check_unknown(run, ISOLATED, "client %u, which was not slow, lost its connection (%d) once others were, and the "
			      "harness itself waited for a processor %.0f %% of the time", b->lost->client, b->lost->code, waited_percent);
		return;
	}
	for (unsigned i = 0; i < b->n_lost; i++) {
		struct lost *l = &b->lost[i < CHECK_FINDINGS_MAX ? i : CHECK_FINDINGS_MAX - 1];
		check_fail_then(run, ISOLATED, TAKE_PTR(l->moment), NULL, l->client, 0,
				"client %u, which was not slow, lost its connection (%d) once others were", l->client, l->code);
	}
}

static void judge_isolated(struct check_run *run)
{
	const struct backpressure_options *o = check_options(run);
	struct backpressure *b = check_state(run);
	uint64_t p99 = hist_percentile(&b->stormy, 99), warm = hist_percentile(&b->calm, 99);
	check_samples(run, ISOLATED, hist_count(&b->stormy));
	check_note(run, ISOLATED, "p99 of the others %.1f ms, %.1f ms before", (double)p99 / 1000, (double)warm / 1000);
	uint64_t hurt_us = b->hurt_us + (b->hurt_from_us ? check_track(run)->now_us - b->hurt_from_us : 0);
	double waited_percent = hurt_us ? (double)b->waited_us * 100 / (double)hurt_us : 0;
	bool contended = waited_percent > CONTENDED_PERCENT;
	judge_lost(run, contended, waited_percent);
	bool late = p99 > o->p99_ms * 1000, slower = o->times && warm && p99 > o->times * warm;
	if ((late || slower) && b->late_us * 2 > p99)
		check_unknown(run, ISOLATED, "the harness itself was late by %.0f ms", (double)b->late_us / 1000);
	else if ((late || slower) && contended && p99 <= o->p99_ms * 1000 * CONTENDED_TIMES)
		check_unknown(run, ISOLATED, "the others waited %.0f ms for a message (p99), and the harness itself waited for a "
			      "processor %.0f %% of the time", (double)p99 / 1000, waited_percent);
	else if (late)
		check_fail_then(run, ISOLATED, TAKE_PTR(b->slowest), NULL, b->slowest_client, 0,
				"while some were slow, the others waited %.0f ms for a message (p99)", (double)p99 / 1000);
	else if (slower)
		check_fail_then(run, ISOLATED, TAKE_PTR(b->slowest), NULL, b->slowest_client, 0,
				"while some were slow, the others waited %.1f ms for a message (p99), before it was %.1f ms",
				(double)p99 / 1000, (double)warm / 1000);
}

/* Returns whether there were enough samples of any node, and octets that one grew by at most. */
static bool judge_lines(struct check_run *run, struct line *lines, const char *metric, uint64_t peak, double *ret_grown)
{
	const struct backpressure_options *o = check_options(run);
	bool any = false;
	for (uint32_t node = 0; node < EVENT_NODES_MAX; node++) {
		struct line *l = &lines[node];
		double n = (double)l->n, spread = n * l->tt - l->t * l->t;
		if (l->n < METRIC_SAMPLES_MIN || spread <= 0)
			continue;
		any = true;
		double slope = (n * l->tv - l->t * l->v) / spread, grown = slope * (l->to_s - l->from_s);
		check_samples(run, BOUNDED, l->n);
		*ret_grown = grown > *ret_grown ? grown : *ret_grown;
		check_note(run, BOUNDED, "%s grew by %.1f MiB", metric, grown / 1048576);
		if (peak && l->peak > (double)peak)
			check_fail_then(run, BOUNDED, TAKE_PTR(l->highest), NULL, 0, 0,
					"%s of node %u was %.1f MiB while some were slow, at most %.1f MiB is fine", metric, node,
					l->peak / 1048576, (double)peak / 1048576);
		else if (grown > (double)o->growth)
			check_fail_then(run, BOUNDED, TAKE_PTR(l->highest), NULL, 0, 0,
					"%s of node %u grew by %.1f MiB in %.0f s while some were slow", metric, node, grown / 1048576,
					l->to_s - l->from_s);
	}
	return any;
}

/*
 * What waits is in the target's memory, whether it counts it or not. But one that keeps a message once for all who wait
 * for it grows by no more than was published, however long its queues are: memory accuses, and never acquits.
 */
static void judge_bounded(struct check_run *run)
{
	const struct backpressure_options *o = check_options(run);
	struct backpressure *b = check_state(run);
	bool told = false;
	double grown = 0;
	for (uint32_t node = 0; node < EVENT_NODES_MAX; node++)
		told |= b->lines[node].n || b->memory[node].n;
	if (b->slow_client && !told && !b->queue_known)
		check_skip(run, BOUNDED, "nothing tells how much waits in the target: `queue` among its `metrics` would");
	else if (!judge_lines(run, b->lines, o->metric, o->peak, &grown) && judge_lines(run, b->memory, MEMORY, 0, &grown))
		check_unknown(run, BOUNDED, "its memory grew by %.1f MiB at most, which does not tell how much waited: `queue` among "
			      "its `metrics` would", grown / 1048576);
}

/* Nobody was ended for being slow: was there a reason to? The kernel's buffers hold megabytes before a target notices.
 */
static void judge_none_closed(struct check_run *run)
{
	const struct backpressure_options *o = check_options(run);
	struct backpressure *b = check_state(run);
	bool little = b->queue_known && b->queue < (double)o->held, unknown = !b->queue_known && !b->ended;
	if (o->policy_in && little)
		check_skip(run, POLICY, "at most %.1f MiB waited in the target, for which nobody need be ended: the scenario %s "
			   "makes more wait, and decides it", b->queue / 1048576, o->policy_in);
	else if (o->policy_in && unknown)
		check_skip(run, POLICY, "nothing tells whether anything waited in the target, and the scenario %s, which makes more "
			   "wait, decides it", o->policy_in);
	else if (little)
		check_unknown(run, POLICY, "at most %.1f MiB waited in the target: what was not read lay in the kernel's buffers",
			      b->queue / 1048576);
	else if (b->queue_known)
		check_fail_then(run, POLICY, TAKE_PTR(b->slow), NULL, b->slow_client, 0,
				"%.1f MiB waited in the target, and its log tells of %llu slow consumers that were closed, at least %llu "
				"were expected", b->queue / 1048576, (unsigned long long)b->closed, (unsigned long long)o->closed);
	else if (unknown)
		check_unknown(run, POLICY, "nothing tells whether anything waited in the target: `queue` among its `metrics` would");
	else
		check_note(run, POLICY, "%llu slow consumers were ended", (unsigned long long)b->ended);
}

static void backpressure_end(struct check_run *run)
{
	const struct backpressure_options *o = check_options(run);
	struct backpressure *b = check_state(run);
	judge_isolated(run);
	judge_bounded(run);
	if (check_track(run)->no_log)
		check_skip(run, POLICY, CHECK_NO_LOG);
	else if (!b->logs)
		check_unknown(run, POLICY, "the target's log was not read");
	if (!b->logs || !b->hurt)
		return;
	check_samples(run, POLICY, 1);
	if (b->closed < o->closed)
		judge_none_closed(run);
	else if (!b->ended)
		check_unknown(run, POLICY, "the target's log tells of %llu slow consumers that were closed, and no client that the "
			      "fault made slow was seen to be", (unsigned long long)b->closed);
	else
		check_note(run, POLICY, "%llu slow consumers closed and logged", (unsigned long long)b->closed);
}

static int backpressure_start(struct check_run *run, struct err *e)
{
	struct backpressure *b = check_state(run);
	(void)e;
	hist_init(&b->calm);
	hist_init(&b->stormy);
	return 0;
}

static void backpressure_stop(struct check_run *run)
{
	struct backpressure *b = check_state(run);
	hist_fini(&b->calm);
	hist_fini(&b->stormy);
	for (size_t i = 0; i < EVENT_NODES_MAX; i++) {
		check_moment_drop(run, b->lines[i].highest);
		check_moment_drop(run, b->memory[i].highest);
	}
	for (size_t i = 0; i < CHECK_FINDINGS_MAX; i++)
		check_moment_drop(run, b->lost[i].moment);
	check_moment_drop(run, b->slowest);
	check_moment_drop(run, b->slow);
}

#define ROW(opt_name, field, opt_type, ...) \
	{.name = (opt_name), .type = (opt_type), .offset = offsetof(struct backpressure_options, field), ##__VA_ARGS__}
static const struct opt options[] = {
	ROW("p99", p99_ms, OPT_DURATION, .def = "1s", .min = 1, .max = INT64_MAX,
	    .help = "longest delivery time of the clients that are not slow, at the 99th percentile"),
	ROW("times", times, OPT_U64, .help = "and how many times that of the phase before the fault; 0: any"),
	ROW("metric", metric, OPT_STRING, .def = "process_resident_memory_bytes",
		.help = "sample of the target's metrics that must not grow; where the target does not tell it, its memory counts"),
	ROW("growth", growth, OPT_SIZE, .def = "64MiB", .max = INT64_MAX,
		.help = "how much it may grow while a fault is in force"),
	ROW("peak", peak, OPT_SIZE, .max = INT64_MAX, .help = "and how large it may be at any time meanwhile; 0B: any"),
	ROW("held", held, OPT_SIZE, .def = "8MiB", .max = INT64_MAX,
	    .help = "what nobody holds for a few clients in one node's queues without a policy"),
	ROW("code", code, OPT_U64, .max = 4999,
	    .help = "close code of slow consumers in the log; 0: lines that the target file calls `slow` count"),
	ROW("closed", closed, OPT_U64, .def = "1", .help = "how many the log must tell at least"),
	ROW("policy_in", policy_in, OPT_STRING,
	    .help = "the scenario that decides what is done about slow consumers, where too little waits in this one"),
	{0},
};

const struct checker checker_backpressure = {
	.name = "backpressure",
	.about = "slow consumers hurt nobody else, take no memory without bound, and are dealt with",
	.checks = checks,
	.options = options,
	.options_size = sizeof(struct backpressure_options),
	.state_size = sizeof(struct backpressure),
	.start = backpressure_start,
	.event = backpressure_event,
	.end = backpressure_end,
	.stop = backpressure_stop,
};
