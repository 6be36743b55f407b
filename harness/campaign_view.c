/* Results as they come: history lines, transcripts, lines for people; and the reports at the end. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/clock.h"
#include "harness/base/file.h"
#include "harness/campaign_internal.h"
#include "harness/cmd.h"
#include "harness/readiness/items.h"
#include "harness/run/survival.h"
#include "harness/scenario/items.h"
#include "suites/suites.h"

enum { TRANSCRIPT_NAME_MAX = 200 };

static const char *const level_names[] = {[REQ_MUST] = "MUST", [REQ_SHOULD] = "SHOULD", [REQ_INFO] = "INFO"};

/* Items ------------------------------------------------------------------------------------------------------------------------ */

static const char *const *split_ids(struct arena *a, const char *list)
{
	size_t n = 0, len;
	const char *word, *at = list;
	while (suite_next_id(&at, &word))
		n++;
	const char **ids = arena_alloc(a, (n + 1) * sizeof(*ids));
	at = list;
	for (size_t i = 0; ids && (len = suite_next_id(&at, &word)); i++)
		ids[i] = arena_printf(a, "%.*s", (int)len, word);
	return ids;
}

static void fill_item(struct campaign_view *v, struct result_item *item, const struct runner_case *rc)
{
	const struct test_case *tc = rc->tc;
	struct arena *a = &v->c->arena;
	const struct target_known *known = target_known_find(&v->c->target, tc->id);
	*item = (struct result_item){
		.id = tc->id,
		.title = tc->title,
		.suite = rc->suite,
		.group = rc->group,
		.kind = "case",
		.verdict = VERDICT_ERROR,
		.level = level_names[tc->level],
		.rfc = tc->rfc,
		.requirements = split_ids(a, tc->requirements),
		.autobahn = split_ids(a, tc->autobahn),
		.seen = "",
		.required = "",
		.explain = tc->explain,
		.fix = tc->fix,
		.known = known ? known->reason : NULL,
	};
}

static const char *write_transcript(struct campaign_view *v, const struct runner_item *from)
{
	char name[TRANSCRIPT_NAME_MAX];
	struct arena *a = &v->c->arena;
	struct buf text;
	struct err ignored;
	if (!from->transcript || v->c->scratch)
		return NULL;
	snprintf(name, sizeof(name), "transcripts/%s.txt", from->c.tc->id);
	for (char *slash = strchr(name, '/') + 1; (slash = strchr(slash, '/'));)
		*slash = '-';
	mkdir(arena_printf(a, "%s/transcripts", v->c->o.output), 0777);
	buf_init(&text, TRANSCRIPT_MAX * 2);
	buf_printf(&text, "%s: %s\n%s, RFC %s\nseed %llu, %s\n\n%s\n", from->c.tc->id, from->c.tc->title, verdict_name(from->verdict), from->c.tc->rfc,
		   (unsigned long long)v->c->o.seed, v->c->target.echo.text, from->transcript);
	int r = file_write_atomic(arena_printf(a, "%s/%s", v->c->o.output, name), buf_span(&text), &ignored);
	buf_fini(&text);
	return r < 0 ? NULL : arena_strdup(a, name);
}

/* One option of a command that a person can paste: quoted when a shell would see more in it than a word. */
static void add_option(struct buf *b, const char *option, const char *value)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=@%+,";
	buf_printf(b, " %s", option);
	if (strspn(value, plain) == strlen(value)) {
		buf_printf(b, "%s", value);
		return;
	}
	buf_printf(b, "'");
	for (const char *c = value; *c; c++)
		buf_printf(b, "%s%.*s", *c == 0x27 ? "'\\'" : "", 1, c);
	buf_printf(b, "'");
}

/* What a replay needs to know beside the result: how the target was reached. */
static const char *replay_options(struct campaign *c)
{
	struct buf b;
	buf_init(&b, 1 << 16);
	if (c->o.target && !strstr(c->o.target, "://") && !c->embedded)
		add_option(&b, "--target=", c->o.target);
	if (c->o.ca)
		add_option(&b, "--ca=", c->o.ca);
	if (c->o.insecure)
		buf_printf(&b, " --insecure");
	for (size_t i = 0; i < c->o.server_args.len; i++)
		add_option(&b, "--server=", c->o.server_args.items[i]);
	const char *text = arena_strdup(&c->arena, buf_cstr(&b));
	buf_fini(&b);
	return text;
}

