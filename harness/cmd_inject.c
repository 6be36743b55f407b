/*
 * wsquall inject: one fault, on what is named, for a time; then it is healed. Whatever ends us before, the guard heals.
 * Standard output is the log, one JSON object a line: inject.start; what the fault does (fault.start, fault.hit, ...);
 * inject.in_force, when all of it is begun; at last inject.end. Standard error is for people.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "faults/link.h"
#include "faults/undo.h"
#include "harness/base/clock.h"
#include "harness/base/json.h"
#include "harness/base/near.h"
#include "harness/base/rng.h"
#include "harness/base/unit.h"
#include "harness/cmd.h"
#include "harness/inject.h"
#include "harness/inject_log.h"
#include "harness/proxy/options_json.h"

static const char *const planes[] = {
#define PLANE(NAME, name, about) name,
#include "faults/planes.def"
#undef PLANE
	NULL,
};

/* As enum link_direction. */
static const char *const directions[] = {"from", "to", "both", NULL};

#define ROW(NAME, MEMBER, TYPE, HELP, ...) \
	{.name = NAME, .type = TYPE, .offset = offsetof(struct inject_options, MEMBER), .help = HELP, ##__VA_ARGS__}
const struct opt cmd_inject_options[] = {
	ROW("plane", plane, OPT_ENUM, "where it hurts; without it: by what is named below",
	    .choices = planes, .seen = OPT_SEEN(struct inject_options, plane_given)),
	ROW("for", for_ms, OPT_DURATION, "how long; it is always healed afterwards", .flags = OPT_REQUIRED, .min = 1,
	    .max = INJECT_FOR_MAX_MS),
	ROW("pid", pids, OPT_STRINGS, "a process, and all below it (process, backplane)", .metavar = "N"),
	ROW("node", nodes, OPT_STRINGS, "a node of the target file (process, backplane)", .metavar = "NAME"),
	ROW("target", target, OPT_STRING, "a target file", .metavar = "FILE"),
	ROW("interface", interface, OPT_STRING, "a network interface (link)", .metavar = "IF"),
	ROW("netns", netns, OPT_STRING, "the network namespace it is in: a name of `ip netns`, a path, or pid:N (link)",
	    .metavar = "NS"),
	ROW("direction", direction, OPT_ENUM,
	    "what netem shapes: what the interface sends (from), what it receives (to), both; to and both need ifb (link)",
	    .choices = directions, .seen = OPT_SEEN(struct inject_options, direction_given)),
	ROW("url", url, OPT_STRING, "where misbehaving clients connect (peer)", .metavar = "URL"),
	ROW("seed", seed, OPT_U64, "where chance comes from; without it a new one is taken and told",
	    .seen = OPT_SEEN(struct inject_options, seed_given)),
	ROW("dry_run", dry_run, OPT_FLAG, "say what would be hurt and how it would be healed, and change nothing"),
	ROW("help", help, OPT_FLAG, "this text", .letter = 'h', .flags = OPT_STOP),
	{0},
};
#undef ROW

struct inject {
	struct inject_options o;
	const struct fault *fault;
	enum fault_plane plane;
	void *options;             /* of the fault */
	struct arena arena;
	struct loop loop;
	struct guard *guard;
	struct inject_site where;
	struct inject_log log;
	struct fault_run *run;
	uv_signal_t signals[3];
	bool stopped;              /* by a signal */
	bool ended;
	int error;                 /* the fault's own end */
};

/* Reading the command line ------------------------------------------------------------------------------------------- */

static int find_fault(struct inject *in, const char *name, struct err *e)
{
	const char *names[256];
	size_t n = 0;
	in->fault = fault_find(name);
	if (in->fault)
		return 0;
	for (size_t i = 0; i < faults_len && n < ARRAY_LEN(names); i++)
		names[n++] = faults[i]->name;
	const char *near = near_word(name, names, n);
	return err_set(e, EINVAL, "there is no fault '%.60s'%s%s%s; 'wsquall list faults' shows them", name,
		       near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* What this plane works on was named. */
static bool is_named(const struct inject_options *o, enum fault_plane plane)
{
	const bool named[FAULT_PLANES] = {
		[FAULT_LINK] = o->interface, [FAULT_PROCESS] = o->pids.len || o->target, [FAULT_PEER] = o->url || o->target,
		[FAULT_BACKPLANE] = o->pids.len || o->target, [FAULT_HOOK] = o->target,
	};
	return named[plane];
}

/* Without --plane: the first that fits what was named, else the first. */
static int find_plane(struct inject *in, struct err *e)
{
	bool found = false;
	in->plane = (enum fault_plane)in->o.plane;
	if (in->o.plane_given && in->plane != FAULT_STREAM)
		return fault_must_work_on(in->fault, in->plane, e);
	for (enum fault_plane p = 0; p < FAULT_PLANES && !in->o.plane_given; p++)
		if (fault_action(in->fault, p) && (!found || (!is_named(&in->o, in->plane) && is_named(&in->o, p)))) {
			in->plane = p;
			found = true;
		}
	return found ? 0 : err_set(e, EINVAL, "%s on the plane stream is a toxic of 'wsquall proxy', not for inject",
				   in->fault->name);
}

/* Faults of other means have a direction of their own, or none. */
static int check_direction(const struct inject *in, struct err *e)
{
	if (!in->o.direction_given || (in->plane == FAULT_LINK && in->fault->link->action == &link_netem))
		return 0;
	return err_set(e, EINVAL, "--direction is for what netem shapes, which %s on the plane %s does not do%s", in->fault->name,
		       fault_plane_name(in->plane),
		       opt_find(in->fault->options, "direction", OPT_IN_FILE) ? ": say direction=to or direction=from" : "");
}

/* Below 0: go on; else the exit code. */
static int read_command_line(struct inject *in, const struct command *c, int argc, char **argv)
{
	struct opt_strings words;
	struct err e;
	if (opt_defaults(c->options, &in->o, &in->arena) < 0)
		return EXIT_OURS;
	if (opt_parse_argv(c->options, argc, argv, &in->o, &in->arena, &words, &e) < 0)
		return cmd_usage_error(c, &e);
	if (in->o.help)
		return cmd_print_help(c);
	if (words.len == 0) {
		err_set(&e, EINVAL, "inject takes the name of a fault; 'wsquall list faults' shows them");
		return cmd_usage_error(c, &e);
	}
	if (find_fault(in, words.items[0], &e) < 0 || find_plane(in, &e) < 0 || check_direction(in, &e) < 0 ||
	    inject_read_options(in->fault, &words, &in->arena, &in->options, &e) < 0)
		return cmd_usage_error(c, &e);
	if (!in->o.seed_given)
		in->o.seed = rng_fresh_seed();
	return -1;
}

/* Telling ------------------------------------------------------------------------------------------------------------- */

static void set_text(json_t *o, const char *key, const char *text)
{
	if (text)
		json_object_set_new(o, key, json_text(span_str(text)));
}

static void on_event(void *owner, const struct fault_event *event)
{
	char name[64];
	struct inject *in = owner;
	json_t *o = json_object();
	snprintf(name, sizeof(name), "fault.%s", event->what);
	set_text(o, "event", name);
	set_text(o, "fault", event->fault);
	set_text(o, "plane", fault_plane_name(event->plane));
	set_text(o, "node", event->node);
	if (event->connection)
		json_object_set_new(o, "connection", json_integer((json_int_t)event->connection));
	set_text(o, "detail", event->detail);
	inject_log_put(&in->log, o);
}

static void print_start(struct inject *in)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:I, s:I, s:i}", "event", "inject.start", "fault", in->fault->name, "plane",
			      fault_plane_name(in->plane), "seed", (json_int_t)in->o.seed, "for_ms", (json_int_t)in->o.for_ms,
			      "guard", (int)guard_pid(in->guard));
	json_object_set_new(o, "options", options_to_json(in->fault->options, in->fault->options_size, in->options, OPTIONS_ALL));
	inject_log_put(&in->log, o);
	struct buf d CLEANUP(buf_fini) = {0};
	buf_init(&d, 64);
	unit_duration_print(&d, in->o.for_ms);
	fprintf(stderr, "wsquall: %s (%s) for %s; then: %s\n", in->fault->name, fault_plane_name(in->plane), buf_cstr(&d),
		fault_undo(in->fault, in->plane));
}

