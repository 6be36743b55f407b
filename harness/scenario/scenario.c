/* The format of a scenario file. What the tables do not say is not in the format. */
#include "harness/scenario/scenario.h"

#include <string.h>

#include "harness/base/conf.h"
#include "harness/base/near.h"

#define ROW(T, field_name, field, opt_type, help_text, ...) \
	{.name = field_name, .type = opt_type, .offset = offsetof(struct T, field), .help = help_text, ##__VA_ARGS__}

static const char *const planes[] = {
#define PLANE(NAME, name, about) name,
#include "faults/planes.def"
#undef PLANE
	"any", NULL};
static const char *const whose[] = {"subscribers", "publishers", "all", NULL};

static const char *const streams[] = {"own", "upstream", "downstream", "both", NULL};
static const char *const ways[] = {"door", "nodes", NULL};

static const struct opt fault_table[] = {
	ROW(scenario_fault, "plane", plane, OPT_ENUM, "where it works; any: the first plane that it can work on",
	    .choices = planes, .def = "any"),
	ROW(scenario_fault, "at", at_ms, OPT_DURATION, "how long after the phase's begin it comes", .def = "0ms",
	    .max = INT64_MAX),
	ROW(scenario_fault, "for", for_ms, OPT_DURATION, "how long it lasts; 0ms: to the phase's end", .def = "0ms",
	    .max = INT64_MAX),
	ROW(scenario_fault, "every", every_ms, OPT_DURATION, "it comes again this often; 0ms: once", .def = "0ms",
	    .max = INT64_MAX),
	ROW(scenario_fault, "on", on, OPT_ENUM, "whose connections it works on, of a stream fault", .choices = whose,
	    .def = "subscribers"),
	ROW(scenario_fault, "stream", stream, OPT_ENUM,
	    "its direction, of a stream fault: upstream, to the target; downstream, to the client; own: as the fault says",
	    .choices = streams, .def = "own"),
	ROW(scenario_fault, "toxicity", toxicity, OPT_PERCENT, "the share of those connections", .def = "100%"),
	{0},
};

static bool get_fault(size_t i, struct opt_callee *ret)
{
	if (i >= faults_len)
		return false;
	const struct fault *f = faults[i];
	*ret = (struct opt_callee){.name = f->name, .about = f->about, .what = f, .options = f->options,
				   .options_size = f->options_size, .check = f->check};
	return true;
}

static bool get_checker(size_t i, struct opt_callee *ret)
{
	if (i >= checkers_len)
		return false;
	const struct checker *c = checkers[i];
	*ret = (struct opt_callee){.name = c->name, .about = c->about, .what = c, .options = c->options,
				   .options_size = c->options_size};
	return true;
}

static const struct opt_callees fault_callees = {
	.kind = "fault", .get = get_fault, .common = fault_table, .common_size = sizeof(struct scenario_fault)};
static const struct opt_callees check_callees = {.kind = "check", .get = get_checker};

static const struct opt phase_table[] = {
	ROW(scenario_phase, "name", name, OPT_STRING, "what reports call it", .flags = OPT_REQUIRED),
	ROW(scenario_phase, "for", for_ms, OPT_DURATION, "how long it lasts", .max = INT64_MAX),
	ROW(scenario_phase, "within", within_ms, OPT_DURATION,
	    "instead of `for`: nothing is hurt, and everything must be well again within this", .max = INT64_MAX),
	ROW(scenario_phase, "quiet", quiet, OPT_FLAG, "nothing is published meanwhile"),
	ROW(scenario_phase, "messages", messages, OPT_U64,
	    "so many are published, and then no more; 0: at the workload's rate as long as it lasts", .max = INT64_MAX),
	ROW(scenario_phase, "kept_percent", kept_percent, OPT_U64,
	    "where the contract has `resume_messages`, `messages` is this share of them; `for` grows as that needs",
	    .max = SCENARIO_KEPT_PERCENT_MAX),
	ROW(scenario_phase, "no_acks", no_acks, OPT_FLAG,
	    "subscribers acknowledge nothing meanwhile, and everything after it"),
	ROW(scenario_phase, "takeover", takeover, OPT_PERCENT,
	    "the share of the subscribers that come a second time as it begins, while their old connection is open",
	    .def = "0%"),
	ROW(scenario_phase, "faults", faults, OPT_CALLS,
	    "what comes, in the order given; each is healed at the phase's end at the latest",
	    .callees = &fault_callees),
	{0},
};

const struct opt scenario_table[] = {
	ROW(scenario, "scenario", name, OPT_STRING, "its name: letters, digits, '-'", .flags = OPT_REQUIRED),
	ROW(scenario, "about", about, OPT_STRING, "the one idea, a sentence", .flags = OPT_REQUIRED),
	ROW(scenario, "source", source, OPT_STRING, "the sentence of a checklist that it comes from"),
	ROW(scenario, "needs", needs, OPT_STRINGS, "what the target must have; without it the scenario is skipped"),
	ROW(scenario, "through", through, OPT_ENUM,
	    "where the clients connect: door: the target's URL; nodes: the nodes' own in turn, the next one after each "
	    "end",
	    .choices = ways, .def = "door"),
	ROW(scenario, "variant", variant, OPT_STRING,
	    "another way to speak to the target: `sessions` is the dialect NAME-sessions, where the target's is NAME"),
	ROW(scenario, "variables", variables, OPT_MAP,
	    "of the dialect, beside those of the target file; NAME?: where the dialect has it"),
	ROW(scenario, "alone", alone, OPT_FLAG,
	    "nothing else runs beside it; always so when it touches processes or links, or checks `leaks`"),
	ROW(scenario, "workload", workload, OPT_SECTION, "who is there and what they do", .sub = workload_table),
	ROW(scenario, "phases", phases, OPT_SECTIONS, "what happens, one after the other", .flags = OPT_REQUIRED,
	    .sub = phase_table, .item_size = sizeof(struct scenario_phase)),
	ROW(scenario, "checks", checks, OPT_CALLS, "what must hold", .flags = OPT_REQUIRED, .callees = &check_callees),
	{0},
};

const struct fault *scenario_fault_of(const struct opt_call *call)
{
	return call->callee.what;
}

enum fault_plane scenario_plane_of(const struct opt_call *call)
{
	static const enum fault_plane order[] = {FAULT_STREAM, FAULT_PROCESS, FAULT_BACKPLANE,
						 FAULT_PEER,   FAULT_HOOK,    FAULT_LINK};
	const struct scenario_fault *k = call->common;
	if (k->plane != FAULT_PLANES)
		return (enum fault_plane)k->plane;
	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		if (fault_has_plane(scenario_fault_of(call), order[i]))
			return order[i];
	return FAULT_LINK;
}

uint64_t scenario_longest_ms(const struct scenario *s)
{
	const struct scenario_phase *p = s->phases.items;
	uint64_t sum = 0;
	for (size_t i = 0; i < s->phases.len; i++)
		sum += p[i].for_ms + p[i].within_ms;
	return sum;
}

uint64_t scenario_planned_ms(const struct scenario *s)
{
	const struct scenario_phase *p = s->phases.items;
	uint64_t sum = 0;
	for (size_t i = 0; i < s->phases.len; i++)
		sum += p[i].for_ms;
	return sum;
}

/* What a table cannot say -------------------------------------------------------------------------------------- */

static int check_name(const char *name, struct err *e)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	if (!*name || strlen(name) > SCENARIO_NAME_MAX || name[strspn(name, letters)])
		return err_set(e, EINVAL, "scenario: expected a name of a-z, 0-9 and '-', at most %d of them", SCENARIO_NAME_MAX);
	return 0;
}

