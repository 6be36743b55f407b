/* wsquall list: the tables, as text or JSON lines. */
#include <stdio.h>
#include <string.h>

#include "faults/fault.h"
#include "harness/base/json.h"
#include "harness/base/near.h"
#include "harness/cmd.h"
#include "harness/decided.h"
#include "harness/readiness/items.h"
#include "harness/scenario/items.h"
#include "harness/selftest.h"
#include "reports/report.h"
#include "suites/suites.h"

enum { LIST_MAX = 16 << 20 };

struct list_command {
	int format;
	bool help;
};
static const char *const formats[] = {"text", "json", NULL};
const struct opt cmd_list_options[] = {
	{.name = "format", .letter = 'f', .type = OPT_ENUM, .choices = formats, .offset = offsetof(struct list_command, format), .def = "text",
	 .help = "how to print"},
	{.name = "help", .letter = 'h', .type = OPT_FLAG, .flags = OPT_STOP, .offset = offsetof(struct list_command, help), .help = "this text"},
	{0},
};

/* One line of a list: the id, then columns. As JSON an object with the keys that `keys` names. */
struct lister {
	struct buf out;
	bool json;
	int width;
};

static void row(struct lister *l, const char *const *keys, const char *const *values, size_t n)
{
	if (!l->json) {
		buf_printf(&l->out, "%-*s", l->width, values[0]);
		for (size_t i = 1; i < n; i++)
			if (values[i] && values[i][0])
				buf_printf(&l->out, "  %s", values[i]);
		buf_printf(&l->out, "\n");
		return;
	}
	json_t *object = json_object();
	for (size_t i = 0; i < n; i++)
		json_object_set_new(object, keys[i], values[i] ? json_text(span_str(values[i])) : json_null());
	json_append(&l->out, object);
	buf_append_u8(&l->out, '\n');
	json_decref(object);
}
#define ROW(l, KEYS, ...) \
	do { \
		const char *const values_[] = {__VA_ARGS__}; \
		row((l), (KEYS), values_, ARRAY_LEN(values_)); \
	} while (0)

static const char *const about_keys[] = {"id", "about"};

static void list_suites(struct lister *l)
{
	l->width = 14;
	for (size_t t = 0; t < case_tables_len; t++) {
		char count[32], group[64];
		snprintf(count, sizeof(count), "%4zu cases", case_tables[t].n);
		snprintf(group, sizeof(group), "%-14s", case_tables[t].group);
		static const char *const keys[] = {"suite", "group", "cases", "about"};
		ROW(l, keys, case_tables[t].suite, group, count, case_tables[t].about);
	}
	static const char *const keys[] = {"suite", "group", "cases", "about"};
	for (size_t i = 0; i < scenario_builtins_len; i++) {
		size_t n = 0;
		while (i + n < scenario_builtins_len && strcmp(scenario_builtins[i + n].suite, scenario_builtins[i].suite) == 0)
			n++;
		char count[32];
		snprintf(count, sizeof(count), "%4zu scenarios", n);
		ROW(l, keys, scenario_builtins[i].suite, "              ", count, "a workload under faults; the history tells what was lost, reordered, repeated, mislogged");
		i += n - 1;
	}
	char count[32];
	snprintf(count, sizeof(count), "%4zu checks", dialogue_rows_len);
	ROW(l, keys, READINESS_SUITE, "              ", count, "what a deployment should do: limits, credentials, heartbeats, logs, metrics, fall-backs");
	ROW(l, keys, "selftest", "              ", "          ", "every deliberate defect of the reference server must be caught by the cases it names");
}

static void list_cases(struct lister *l)
{
	static const char *const keys[] = {"id", "level", "rfc", "title", "requirements", "autobahn"};
	static const char *const levels[] = {[REQ_MUST] = "MUST  ", [REQ_SHOULD] = "SHOULD", [REQ_INFO] = "INFO  "};
	l->width = 44;
	for (size_t t = 0; t < case_tables_len; t++)
		for (size_t i = 0; i < case_tables[t].n; i++) {
			const struct test_case *tc = &case_tables[t].cases[i];
			char rfc[32];
			snprintf(rfc, sizeof(rfc), "%-14s", tc->rfc);
			if (l->json)
				ROW(l, keys, tc->id, levels[tc->level], tc->rfc, tc->title, tc->requirements, tc->autobahn);
			else
				ROW(l, keys, tc->id, levels[tc->level], rfc, tc->title);
		}
}

