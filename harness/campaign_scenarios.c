/* The scenarios of a campaign: those that only bend their own connections at once, the others one after the other. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "faults/undo.h"
#include "harness/base/clock.h"
#include "harness/campaign_internal.h"
#include "harness/cmd.h"
#include "harness/scenario/care.h"
#include "harness/scenario/items.h"
#include "harness/scenario/run.h"

enum {
	TOGETHER_MAX = 12,         /* scenarios at once */
	TICK_MS = 100,             /* of what is live, and of looking for a signal */
	RATE_MS = 1000,            /* a rate that is shown is one of so long */
	PHASE_BAR = 10,            /* columns */
	UNTESTED_MAX = 4096,
};

struct job {
	struct stage *stage;
	const struct scenario *scenario;
	struct result_item *items;
	struct scenario_run *run;
	bool done;
	uint64_t rated, rated_us;  /* deliveries when its rate was last taken, and when */
	double rate;
};

struct stage {
	struct campaign_view *v;
	struct job *jobs;
	size_t n, running, decided;
	const char *guarded;       /* why the target file's guard lets nothing more run; NULL: it does */
	bool unreachable;          /* the first one could not even begin: the others need not try */
	struct timer tick;
};

/* Deciding ----------------------------------------------------------------------------------------------------- */

static void decide(struct job *job)
{
	struct stage *stage = job->stage;
	for (size_t i = 0; i < scenario_items(job->scenario); i++)
		campaign_view_decided(stage->v, &job->items[i]);
	job->done = true;
	stage->decided++;
}

/* A user's file may be anywhere, so it is named. */
static const char *replay(struct campaign_view *v, const struct scenario *s)
{
	struct campaign *c = v->c;
	if (!s->path)
		return campaign_view_replay(v, s->name);
	return arena_printf(&c->arena, "wsquall run %s --seed %llu%s", s->path, (unsigned long long)c->o.seed, v->replay_options);
}

/* For a log that no terminal shows, too: it is over, and this is how it was. */
static void say(const struct job *job)
{
	size_t n = scenario_items(job->scenario), failed = 0;
	for (size_t i = 0; i < n; i++)
		failed += job->items[i].verdict == VERDICT_FAIL && !job->items[i].expected;
	const char *seen = job->items[0].seen;
	struct buf line CLEANUP(buf_fini) = {0};
	buf_init(&line, LIVE_TEXT_MAX);
	buf_printf(&line, "%s  %s, %.0f s: %.*s", failed ? "found" : "done ", job->scenario->name,
		   job->items[0].duration_ms / 1000, (int)strcspn(seen, ";"), seen);
	campaign_view_say(job->stage->v, buf_cstr(&line));
}

static void on_done(void *owner, const struct scenario_outcome *o)
{
	struct job *job = owner;
	struct stage *stage = job->stage;
	struct campaign *c = stage->v->c;
	scenario_fill_items(job->scenario, o, c->scratch ? NULL : c->o.output, replay(stage->v, job->scenario), &c->arena,
			    job->items);
	if (c->on_scenario)
		c->on_scenario(job->scenario, o);
	stage->unreachable |= o->end == SCENARIO_NOT_OPENED;
	if (o->end == SCENARIO_GUARDED)
		stage->guarded = arena_strdup(&c->arena, o->why);
	stage->running--;
	decide(job);
	say(job);
	loop_stop(&c->loop);
}

static void leave(struct job *job, enum verdict verdict, const char *why)
{
	scenario_leave_items(job->scenario, verdict, why, job->items);
	decide(job);
}

/* The file of a scenario's events: FOLDER/history/NAME.jsonl. */
static const char *history_path(struct campaign *c, const struct scenario *s)
{
	if (c->scratch)
		return NULL;
	mkdir(arena_printf(&c->arena, "%s/history", c->o.output), 0777);
	return arena_printf(&c->arena, "%s/history/%s.jsonl", c->o.output, s->name);
}

static int start(struct job *job, struct err *e)
{
	struct stage *stage = job->stage;
	struct campaign *c = stage->v->c;
	if (job->scenario->lacks) {
		leave(job, VERDICT_SKIP, job->scenario->lacks);
		return 0;
	}
	int r = scenario_run_new(&c->site, job->scenario, history_path(c, job->scenario), on_done, job, &job->run, e);
	if (r < 0)
		return EXIT_USAGE;
	stage->running++;
	scenario_run_start(job->run);
	return 0;
}

