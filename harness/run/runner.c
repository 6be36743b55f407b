/* The scheduler: a parallel phase, then a phase in which each doubtful case runs alone. */
#include "harness/run/runner.h"

#include <stdlib.h>

#include "harness/base/clock.h"
#include "harness/run/survival.h"

enum {
	RUNNER_ARENA_MAX = 256 << 20,
	RECOVER_POLL_MS = 50,
	AGAIN_PATIENCE_FACTOR = 2,
	AGAIN_ROUNDS_MAX = 16, /* a target that is doubtful everywhere is run again in this many rounds, not in hundreds */
	WATCHDOG_MS = 100,     /* how often a stop is asked for while nothing else happens */
	CASE_RUN_MAX_S = 600,  /* a case that takes longer is stuck by our own fault */
	LISTEN_MIN_MS = 1000,  /* a target that talks on its own is expected to have done so after this long */
	DEATHS_MAX = 200, /* a target that dies more often is given up */
};

static void pump(struct runner *r);
static void start_canary(struct runner *r);

/* uv remembers a stop that comes before the run. */
static void quit(struct runner *r)
{
	if (r->looping)
		loop_stop(r->env->loop);
}

/* Deciding ------------------------------------------------------------------------------------------------------------------- */

static const char *keep(struct runner *r, const char *s)
{
	return s ? arena_strdup(&r->arena, s) : NULL;
}

static void tell(struct runner *r, struct runner_item *item)
{
	if (r->o.on_decided)
		r->o.on_decided(r->o.owner, item);
}

static void decide(struct runner *r, struct runner_item *item, enum verdict v)
{
	if (item->state != RUNNER_DECIDED)
		r->decided++;
	item->state = RUNNER_DECIDED;
	item->verdict = v;
	tell(r, item);
}

static void take_outcome(struct runner *r, struct runner_item *item, const struct case_run *run)
{
	const struct case_outcome *o = case_run_outcome(run);
	item->seen = keep(r, o->seen);
	item->required = keep(r, o->required);
	item->note = keep(r, o->note);
	free(TAKE_PTR(item->transcript));
	if (o->verdict == VERDICT_PASS && !r->o.keep_transcripts)
		return;
	struct buf text;
	buf_init(&text, TRANSCRIPT_MAX);
	case_run_transcript(run, &text);
	item->transcript = strdup(buf_cstr(&text));
	buf_fini(&text);
}

static void add_note(struct runner *r, struct runner_item *item, const char *text)
{
	item->note = item->note ? arena_printf(&r->arena, "%s; %s", item->note, text) : keep(r, text);
}

/* The target died ------------------------------------------------------------------------------------------------------------ */

static void run_again(struct runner *r, struct runner_item *item)
{
	if (item->state != RUNNER_DECIDED)
		return;
	item->state = RUNNER_AGAIN;
	r->decided--;
}

static void mark_suspects(struct runner *r)
{
	for (size_t i = 0; i < r->n; i++) {
		struct runner_item *item = &r->items[i];
		bool since = item->finished_us >= r->last_alive_us && item->started_us;
		bool done = item->state == RUNNER_DECIDED ? !item->c.tc->watch : item->state == RUNNER_AGAIN;
		if (item->state == RUNNER_RUNNING || (done && since && !item->unmet))
			item->suspect = true;
		if (item->suspect || (done && since))
			run_again(r, item);
	}
}

static void killed_by(struct runner *r, struct runner_item *item)
{
	item->killed = true;
	item->seen = keep(r, "the target did not survive: no new connection works afterwards");
	item->required = keep(r, "a target that goes on serving others");
	decide(r, item, VERDICT_FAIL);
}

/*
 * `item` ran alone when the target was found dead. When it did not even meet the target, the one before it is looked at: its canary lived, but
 * a target may take a moment to die of what it was given. It runs once more; when that ends the same way it was it.
 */
static void died_alone(struct runner *r, struct runner_item *item)
{
	struct runner_item *before = r->alone_before;
	r->alone_before = NULL;
	if (!item->unmet) {
		killed_by(r, item);
		return;
	}
	run_again(r, item);
	if (!before || before->killed)
		return;
	if (before->doubted) {
		killed_by(r, before);
		return;
	}
	before->doubted = before->suspect = true;
	run_again(r, before);
}