/* The cases that ended the target, or may have: what is run again when its death is. */
static void blame(struct campaign_view *v, struct result_item *item)
{
	const struct runner *r = &v->c->runner;
	const char **ids = arena_alloc(&v->c->arena, (r->n + 1) * sizeof(*ids));
	bool proven;
	if (!ids)
		return;
	ids[survival_blamed(r, ids, r->n, &proven)] = NULL;
	item->cases = ids;
	item->replay = arena_printf(&v->c->arena, "%s --jobs=%llu", item->replay, (unsigned long long)v->c->o.jobs);
}

static void take(struct campaign_view *v, struct result_item *item, const struct runner_item *from)
{
	bool bad = from->verdict == VERDICT_FAIL || from->verdict == VERDICT_WARN;
	item->verdict = from->verdict;
	item->seen = from->seen ? from->seen : "";
	item->required = from->required ? from->required : "";
	item->note = from->note;
	item->expected = item->known && bad;
	const struct target_known *known = target_known_find(&v->c->target, item->id);
	item->stale = known && !known->flaky && from->verdict == VERDICT_PASS;
	item->evidence = write_transcript(v, from);
	item->duration_ms = from->finished_us > from->started_us && from->started_us ? (double)(from->finished_us - from->started_us) / 1000 : 0;
	if (bad || from->verdict == VERDICT_INCONCLUSIVE)
		item->replay = campaign_view_replay(v, item->id);
	if (from->c.tc->watch == WATCH_SURVIVAL && v->c->runner.deaths && item->replay)
		blame(v, item);
}

const char *campaign_view_replay(struct campaign_view *v, const char *id)
{
	return arena_printf(&v->c->arena, "wsquall replay %s %s%s", v->c->o.output, id, v->replay_options);
}

/* Lines for people -------------------------------------------------------------------------------------------------------------- */

static void draw(struct campaign_view *v, const struct result_item *last)
{
	char bar[LIVE_BAR_LEN];
	struct buf text CLEANUP(buf_fini) = {0};
	const struct runner *r = &v->c->runner;
	if (!live_due(&v->live))
		return;
	buf_init(&text, LIVE_TEXT_MAX);
	buf_printf(&text, "  %s %zu/%zu  %u failed  %u warned  %s\n", live_bar(bar, LIVE_BAR, r->decided, r->n), r->decided, r->n,
		   v->shown[VERDICT_FAIL], v->shown[VERDICT_WARN], last->id);
	live_draw(&v->live, buf_span(&text));
}

void campaign_view_say(struct campaign_view *v, const char *line)
{
	if (v->c->o.quiet)
		return;
	live_clear(&v->live);
	fprintf(stderr, "%s\n", line);
}

static bool colored(const struct campaign_view *v, int fd)
{
	return isatty(fd) && !v->c->o.no_color && !getenv("NO_COLOR");
}

static void print_item(struct campaign_view *v, const struct result_item *item)
{
	if (v->c->o.quiet || (item->verdict != VERDICT_FAIL && item->verdict != VERDICT_ERROR) || item->expected)
		return;
	struct buf line;
	struct report_options o = {.color = colored(v, STDERR_FILENO), .width = live_columns(STDERR_FILENO, 0)};
	buf_init(&line, 4096);
	report_text_item_line(&v->c->result, item, &o, &line);
	campaign_view_say(v, buf_cstr(&line));
	buf_fini(&line);
}

static void decided(struct campaign_view *v, const struct result_item *item)
{
	v->shown[item->verdict]++;
	if (history_append(&v->history, result_item_event(item)) < 0 && !v->history_broken) {
		v->history_broken = true;
		fprintf(stderr, "wsquall: history.jsonl can no longer be written; the run goes on\n");
	}
	print_item(v, item);
}

void campaign_on_decided(void *owner, const struct runner_item *from)
{
	struct campaign_view *v = owner;
	struct result_item *item = &v->items[from - v->c->runner.items];
	take(v, item, from);
	decided(v, item);
	draw(v, item);
}