/* What a terminal shows meanwhile ------------------------------------------------------------------------------ */

static const char *why_not(const struct stage *stage)
{
	if (stage->guarded)
		return stage->guarded;
	if (stage->unreachable)
		return "another scenario found that the target cannot be used";
	return campaign_interrupted() ? "the run was stopped" : NULL;
}

static bool is_running(const struct job *job)
{
	return job->run && !job->done;
}

/* Deliveries a second since it was last drawn; a figure of at least RATE_MS. */
static double rate_of(struct job *job, uint64_t delivered)
{
	uint64_t now_us = clock_now_us();
	if (now_us >= job->rated_us + RATE_MS * 1000) {
		job->rate = job->rated_us ? (double)(delivered - job->rated) * 1e6 / (double)(now_us - job->rated_us) : 0;
		job->rated = delivered;
		job->rated_us = now_us;
	}
	return job->rate;
}

/* One line: its phase, how far that is, who is up, how much comes, what was found, what is in force. */
static void draw_job(struct job *job, struct buf *b)
{
	char bar[LIVE_BAR_LEN];
	struct scenario_now now;
	scenario_run_now(job->run, &now);
	const struct workload_state *w = &now.workload;
	buf_printf(b, "  %-26.26s %-12.12s %s %4llu/%llu up %6.0f/s  ", job->scenario->name, now.phase,
		   live_bar(bar, PHASE_BAR, now.phase_ms, now.phase_of_ms), (unsigned long long)w->up,
		   (unsigned long long)w->clients, rate_of(job, w->delivered));
	if (now.violations)
		buf_printf(b, "%llu found  ", (unsigned long long)now.violations);
	buf_printf(b, "%s", now.fault);
	if (now.in_force > 1)
		buf_printf(b, " and %zu more", now.in_force - 1);
	buf_printf(b, "\n");
}

static void draw(struct stage *stage)
{
	char bar[LIVE_BAR_LEN];
	struct buf text CLEANUP(buf_fini) = {0};
	if (!live_due(&stage->v->live))
		return;
	buf_init(&text, LIVE_TEXT_MAX);
	buf_printf(&text, "  %s %zu/%zu scenarios  %u failed  %u warned\n", live_bar(bar, LIVE_BAR, stage->decided, stage->n),
		   stage->decided, stage->n, stage->v->shown[VERDICT_FAIL], stage->v->shown[VERDICT_WARN]);
	for (size_t i = 0; i < stage->n; i++)
		if (is_running(&stage->jobs[i]))
			draw_job(&stage->jobs[i], &text);
	live_draw(&stage->v->live, buf_span(&text));
}

static void on_tick(void *owner)
{
	struct stage *stage = owner;
	for (size_t i = 0; campaign_interrupted() && i < stage->n; i++)
		if (is_running(&stage->jobs[i]))
			scenario_run_stop(stage->jobs[i].run);
	draw(stage);
	timer_start(&stage->tick, &stage->v->c->loop, TICK_MS, on_tick, stage);
}

/* Running ------------------------------------------------------------------------------------------------------ */

/* The longest one first: so the last ones end together. */
static struct job *next_job(struct stage *stage, bool alone)
{
	struct job *next = NULL;
	for (size_t i = 0; i < stage->n; i++) {
		struct job *job = &stage->jobs[i];
		if (!job->done && !job->run && job->scenario->alone == alone &&
		    (!next || scenario_planned_ms(job->scenario) > scenario_planned_ms(next->scenario)))
			next = job;
	}
	return next;
}

static void free_done(struct stage *stage)
{
	for (size_t i = 0; i < stage->n; i++)
		if (stage->jobs[i].done)
			scenario_run_free(TAKE_PTR(stage->jobs[i].run));
}

static const char *never_now(const struct stage *stage, const struct scenario *s)
{
	return care_never_now(&stage->v->c->site, time(NULL), scenario_longest_ms(s));
}

