/* wsquall explain: everything known about one case, requirement, Autobahn case or fault; a scenario or dialect itself. */
#include <stdio.h>
#include <string.h>

#include "faults/fault.h"
#include "harness/base/near.h"
#include "harness/cmd.h"
#include "harness/decided.h"
#include "harness/readiness/items.h"
#include "harness/scenario/scenario.h"
#include "harness/target/dialect.h"
#include "suites/suites.h"

struct explain_command {
	bool help;
};
const struct opt cmd_explain_options[] = {
	{.name = "help", .letter = 'h', .type = OPT_FLAG, .flags = OPT_STOP, .offset = offsetof(struct explain_command, help), .help = "this text"},
	{0},
};

static void paragraph(struct buf *b, const char *head, const char *text)
{
	enum { WIDTH = 88, INDENT = 12 };
	if (!text || !text[0])
		return;
	buf_printf(b, "%-*s", INDENT, head);
	size_t column = INDENT;
	while (*text) {
		size_t len = strcspn(text, " ");
		if (column > INDENT && column + 1 + len > WIDTH) {
			buf_printf(b, "\n%*s", INDENT, "");
			column = INDENT;
		}
		buf_printf(b, "%s%.*s", column > INDENT ? " " : "", (int)len, text);
		column += len + (column > INDENT);
		text += len;
		text += strspn(text, " ");
	}
	buf_printf(b, "\n");
}

static bool has_id(const char *list, const char *id)
{
	const char *word;
	for (size_t len; (len = suite_next_id(&list, &word));)
		if (strlen(id) == len && memcmp(id, word, len) == 0)
			return true;
	return false;
}

static void explain_case(struct buf *b, const struct test_case *tc)
{
	static const char *const levels[] = {[REQ_MUST] = "MUST: a deviation is a fail", [REQ_SHOULD] = "SHOULD: a deviation is a warn",
					     [REQ_INFO] = "recorded, never graded"};
	static const char *const needs[NEED_COUNT] = {
#define NEED(NAME, name, why) [NEED_BIT_##NAME] = name,
#include "harness/run/needs.def"
#undef NEED
	};
	buf_printf(b, "%s\n", tc->id);
	paragraph(b, "  proves", tc->title);
	paragraph(b, "  RFC", tc->rfc);
	paragraph(b, "  level", levels[tc->level]);
	paragraph(b, "  why", tc->explain);
	paragraph(b, "  fix", tc->fix);
	for (int i = 0; i < NEED_COUNT; i++)
		if (tc->needs & 1u << i)
			paragraph(b, "  needs", needs[i]);
	paragraph(b, "  Autobahn", tc->autobahn);
	const char *list = tc->requirements, *word;
	for (size_t len; (len = suite_next_id(&list, &word));) {
		char id[64];
		snprintf(id, sizeof(id), "%.*s", (int)len, word);
		const struct requirement *q = suite_find_requirement(id);
		if (q)
			buf_printf(b, "  %s (%s, %s): %s\n", q->id, q->level, q->role, q->text);
	}
}

static void list_cases(struct buf *b, const char *id, bool autobahn)
{
	for (size_t t = 0; t < case_tables_len; t++)
		for (size_t i = 0; i < case_tables[t].n; i++) {
			const struct test_case *tc = &case_tables[t].cases[i];
			if (has_id(autobahn ? tc->autobahn : tc->requirements, id))
				buf_printf(b, "  %-40s %s\n", tc->id, tc->title);
		}
}

static void explain_fault(struct buf *b, const struct fault *f)
{
	buf_printf(b, "%s\n", f->name);
	paragraph(b, "  does", f->about);
	paragraph(b, "  known as", f->known_as);
	for (enum fault_plane p = 0; p < FAULT_PLANES; p++) {
		struct fault_probe probe;
		char text[ERR_TEXT_MAX + 256];
		if (!fault_has_plane(f, p))
			continue;
		fault_probe(f, p, NULL, &probe);
		snprintf(text, sizeof(text), "%s: %s. Here: %s, %s.", fault_plane_name(p), fault_plane_about(p),
			 fault_means_name(probe.means), probe.why);
		paragraph(b, "  plane", text);
		paragraph(b, "  healed", fault_undo(f, p));
	}
	if (f->options[0].name)
		buf_printf(b, "  options, as KEY=VALUE of 'wsquall inject', attributes of the proxy's API, keys of a file:\n");
	opt_help_keys(f->options, b);
}

static void explain_check(struct buf *b, const struct check_row *c)
{
	static const char *const severities[] = {"critical", "major", "minor"};
	buf_printf(b, "%s: %s\n", c->id, c->title);
	paragraph(b, "  required", c->required);
	paragraph(b, "  level", c->level);
	paragraph(b, "  severity", severities[c->severity]);
	paragraph(b, "  source", c->source);
	paragraph(b, "  why", c->why);
	paragraph(b, "  fix", c->fix);
	paragraph(b, "  decided", check_decided_by(c));
	for (size_t i = 0; i < checkers_len; i++)
		if (checker_decides(checkers[i], c->id))
			paragraph(b, "  checker", checkers[i]->name);
	const struct dialogue_row *d = dialogue_row_find(c->id);
	if (d)
		paragraph(b, "  readiness", d->about);
}