void campaign_view_decided(struct campaign_view *v, struct result_item *item)
{
	const struct target_known *known = target_known_find(&v->c->target, item->id);
	item->known = known ? known->reason : NULL;
	item->expected = known && (item->verdict == VERDICT_FAIL || item->verdict == VERDICT_WARN);
	item->stale = known && !known->flaky && item->verdict == VERDICT_PASS;
	decided(v, item);
}

/* Beginning and end -------------------------------------------------------------------------------------------------------------- */

static const char *const *make_notes(struct campaign *c)
{
	const char **notes = arena_alloc(&c->arena, 8 * sizeof(*notes));
	size_t n = 0;
	if (c->target.tls.insecure && c->target.echo.tls)
		notes[n++] = "TLS verification is off";
	if (c->n_cases && !c->env.has_echo)
		notes[n++] = "the target does not echo: cases that need an answer to a message are skipped";
	if (c->mute)
		notes[n++] = "the target answered neither a message nor a Ping in the first look: its deadline is cut to 1 s";
	if (c->env.chatty)
		notes[n++] = "the target sends messages on its own: messages that nobody sent are not judged";
	if (!c->n_scenarios && !c->target.dialect && !c->o.suites.len && !c->o.cases.len)
		notes[n++] = "the target names no dialect, so nobody could subscribe: the chaos suite was not run ('wsquall init' writes a target file)";
	if (c->untested)
		notes[n++] = c->untested;
	if (c->no_metrics)
		notes[n++] = c->no_metrics;
	return notes;
}

static void begin_result(struct campaign_view *v)
{
	struct campaign *c = v->c;
	char *started = arena_alloc(&c->arena, CLOCK_RFC3339_LEN);
	clock_rfc3339(started, CLOCK_RFC3339_LEN);
	c->result.tool = WSQUALL_VERSION;
	c->result.seed = c->o.seed;
	c->result.target_name = c->target.name;
	c->result.target_url = c->n_cases ? c->target.echo.text : c->target.url.text;
	c->result.started = started;
	c->result.command = c->command;
	c->result.items = v->items;
	c->result.n_items = c->n_items;
	c->result.notes = make_notes(c);
	c->result.strict = c->o.strict;
}

static int plan_items(struct campaign_view *v)
{
	struct campaign *c = v->c;
	c->n_items = c->n_cases;
	for (size_t i = 0; i < c->n_scenarios; i++)
		c->n_items += scenario_items(&c->scenarios[i]);
	c->n_items += c->n_dialogues;
	v->items = arena_alloc(&c->arena, c->n_items * sizeof(*v->items));
	if (!v->items)
		return -ENOMEM;
	for (size_t i = 0; i < c->n_cases; i++)
		fill_item(v, &v->items[i], &c->cases[i]);
	struct result_item *at = v->items + c->n_cases;
	int r = 0;
	for (size_t i = 0; r == 0 && i < c->n_scenarios; i++) {
		r = scenario_plan_items(&c->scenarios[i], &c->arena, at);
		at += scenario_items(&c->scenarios[i]);
	}
	for (size_t i = 0; r == 0 && i < c->n_dialogues; i++)
		r = readiness_plan_item(c->dialogues[i], &c->arena, at++);
	return r;
}

static void print_beginning(const struct campaign *c)
{
	const char *where = c->n_cases ? c->target.echo.text : c->target.url.text;
	fprintf(stderr, "wsquall %s:", WSQUALL_VERSION);
	if (c->n_cases)
		fprintf(stderr, " %zu cases", c->n_cases);
	if (c->n_scenarios)
		fprintf(stderr, "%s %zu scenarios", c->n_cases ? " and" : "", c->n_scenarios);
	if (c->n_dialogues)
		fprintf(stderr, "%s %zu checks of readiness", c->n_cases || c->n_scenarios ? " and" : "", c->n_dialogues);
	fprintf(stderr, " against %s, seed %llu\n", where, (unsigned long long)c->o.seed);
}