/* Those of one kind, at most `together` at once. */
static int run_all(struct stage *stage, bool alone, size_t together, struct err *e)
{
	struct job *job;
	int r = 0;
	while (r == 0 && ((job = next_job(stage, alone)) || stage->running)) {
		if (job && stage->running < together) {
			stage->guarded = stage->guarded ? stage->guarded : never_now(stage, job->scenario);
			if (why_not(stage))
				leave(job, VERDICT_ERROR, why_not(stage));
			else
				r = start(job, e);
			continue;
		}
		loop_run(&stage->v->c->loop);
		free_done(stage);
	}
	return r;
}

/* A green run must have bitten: what was planned and decided nowhere is named. */
static const char *untested(const struct stage *stage)
{
	struct campaign *c = stage->v->c;
	const struct result_item *items = stage->v->items + c->n_cases;
	size_t n = c->n_items - c->n_cases;
	struct buf b CLEANUP(buf_fini) = {0};
	buf_init(&b, UNTESTED_MAX);
	for (size_t row = 0; row < check_rows_len; row++) {
		bool planned = false, decided = false;
		for (size_t i = 0; i < n; i++) {
			const char *slash = strchr(items[i].id, '/');
			bool is = slash && strcmp(slash + 1, check_rows[row].id) == 0;
			planned |= is;
			decided |= is && items[i].verdict != VERDICT_SKIP;
		}
		if (planned && !decided)
			buf_printf(&b, "%s%s", b.len ? ", " : "", check_rows[row].id);
	}
	return b.len ? arena_printf(&c->arena, "no scenario that ran put to the test: %s", buf_cstr(&b)) : NULL;
}

static void make_jobs(struct stage *stage)
{
	struct campaign *c = stage->v->c;
	struct result_item *items = stage->v->items + c->n_cases;
	for (size_t i = 0; i < c->n_scenarios; i++) {
		stage->jobs[i] = (struct job){.stage = stage, .scenario = &c->scenarios[i], .items = items};
		items += scenario_items(&c->scenarios[i]);
	}
}

int campaign_scenarios_run(struct campaign_view *v, struct err *e)
{
	struct campaign *c = v->c;
	struct stage stage = {.v = v, .n = c->n_scenarios};
	stage.jobs = arena_alloc(&c->arena, (c->n_scenarios + 1) * sizeof(*stage.jobs));
	if (!stage.jobs)
		return err_set(e, ENOMEM, "out of memory"), EXIT_OURS;
	make_jobs(&stage);
	on_tick(&stage);
	int r = run_all(&stage, false, TOGETHER_MAX, e);
	if (r == 0)
		r = run_all(&stage, true, 1, e);
	c->guarded = stage.guarded;
	c->untested = c->n_scenarios ? untested(&stage) : NULL;
	c->no_metrics = scrape_missing(c->site.target, &c->site.scraped, &c->arena);
	timer_fini(&stage.tick);
	for (size_t i = 0; i < stage.n; i++)
		scenario_run_free(stage.jobs[i].run);
	return r;
}

/* Dry run ------------------------------------------------------------------------------------------------------ */

static void print_phase(const struct scenario_phase *p)
{
	printf("    %-20s %s %.1f s", p->name, p->within_ms ? "within" : "for", (double)(p->for_ms + p->within_ms) / 1000);
	for (size_t i = 0; i < p->faults.len; i++) {
		const struct opt_call *call = &p->faults.items[i];
		printf("%s %s on the plane %s", i ? "," : ":", call->callee.name, fault_plane_name(scenario_plane_of(call)));
	}
	printf("\n");
}

void campaign_scenarios_dry_run(struct campaign *c)
{
	for (size_t i = 0; i < c->n_scenarios; i++) {
		const struct scenario *s = &c->scenarios[i];
		const struct scenario_phase *p = s->phases.items;
		printf("\n%s: %s\n", s->name, s->about);
		if (s->lacks) {
			printf("    is skipped: %s\n", s->lacks);
			continue;
		}
		printf("    %llu subscribers and %llu publishers on %llu channels, %.0f messages/s%s\n",
		       (unsigned long long)s->workload.subscribers, (unsigned long long)s->workload.publishers,
		       (unsigned long long)(s->workload.channels + s->workload.quiet_channels), s->workload.rate,
		       s->alone ? ", alone" : "");
		for (size_t k = 0; k < s->phases.len; k++)
			print_phase(&p[k]);
		printf("    checks:");
		for (size_t k = 0; k < s->checks.len; k++)
			printf(" %s", s->checks.items[k].callee.name);
		printf("\n");
	}
}
