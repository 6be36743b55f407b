/*
 * Which cases and scenarios run: suites by name, scenario files, ids by glob. A pattern that matches nothing is a
 * mistake, never an empty success.
 */
#include "harness/base/glob.h"
#include "harness/base/near.h"
#include "harness/campaign.h"
#include "harness/readiness/items.h"
#include "harness/scenario/items.h"
#include "suites/suites.h"

enum { SUITE_NAMES_MAX = 32, IDS_MAX = 8192 };

struct selection {
	struct campaign *c;
	bool *used, *used_skip;    /* by pattern of --case and of --skip */
	const char **ids;          /* all that there are, for the nearest one */
	size_t n_ids;
};

/* Suites ------------------------------------------------------------------------------------------------------- */

/* The i-th suite's name: those of the cases, those of the scenarios, the dialogues'; NULL past the end. A name may come twice. */
static const char *suite_name(size_t i)
{
	if (i < case_tables_len)
		return case_tables[i].suite;
	i -= case_tables_len;
	if (i < scenario_builtins_len)
		return scenario_builtins[i].suite;
	return i == scenario_builtins_len ? READINESS_SUITE : NULL;
}

static int check_suite(const char *name, struct err *e)
{
	const char *names[SUITE_NAMES_MAX], *known;
	size_t n = 0;
	for (size_t i = 0; (known = suite_name(i)); i++) {
		if (strcmp(known, name) == 0)
			return 0;
		if (n < SUITE_NAMES_MAX && (n == 0 || strcmp(names[n - 1], known) != 0))
			names[n++] = known;
	}
	const char *near = near_word(name, names, n);
	return err_set(e, EINVAL, "unknown suite '%.60s'%s%s%s; 'wsquall list suites' shows them", name, near ? ", did you mean '" : "", near ? near : "",
		       near ? "'?" : "");
}

static bool wanted_suite(const struct campaign_options *o, const char *suite)
{
	for (size_t i = 0; i < o->suites.len; i++)
		if (strcmp(o->suites.items[i], suite) == 0)
			return true;
	return o->suites.len == 0 && o->files.len == 0;
}

/* Patterns ----------------------------------------------------------------------------------------------------- */

static bool matches(const struct opt_strings *globs, const char *id, bool *used)
{
	bool any = false;
	for (size_t i = 0; i < globs->len; i++)
		if (glob_match(globs->items[i], id))
			any = used[i] = true;
	return any;
}

static void know(struct selection *s, const char *id)
{
	if (s->n_ids < IDS_MAX)
		s->ids[s->n_ids++] = id;
}

static int unused_pattern(const struct selection *s, const struct opt_strings *globs, const bool *used, const char *option,
			  struct err *e)
{
	for (size_t i = 0; i < globs->len; i++) {
		if (used[i])
			continue;
		const char *near = near_word(globs->items[i], s->ids, s->n_ids);
		return err_set(e, EINVAL, "%s '%.80s' matches no case and no scenario%s%s%s; 'wsquall list cases' and 'wsquall "
			       "list scenarios' show them", option, globs->items[i], near ? ", did you mean '" : "",
			       near ? near : "", near ? "'?" : "");
	}
	return 0;
}

/* Cases -------------------------------------------------------------------------------------------------------- */

static int select_cases(struct selection *s, struct err *e)
{
	struct campaign *c = s->c;
	size_t total = 0;
	for (size_t t = 0; t < case_tables_len; t++)
		total += case_tables[t].n;
	c->cases = arena_alloc(&c->arena, total * sizeof(*c->cases));
	if (!c->cases)
		return err_set(e, ENOMEM, "out of memory");
	for (size_t t = 0; t < case_tables_len; t++)
		for (size_t i = 0; i < case_tables[t].n; i++) {
			const struct case_table *table = &case_tables[t];
			const struct test_case *tc = &table->cases[i];
			bool in = c->o.cases.len == 0 || matches(&c->o.cases, tc->id, s->used);
			bool out = matches(&c->o.skips, tc->id, s->used_skip);
			know(s, tc->id);
			if (wanted_suite(&c->o, table->suite) && in && !out)
				c->cases[c->n_cases++] = (struct runner_case){tc, table->suite, table->group};
		}
	return 0;
}

/* Scenarios ---------------------------------------------------------------------------------------------------- */

