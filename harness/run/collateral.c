/* Rounds: bystanders are opened, the cases of a range run, the bystanders are asked; what is left of the range is looked at next. */
#include "harness/run/collateral.h"

#include "harness/base/clock.h"

enum {
	CONTROL_FACTOR = 2, /* a round with a canary lasts this many times as long: who ends connections after a while ends them there */
	LATE_MS = 150,      /* a process may end so long after what ended it */
	SETTLE_MS = 500,    /* and take so long to be replaced */
};

static void begin_round(struct collateral *c, uint32_t after_ms);

static void push(struct collateral *c, struct collateral_range range)
{
	if (range.from < range.to && c->depth < COLLATERAL_DEPTH_MAX)
		c->stack[c->depth++] = range;
}

/* Judging -------------------------------------------------------------------------------------------------------------------- */

static unsigned count_cut(const struct collateral *c)
{
	unsigned cut = 0;
	for (size_t i = 0; i < COLLATERAL_BYSTANDERS; i++)
		cut += c->bystanders[i].cut && c->bystanders[i].ended_us >= c->started_us;
	return cut;
}

static void judge_alone(struct collateral *c, struct collateral_range range, unsigned cut)
{
	if (c->n_unmet && !cut && !range.control && ++range.unmet < COLLATERAL_UNMET_MAX) {
		push(c, range);
		return;
	}
	if (range.control ? cut > 0 : cut == 0)
		return;
	if (range.control) {
		range.control = false;
		push(c, range);
		return;
	}
	range.fewest_cut = range.confirmed && range.fewest_cut < cut ? range.fewest_cut : cut;
	if (++range.confirmed == COLLATERAL_CONFIRMATIONS) {
		c->found++;
		c->on_found(c->owner, range.from, range.fewest_cut, c->of);
		return;
	}
	range.control = true;
	push(c, range);
}

static void judge_round(struct collateral *c)
{
	struct collateral_range r = c->now;
	unsigned cut = count_cut(c);
	c->troubled |= cut > 0;
	if (r.to - r.from == 1) {
		judge_alone(c, r, cut);
	} else if (cut) {
		size_t middle = r.from + (r.to - r.from) / 2;
		push(c, (struct collateral_range){.from = middle, .to = r.to});
		push(c, (struct collateral_range){.from = r.from, .to = middle});
	} else if (c->troubled) {
		for (unsigned i = 0; i < c->n_unmet; i++)
			push(c, (struct collateral_range){.from = c->unmet[i], .to = c->unmet[i] + 1, .unmet = 1});
	}
	begin_round(c, cut || (c->troubled && c->n_unmet) ? SETTLE_MS : 0);
}

/* Rounds --------------------------------------------------------------------------------------------------------------------- */

static void on_settled(void *owner);

/* Everything that the bystanders can tell in this phase is known. */
static bool settled(const struct collateral *c)
{
	for (size_t i = 0; i < COLLATERAL_BYSTANDERS; i++) {
		const struct listener *l = &c->bystanders[i];
		if (!l->ended && !(c->phase == COLLATERAL_ASKING ? l->answered : l->open))
			return false;
	}
	return true;
}

/* The next phase frees bystanders, and begins on a stack of its own. */
static void on_change(void *owner)
{
	struct collateral *c = owner;
	if ((c->phase == COLLATERAL_OPENING || c->phase == COLLATERAL_ASKING) && settled(c))
		timer_start(&c->timer, c->env->loop, 0, on_settled, c);
}

static void ask(void *owner)
{
	struct collateral *c = owner;
	c->phase = COLLATERAL_ASKING;
	for (size_t i = 0; i < COLLATERAL_BYSTANDERS; i++)
		listener_ask(&c->bystanders[i]);
	timer_start(&c->timer, c->env->loop, c->env->timeout_ms, on_settled, c);
	on_change(c);
}

static void on_cases_done(struct collateral *c)
{
	uint64_t wait_ms = c->troubled ? LATE_MS : 0;
	if (c->now.control)
		wait_ms += CONTROL_FACTOR * c->case_us / 1000;
	else
		c->case_us = clock_now_us() - c->started_us;
	timer_start(&c->timer, c->env->loop, wait_ms, ask, c);
}

static void run_cases(struct collateral *c);