/* 0, or what kept the log from being whole. */
static int print_end(struct inject *in, const char *why, bool healed)
{
	json_t *o = json_pack("{s:s, s:s, s:b}", "event", "inject.end", "why", why, "healed", healed);
	if (in->log.lost)
		json_object_set_new(o, "lost", json_integer((json_int_t)in->log.lost));
	inject_log_put(&in->log, o);
	fprintf(stderr, healed ? "wsquall: healed\n" : "wsquall: NOT healed: 'wsquall doctor --clean' tries again\n");
	int r = inject_log_end(&in->log);
	if (r < 0)
		fprintf(stderr, "wsquall: standard output did not take all of the log: %s\n", strerror(-r));
	return r;
}

static void put_lines(struct buf *b, const char *head, const char *lines)
{
	while (*lines) {
		int len = (int)strcspn(lines, "\n");
		buf_printf(b, "%-9s %.*s\n", head, len, lines);
		lines += len + (lines[len] == '\n');
		head = "";
	}
}

static int dry_run(const struct inject *in, const struct fault_probe *probe)
{
	struct buf b, what CLEANUP(buf_fini) = {0};
	json_t *options = options_to_json(in->fault->options, in->fault->options_size, in->options, OPTIONS_ALL);
	const char *key;
	json_t *value;
	buf_init(&b, 1 << 16);
	buf_init(&what, 1 << 16);
	buf_printf(&b, "%-9s %s (%s): %s\n", "fault", in->fault->name, fault_plane_name(in->plane), in->fault->about);
	buf_printf(&b, "%-9s %s\n", fault_means_name(probe->means), probe->why);
	inject_site_describe(&in->where, &what);
	put_lines(&b, "on", buf_cstr(&what));
	json_object_foreach(options, key, value) {
		buf_printf(&b, "%-9s %s = ", "option", key);
		json_append(&b, value);
		buf_append_u8(&b, '\n');
	}
	json_decref(options);
	buf_printf(&b, "%-9s ", "for");
	unit_duration_print(&b, in->o.for_ms);
	buf_printf(&b, "\n%-9s %s\n", "then", fault_undo(in->fault, in->plane));
	int code = cmd_print(&b);
	return code ? code : probe->means == FAULT_MISSING ? EXIT_INCONCLUSIVE : EXIT_PASSED;
}

