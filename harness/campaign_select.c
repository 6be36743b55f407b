/* Which cases run: suites by name, cases by glob. A pattern that matches nothing is a mistake, never an empty success. */
#include "harness/base/glob.h"
#include "harness/base/near.h"
#include "harness/campaign.h"
#include "suites/suites.h"

enum { SUITE_NAMES_MAX = 32, CASE_NAMES_MAX = 4096 };

static int unknown_suite(const char *name, struct err *e)
{
	const char *names[SUITE_NAMES_MAX];
	size_t n = 0;
	for (size_t i = 0; i < case_tables_len && n < SUITE_NAMES_MAX; i++)
		if (n == 0 || strcmp(names[n - 1], case_tables[i].suite) != 0)
			names[n++] = case_tables[i].suite;
	const char *near = near_word(name, names, n);
	return err_set(e, EINVAL, "unknown suite '%.60s'%s%s%s; 'wsquall list suites' shows them", name, near ? ", did you mean '" : "", near ? near : "",
		       near ? "'?" : "");
}

static bool suite_exists(const char *name)
{
	for (size_t i = 0; i < case_tables_len; i++)
		if (strcmp(case_tables[i].suite, name) == 0)
			return true;
	return false;
}

static int unknown_case(const char *pattern, const char *option, struct err *e)
{
	static const char *names[CASE_NAMES_MAX];
	size_t n = 0;
	for (size_t t = 0; t < case_tables_len; t++)
		for (size_t i = 0; i < case_tables[t].n && n < CASE_NAMES_MAX; i++)
			names[n++] = case_tables[t].cases[i].id;
	const char *near = near_word(pattern, names, n);
	return err_set(e, EINVAL, "%s '%.80s' matches no case%s%s%s; 'wsquall list cases' shows them", option, pattern, near ? ", did you mean '" : "",
		       near ? near : "", near ? "'?" : "");
}

static bool matches(const struct opt_strings *globs, const char *id, bool *used)
{
	bool any = false;
	for (size_t i = 0; i < globs->len; i++)
		if (glob_match(globs->items[i], id))
			any = used[i] = true;
	return any;
}

static int unused_pattern(const struct opt_strings *globs, const bool *used, const char *option, struct err *e)
{
	for (size_t i = 0; i < globs->len; i++)
		if (!used[i])
			return unknown_case(globs->items[i], option, e);
	return 0;
}

static bool wanted_suite(const struct campaign_options *o, const char *suite)
{
	for (size_t i = 0; i < o->suites.len; i++)
		if (strcmp(o->suites.items[i], suite) == 0)
			return true;
	return o->suites.len == 0;
}

int campaign_select(const struct campaign_options *o, struct arena *a, struct runner_case **ret_cases, size_t *ret_n, struct err *e)
{
	size_t total = 0, n = 0;
	for (size_t i = 0; i < o->suites.len; i++)
		if (!suite_exists(o->suites.items[i]))
			return unknown_suite(o->suites.items[i], e);
	for (size_t t = 0; t < case_tables_len; t++)
		total += case_tables[t].n;
	struct runner_case *cases = arena_alloc(a, total * sizeof(*cases));
	bool *used = arena_alloc(a, o->cases.len + o->skips.len + 1), *used_skip = used + o->cases.len;
	if (!cases || !used)
		return err_set(e, ENOMEM, "out of memory");
	for (size_t t = 0; t < case_tables_len; t++)
		for (size_t i = 0; i < case_tables[t].n; i++) {
			const struct case_table *table = &case_tables[t];
			const struct test_case *tc = &table->cases[i];
			bool in = o->cases.len == 0 || matches(&o->cases, tc->id, used);
			bool out = matches(&o->skips, tc->id, used_skip);
			if (wanted_suite(o, table->suite) && in && !out)
				cases[n++] = (struct runner_case){tc, table->suite, table->group};
		}
	int r = unused_pattern(&o->cases, used, "--case", e);
	if (r == 0)
		r = unused_pattern(&o->skips, used_skip, "--skip", e);
	if (r < 0)
		return r;
	if (n == 0)
		return err_set(e, EINVAL, "nothing is left to run: --suite, --case and --skip together select no case");
	*ret_cases = cases;
	*ret_n = n;
	return 0;
}
