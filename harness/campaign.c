/* From options to exit code. */
#include "harness/campaign.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "faults/undo.h"
#include "harness/base/file.h"
#include "harness/base/rng.h"
#include "harness/campaign_internal.h"
#include "harness/cmd.h"
#include "reference_target.h"
#include "harness/readiness/items.h"
#include "harness/run/probe.h"
#include "suites/suites.h"

enum {
	PATIENCE_MIN_MS = 250,   /* a target is asked what became of a violation after this long at least */
	PATIENCE_FACTOR = 8,     /* and after this many of its slowest answers */
	MUTE_TIMEOUT_MS = 1000,  /* deadline for a target that answered nothing in the first look */
	RECOVER_MS = 3000,       /* a target that died has this long to come back */
};

#define ROW(field_name, field, opt_type, help_text, ...) \
	{.name = field_name, .type = opt_type, .offset = offsetof(struct campaign_options, field), .help = help_text, ##__VA_ARGS__}

const struct opt campaign_options_table[] = {
	ROW("target", target, OPT_STRING, "ws:// or wss:// URL, a target file, or: reference", .letter = 't', .metavar = "TARGET"),
	ROW("suite", suites, OPT_STRINGS, "only this suite", .flags = OPT_COMMAS, .metavar = "NAME"),
	ROW("case", cases, OPT_STRINGS, "only cases and scenarios whose id matches", .letter = 'c', .metavar = "GLOB"),
	ROW("skip", skips, OPT_STRINGS, "leave out cases and scenarios whose id matches", .metavar = "GLOB"),
	ROW("seed", seed, OPT_U64, "where masks, keys and payloads come from; a run is repeated by its seed",
	    .seen = OPT_SEEN(struct campaign_options, seed_given)),
	ROW("jobs", jobs, OPT_INT, "connections at once", .letter = 'j', .def = "64", .min = 1, .max = JOBS_MAX),
	ROW("timeout", timeout_ms, OPT_DURATION, "longest silence of the target while it must answer; without it the target file decides", .def = "5s", .min = 10, .max = 600000,
	    .seen = OPT_SEEN(struct campaign_options, timeout_given)),
	ROW("output", output, OPT_STRING, "folder for the reports, made when it is missing", .letter = 'o', .def = "wsquall-report", .metavar = "DIR"),
	ROW("format", formats, OPT_STRINGS, "reports to write; 'wsquall list reports' shows them", .flags = OPT_COMMAS, .def = "json,junit,html,markdown",
	    .metavar = "LIST"),
	ROW("strict", strict, OPT_FLAG, "a warn counts as a fail"),
	ROW("fail_on", fail_on, OPT_STRING, "what else makes the run fail: warn, inconclusive, or both with a comma", .metavar = "WORDS"),
	ROW("ignore_known", ignore_known, OPT_FLAG, "judge as if the target file listed no known deviations"),
	ROW("ca", ca, OPT_STRING, "PEM file with the authorities to trust", .metavar = "FILE"),
	ROW("insecure", insecure, OPT_FLAG, "do not verify the target's certificate; the report says so"),
	ROW("server", server_args, OPT_STRINGS, "argument for the embedded reference server, such as --server=--engine=naive", .metavar = "ARG"),
	ROW("transcripts", all_transcripts, OPT_FLAG, "keep the transcripts of cases that passed, too"),
	ROW("dry_run", dry_run, OPT_FLAG, "print what would be done, connect to nothing"),
	ROW("quiet", quiet, OPT_FLAG, "only the last line", .letter = 'q'),
	ROW("no_color", no_color, OPT_FLAG, "no colours on a terminal"),
	ROW("help", help, OPT_FLAG, "this text", .letter = 'h', .flags = OPT_STOP),
	{0},
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	interrupted = number;
}

void campaign_catch_signals(void)
{
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
}

bool campaign_interrupted(void)
{
	return interrupted != 0;
}

/* Target --------------------------------------------------------------------------------------------------------------------- */

/* The variables of reference.yaml. Its log is a file in memory: what it wrote to its standard output. */
static void set_places(const struct process *p)
{
	char text[64];
	snprintf(text, sizeof(text), "ws://127.0.0.1:%u/ws", p->port);
	setenv("WSQ_URL", text, 1);
	snprintf(text, sizeof(text), "http://127.0.0.1:%u/metrics", p->port);
	setenv("WSQ_METRICS", text, 1);
	snprintf(text, sizeof(text), "/proc/self/fd/%d", p->out);
	setenv("WSQ_LOG", text, 1);
}

/* The engine of the defects on the wire has /echo and nothing else. */
static bool is_naive(const struct campaign *c)
{
	for (size_t i = 0; i < c->o.server_args.len; i++)
		if (strcmp(c->o.server_args.items[i], "--engine=naive") == 0)
			return true;
	return false;
}

static int start_reference(struct campaign *c, struct err *e)
{
	char path[1024];
	/* What reference.yaml promises. */
	const char *args[ARRAY_LEN(c->reference.args)] = {"--origins=https://app.example", "--origins-echo=checked", "--echo-max=1MiB",
		"--close-trigger=please close", "--limit-handshakes=0", "--limit-per-address=0", "--heartbeat-interval=1s",
		"--heartbeat-timeout=9s", "--slow-consumer-grace=1s"};
	size_t n = 9;
	for (size_t i = 0; i < c->o.server_args.len && n < ARRAY_LEN(args) - 1; i++)
		args[n++] = c->o.server_args.items[i];
	process_beside_us("wsquall-server", path, sizeof(path));
	int r = process_start(&c->reference, path, args, 0, e);
	if (r < 0)
		return r;
	c->embedded = true;
	set_places(&c->reference);
	r = target_load_text(span_of(reference_target, sizeof(reference_target) - 1), "reference", &c->arena, &c->target, e);
	if (r == 0 && is_naive(c))
		c->target.dialect = NULL;
	return r;
}

static int load_target(struct campaign *c, struct err *e)
{
	const char *name = c->o.target ? c->o.target : "reference";
	if (strcmp(name, "reference") == 0) {
		if (!c->o.dry_run)
			return start_reference(c, e) < 0 ? EXIT_OURS : 0;
		c->embedded = true;
		set_places(&(struct process){.port = 1});
		return target_load_text(span_of(reference_target, sizeof(reference_target) - 1), "reference", &c->arena, &c->target, e) < 0 ? EXIT_OURS : 0;
	}
	return target_load(name, &c->arena, &c->target, e) < 0 ? EXIT_USAGE : 0;
}

/* A case, a scenario, SCENARIO/CHECK, or readiness/CHECK. */
static bool is_known(const char *id)
{
	const char *slash = strchr(id, '/');
	size_t len = slash ? (size_t)(slash - id) : strlen(id);
	if (suite_find_case(id))
		return true;
	if (slash && len == strlen(READINESS_SUITE) && memcmp(id, READINESS_SUITE, len) == 0)
		return dialogue_row_find(slash + 1);
	for (size_t i = 0; i < scenario_builtins_len; i++)
		if (strlen(scenario_builtins[i].name) == len && memcmp(scenario_builtins[i].name, id, len) == 0)
			return !slash || check_row_find(slash + 1);
	return false;
}

static int check_known(const struct target *t, struct err *e)
{
	const struct target_known *known = t->known.items;
	for (size_t i = 0; i < t->known.len; i++)
		if (!is_known(known[i].id))
			return err_set(e, EINVAL, "the target file's `known` lists '%.80s', which is no case and no check of a scenario; 'wsquall "
				       "list cases' and 'wsquall list scenarios' show them", known[i].id);
	return 0;
}

static int make_tls(struct campaign *c, struct err *e)
{
	struct target *t = &c->target;
	if (c->o.ca)
		t->tls.ca = c->o.ca;
	if (c->o.insecure)
		t->tls.insecure = true;
	if (!t->echo.tls && !t->url.tls)
		return 0;
	struct tls_options o = {.ca_file = t->tls.ca, .insecure = t->tls.insecure, .alpn = "http/1.1"};
	return tls_context_new(&o, &c->env.tls, e);
}

/* Opening ---------------------------------------------------------------------------------------------------------------------- */

static int look(struct campaign *c, struct err *e)
{
	struct probe p;
	struct case_env *env = &c->env;
	if (dial_resolve(c->target.echo.host, c->target.echo.port, &env->echo_addresses, e) < 0)
		return EXIT_UNREACHABLE;
	probe_run(env, &p);
	if (!p.connected || p.status != 101) {
		err_set(e, EHOSTUNREACH, "%s cannot be tested: %s", c->target.echo.text, p.why[0] ? p.why : "no answer");
		return EXIT_UNREACHABLE;
	}
	env->has_echo = c->target.echo_known ? c->target.has_echo : p.echo;
	env->chatty = p.chatty;
	c->mute = !p.echo && !p.pong;
	if (c->mute && env->timeout_ms > MUTE_TIMEOUT_MS)
		env->timeout_ms = MUTE_TIMEOUT_MS;
	uint32_t patience = p.answer_ms * PATIENCE_FACTOR;
	env->patience_ms = patience < PATIENCE_MIN_MS ? PATIENCE_MIN_MS : patience;
	if (env->patience_ms > env->timeout_ms)
		env->patience_ms = env->timeout_ms;
	c->result.target_server = p.server[0] ? arena_strdup(&c->arena, p.server) : NULL;
	return 0;
}

static int check_formats(const struct opt_strings *formats, struct err *e)
{
	for (size_t i = 0; i < formats->len; i++)
		if (!report_format_find(formats->items[i]))
			return err_set(e, EINVAL, "unknown report format '%.40s'; 'wsquall list reports' shows them", formats->items[i]);
	return 0;
}

static int check_fail_on(const char *words, struct err *e)
{
	if (!words || strcmp(words, "warn") == 0 || strcmp(words, "inconclusive") == 0 || strcmp(words, "warn,inconclusive") == 0 ||
	    strcmp(words, "inconclusive,warn") == 0)
		return 0;
	return err_set(e, EINVAL, "--fail-on takes warn, inconclusive, or both with a comma, not '%.60s'", words);
}

static int make_folder(const char *path, struct err *e)
{
	struct stat st;
	if (mkdir(path, 0777) < 0 && errno != EEXIST)
		return err_set(e, errno, "the folder %s cannot be made: %s", path, strerror(errno));
	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return err_set(e, ENOTDIR, "%s is no folder", path);
	if (access(path, W_OK | X_OK) < 0)
		return err_set(e, errno, "the folder %s cannot be written: %s", path, strerror(errno));
	return 0;
}

static void set_up(struct campaign *c)
{
	c->env = (struct case_env){.loop = &c->loop, .target = &c->target, .secrets = &c->secrets, .seed = c->o.seed};
	uint64_t timeout = c->o.timeout_given ? c->o.timeout_ms : c->target.timeout_ms;
	c->env.timeout_ms = timeout ? (uint32_t)timeout : CASE_TIMEOUT_MS;
}

static bool named_something(const struct campaign *c)
{
	return c->o.suites.len || c->o.files.len || c->o.cases.len;
}

/* Certify takes what the target allows: without a dialect nobody can subscribe. Who names the suite is told so. */
static void leave_out_scenarios(struct campaign *c)
{
	if (!c->target.dialect && !named_something(c))
		c->n_scenarios = 0;
	if (c->embedded && is_naive(c))
		c->n_dialogues = 0;
}

static bool touches_others(const struct campaign *c)
{
	for (size_t i = 0; i < c->n_scenarios; i++)
		if (c->scenarios[i].outside)
			return true;
	return false;
}

/* The guard before anything that could start a thread or a child. */
static int make_loop(struct campaign *c, struct err *e)
{
	if (!c->o.dry_run && touches_others(c) && guard_start(undo_kinds, &c->guard, e) < 0)
		return EXIT_OURS;
	int r = loop_init(&c->loop);
	if (r < 0)
		return err_set(e, -r, "no event loop: %s", strerror(-r)), EXIT_OURS;
	c->looped = true;
	return 0;
}

static int make_site(struct campaign *c, struct err *e)
{
	if (!c->n_scenarios && !c->n_dialogues)
		return 0;
	c->site = (struct site){.loop = &c->loop, .arena = &c->arena, .target = &c->target, .guard = c->guard,
				.tls = c->env.tls, .seed = c->o.seed, .dry = c->o.dry_run,
				.may_touch = touches_others(c)};
	int r = site_init(&c->site, e);
	for (size_t i = 0; r == 0 && i < c->n_scenarios; i++) {
		struct scenario *s = &c->scenarios[i];
		s->lacks = site_lacks(&c->site, s);
		s->lacks = s->lacks ? s->lacks : site_fit(&c->site, s);
	}
	if (r == 0 && !c->embedded && !named_something(c) && !campaign_readiness_wanted(c))
		c->n_dialogues = 0;
	return r == 0 ? 0 : r == -EHOSTUNREACH ? EXIT_UNREACHABLE : EXIT_USAGE;
}

static bool any_can_run(const struct campaign *c)
{
	for (size_t i = 0; i < c->n_scenarios; i++)
		if (!c->scenarios[i].lacks)
			return true;
	return false;
}

int campaign_init(struct campaign *c, struct err *e)
{
	if (!c->o.seed_given)
		c->o.seed = rng_fresh_seed();
	if (check_formats(&c->o.formats, e) < 0 || check_fail_on(c->o.fail_on, e) < 0 || campaign_select(c, e) < 0)
		return EXIT_USAGE;
	int r = make_loop(c, e);
	if (r == 0)
		r = load_target(c, e);
	if (r)
		return r;
	if (c->o.ignore_known)
		c->target.known.len = 0;
	set_up(c);
	if (secrets_of(&c->target, &c->arena, &c->secrets) < 0)
		return err_set(e, ENOMEM, "no memory for the target's secrets"), EXIT_OURS;
	leave_out_scenarios(c);
	if (check_known(&c->target, e) < 0 || make_tls(c, e) < 0)
		return EXIT_USAGE;
	r = make_site(c, e);
	if (r || c->o.dry_run)
		return r;
	if (!c->scratch && make_folder(c->o.output, e) < 0)
		return EXIT_USAGE;
	if (c->n_cases)
		return look(c, e);
	return any_can_run(c) && site_reach(&c->site, e) < 0 ? EXIT_UNREACHABLE : 0;
}

void campaign_fini(struct campaign *c)
{
	site_fini(&c->site);
	guard_stop(TAKE_PTR(c->guard));
	tls_context_free(TAKE_PTR(c->env.tls));
	if (c->looped)
		loop_fini(&c->loop);
	process_stop(&c->reference);
	arena_fini(&c->arena);
}

/* Running ---------------------------------------------------------------------------------------------------------------------- */

static int revive(void *owner)
{
	struct campaign *c = ((struct campaign_view *)owner)->c;
	struct err ignored;
	if (!c->embedded || !process_ended(&c->reference))
		return 0;
	struct process old = c->reference;
	cleanup_fd(&old.out);
	int r = process_start(&c->reference, old.path, old.args, old.port, &ignored);
	return r < 0 ? r : 1;
}

static bool stop_asked(void *owner)
{
	(void)owner;
	return campaign_interrupted();
}

void campaign_report_unreachable(struct campaign *c, const struct err *why)
{
	struct campaign_view view;
	struct err ignored;
	bool quiet = c->o.quiet;
	if (c->scratch || c->o.dry_run)
		return;
	c->o.quiet = true;
	if (campaign_view_init(&view, c, &ignored) == 0) {
		campaign_view_unreachable(&view, why->text);
		campaign_view_fini(&view);
	}
	c->o.quiet = quiet;
}

static int run_cases(struct campaign *c, struct campaign_view *view, struct err *e)
{
	if (!c->n_cases)
		return 0;
	struct runner_options o = {.jobs = (unsigned)c->o.jobs, .recover_ms = RECOVER_MS, .keep_transcripts = c->o.all_transcripts, .listen = true,
				   .on_decided = campaign_on_decided, .revive = c->embedded ? revive : NULL, .stop = stop_asked, .owner = view};
	if (runner_init(&c->runner, &c->env, &o, c->cases, c->n_cases) < 0)
		return err_set(e, ENOMEM, "out of memory"), EXIT_OURS;
	runner_run(&c->runner);
	return 0;
}

int campaign_run(struct campaign *c, struct err *e)
{
	struct campaign_view view;
	if (c->o.dry_run)
		return campaign_dry_run(c);
	campaign_catch_signals();
	if (campaign_view_init(&view, c, e) < 0)
		return EXIT_USAGE;
	int exit_code = run_cases(c, &view, e);
	if (exit_code == 0)
		exit_code = c->runner.abort_reason || c->runner.stopped ? 0 : campaign_scenarios_run(&view, e);
	if (exit_code == 0 && !c->runner.abort_reason && !c->runner.stopped)
		exit_code = campaign_readiness_run(&view, e);
	if (exit_code == 0)
		exit_code = campaign_report(&view, e);
	runner_fini(&c->runner);
	campaign_view_fini(&view);
	return exit_code;
}
