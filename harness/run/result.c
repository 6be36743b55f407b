/*
 * The verdict on a whole run. Gate and grade are two questions: the gate is the user's policy (known deviations, strict) and
 * makes the exit code; the grade is what the target did, whatever the policy. Both are kept here, in tables, so that no
 * report can have its own opinion.
 */
#include "harness/run/result.h"

#include <assert.h>
#include <string.h>

static const char *const verdict_names[] = {
#define VERDICT_NAME(NAME, name, about) name,
	VERDICTS(VERDICT_NAME)
#undef VERDICT_NAME
};

const char *verdict_name(enum verdict v)
{
	assert(v < VERDICT_COUNT);
	return verdict_names[v];
}

int verdict_parse(const char *name)
{
	for (int v = 0; v < VERDICT_COUNT; v++)
		if (strcmp(name, verdict_names[v]) == 0)
			return v;
	return -EINVAL;
}

/* What result_grade() counts in one pass over the items. */
struct tally {
	unsigned new_fails, new_warns, decided;
	uint64_t weight, credit;
};

/* --- caps --- */

enum cap_when { CAP_ABORTED, CAP_UNDECIDED, CAP_MUST_FAIL, CAP_CHECK_FAIL };

/*
 * What holds a grade down however good the score is, hardest first. CAP_MUST_FAIL: a fail of level MUST in `group` (or
 * a group below it) or proving RFC section `rfc`; both NULL: anywhere. CAP_CHECK_FAIL: of a check whose id begins so,
 * in whatever scenario. CAP_UNDECIDED: more than half of the cases ended without pass, warn or fail; what a contract does
 * not promise and a scenario did not put to the test is not counted.
 */
static const struct cap_rule {
	const char *letter;
	enum cap_when when;
	const char *group, *rfc;
	const char *why;
} cap_rules[] = {
	{"D", CAP_ABORTED, NULL, NULL, "the run was aborted, see its reason"},
	{"C", CAP_MUST_FAIL, "mask", "6455 5.1",
	 "masking rules are broken, so a script could plant requests in the caches on the path"},
	{"C", CAP_MUST_FAIL, "utf8", "6455 8.1",
	 "text is not checked as UTF-8, so the application receives octets that it cannot trust"},
	{"C", CAP_MUST_FAIL, "close", "6455 7.1.1",
	 "the closing handshake is broken, so a peer cannot tell a loss from an end"},
	{"C", CAP_CHECK_FAIL, "delivery.", NULL, "messages that were promised are lost, repeated, damaged or somebody else's"},
	{"C", CAP_CHECK_FAIL, "resume.", NULL, "a client that comes back cannot trust what it is told about what it missed"},
	{"C", CAP_CHECK_FAIL, "close.logged", NULL, "close codes are not logged truly, so nobody can tell why clients leave"},
	{"C", CAP_UNDECIDED, NULL, NULL, "more than half of the cases could not be decided"},
	{"B", CAP_MUST_FAIL, NULL, NULL, "at least one MUST is broken"},
};
_Static_assert(ARRAY_LEN(cap_rules) <= RESULT_CAPS_MAX, "every cap may apply at once");

static bool in_group(const struct result_item *item, const char *group)
{
	size_t len = strlen(group);
	return item->group && strncmp(item->group, group, len) == 0 &&
	       (item->group[len] == 0 || item->group[len] == '/');
}

static bool cap_must_fail(const struct cap_rule *rule, const struct result *r)
{
	for (size_t i = 0; i < r->n_items; i++) {
		const struct result_item *item = &r->items[i];
		if (item->verdict != VERDICT_FAIL || strcmp(item->level, "MUST") != 0)
			continue;
		if (!rule->group || in_group(item, rule->group) || (item->rfc && strcmp(item->rfc, rule->rfc) == 0))
			return true;
	}
	return false;
}

static bool is_check(const struct result_item *item)
{
	return item->kind && strcmp(item->kind, "check") == 0;
}

/* A check's id is SCENARIO/CHECK. */
static bool cap_check_fail(const struct cap_rule *rule, const struct result *r)
{
	for (size_t i = 0; i < r->n_items; i++) {
		const char *slash = strchr(r->items[i].id, '/');
		if (is_check(&r->items[i]) && r->items[i].verdict == VERDICT_FAIL && slash &&
		    strncmp(slash + 1, rule->group, strlen(rule->group)) == 0)
			return true;
	}
	return false;
}

static size_t to_be_decided(const struct result *r)
{
	size_t n = 0;
	for (size_t i = 0; i < r->n_items; i++)
		n += !is_check(&r->items[i]) || r->items[i].verdict != VERDICT_SKIP;
	return n;
}