/* By its own name, or by one of its checks. */
static bool matches_scenario(struct selection *s, const struct opt_strings *globs, const struct scenario *scenario, bool *used)
{
	struct campaign *c = s->c;
	size_t n = scenario_items(scenario);
	struct result_item *items = arena_alloc(&c->arena, n * sizeof(*items));
	bool any = false;
	if (!items || scenario_plan_items(scenario, &c->arena, items) < 0)
		return false;
	for (size_t i = 0; i < n; i++)
		any |= matches(globs, items[i].id, used);
	return any;
}

static void consider(struct selection *s, const struct scenario *scenario, bool wanted)
{
	struct campaign *c = s->c;
	bool in = c->o.cases.len == 0 || matches_scenario(s, &c->o.cases, scenario, s->used);
	bool out = c->o.skips.len && matches_scenario(s, &c->o.skips, scenario, s->used_skip);
	know(s, scenario->name);
	if (wanted && in && !out)
		c->scenarios[c->n_scenarios++] = *scenario;
}

static int select_scenarios(struct selection *s, struct err *e)
{
	struct campaign *c = s->c;
	struct scenario one;
	int r = 0;
	c->scenarios = arena_alloc(&c->arena, (scenario_builtins_len + c->o.files.len + 1) * sizeof(*c->scenarios));
	if (!c->scenarios)
		return err_set(e, ENOMEM, "out of memory");
	for (size_t i = 0; r == 0 && i < scenario_builtins_len; i++) {
		const struct scenario_builtin *b = &scenario_builtins[i];
		r = scenario_load_text(span_str(b->text), b->name, &c->arena, &one, e);
		one.suite = b->suite;
		if (r == 0)
			consider(s, &one, wanted_suite(&c->o, b->suite));
	}
	for (size_t i = 0; r == 0 && i < c->o.files.len; i++) {
		r = scenario_load(c->o.files.items[i], &c->arena, &one, e);
		if (r == 0)
			consider(s, &one, true);
	}
	return r;
}

/* Dialogues ---------------------------------------------------------------------------------------------------- */

static int select_dialogues(struct selection *s, struct err *e)
{
	struct campaign *c = s->c;
	c->dialogues = arena_alloc(&c->arena, dialogue_rows_len * sizeof(struct dialogue_row *));
	for (size_t i = 0; c->dialogues && i < dialogue_rows_len; i++) {
		const char *id = arena_printf(&c->arena, READINESS_SUITE "/%s", dialogue_rows[i]->check);
		if (!id)
			return err_set(e, ENOMEM, "out of memory");
		bool in = c->o.cases.len == 0 || matches(&c->o.cases, id, s->used);
		bool out = matches(&c->o.skips, id, s->used_skip);
		know(s, id);
		if (wanted_suite(&c->o, READINESS_SUITE) && in && !out)
			c->dialogues[c->n_dialogues++] = dialogue_rows[i];
	}
	return c->dialogues ? 0 : err_set(e, ENOMEM, "out of memory");
}

static int twice(const struct campaign *c, struct err *e)
{
	for (size_t i = 0; i < c->n_scenarios; i++)
		for (size_t k = 0; k < i; k++)
			if (strcmp(c->scenarios[i].name, c->scenarios[k].name) == 0)
				return err_set(e, EINVAL, "two scenarios are called '%s'", c->scenarios[i].name);
	return 0;
}

int campaign_select(struct campaign *c, struct err *e)
{
	struct selection s = {.c = c};
	for (size_t i = 0; i < c->o.suites.len; i++)
		if (check_suite(c->o.suites.items[i], e) < 0)
			return -EINVAL;
	s.used = arena_alloc(&c->arena, c->o.cases.len + c->o.skips.len + 1);
	s.ids = arena_alloc(&c->arena, IDS_MAX * sizeof(*s.ids));
	if (!s.used || !s.ids)
		return err_set(e, ENOMEM, "out of memory");
	s.used_skip = s.used + c->o.cases.len;
	int r = select_cases(&s, e);
	if (r == 0)
		r = select_scenarios(&s, e);
	if (r == 0)
		r = select_dialogues(&s, e);
	if (r == 0)
		r = unused_pattern(&s, &c->o.cases, s.used, "--case", e);
	if (r == 0)
		r = unused_pattern(&s, &c->o.skips, s.used_skip, "--skip", e);
	if (r == 0)
		r = twice(c, e);
	if (r < 0)
		return r;
	if (c->n_cases + c->n_scenarios + c->n_dialogues == 0)
		return err_set(e, EINVAL, "nothing is left to run: --suite, --case and --skip together select nothing");
	return 0;
}