static int check_needs(const struct opt_strings *needs, struct err *e)
{
	static const char *const known[] = {
#define NEED(NAME, name, why) name,
#include "harness/scenario/needs.def"
#undef NEED
	};
	for (size_t i = 0; i < needs->len; i++) {
		size_t k = 0;
		while (k < ARRAY_LEN(known) && strcmp(known[k], needs->items[i]) != 0)
			k++;
		if (k < ARRAY_LEN(known))
			continue;
		const char *near = near_word(needs->items[i], known, ARRAY_LEN(known));
		return err_set(e, EINVAL, "needs: unknown need \"%.60s\"%s%s%s", needs->items[i], near ? ", did you mean \"" : "",
			       near ? near : "", near ? "\"?" : "");
	}
	return 0;
}

static int check_fault(const struct scenario_phase *p, const struct opt_call *call, struct err *e)
{
	const struct scenario_fault *k = call->common;
	enum fault_plane plane = scenario_plane_of(call);
	const char *name = call->callee.name;
	if (!fault_has_plane(scenario_fault_of(call), plane))
		return err_set(e, EINVAL, "line %zu: %s does not work on the plane %s; 'wsquall list faults' shows where it does",
			       call->line, name, fault_plane_name(plane));
	if (k->at_ms >= p->for_ms)
		return err_set(e, EINVAL, "line %zu: %s: `at` is not within the phase's `for`", call->line, name);
	if (k->every_ms && (!k->for_ms || k->for_ms >= k->every_ms))
		return err_set(e, EINVAL, "line %zu: %s: `every` needs a `for` that is shorter", call->line, name);
	if (plane != FAULT_STREAM && k->stream)
		return err_set(e, EINVAL, "line %zu: %s: `stream` is for faults on streams, not on the plane %s", call->line, name,
			       fault_plane_name(plane));
	if (plane == FAULT_STREAM && k->toxicity <= 0)
		return err_set(e, EINVAL, "line %zu: %s: `toxicity` of 0%% hurts nobody", call->line, name);
	return 0;
}

