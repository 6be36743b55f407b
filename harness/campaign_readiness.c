/* The suite `readiness` of a campaign: dialogues that run together, then those that want the target for themselves. */
#include <stdio.h>

#include "harness/base/clock.h"
#include "harness/campaign_internal.h"
#include "harness/cmd.h"
#include "harness/readiness/items.h"
#include "harness/readiness_server.h"

enum { TICK_MS = 100 };

struct talk {
	struct readiness_stage *stage;
	const struct dialogue_row *row;
	struct result_item *item;
	struct dialogue *dialogue;
	bool done;
};

struct readiness_stage {
	struct campaign_view *v;
	struct readiness_server server;
	struct readiness readiness;
	struct talk *talks;
	size_t n, running, decided;
	struct timer tick;
	uint64_t due_us;           /* of the tick */

};

static void decide(struct talk *t)
{
	t->done = true;
	t->stage->decided++;
	campaign_view_decided(t->stage->v, t->item);
}

static void leave(struct talk *t, enum verdict verdict, const char *why)
{
	t->item->verdict = verdict;
	t->item->seen = why;
	decide(t);
}

static void on_done(void *owner, struct dialogue *d)
{
	struct talk *t = owner;
	struct campaign *c = t->stage->v->c;
	readiness_fill_item(d, c->scratch ? NULL : c->o.output, campaign_view_replay(t->stage->v, t->item->id), &c->arena, t->item);
	if (c->on_dialogue)
		c->on_dialogue(d);
	t->stage->running--;
	decide(t);
	loop_stop(&c->loop);
}

static void start(struct talk *t)
{
	struct readiness_stage *stage = t->stage;
	const char *why = dialogue_lacks(t->row, stage->readiness.site);
	if (why) {
		leave(t, VERDICT_SKIP, why);
		return;
	}
	if (dialogue_new(&stage->readiness, t->row, on_done, t, &t->dialogue) < 0) {
		leave(t, VERDICT_ERROR, "out of memory");
		return;
	}
	stage->running++;
	dialogue_start(t->dialogue);
}

/* Everything of a dialogue that is over ends before the next one begins. */
static void free_done(struct readiness_stage *stage)
{
	for (size_t i = 0; i < stage->n; i++)
		if (stage->talks[i].done)
			dialogue_free(TAKE_PTR(stage->talks[i].dialogue));
}

static void wake_all(void *owner)
{
	struct readiness_stage *stage = owner;
	for (size_t i = 0; i < stage->n; i++)
		if (stage->talks[i].dialogue && !stage->talks[i].done)
			dialogue_step(stage->talks[i].dialogue);
}

static void tick_links(struct dialogue *d)
{
	for (size_t i = 0; i < d->n_links; i++)
		link_tick(d->links[i]);
}

static void draw(struct readiness_stage *stage)
{
	char bar[LIVE_BAR_LEN];
	struct buf text CLEANUP(buf_fini) = {0};
	const char *before = "  ";
	if (!live_due(&stage->v->live))
		return;
	buf_init(&text, LIVE_TEXT_MAX);
	buf_printf(&text, "  %s %zu/%zu checks of readiness", live_bar(bar, LIVE_BAR, stage->decided, stage->n), stage->decided, stage->n);
	for (size_t i = 0; i < stage->n; i++)
		if (stage->talks[i].dialogue && !stage->talks[i].done) {
			buf_printf(&text, "%s%s", before, stage->talks[i].item->id);
			before = ", ";
		}
	buf_printf(&text, "\n");
	live_draw(&stage->v->live, buf_span(&text));
}

static void on_tick(void *owner)
{
	struct readiness_stage *stage = owner;
	uint64_t now_us = clock_now_us();
	if (stage->due_us && now_us > stage->due_us && now_us - stage->due_us > stage->readiness.lag_us)
		stage->readiness.lag_us = now_us - stage->due_us;
	for (size_t i = 0; i < stage->n; i++)
		if (stage->talks[i].dialogue && !stage->talks[i].done)
			tick_links(stage->talks[i].dialogue);
	draw(stage);
	if (campaign_interrupted())
		loop_stop(&stage->v->c->loop);
	stage->due_us = now_us + (TICK_MS + 1) * 1000;
	timer_start(&stage->tick, &stage->v->c->loop, TICK_MS, on_tick, stage);
}

