/* Outcomes as items of a result, and findings as text with their evidence. */
#include "harness/scenario/items.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/base/file.h"

enum { EVIDENCE_FILE_MAX = 4 << 20, CHECKS_OF_ONE_MAX = 256 };

static const char *const none[] = {NULL};

/* The checks that its checkers decide, each once, in the order of the checkers. */
static size_t list_checks(const struct scenario *s, const struct check_row **ret)
{
	size_t n = 0;
	for (size_t i = 0; i < s->checks.len; i++) {
		const struct checker *c = s->checks.items[i].callee.what;
		for (size_t k = 0; c->checks[k] && n < CHECKS_OF_ONE_MAX; k++)
			ret[n++] = check_row_find(c->checks[k]);
	}
	return n;
}

size_t scenario_items(const struct scenario *s)
{
	const struct check_row *rows[CHECKS_OF_ONE_MAX];
	return 1 + (s->lacks ? 0 : list_checks(s, rows));
}

int scenario_plan_items(const struct scenario *s, struct arena *a, struct result_item *items)
{
	const struct check_row *rows[CHECKS_OF_ONE_MAX];
	size_t n = s->lacks ? 0 : list_checks(s, rows);
	items[0] = (struct result_item){
		.id = s->name, .title = s->about, .suite = s->suite, .group = s->name, .kind = "scenario",
		.verdict = VERDICT_ERROR, .level = "INFO", .requirements = none, .autobahn = none, .seen = "not run",
		.required = "runs as planned, with faults that hit live connections", .explain = s->source,
	};
	for (size_t i = 0; i < n; i++) {
		items[1 + i] = (struct result_item){
			.id = arena_printf(a, "%s/%s", s->name, rows[i]->id), .title = rows[i]->title, .suite = s->suite,
			.group = s->name, .kind = "check", .verdict = VERDICT_ERROR, .level = rows[i]->level,
			.requirements = none, .autobahn = none, .seen = "not run", .required = rows[i]->required,
			.explain = rows[i]->why, .fix = rows[i]->fix,
		};
		if (!items[1 + i].id)
			return -ENOMEM;
	}
	return 0;
}

void scenario_leave_items(const struct scenario *s, enum verdict verdict, const char *why, struct result_item *items)
{
	for (size_t i = 0; i < scenario_items(s); i++) {
		items[i].verdict = i ? VERDICT_SKIP : verdict;
		items[i].seen = i && verdict != VERDICT_SKIP ? "the scenario did not run to its end" : why;
		items[i].required = i ? items[i].required : "";
	}
}

/* Evidence ----------------------------------------------------------------------------------------------------- */

/* An event as a line of JSON; a line of the log as it is, below it. */
static void print_event(const char *json, struct buf *b)
{
	const char *line = strstr(json, ",\"line\":"); /* the last field: within texts quotation marks are escaped */
	json_t *event = line ? json_loads(json, 0, NULL) : NULL;
	const char *text = json_string_value(json_object_get(event, "line"));
	if (text)
		buf_printf(b, "   %.*s}\n     log | %s\n", (int)(line - json), json, text);
	else
		buf_printf(b, "   %s\n", json);
	json_decref(event);
}

static void print_faults(const struct check_finding *f, struct buf *b)
{
	buf_printf(b, "\n   faults in force:");
	for (size_t i = 0; f->faults[i]; i++)
		buf_printf(b, " %s", f->faults[i]);
	if (!f->faults[0])
		buf_printf(b, " none");
	if (!f->faults[0] && f->healed && f->healed[0] && f->at_us >= f->healed_us)
		buf_printf(b, "; %s was healed %.3f s before", f->healed, (double)(f->at_us - f->healed_us) / 1e6);
	buf_printf(b, "\n\n");
}

static void print_finding(const struct check_finding *f, size_t number, struct buf *b)
{
	buf_printf(b, "\n%zu. %s\n   at %.6f s", number, f->seen, (double)f->at_us / 1e6);
	if (f->client)
		buf_printf(b, ", client %u", f->client);
	if (f->channel)
		buf_printf(b, ", channel %u", f->channel);
	print_faults(f, b);
	for (size_t i = 0; f->evidence[i]; i++)
		print_event(f->evidence[i], b);
}

void scenario_print_findings(const struct check_result *r, struct buf *b)
{
	buf_printf(b, "required  %s\nseen      %llu times, in %llu chances; the first %zu follow\n", r->row->required,
		   (unsigned long long)r->violations, (unsigned long long)r->samples, r->n_findings);
	for (size_t i = 0; i < r->n_findings; i++)
		print_finding(&r->findings[i], i + 1, b);
}

/* The path of the file, relative to the folder; NULL when there is none. */
static const char *write_evidence(const struct scenario *s, const struct check_result *r, const char *folder,
				  const char *history, const char *replay, struct arena *a)
{
	struct buf b CLEANUP(buf_fini) = {0};
	struct err ignored;
	if (!folder || !r->n_findings)
		return NULL;
	const char *name = arena_printf(a, "evidence/%s-%s.txt", s->name, r->row->id);
	mkdir(arena_printf(a, "%s/evidence", folder), 0777);
	buf_init(&b, EVIDENCE_FILE_MAX);
	buf_printf(&b, "%s: %s\n%s\n\n", s->name, r->row->id, r->row->title);
	if (history)
		buf_printf(&b, "all       %s\n", history);
	if (replay)
		buf_printf(&b, "again     %s\n", replay);
	scenario_print_findings(r, &b);
	return file_write_atomic(arena_printf(a, "%s/%s", folder, name), buf_span(&b), &ignored) < 0 ? NULL : name;
}

/* Items -------------------------------------------------------------------------------------------------------- */