static void abandon(struct runner *r)
{
	struct runner_item *only = NULL;
	unsigned suspects = 0;
	for (size_t i = 0; i < r->n; i++)
		if (r->items[i].state != RUNNER_DECIDED && r->items[i].suspect) {
			only = &r->items[i];
			suspects++;
		}
	if (!r->abort_reason)
		r->abort_reason = suspects == 1 ? arena_printf(&r->arena, "the target stopped answering after %s", only->c.tc->id)
					: arena_printf(&r->arena, "the target stopped answering; %u cases were under way", suspects);
	if (suspects == 1)
		killed_by(r, only);
	for (size_t i = 0; i < r->n; i++) {
		struct runner_item *item = &r->items[i];
		if (item->state == RUNNER_DECIDED || item->c.tc->watch)
			continue;
		item->required = NULL;
		item->seen = item->suspect ? "under way when the target stopped answering: it may be what the target did not survive"
					   : "not run: the target no longer answered";
		decide(r, item, item->suspect ? VERDICT_INCONCLUSIVE : VERDICT_ERROR);
	}
	quit(r);
}

static void on_recover_poll(void *owner)
{
	start_canary(owner);
}

static void recovered(struct runner *r)
{
	/* Who came back after a canary was lost may have died and been started again by others: nothing that was cut is held against it. */
	if (r->dead || (r->lost && !r->o.revive))
		case_env_forget_cuts(r->env);
	else
		case_env_confirm_cuts(r->env, r->cuts_asked);
	r->lost = r->dead = false;
	pump(r);
}

/* Canary --------------------------------------------------------------------------------------------------------------------- */

static void target_died(struct runner *r)
{
	r->dead = true;
	r->deaths++;
	r->lost_since_us = clock_now_us();
	if (r->again_phase && r->again_jobs == 1 && r->again_at < r->n && r->items[r->again_at].finished_us)
		died_alone(r, &r->items[r->again_at]);
	else
		mark_suspects(r);
	r->again_jobs = 1;
}

/* No canary comes back. It may be busy with the cases that run: no new ones are started, and what counts is a canary that is alone. */
static void await_target(struct runner *r)
{
	if (!r->lost)
		r->lost_since_us = clock_now_us();
	r->lost = true;
	if (r->running)
		return; /* on_case_done comes back here */
	if (r->deaths > DEATHS_MAX) {
		abandon(r);
		return;
	}
	/* A canary that was cut off, not refused, tells a death only here: the next one meets a target that was started again. */
	if (r->o.revive && r->o.revive(r->o.owner) > 0 && !r->dead)
		target_died(r);
	timer_start(&r->recover, r->env->loop, RECOVER_POLL_MS, on_recover_poll, r);
}

static void on_canary(void *owner, struct case_run *run)
{
	struct runner *r = owner;
	const struct case_outcome *o = case_run_outcome(run);
	/* Wrong for sure is alive, too. */
	bool alive = o->verdict == VERDICT_PASS || (o->answered && !o->soft), refused = o->refused;
	r->canary = NULL;
	case_run_free(run);
	if (alive) {
		/* At its beginning for sure: what it was told may have waited for us while the target died. */
		r->last_alive_us = r->canary_us > r->last_alive_us ? r->canary_us : r->last_alive_us;
		recovered(r);
		return;
	}
	if (r->dead && clock_now_us() - r->lost_since_us > (uint64_t)r->o.recover_ms * 1000) {
		abandon(r);
		return;
	}
	if (!r->dead && (refused || (r->lost && !r->running)))
		target_died(r);
	await_target(r);
}

static void start_canary(struct runner *r)
{
	r->canary_wanted = false;
	if (r->canary)
		return;
	r->looked = true;
	r->cuts_asked = r->env->cut.seen;
	r->canary_us = clock_now_us();
	if (case_run_new(r->env, &case_canary, on_canary, r, &r->canary) < 0)
		abandon(r);
}

/* Cases ---------------------------------------------------------------------------------------------------------------------- */

static struct runner_item *item_of(struct runner *r, const struct case_run *run, size_t *ret_slot)
{
	for (size_t slot = 0; slot < r->o.jobs; slot++)
		if (r->runs[slot] == run) {
			*ret_slot = slot;
			for (size_t i = 0; i < r->n; i++)
				if (r->items[i].state == RUNNER_RUNNING && r->items[i].c.tc == case_run_case(run))
					return &r->items[i];
		}
	return NULL;
}