static void on_case_done(void *owner, struct case_run *run)
{
	struct collateral *c = owner;
	for (unsigned slot = 0; slot < c->jobs; slot++)
		if (c->runs[slot] == run) {
			c->runs[slot] = NULL;
			if (!case_run_outcome(run)->answered && c->n_unmet < COLLATERAL_UNMET_KEPT)
				c->unmet[c->n_unmet++] = c->at[slot];
		}
	case_run_free(run);
	c->running--;
	run_cases(c);
}

static void run_cases(struct collateral *c)
{
	while (c->next < c->now.to && c->running < c->jobs) {
		unsigned slot = 0;
		while (c->runs[slot])
			slot++;
		const struct test_case *tc = c->now.control ? &case_canary : c->cases[c->next];
		c->at[slot] = c->next++;
		if (case_run_new(c->env, tc, on_case_done, c, &c->runs[slot]) == 0)
			c->running++;
	}
	if (!c->running)
		on_cases_done(c);
}

/* Who is not here by now is not waited for again. */
static unsigned keep_open(struct collateral *c)
{
	unsigned open = 0;
	for (size_t i = 0; i < COLLATERAL_BYSTANDERS; i++) {
		struct listener *l = &c->bystanders[i];
		if (!l->open) {
			listener_fini(l);
			*l = (struct listener){.ended = true};
		}
		open += !l->ended;
	}
	return open;
}

/* It may be on its way back. */
static void await_target(struct collateral *c)
{
	uint64_t now_us = clock_now_us();
	c->gone_us = c->gone_us ? c->gone_us : now_us;
	c->gone = now_us - c->gone_us > c->recover_ms * 1000ull;
	push(c, c->now);
	begin_round(c, SETTLE_MS);
}

static void run_round(struct collateral *c)
{
	c->of = keep_open(c);
	if (!c->of) {
		await_target(c);
		return;
	}
	c->gone_us = 0;
	c->phase = COLLATERAL_RUNNING;
	c->started_us = clock_now_us();
	c->next = c->now.from;
	c->n_unmet = 0;
	run_cases(c);
}

static void on_settled(void *owner)
{
	struct collateral *c = owner;
	if (c->phase == COLLATERAL_OPENING)
		run_round(c);
	else
		judge_round(c);
}

static void leave(struct collateral *c)
{
	for (size_t i = 0; i < COLLATERAL_BYSTANDERS; i++) {
		listener_fini(&c->bystanders[i]);
		c->bystanders[i] = (struct listener){0};
	}
}

static void on_over(void *owner)
{
	struct collateral *c = owner;
	c->on_done(c->owner);
}

static void open_bystanders(void *owner)
{
	struct collateral *c = owner;
	c->rounds++;
	c->now = c->stack[--c->depth];
	c->phase = COLLATERAL_OPENING;
	for (size_t i = 0; i < COLLATERAL_BYSTANDERS; i++) {
		listener_start(&c->bystanders[i], c->env);
		c->bystanders[i].on_change = on_change;
		c->bystanders[i].owner = c;
	}
	timer_start(&c->timer, c->env->loop, c->env->timeout_ms, on_settled, c);
	on_change(c); /* none could even be dialled */
}

static void begin_round(struct collateral *c, uint32_t after_ms)
{
	bool enough = c->found == COLLATERAL_FOUND_MAX || c->rounds == COLLATERAL_ROUNDS_MAX;
	leave(c);
	c->phase = COLLATERAL_IDLE;
	if (!c->depth || c->gone || enough)
		timer_start(&c->timer, c->env->loop, after_ms, on_over, c);
	else
		timer_start(&c->timer, c->env->loop, after_ms, open_bystanders, c);
}

/* Life ----------------------------------------------------------------------------------------------------------------------- */

void collateral_start(struct collateral *c, size_t n)
{
	push(c, (struct collateral_range){.to = n});
	begin_round(c, c->troubled ? SETTLE_MS : 0);
}

bool collateral_left(const struct collateral *c, size_t at)
{
	for (unsigned i = 0; i < c->depth; i++)
		if (at >= c->stack[i].from && at < c->stack[i].to)
			return true;
	return false;
}

void collateral_fini(struct collateral *c)
{
	timer_fini(&c->timer);
	for (size_t slot = 0; slot < COLLATERAL_JOBS_MAX; slot++)
		case_run_free(TAKE_PTR(c->runs[slot]));
	leave(c);
}