static enum verdict verdict_of(enum check_outcome o)
{
	static const enum verdict verdicts[] = {
		[CHECK_PASS] = VERDICT_PASS, [CHECK_WARN] = VERDICT_WARN, [CHECK_FAIL] = VERDICT_FAIL,
		[CHECK_INCONCLUSIVE] = VERDICT_INCONCLUSIVE, [CHECK_SKIP] = VERDICT_SKIP,
	};
	return verdicts[o];
}

static const char *seen_of(const struct check_result *r, struct arena *a)
{
	if (r->n_findings && r->violations > 1)
		return arena_printf(a, "%s, and %llu more", r->findings[0].seen, (unsigned long long)r->violations - 1);
	if (r->n_findings)
		return arena_strdup(a, r->findings[0].seen);
	if (r->outcome == CHECK_PASS)
		return arena_printf(a, "held %llu times%s%s", (unsigned long long)r->samples, r->note ? "; " : "",
				    r->note ? r->note : "");
	if (r->untested)
		return "this scenario did not put it to the test";
	return arena_strdup(a, r->note ? r->note : "it could not be decided");
}

static struct result_item *item_of(const struct scenario *s, const char *check, struct result_item *items)
{
	for (size_t i = 1; i < scenario_items(s); i++)
		if (strcmp(strchr(items[i].id, '/') + 1, check) == 0)
			return &items[i];
	return NULL;
}

static void fill_check(const struct scenario *s, const struct scenario_outcome *o, const struct check_result *r,
		       const char *folder, const char *replay, struct arena *a, struct result_item *item)
{
	item->verdict = r->untested ? VERDICT_SKIP : verdict_of(r->outcome);
	item->seen = seen_of(r, a);
	item->evidence = write_evidence(s, r, folder, o->history, replay, a);
	item->replay = item->verdict == VERDICT_PASS || item->verdict == VERDICT_SKIP ? NULL : replay;
}

/* ", 0 lost", where that was looked at; in the arena. */
static const char *lost(const struct scenario_outcome *o, struct arena *a)
{
	for (size_t i = 0; i < o->n_checks; i++)
		if (strcmp(o->checks[i].row->id, "delivery.lost") == 0 && o->checks[i].outcome <= CHECK_FAIL)
			return arena_printf(a, ", %llu lost", (unsigned long long)o->checks[i].violations);
	return "";
}

static const char *summary(const struct scenario_outcome *o, struct arena *a)
{
	const struct workload_state *w = &o->workload;
	struct buf line CLEANUP(buf_fini) = {0};
	buf_init(&line, ERR_TEXT_MAX);
	figures_line(o->figures, &line);
	return arena_printf(a, "%llu clients, %llu published, %llu delivered%s, %llu reconnects; faults acted %llu times%s%s",
			    (unsigned long long)w->clients, (unsigned long long)w->published,
			    (unsigned long long)w->delivered, lost(o, a), (unsigned long long)w->reconnects,
			    (unsigned long long)o->faults_hit, line.len ? "; " : "", buf_cstr(&line));
}

/* NULL, and none, without memory. */
static const struct result_chart *charts_of(const struct scenario_outcome *o, struct arena *a, size_t *ret_n)
{
	struct result_chart *charts = arena_alloc(a, RESULT_CHARTS_MAX * sizeof(*charts));
	int n = charts ? figures_charts(o->figures, a, charts) : -ENOMEM;
	*ret_n = n > 0 ? (size_t)n : 0;
	return charts;
}

/* The figures of a scenario, beside the evidence of its findings. */
static const char *write_figures(const struct scenario *s, const struct scenario_outcome *o, const char *folder,
				 const struct result_item *item, struct arena *a)
{
	struct buf b CLEANUP(buf_fini) = {0};
	struct err ignored;
	if (!folder)
		return NULL;
	const char *name = arena_printf(a, "evidence/%s.txt", s->name);
	mkdir(arena_printf(a, "%s/evidence", folder), 0777);
	buf_init(&b, EVIDENCE_FILE_MAX);
	buf_printf(&b, "%s: %s\n%s\n\n", s->name, s->about, summary(o, a));
	figures_print(o->figures, item->charts, item->n_charts, &b);
	return file_write_atomic(arena_printf(a, "%s/%s", folder, name), buf_span(&b), &ignored) < 0 ? NULL : name;
}

void scenario_fill_items(const struct scenario *s, const struct scenario_outcome *o, const char *folder,
			 const char *replay, struct arena *a, struct result_item *items)
{
	static const enum verdict verdicts[] = {
		[SCENARIO_RAN] = VERDICT_PASS, [SCENARIO_NOT_OPENED] = VERDICT_ERROR,
		[SCENARIO_NOT_DRIVEN] = VERDICT_ERROR, [SCENARIO_GUARDED] = VERDICT_ERROR, [SCENARIO_STOPPED] = VERDICT_ERROR,
		[SCENARIO_ERROR] = VERDICT_ERROR,
	};
	if (o->end != SCENARIO_RAN) {
		scenario_leave_items(s, verdicts[o->end], arena_strdup(a, o->why), items);
		items[0].replay = replay;
		return;
	}
	items[0].verdict = VERDICT_PASS;
	items[0].seen = summary(o, a);
	items[0].charts = charts_of(o, a, &items[0].n_charts);
	items[0].evidence = write_figures(s, o, folder, &items[0], a);
	items[0].duration_ms = o->duration_ms;
	for (size_t i = 0; i < o->n_checks; i++) {
		struct result_item *item = item_of(s, o->checks[i].row->id, items);
		if (item)
			fill_check(s, o, &o->checks[i], folder, replay, a, item);
	}
}
