/* The scenarios of a campaign: those that only bend their own connections at once, the others one after the other. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "faults/undo.h"
#include "harness/campaign_internal.h"
#include "harness/cmd.h"
#include "harness/scenario/care.h"
#include "harness/scenario/items.h"
#include "harness/scenario/run.h"

enum {
	TOGETHER_MAX = 12,         /* scenarios at once */
	TICK_MS = 100,             /* of the live line, and of looking for a signal */
	PROGRESS_MAX = 256,
	UNTESTED_MAX = 4096,
};

struct job {
	struct stage *stage;
	const struct scenario *scenario;
	struct result_item *items;
	struct scenario_run *run;
	bool done;
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

/* The live line ------------------------------------------------------------------------------------------------ */

static const char *why_not(const struct stage *stage)
{
	if (stage->guarded)
		return stage->guarded;
	if (stage->unreachable)
		return "another scenario found that the target cannot be used";
	return campaign_interrupted() ? "the run was stopped" : NULL;
}

static const struct job *shown_job(const struct stage *stage)
{
	for (size_t i = 0; i < stage->n; i++)
		if (stage->jobs[i].run && !stage->jobs[i].done)
			return &stage->jobs[i];
	return NULL;
}

static void draw(struct stage *stage)
{
	char line[PROGRESS_MAX];
	struct scenario_now now;
	const struct job *job = shown_job(stage);
	if (!job)
		return;
	scenario_run_now(job->run, &now);
	const struct workload_state *w = &now.workload;
	snprintf(line, sizeof(line), "%zu/%zu  %s: %s %.0f/%.0f s%s%s  %llu/%llu up  %llu delivered  %llu violations%s",
		 stage->decided, stage->n, job->scenario->name, now.phase, (double)now.phase_ms / 1000,
		 (double)now.phase_of_ms / 1000, now.fault[0] ? "  " : "", now.fault, (unsigned long long)w->up,
		 (unsigned long long)w->clients, (unsigned long long)w->delivered, (unsigned long long)now.violations,
		 stage->running > 1 ? "  (and others)" : "");
	campaign_view_line(stage->v, line);
}

static void on_tick(void *owner)
{
	struct stage *stage = owner;
	for (size_t i = 0; campaign_interrupted() && i < stage->n; i++)
		if (stage->jobs[i].run && !stage->jobs[i].done)
			scenario_run_stop(stage->jobs[i].run);
	draw(stage);
	timer_start(&stage->tick, &stage->v->c->loop, TICK_MS, on_tick, stage);
}

/* Running ------------------------------------------------------------------------------------------------------ */

static struct job *next_job(struct stage *stage, bool alone)
{
	for (size_t i = 0; i < stage->n; i++) {
		struct job *job = &stage->jobs[i];
		if (!job->done && !job->run && job->scenario->alone == alone)
			return job;
	}
	return NULL;
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