static void on_case_done(void *owner, struct case_run *run)
{
	struct runner *r = owner;
	size_t slot = 0;
	struct runner_item *item = item_of(r, run, &slot);
	const struct case_outcome *o = case_run_outcome(run);
	bool doubtful = o->soft && o->verdict != VERDICT_PASS;
	const char *first_seen = r->again_phase ? item->seen : NULL;
	enum verdict verdict = o->verdict;

	r->runs[slot] = NULL;
	r->running--;
	r->looked = false;
	item->finished_us = clock_now_us();
	item->unmet = o->no_connection && !o->answered;
	item->bare = o->bare;
	if (o->answered)
		r->last_alive_us = item->started_us > r->last_alive_us ? item->started_us : r->last_alive_us;
	if (r->again_phase && !item->unmet)
		r->alone_before = item;
	take_outcome(r, item, run);
	if (verdict == VERDICT_FAIL || verdict == VERDICT_INCONCLUSIVE || verdict == VERDICT_SKIP || o->no_connection || item->c.tc->canary || item->suspect || r->env->cut.seen)
		r->canary_wanted = true;
	case_run_free(run);
	if (r->dead && !r->again_phase) {
		item->suspect = !item->unmet;
		item->state = RUNNER_AGAIN;
	} else if (doubtful && !r->again_phase) {
		item->state = RUNNER_AGAIN;
	} else {
		if (first_seen && verdict == VERDICT_PASS && !item->suspect)
			add_note(r, item, arena_printf(&r->arena, "among others it gave: %s; alone it passes", first_seen));
		decide(r, item, verdict);
	}
	if (r->lost)
		await_target(r);
	else
		pump(r);
}

static bool start(struct runner *r, struct runner_item *item)
{
	const char *missing = case_missing(r->env, item->c.tc);
	if (missing) {
		item->seen = missing;
		decide(r, item, VERDICT_SKIP);
		return true;
	}
	size_t slot = 0;
	while (r->runs[slot])
		slot++;
	if (case_run_new(r->env, item->c.tc, on_case_done, r, &r->runs[slot]) < 0) {
		item->seen = "out of memory";
		decide(r, item, VERDICT_ERROR);
		return true;
	}
	item->state = RUNNER_RUNNING;
	item->started_us = clock_now_us();
	item->finished_us = 0;
	r->running++;
	return false;
}

static void stop_now(struct runner *r)
{
	r->stopped = true;
	r->abort_reason = "the run was stopped";
	for (size_t i = 0; i < r->n; i++)
		if (r->items[i].state != RUNNER_DECIDED && !r->items[i].c.tc->watch) {
			r->items[i].seen = "not run: the run was stopped";
			decide(r, &r->items[i], VERDICT_ERROR);
		}
	quit(r);
}

/* Looks after what no event would tell: a stop that is asked for, a case that does not end. */
static void on_watchdog(void *owner)
{
	struct runner *r = owner;
	if (r->o.stop && r->o.stop(r->o.owner) && !r->stopped) {
		stop_now(r);
		return;
	}
	for (size_t i = 0; i < r->n; i++) {
		struct runner_item *item = &r->items[i];
		if (item->state != RUNNER_RUNNING || clock_now_us() - item->started_us < CASE_RUN_MAX_S * 1000000ull)
			continue;
		item->seen = "the case did not come to an end: this is a fault of wsquall";
		decide(r, item, VERDICT_ERROR);
		r->abort_reason = "a case did not come to an end: this is a fault of wsquall";
		abandon(r);
		return;
	}
	timer_start(&r->watchdog, r->env->loop, WATCHDOG_MS, on_watchdog, r);
}

/* Others ---------------------------------------------------------------------------------------------------------------------- */

static void on_cutter(void *owner, size_t at, unsigned cut, unsigned of)
{
	struct runner *r = owner;
	struct runner_item *item = &r->items[r->swept_items[at]];
	item->killed = true;
	item->seen = arena_printf(&r->arena, "each time that it ran, %u of %u other connections were cut: the process that serves them does not survive it", cut, of);
	item->required = keep(r, "a target that goes on serving others");
	decide(r, item, VERDICT_FAIL);
}

/*
 * Some cases cut others off: what such an end decided, a frame that it cut among it, is decided again, each case alone and without them. When there
 * are too many of them to be told apart, what is left cannot be decided.
 */
