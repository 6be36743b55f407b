/*
 * hook: what only the owner of a deployment can do, as two commands of the target file: one begins it, one ends it. The
 * one that ends it is the guard's business from before the beginning: it runs however we end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "faults/hooks.h"
#include "faults/undo.h"

enum {
	HOOK_TIMEOUT_MAX_MS = 3600000,
	HOOK_END_MAX_MS = 300000,   /* of the command that ends it: nothing else is healed meanwhile */
};

struct hook_options {
	const char *begin, *end;
	uint64_t timeout_ms;
};

struct hook_state {
	struct fault_run *run;
	struct hook_call begin, end;
	struct command_run running;
	int undo;
};

static int check(const void *options, struct err *e)
{
	const struct hook_options *o = options;
	return o->begin ? 0 : err_set(e, EINVAL, "begin must name a hook of the target file");
}

static void on_begun(void *owner, const struct command_result *result)
{
	struct hook_state *s = owner;
	const struct hook_options *o = s->run->options;
	hooks_tell(s->run, "hook.begun", NULL, result);
	if (result->late || result->status)
		fault_done(s->run, result->late ? -ETIMEDOUT : -ECHILD);
	else if (!o->end)
		fault_done(s->run, 0);
}

static uint64_t end_timeout_ms(uint64_t wanted_ms)
{
	return wanted_ms < HOOK_END_MAX_MS ? wanted_ms : HOOK_END_MAX_MS;
}

static int promise_end(struct fault_run *run, struct err *e)
{
	struct hook_state *s = run->state;
	const struct hook_options *o = run->options;
	char timeout[24];
	/* The guard works elsewhere. */
	char *here CLEANUP(cleanup_free) = realpath(s->end.spec.folder ? s->end.spec.folder : ".", NULL);
	snprintf(timeout, sizeof(timeout), "%llu", (unsigned long long)o->timeout_ms);
	const char *words[] = {timeout, s->end.spec.text, here ? here : "", run->name, NULL};
	s->undo = guard_add(run->site->guard, "hook", words, e);
	return s->undo < 0 ? s->undo : 0;
}

static int start(struct fault_run *run, struct err *e)
{
	const struct hook_options *o = run->options;
	struct hook_state *s = run->state;
	s->run = run;
	int r = hooks_call(run->site, o->begin, run->name, "begin", NULL, o->timeout_ms, &s->begin, e);
	if (r == 0 && o->end)
		r = hooks_call(run->site, o->end, run->name, "end", NULL, end_timeout_ms(o->timeout_ms), &s->end, e);
	if (r == 0 && o->end)
		r = promise_end(run, e);
	if (r == 0)
		r = command_start(&s->running, run->site->loop, run->site->guard, &s->begin.spec, on_begun, s, e);
	if (r < 0 && s->undo > 0)
		guard_drop(run->site->guard, s->undo);
	return r;
}

/* A beginning that still runs is cut off: the end must be able to cope with half of it, as after any crash. */
static void stop(struct fault_run *run)
{
	struct hook_state *s = run->state;
	struct command_result result;
	command_stop(&s->running);
	if (s->undo <= 0)
		return;
	int r = command_finish(&s->end.spec, &result);
	hooks_tell(run, "hook.ended", NULL, &result);
	if (r == 0)
		guard_drop(run->site->guard, s->undo);
	else
		guard_failed(run->site->guard, s->undo, r);
	if (r < 0)
		fault_tell(run, "failed", NULL, 0, "the hook that ends it failed: %s", strerror(-r));
}

static int undo_run(char *const *words)
{
	struct command_result result;
	char fault[HOOK_VARIABLE_MAX];
	snprintf(fault, sizeof(fault), "WSQUALL_FAULT=%s", words[3]);
	struct command_spec spec = {.text = words[1], .folder = *words[2] ? words[2] : NULL,
				    .timeout_ms = end_timeout_ms(strtoull(words[0], NULL, 10)), .variables = {fault, "WSQUALL_PHASE=end"}};
	return command_finish(&spec, &result);
}

static void undo_describe(char *const *words, struct buf *b)
{
	/* The command may hold what is secret. */
	buf_printf(b, "ends the fault %s by the hook's command", words[3]);
}

const struct guard_kind undo_hook = {
	.name = "hook", .words = 4, .survives_boot = true, .once = true, .undo = undo_run, .describe = undo_describe};

static const struct opt hook_options[] = {
	{.name = "begin", .type = OPT_STRING, .offset = offsetof(struct hook_options, begin), .metavar = "HOOK",
	 .help = "which of the target file's hooks begins it"},
	{.name = "end", .type = OPT_STRING, .offset = offsetof(struct hook_options, end), .metavar = "HOOK",
	 .help = "which of them ends it; without it nothing is to be undone"},
	{.name = "timeout", .type = OPT_DURATION, .offset = offsetof(struct hook_options, timeout_ms), .def = "30s",
	 .min = 1, .max = HOOK_TIMEOUT_MAX_MS, .help = "time that each command has; the one that ends it never more than 5m"},
	{0},
};

static const struct fault_action hook_hook = {
	.undo = "the hook that ends it is run",
	.state_size = sizeof(struct hook_state), .start = start, .stop = stop,
};

const struct fault fault_hook = {
	.name = "hook",
	.about = "a command of the target's owner begins it, another ends it",
	.known_as = "what only you can do: a failover, a region, a switch",
	.options = hook_options,
	.options_size = sizeof(struct hook_options),
	.check = check,
	.hook = &hook_hook,
};