/* Ids of the cases whose list (requirements or Autobahn ids) names `id`. */
static void cases_of(struct buf *b, const char *id, bool autobahn)
{
	for (size_t t = 0; t < case_tables_len; t++)
		for (size_t i = 0; i < case_tables[t].n; i++) {
			const struct test_case *tc = &case_tables[t].cases[i];
			const char *list = autobahn ? tc->autobahn : tc->requirements, *word;
			for (size_t len; (len = suite_next_id(&list, &word));)
				if (strlen(id) == len && memcmp(id, word, len) == 0)
					buf_printf(b, "%s%s", b->len ? " " : "", tc->id);
		}
}

static void list_requirements(struct lister *l)
{
	static const char *const keys[] = {"id", "level", "role", "cases", "hole"};
	l->width = 16;
	size_t covered = 0, holes = 0, unexplained = 0;
	for (size_t i = 0; i < requirements_len; i++) {
		const struct requirement *q = &requirements[i];
		struct buf b;
		char hole[400] = "", level[16];
		buf_init(&b, 1 << 16);
		cases_of(&b, q->id, false);
		covered += b.len > 0;
		holes += b.len == 0 && q->hole;
		unexplained += b.len == 0 && !q->hole;
		snprintf(level, sizeof(level), "%-10s", q->level);
		if (!b.len)
			snprintf(hole, sizeof(hole), "- %s", q->hole ? q->hole : "UNEXPLAINED HOLE");
		ROW(l, keys, q->id, level, l->json ? q->role : NULL, buf_cstr(&b), hole);
		buf_fini(&b);
	}
	if (!l->json)
		buf_printf(&l->out, "\n%zu requirements: %zu have cases, %zu have an explained hole, %zu unexplained\n", requirements_len, covered, holes,
			   unexplained);
}

static void list_autobahn(struct lister *l)
{
	static const char *const keys[] = {"id", "cases", "note"};
	l->width = 8;
	for (size_t i = 0; i < autobahn_cases_len; i++) {
		struct buf b;
		buf_init(&b, 1 << 16);
		cases_of(&b, autobahn_cases[i].id, true);
		ROW(l, keys, autobahn_cases[i].id, buf_cstr(&b), l->json ? autobahn_cases[i].note : NULL);
		buf_fini(&b);
	}
}

static void list_reports(struct lister *l)
{
	static const char *const keys[] = {"id", "file", "about"};
	l->width = 10;
	for (size_t i = 0; i < report_formats_len; i++)
		ROW(l, keys, report_formats[i].name, report_formats[i].file, report_formats[i].about);
}

static void list_watches(struct lister *l)
{
	l->width = 22;
#define WATCH(NAME, text) ROW(l, about_keys, #NAME, text);
#include "harness/run/watch.def"
#undef WATCH
}

static void list_needs(struct lister *l)
{
	l->width = 16;
#define NEED(NAME, name, why) ROW(l, about_keys, name, why);
#include "harness/run/needs.def"
#undef NEED
}

static void list_verdicts(struct lister *l)
{
	l->width = 14;
#define LIST_VERDICT(NAME, name, about) ROW(l, about_keys, name, about);
	VERDICTS(LIST_VERDICT)
#undef LIST_VERDICT
}

static void list_defects(struct lister *l)
{
	static const char *const keys[] = {"id", "kind", "about", "catches"};
	struct selftest_defects defects;
	struct err e;
	l->width = 34;
	if (selftest_defects_load(&defects, &e) < 0) {
		fprintf(stderr, "wsquall: %s\n", e.text);
		return;
	}
	for (size_t i = 0; i < defects.n; i++) {
		struct buf globs;
		buf_init(&globs, 1 << 16);
		for (size_t g = 0; g < json_array_size(defects.list[i].catches); g++)
			buf_printf(&globs, "%s%s", g ? " " : "", json_string_value(json_array_get(defects.list[i].catches, g)));
		ROW(l, keys, defects.list[i].name, defects.list[i].kind, defects.list[i].about, l->json ? buf_cstr(&globs) : NULL);
		buf_fini(&globs);
	}
	selftest_defects_free(&defects);
}

/* "stream link" */
static void planes_of(const struct fault *f, struct buf *b)
{
	for (enum fault_plane p = 0; p < FAULT_PLANES; p++)
		if (fault_has_plane(f, p))
			buf_printf(b, "%s%s", b->len ? " " : "", fault_plane_name(p));
}