static int check_phase(const struct scenario_phase *p, struct err *e)
{
	if (!p->for_ms == !p->within_ms)
		return err_set(e, EINVAL, "the phase \"%.60s\" needs either `for` or `within`", p->name);
	if (p->within_ms && (p->faults.len || p->messages || p->no_acks || p->takeover > 0))
		return err_set(e, EINVAL, "the phase \"%.60s\" heals (`within`), so it has neither faults, `messages`, `no_acks` nor "
			       "`takeover`", p->name);
	if (p->kept_percent && !p->messages)
		return err_set(e, EINVAL, "the phase \"%.60s\" has `kept_percent`, so it needs `messages` for a contract that keeps "
			       "without a bound", p->name);
	if (p->quiet && p->messages)
		return err_set(e, EINVAL, "the phase \"%.60s\" is quiet, so it has no `messages`", p->name);
	if (p->faults.len > SCENARIO_FAULTS_MAX)
		return err_set(e, EINVAL, "the phase \"%.60s\" has more than %d faults", p->name, SCENARIO_FAULTS_MAX);
	int r = 0;
	for (size_t i = 0; r == 0 && i < p->faults.len; i++)
		r = check_fault(p, &p->faults.items[i], e);
	return r;
}

static int check_twice(const struct opt_calls *checks, struct err *e)
{
	for (size_t i = 0; i < checks->len; i++)
		for (size_t k = 0; k < i; k++)
			if (checks->items[k].callee.what == checks->items[i].callee.what)
				return err_set(e, EINVAL, "line %zu: the check %s is there twice", checks->items[i].line,
					       checks->items[i].callee.name);
	return checks->len ? 0 : err_set(e, EINVAL, "checks: a scenario without checks proves nothing");
}

static int finish(struct scenario *s, struct err *e)
{
	const struct scenario_phase *p = s->phases.items;
	if (s->phases.len == 0 || s->phases.len > SCENARIO_PHASES_MAX)
		return err_set(e, EINVAL, "phases: expected 1 to %d of them", SCENARIO_PHASES_MAX);
	int r = check_name(s->name, e);
	if (r == 0)
		r = check_needs(&s->needs, e);
	if (r == 0)
		r = workload_check(&s->workload, e);
	for (size_t i = 0; r == 0 && i < s->phases.len; i++)
		r = check_phase(&p[i], e);
	for (size_t i = 0; r == 0 && i < s->phases.len; i++)
		for (size_t k = 0; k < p[i].faults.len; k++) {
			enum fault_plane plane = scenario_plane_of(&p[i].faults.items[k]);
			s->alone |= plane != FAULT_STREAM;
			s->outside |= plane != FAULT_STREAM && plane != FAULT_PEER;
		}
	for (size_t i = 0; i < s->checks.len; i++) {
		const struct checker *c = s->checks.items[i].callee.what;
		s->alone |= c->whole_target;
	}
	return r < 0 ? r : check_twice(&s->checks, e);
}

static int finish_named(struct scenario *s, const char *name, struct err *e)
{
	struct err why;
	int r = finish(s, &why);
	return r < 0 ? err_set(e, -r, "%s: %s", name, why.text) : 0;
}

int scenario_load_text(struct span text, const char *name, struct arena *a, struct scenario *ret, struct err *e)
{
	*ret = (struct scenario){.suite = "scenario"};
	int r = opt_defaults(scenario_table, ret, a);
	if (r == 0)
		r = conf_read_text(text, name, scenario_table, ret, a, e);
	return r < 0 ? r : finish_named(ret, name, e);
}

int scenario_load(const char *path, struct arena *a, struct scenario *ret, struct err *e)
{
	*ret = (struct scenario){.suite = "scenario", .path = path};
	int r = opt_defaults(scenario_table, ret, a);
	if (r == 0)
		r = conf_read_file(path, scenario_table, ret, a, e);
	return r < 0 ? r : finish_named(ret, path, e);
}