int campaign_view_init(struct campaign_view *v, struct campaign *c, struct err *e)
{
	*v = (struct campaign_view){.c = c, .started_us = clock_now_us(), .history = {.fd = -1}};
	if (plan_items(v) < 0)
		return err_set(e, ENOMEM, "out of memory");
	begin_result(v);
	v->replay_options = replay_options(c);
	if (c->scratch) {
		c->o.quiet = true;
		return 0;
	}
	live_init(&v->live, !c->o.quiet);
	int r = history_open(&v->history, arena_printf(&c->arena, "%s/history.jsonl", c->o.output), e);
	if (r < 0)
		return r;
	history_append(&v->history, result_plan_event(&c->result, c->o.strict, c->o.fail_on));
	if (!c->o.quiet)
		print_beginning(c);
	return 0;
}

void campaign_view_fini(struct campaign_view *v)
{
	history_close(&v->history);
}

static int write_reports(struct campaign_view *v, struct err *e)
{
	struct campaign *c = v->c;
	struct report_options o = {.dir = c->o.output};
	for (size_t i = 0; i < c->o.formats.len; i++) {
		int r = report_write_file(report_format_find(c->o.formats.items[i]), &c->result, &o, c->o.output, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static void print_text(struct campaign_view *v)
{
	struct campaign *c = v->c;
	struct report_options o = {.color = colored(v, STDOUT_FILENO), .width = live_columns(STDOUT_FILENO, 0),
				   .verbose = c->o.quiet ? -1 : 0, .dir = NULL};
	struct buf text;
	struct err e;
	buf_init(&text, REPORT_MAX);
	if (report_format_find("text")->write(&c->result, &o, &text, &e) == 0) {
		fwrite(text.p, 1, text.len, stdout);
		fflush(stdout);
	}
	buf_fini(&text);
}

int campaign_report(struct campaign_view *v, struct err *e)
{
	struct campaign *c = v->c;
	live_clear(&v->live);
	c->result.duration_ms = (double)(clock_now_us() - v->started_us) / 1000;
	c->result.abort_reason = c->runner.abort_reason;
	c->result.notes = make_notes(c);
	result_grade(&c->result, c->o.strict, c->o.fail_on);
	if ((c->runner.stopped || c->guarded || campaign_interrupted()) && c->result.exit_code != EXIT_FAILED)
		c->result.exit_code = EXIT_STOPPED;
	history_append(&v->history, result_end_event(&c->result));
	if (!c->scratch && write_reports(v, e) < 0)
		return EXIT_USAGE;
	for (size_t i = 0; c->on_item && i < c->runner.n; i++)
		c->on_item(&c->runner.items[i]);
	if (!c->scratch)
		print_text(v);
	if (!c->o.quiet)
		fprintf(stderr, "reports: %s/\n", c->o.output);
	return c->result.exit_code;
}

void campaign_view_unreachable(struct campaign_view *v, const char *why)
{
	struct result *r = &v->c->result;
	struct err ignored;
	for (size_t i = 0; i < r->n_items; i++) {
		r->items[i].verdict = VERDICT_ERROR;
		r->items[i].seen = "not run: the target could not be tested";
		history_append(&v->history, result_item_event(&r->items[i]));
	}
	r->abort_reason = why;
	result_grade(r, v->c->o.strict, v->c->o.fail_on);
	history_append(&v->history, result_end_event(r));
	write_reports(v, &ignored);
}

int campaign_dry_run(struct campaign *c)
{
	printf("target  %s\nseed    %llu\njobs    %lld\ncases   %zu\n", c->target.echo.text, (unsigned long long)c->o.seed, (long long)c->o.jobs, c->n_cases);
	if (c->n_scenarios)
		printf("scenarios %zu\n", c->n_scenarios);
	if (c->n_dialogues)
		printf("checks  %zu\n", c->n_dialogues);
	for (size_t i = 0; i < c->n_cases; i++) {
		const struct test_case *tc = c->cases[i].tc;
		unsigned repeats = tc->repeat ? tc->repeat : 1;
		printf("%-44s %s\n", tc->id, tc->watch ? "watches every connection" : repeats > 1 ? "several connections in turn" : "one connection");
	}
	campaign_scenarios_dry_run(c);
	campaign_readiness_dry_run(c);
	return EXIT_PASSED;
}