/* Running ------------------------------------------------------------------------------------------------------------- */

static int exit_code(int error)
{
	static const struct {
		int error, code;
	} codes[] = {
		{EINVAL, EXIT_USAGE}, {ENOTSUP, EXIT_INCONCLUSIVE}, {EPERM, EXIT_INCONCLUSIVE}, {EACCES, EXIT_INCONCLUSIVE},
		{EBUSY, EXIT_INCONCLUSIVE},
		{ESRCH, EXIT_UNREACHABLE}, {ENOENT, EXIT_UNREACHABLE}, {ENODEV, EXIT_UNREACHABLE},
		{EHOSTUNREACH, EXIT_UNREACHABLE}, {ECONNREFUSED, EXIT_UNREACHABLE}, {ETIMEDOUT, EXIT_UNREACHABLE},
	};
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (codes[i].error == -error)
			return codes[i].code;
	return EXIT_OURS;
}

static int refuse(const struct command *c, int error, const struct err *e)
{
	if (error == -EINVAL)
		return cmd_usage_error(c, e);
	fprintf(stderr, "wsquall: %s\n", e->text);
	return exit_code(error);
}

static void on_signal(uv_signal_t *handle, int number)
{
	struct inject *in = handle->data;
	(void)number;
	in->stopped = true;
	loop_stop(&in->loop);
}