static void list_faults(struct lister *l)
{
	static const char *const keys[] = {"id", "planes", "about", "known_as"};
	l->width = 20;
	for (size_t i = 0; i < faults_len; i++) {
		struct buf planes CLEANUP(buf_fini) = {0};
		char padded[64];
		buf_init(&planes, 256);
		planes_of(faults[i], &planes);
		snprintf(padded, sizeof(padded), "%-16s", buf_cstr(&planes));
		ROW(l, keys, faults[i]->name, l->json ? buf_cstr(&planes) : padded, faults[i]->about, l->json ? faults[i]->known_as : NULL);
	}
}

static void list_planes(struct lister *l)
{
	l->width = 12;
	for (enum fault_plane p = 0; p < FAULT_PLANES; p++)
		ROW(l, about_keys, fault_plane_name(p), fault_plane_about(p));
}

static void list_scenarios(struct lister *l)
{
	static const char *const keys[] = {"id", "suite", "about", "source"};
	l->width = 24;
	for (size_t i = 0; i < scenario_builtins_len; i++) {
		struct arena a;
		struct scenario s;
		struct err e;
		arena_init(&a, LIST_MAX);
		if (scenario_load_text(span_str(scenario_builtins[i].text), scenario_builtins[i].name, &a, &s, &e) < 0)
			fprintf(stderr, "wsquall: %s\n", e.text);
		else
			ROW(l, keys, s.name, scenario_builtins[i].suite, s.about, l->json ? s.source : NULL);
		arena_fini(&a);
	}
}

static void list_checks(struct lister *l)
{
	static const char *const keys[] = {"id", "severity", "level", "title", "required", "source", "why", "fix", "decided_by"};
	static const char *const severities[] = {"critical", "major   ", "minor   "};
	char decided[32];
	l->width = 26;
	for (size_t i = 0; i < check_rows_len; i++) {
		const struct check_row *c = &check_rows[i];
		if (l->json) {
			ROW(l, keys, c->id, severities[c->severity], c->level, c->title, c->required, c->source, c->why, c->fix, check_decided_by(c));
			continue;
		}
		snprintf(decided, sizeof(decided), "%-11s", check_decided_by(c));
		ROW(l, keys, c->id, severities[c->severity], decided, c->title);
	}
	if (!l->json)
		buf_printf(&l->out, "\n%zu checks: a suite decides %zu, nothing yet the other %zu\n", check_rows_len, check_rows_decided(),
			   check_rows_len - check_rows_decided());
}

static void list_dialects(struct lister *l)
{
	l->width = 14;
	for (size_t i = 0; dialect_builtin_name(i); i++) {
		const struct dialect *d;
		struct arena a;
		struct err e;
		arena_init(&a, LIST_MAX);
		if (dialect_load(dialect_builtin_name(i), NULL, &a, &d, &e) < 0)
			fprintf(stderr, "wsquall: %s\n", e.text);
		else
			ROW(l, about_keys, d->name, d->about);
		arena_fini(&a);
	}
}

static const struct {
	const char *name;
	void (*list)(struct lister *l);
} lists[] = {
	{"suites", list_suites},     {"cases", list_cases},       {"scenarios", list_scenarios},
	{"checks", list_checks},     {"dialects", list_dialects}, {"requirements", list_requirements},
	{"autobahn", list_autobahn}, {"watches", list_watches},   {"needs", list_needs},
	{"defects", list_defects},   {"reports", list_reports},   {"verdicts", list_verdicts},
	{"faults", list_faults},     {"planes", list_planes},
};

static int list_one(const struct command *c, const char *name, bool json)
{
	const char *names[ARRAY_LEN(lists)];
	struct lister l = {.json = json};
	struct err e;
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		names[i] = lists[i].name;
		if (strcmp(name, lists[i].name) != 0)
			continue;
		buf_init(&l.out, LIST_MAX);
		lists[i].list(&l);
		return cmd_print(&l.out);
	}
	const char *near = near_word(name, names, ARRAY_LEN(lists));
	err_set(&e, EINVAL, "there is no list '%.60s'%s%s%s", name, near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
	return cmd_usage_error(c, &e);
}

int cmd_list(const struct command *c, int argc, char **argv)
{
	struct list_command o;
	struct opt_strings words;
	struct arena a;
	arena_init(&a, 1 << 20);
	int code = cmd_parse(c, argc, argv, &o, &o.help, &a, 1, "list takes one name; 'wsquall list --help' shows them", &words);
	if (code < 0)
		code = list_one(c, words.items[0], o.format == 1);
	arena_fini(&a);
	return code;
}