static void decide_again(struct runner *r, struct runner_item *item, bool left)
{
	if (item->killed)
		return;
	item->suspect = false;
	if (left && (item->bare || item->state == RUNNER_AGAIN)) {
		item->seen = "not decided: processes of the target end too often to tell by what";
		decide(r, item, VERDICT_INCONCLUSIVE);
	} else if (item->bare && item->state == RUNNER_DECIDED) {
		if (item->verdict == VERDICT_PASS)
			item->seen = NULL;
		run_again(r, item);
	}
}

static void on_swept(void *owner)
{
	struct runner *r = owner;
	r->sweeping = false;
	if (r->collateral.found) {
		case_env_forget_cuts(r->env);
		case_env_forget_watch(r->env, WATCH_CUT_FRAME);
		for (size_t i = 0; i < r->n_swept; i++)
			decide_again(r, &r->items[r->swept_items[i]], collateral_left(&r->collateral, i));
	}
	r->looked = false;
	pump(r);
}

/* Somebody was cut off, or the target was found dead. */
static bool is_troubled(const struct runner *r)
{
	bool troubled = r->deaths || r->listener.cut;
	for (size_t i = 0; i < r->n; i++)
		troubled |= r->items[i].bare && r->items[i].state == RUNNER_AGAIN;
	return troubled;
}

/*
 * False: there is nothing to look at. A target that we start again ourselves is known to be dead when it is. Without trouble only those cases are
 * looked at after which a process may have ended unnoticed.
 */
static bool sweep(struct runner *r)
{
	bool troubled = is_troubled(r);
	r->swept = true;
	if (r->o.revive && r->deaths)
		return false;
	r->swept_cases = arena_alloc(&r->arena, r->n * sizeof(*r->swept_cases));
	r->swept_items = arena_alloc(&r->arena, r->n * sizeof(*r->swept_items));
	if (!r->swept_cases || !r->swept_items)
		return false;
	for (size_t i = 0; i < r->n; i++) {
		const struct runner_item *item = &r->items[i];
		if (!item->started_us || item->unmet || item->killed || !(troubled || item->bare))
			continue;
		r->swept_cases[r->n_swept] = item->c.tc;
		r->swept_items[r->n_swept++] = i;
	}
	if (!r->n_swept)
		return false;
	r->collateral = (struct collateral){.env = r->env, .cases = r->swept_cases, .recover_ms = r->o.recover_ms, .troubled = troubled,
					    .on_found = on_cutter, .on_done = on_swept, .owner = r};
	r->collateral.jobs = r->o.jobs < COLLATERAL_JOBS_MAX ? r->o.jobs : COLLATERAL_JOBS_MAX;
	collateral_start(&r->collateral, r->n_swept);
	r->sweeping = true;
	return true;
}

/* Alone: one case, then, when there is a reason, a canary, then the next. */
static void pump_again(struct runner *r)
{
	if (r->canary || r->lost || (r->running && r->again_jobs == 1))
		return;
	if (r->canary_wanted && !r->running) {
		start_canary(r);
		return;
	}
	for (r->again_at = 0; r->again_at < r->n && !r->canary_wanted && r->running < r->again_jobs; r->again_at++)
		if (r->items[r->again_at].state == RUNNER_AGAIN && !start(r, &r->items[r->again_at]) && r->again_jobs == 1)
			return;
	if (r->running)
		return;
	if (r->canary_wanted || !r->looked)
		start_canary(r);
	else
		quit(r);
}

static unsigned count_again(const struct runner *r)
{
	unsigned n = 0;
	for (size_t i = 0; i < r->n; i++)
		n += r->items[i].state == RUNNER_AGAIN;
	return n;
}

static void on_heard(void *owner)
{
	pump(owner);
}

/* Before doubtful cases are run again the listener must have had time to hear whether the target talks on its own. */
static bool heard_enough(struct runner *r)
{
	const struct listener *l = &r->listener;
	uint32_t heard = listener_heard_ms(l);
	if (!l->open || l->ended || heard >= LISTEN_MIN_MS || count_again(r) == 0)
		return true;
	timer_start(&r->heard, r->env->loop, LISTEN_MIN_MS - heard, on_heard, r);
	r->listening = true;
	return false;
}