static void on_done(struct fault_run *run, int error)
{
	struct inject *in = run->owner;
	in->ended = true;
	in->error = error;
	loop_stop(&in->loop);
}

static void listen_to_signals(struct inject *in)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		uv_signal_init(&in->loop.uv, &in->signals[i]);
		in->signals[i].data = in;
		uv_signal_start(&in->signals[i], on_signal, numbers[i]);
	}
}

static void close_signals(struct inject *in)
{
	for (size_t i = 0; i < ARRAY_LEN(in->signals); i++)
		uv_close((uv_handle_t *)&in->signals[i], NULL);
}

/* Between start and end; 0, or what starting gave. */
static int hurt(struct inject *in, struct err *e)
{
	print_start(in);
	guard_deadline(in->guard, in->o.for_ms);
	int r = fault_start(&in->where.site, in->fault, in->plane, NULL, in->options, in->o.for_ms, &in->run, e);
	if (r < 0)
		return r;
	in->run->owner = in;
	in->run->on_done = on_done;
	inject_log_put(&in->log, json_pack("{s:s}", "event", "inject.in_force"));
	while (!in->ended && !in->stopped)
		loop_run(&in->loop);
	fault_stop(TAKE_PTR(in->run));
	return 0;
}

static int run(struct inject *in, const struct command *c)
{
	struct fault_probe probe;
	struct err e = {0};
	int r = inject_site_init(&in->where, &in->loop, &in->o, in->plane, &in->arena, &e);
	if (r < 0)
		return refuse(c, r, &e);
	fault_probe(in->fault, in->plane, &in->where.site, &probe);
	if (in->o.dry_run)
		return dry_run(in, &probe);
	if (probe.means == FAULT_MISSING) {
		fprintf(stderr, "wsquall: %s is not possible here: %s\n", in->fault->name, probe.why);
		return EXIT_INCONCLUSIVE;
	}
	in->where.site.on_event = on_event;
	in->where.site.owner = in;
	in->where.site.guard = in->guard;
	listen_to_signals(in);
	r = hurt(in, &e);
	close_signals(in);
	bool healed = guard_stop(TAKE_PTR(in->guard)) == 0;
	int told = print_end(in, r < 0 || in->error < 0 ? "failed" : in->stopped ? "signal" : "over", healed);
	if (r < 0)
		fprintf(stderr, "wsquall: %s\n", e.text);
	if (in->error < 0)
		fprintf(stderr, "wsquall: %s did not go as asked: %s\n", in->fault->name, strerror(-in->error));
	if (!healed || told < 0)
		return EXIT_OURS;
	return r < 0 ? exit_code(r) : in->error < 0 ? EXIT_FAILED : in->stopped ? EXIT_STOPPED : EXIT_PASSED;
}

int cmd_inject(const struct command *c, int argc, char **argv)
{
	struct inject in = {0};
	struct err e;
	arena_init(&in.arena, 16 << 20);
	int code = read_command_line(&in, c, argc, argv);
	/* The guard before anything that could start a thread. */
	if (code < 0 && !in.o.dry_run && guard_start(undo_kinds, &in.guard, &e) < 0) {
		fprintf(stderr, "wsquall: %s\n", e.text);
		code = EXIT_OURS;
	}
	if (code < 0 && loop_init(&in.loop) < 0) {
		fprintf(stderr, "wsquall: no event loop\n");
		code = EXIT_OURS;
	} else if (code < 0) {
		inject_log_init(&in.log, &in.loop);
		code = run(&in, c);
		inject_log_fini(&in.log);
		inject_site_fini(&in.where);
		loop_fini(&in.loop);
	}
	guard_stop(in.guard);
	arena_fini(&in.arena);
	return code;
}