static bool run_until(struct readiness_stage *stage, size_t most)
{
	while (stage->running > most && !campaign_interrupted()) {
		loop_run(&stage->v->c->loop);
		free_done(stage);
	}
	return !campaign_interrupted();
}

static void run_all(struct readiness_stage *stage)
{
	bool going = true;
	for (size_t i = 0; i < stage->n; i++)
		if (!stage->talks[i].row->alone)
			start(&stage->talks[i]);
	going = run_until(stage, 0);
	for (size_t i = 0; i < stage->n && going; i++)
		if (stage->talks[i].row->alone) {
			start(&stage->talks[i]);
			going = run_until(stage, 0);
		}
	for (size_t i = 0; i < stage->n; i++)
		if (!stage->talks[i].done)
			leave(&stage->talks[i], VERDICT_ERROR, "the run was stopped");
}

/* The embedded server's twin, or the target itself. */
static int open_site(struct readiness_stage *stage, struct err *e)
{
	struct campaign *c = stage->v->c;
	struct site like = {.loop = &c->loop, .arena = &c->arena, .seed = c->o.seed};
	struct readiness *r = &stage->readiness;
	int code = c->embedded ? readiness_server_start(&stage->server, &like, &c->o.server_args, e) : 0;
	if (code)
		return code;
	r->site = c->embedded ? &stage->server.site : &c->site;
	r->secrets = c->embedded ? &stage->server.secrets : &c->secrets;
	const struct target *t = r->site->target;
	if (t->has_echo && dial_resolve(t->echo.host, t->echo.port, &r->echo, e) < 0)
		return EXIT_UNREACHABLE;
	if (target_has_logs(t) && journal_new(&c->loop, t, wake_all, stage, &r->journal, e) < 0)
		return EXIT_USAGE;
	return 0;
}

static void make_talks(struct readiness_stage *stage)
{
	struct campaign *c = stage->v->c;
	struct result_item *items = stage->v->items + c->n_items - c->n_dialogues;
	for (size_t i = 0; i < c->n_dialogues; i++)
		stage->talks[i] = (struct talk){.stage = stage, .row = c->dialogues[i], .item = &items[i]};
}

int campaign_readiness_run(struct campaign_view *v, struct err *e)
{
	struct campaign *c = v->c;
	struct readiness_stage stage = {.v = v, .n = c->n_dialogues, .server = {.process = {.out = -1}}};
	if (!stage.n)
		return 0;
	stage.talks = arena_alloc(&c->arena, stage.n * sizeof(*stage.talks));
	if (!stage.talks)
		return err_set(e, ENOMEM, "out of memory"), EXIT_OURS;
	make_talks(&stage);
	int code = open_site(&stage, e);
	if (code == 0) {
		on_tick(&stage);
		run_all(&stage);
	}
	timer_fini(&stage.tick);
	for (size_t i = 0; i < stage.n; i++)
		dialogue_free(stage.talks[i].dialogue);
	journal_free(stage.readiness.journal);
	readiness_server_stop(&stage.server);
	return code;
}

/* What can be run at all ----------------------------------------------------------------------------------------- */

bool campaign_readiness_wanted(const struct campaign *c)
{
	for (size_t i = 0; i < c->n_dialogues; i++)
		if (c->dialogues[i]->needs && !dialogue_lacks(c->dialogues[i], &c->site))
			return true;
	return false;
}

void campaign_readiness_dry_run(struct campaign *c)
{
	struct site site = c->site;
	struct target twin;
	struct err e;
	if (!c->n_dialogues)
		return;
	if (c->embedded && readiness_server_describe(&c->arena, &twin, &e) == 0) {
		site = (struct site){.target = &twin, .contract = twin.contract};
		dialect_load(twin.dialect, NULL, &c->arena, &site.dialect, &e);
	}
	printf("\nreadiness\n");
	for (size_t i = 0; i < c->n_dialogues; i++) {
		const char *why = dialogue_lacks(c->dialogues[i], &site);
		printf("    %-22s %s%s%s\n", c->dialogues[i]->check, why ? "is skipped: " : c->dialogues[i]->about, why ? why : "",
		       !why && c->dialogues[i]->alone ? ", alone" : "");
	}
}