static void pump(struct runner *r)
{
	if (r->stopped || r->abort_reason || r->sweeping)
		return;
	if (r->o.stop && r->o.stop(r->o.owner)) {
		stop_now(r);
		return;
	}
	if (!r->again_phase) {
		if (r->canary_wanted)
			start_canary(r);
		while (r->next < r->n && r->running < r->o.jobs && !r->lost) {
			struct runner_item *item = &r->items[r->next++];
			if (item->state == RUNNER_PLANNED && !item->c.tc->watch)
				start(r, item);
		}
		if (r->running || r->canary || r->lost || !heard_enough(r))
			return;
		if (!r->swept && sweep(r))
			return;
		r->again_phase = true;
		r->env->patience_ms *= AGAIN_PATIENCE_FACTOR;
		r->again_jobs = r->deaths || r->collateral.found ? 1 : 1 + count_again(r) / AGAIN_ROUNDS_MAX;
		if (r->again_jobs > r->o.jobs)
			r->again_jobs = r->o.jobs;
	}
	pump_again(r);
}

/* Watchers ------------------------------------------------------------------------------------------------------------------- */

static void judge_watcher(struct runner *r, struct runner_item *item)
{
	enum watch w = item->c.tc->watch;
	const struct watch_broken *broken = &r->env->watch[w];
	unsigned samples = r->env->watch_samples[w];
	item->started_us = item->finished_us = clock_now_us();
	if (w == WATCH_SURVIVAL) {
		bool bad = r->deaths || r->collateral.found;
		item->seen = bad ? survival_seen(r) : r->stopped ? "it lived, but the run did not come to its end" : "";
		item->required = keep(r, "a target that no client can take down");
		decide(r, item, bad ? case_verdict(item->c.tc->level, GRADE_FAIL) : r->stopped ? VERDICT_ERROR : VERDICT_PASS);
		return;
	}
	if (!samples) {
		item->seen = "nothing came that this rule could be checked on";
		decide(r, item, VERDICT_SKIP);
		return;
	}
	if (!broken->seen && (r->stopped || r->abort_reason)) {
		item->seen = "not seen broken, but the run did not come to its end";
		decide(r, item, VERDICT_ERROR);
		return;
	}
	if (!broken->seen) {
		item->seen = arena_printf(&r->arena, "held %u times", samples);
		decide(r, item, VERDICT_PASS);
		return;
	}
	item->seen = arena_printf(&r->arena, "%s: %u of %u times, first in %s", conn_watch_about(w), broken->seen, samples, broken->first);
	item->required = keep(r, "never");
	item->transcript = broken->evidence ? strdup(broken->evidence) : NULL;
	decide(r, item, case_verdict(item->c.tc->level, GRADE_FAIL));
}

/* Life ----------------------------------------------------------------------------------------------------------------------- */

int runner_init(struct runner *r, struct case_env *env, const struct runner_options *o, const struct runner_case *cases, size_t n)
{
	*r = (struct runner){.env = env, .o = *o, .n = n};
	arena_init(&r->arena, RUNNER_ARENA_MAX);
	r->items = arena_alloc(&r->arena, n * sizeof(*r->items));
	r->runs = arena_alloc(&r->arena, o->jobs * sizeof(*r->runs));
	if (!r->items || !r->runs) {
		arena_fini(&r->arena);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++)
		r->items[i].c = cases[i];
	return 0;
}

void runner_run(struct runner *r)
{
	r->last_alive_us = clock_now_us();
	if (r->o.listen)
		listener_start(&r->listener, r->env);
	pump(r);
	if (r->running || r->canary || r->lost || r->listening) {
		r->looping = true;
		timer_start(&r->watchdog, r->env->loop, WATCHDOG_MS, on_watchdog, r);
		loop_run(r->env->loop);
		r->looping = false;
	}
	for (size_t i = 0; i < r->n; i++)
		if (r->items[i].c.tc->watch && r->items[i].state != RUNNER_DECIDED)
			judge_watcher(r, &r->items[i]);
}

void runner_fini(struct runner *r)
{
	if (!r->env)
		return;
	for (size_t slot = 0; r->runs && slot < r->o.jobs; slot++)
		case_run_free(TAKE_PTR(r->runs[slot]));
	case_run_free(TAKE_PTR(r->canary));
	listener_fini(&r->listener);
	collateral_fini(&r->collateral);
	timer_fini(&r->heard);
	timer_fini(&r->watchdog);
	timer_fini(&r->recover);
	for (size_t i = 0; i < r->n; i++)
		free(r->items[i].transcript);
	case_env_fini(r->env);
	arena_fini(&r->arena);
}