/* A scenario is its own explanation: the file. */
static bool explain_scenario(struct buf *b, const char *id)
{
	size_t len = strcspn(id, "/");
	const struct check_row *of_readiness = id[len] ? check_row_find(id + len + 1) : NULL;
	if (of_readiness && len == strlen(READINESS_SUITE) && memcmp(id, READINESS_SUITE, len) == 0) {
		explain_check(b, of_readiness);
		return true;
	}
	for (size_t i = 0; i < scenario_builtins_len; i++) {
		const struct scenario_builtin *s = &scenario_builtins[i];
		if (strlen(s->name) != len || memcmp(s->name, id, len) != 0)
			continue;
		const struct check_row *c = id[len] ? check_row_find(id + len + 1) : NULL;
		if (id[len] && !c)
			return false;
		if (c)
			explain_check(b, c);
		buf_printf(b, "%s%s", c ? "\nThe scenario:\n" : "", s->text);
		return true;
	}
	return false;
}

/* A dialect: its file. */
static bool explain_dialect(struct buf *b, const char *id)
{
	const char *name;
	for (size_t i = 0; (name = dialect_builtin_name(i)); i++)
		if (strcmp(name, id) == 0)
			return buf_append_span(b, span_str(dialect_builtin_text(i))) == 0;
	return false;
}

/* One name may be a fault's and a scenario's. */
static bool explain_named(struct buf *b, const char *id)
{
	const struct fault *f = fault_find(id);
	if (f)
		explain_fault(b, f);
	size_t len = b->len;
	if (f)
		buf_printf(b, "\nThe scenario:\n");
	bool scenario = explain_scenario(b, id);
	if (f && !scenario)
		b->len = len;
	return f || scenario || explain_dialect(b, id);
}

static bool explain(struct buf *b, const char *id)
{
	const struct check_row *check = check_row_find(id);
	if (check) {
		explain_check(b, check);
		return true;
	}
	if (explain_named(b, id))
		return true;
	const struct test_case *tc = suite_find_case(id);
	const struct requirement *q = suite_find_requirement(id);
	if (tc) {
		explain_case(b, tc);
		return true;
	}
	if (q) {
		buf_printf(b, "%s: RFC %s section %s, %s, %s\n", q->id, q->rfc, q->section, q->level, q->role);
		paragraph(b, "  says", q->text);
		paragraph(b, "  no case", q->hole);
		list_cases(b, id, false);
		return true;
	}
	for (size_t i = 0; i < autobahn_cases_len; i++)
		if (strcmp(autobahn_cases[i].id, id) == 0) {
			buf_printf(b, "Autobahn %s, %s: %s\n", id, autobahn_cases[i].group, autobahn_cases[i].what);
			paragraph(b, "  note", autobahn_cases[i].note);
			list_cases(b, id, true);
			return true;
		}
	return false;
}

static int unknown(const struct command *c, const char *id)
{
	enum { NAMES_MAX = 4096 };
	static const char *names[NAMES_MAX];
	struct err e;
	size_t n = 0;
	for (size_t t = 0; t < case_tables_len; t++)
		for (size_t i = 0; i < case_tables[t].n && n < NAMES_MAX; i++)
			names[n++] = case_tables[t].cases[i].id;
	for (size_t i = 0; i < requirements_len && n < NAMES_MAX; i++)
		names[n++] = requirements[i].id;
	for (size_t i = 0; i < faults_len && n < NAMES_MAX; i++)
		names[n++] = faults[i]->name;
	for (size_t i = 0; i < check_rows_len && n < NAMES_MAX; i++)
		names[n++] = check_rows[i].id;
	for (size_t i = 0; i < scenario_builtins_len && n < NAMES_MAX; i++)
		names[n++] = scenario_builtins[i].name;
	for (size_t i = 0; dialect_builtin_name(i) && n < NAMES_MAX; i++)
		names[n++] = dialect_builtin_name(i);
	const char *near = near_word(id, names, n);
	err_set(&e, EINVAL, "nothing is called '%.80s'%s%s%s", id, near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
	return cmd_usage_error(c, &e);
}

int cmd_explain(const struct command *c, int argc, char **argv)
{
	struct explain_command o;
	struct opt_strings words;
	struct arena a;
	struct buf b;
	arena_init(&a, 1 << 20);
	buf_init(&b, 1 << 20);
	int code = cmd_parse(c, argc, argv, &o, &o.help, &a, 1,
			     "explain takes one id, of a case, a check, a scenario, a dialect, a requirement (6455-5.5-a), an Autobahn case (7.9.1) or a fault", &words);
	if (code < 0)
		code = explain(&b, words.items[0]) ? cmd_print(&b) : unknown(c, words.items[0]);
	buf_fini(&b);
	arena_fini(&a);
	return code;
}