static bool cap_applies(const struct cap_rule *rule, const struct result *r, const struct tally *t)
{
	switch (rule->when) {
	case CAP_ABORTED:
		return r->abort_reason != NULL;
	case CAP_UNDECIDED:
		return t->decided < to_be_decided(r) - t->decided;
	case CAP_MUST_FAIL:
		return cap_must_fail(rule, r);
	case CAP_CHECK_FAIL:
		return cap_check_fail(rule, r);
	}
	return false;
}

/* --- grade --- */

static unsigned weight_of(const struct result_item *item)
{
	return strcmp(item->level, "MUST") == 0 ? 3 : strcmp(item->level, "SHOULD") == 0 ? 1 : 0;
}

static void grade(struct result *r, const struct tally *t)
{
	static const struct {
		char letter;
		int from;
	} letters[] = {{'A', 95}, {'B', 85}, {'C', 70}, {'D', 50}, {'F', 0}};

	r->grade = 0;
	r->score = 0;
	r->n_caps = 0;
	if (t->weight == 0)
		return;
	r->score = (int)(t->credit / t->weight);
	size_t row = 0;
	while (r->score < letters[row].from)
		row++;
	r->grade = letters[row].letter;
	char by_score = r->grade;
	for (size_t i = 0; i < ARRAY_LEN(cap_rules); i++) {
		char letter = cap_rules[i].letter[0];
		if (letter <= by_score || !cap_applies(&cap_rules[i], r, t))
			continue;
		r->caps[r->n_caps++] = (struct result_cap){cap_rules[i].letter, cap_rules[i].why};
		if (letter > r->grade)
			r->grade = letter;
	}
}

/* --- gate --- */

/* Is the word in the list with commas? */
static bool lists(const char *list, const char *word)
{
	size_t len = strlen(word);
	for (const char *p = list; p && *p; p += strcspn(p, ","), p += *p == ',')
		if (strcspn(p, ",") == len && strncmp(p, word, len) == 0)
			return true;
	return false;
}

static void decide(struct result *r, const char *verdict, int exit_code, const char *why)
{
	r->verdict = verdict;
	r->exit_code = exit_code;
	r->why = why;
}

static void gate(struct result *r, const struct tally *t, const char *fail_on)
{
	bool fails = t->new_fails || r->stale || (r->strict && t->new_warns);
	if (r->abort_reason)
		decide(r, "aborted", fails ? 1 : 69, "the run did not come to its end");
	else if (t->new_fails)
		decide(r, "fail", 1, "a case failed that is no known deviation");
	else if (r->stale)
		decide(r, "fail", 1, "a known deviation is gone: take it out of the target file");
	else if (fails)
		decide(r, "fail", 1, "warnings count as failures in this run");
	else if (r->counts[VERDICT_ERROR])
		decide(r, "inconclusive", 2, "a case ended by our own trouble");
	else if (t->decided == 0)
		decide(r, "inconclusive", 2, "no case at all could be decided");
	else if (r->counts[VERDICT_INCONCLUSIVE] && lists(fail_on, "inconclusive"))
		decide(r, "inconclusive", 2, "a case could not be decided");
	else
		decide(r, "pass", 0, "no required behaviour was broken");
}

static void count(struct result *r, struct tally *t, const struct result_item *item)
{
	static const unsigned credits[VERDICT_COUNT] = {[VERDICT_PASS] = 100, [VERDICT_WARN] = 50};
	bool decided = item->verdict == VERDICT_PASS || item->verdict == VERDICT_WARN || item->verdict == VERDICT_FAIL;
	assert(item->verdict < VERDICT_COUNT);
	r->counts[item->verdict]++;
	r->expected += item->expected;
	r->stale += item->stale;
	t->new_fails += item->verdict == VERDICT_FAIL && !item->expected;
	t->new_warns += item->verdict == VERDICT_WARN && !item->expected;
	t->decided += decided;
	if (decided) {
		t->weight += weight_of(item);
		t->credit += (uint64_t)weight_of(item) * credits[item->verdict];
	}
}

void result_grade(struct result *r, bool strict, const char *fail_on)
{
	struct tally t = {0};
	memset(r->counts, 0, sizeof(r->counts));
	r->expected = r->stale = 0;
	r->strict = strict || lists(fail_on, "warn");
	for (size_t i = 0; i < r->n_items; i++)
		count(r, &t, &r->items[i]);
	grade(r, &t);
	gate(r, &t, fail_on);
	if (r->exit_code == 0 && r->counts[VERDICT_FAIL])
		r->why = "every failure is a known deviation";
}
