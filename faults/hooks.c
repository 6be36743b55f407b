/*
 * Commands come from the target's file only, never from an option: who may start a fault may not therefore run
 * anything.
 */
#include "faults/hooks.h"

#include <stdio.h>

#include "harness/base/escape.h"
#include "harness/base/near.h"

static int unknown(const struct opt_map *hooks, const char *hook, struct err *e)
{
	const char *names[64];
	size_t n = hooks ? hooks->len : 0;
	if (n == 0)
		return err_set(e, EINVAL, "there is no hook '%.60s': the target file has no `hooks`", hook);
	if (n > ARRAY_LEN(names))
		n = ARRAY_LEN(names);
	for (size_t i = 0; i < n; i++)
		names[i] = hooks->items[i].key;
	const char *near = near_word(hook, names, n);
	if (near)
		return err_set(e, EINVAL, "there is no hook '%.60s', did you mean '%s'?", hook, near);
	return err_set(e, EINVAL, "there is no hook '%.60s'; there is '%s'", hook, names[0]);
}

int hooks_call(const struct fault_site *site, const char *hook, const char *fault, const char *phase, const char *node,
	       uint64_t timeout_ms, struct hook_call *ret_call, struct err *e)
{
	const char *text = site->hooks ? opt_map_get(site->hooks, hook) : NULL;
	if (!text)
		return unknown(site->hooks, hook, e);
	*ret_call = (struct hook_call){.spec = {.text = text, .folder = site->hooks_folder, .timeout_ms = timeout_ms}};
	snprintf(ret_call->fault, HOOK_VARIABLE_MAX, "WSQUALL_FAULT=%s", fault);
	snprintf(ret_call->phase, HOOK_VARIABLE_MAX, "WSQUALL_PHASE=%s", phase);
	snprintf(ret_call->node, HOOK_VARIABLE_MAX, "WSQUALL_NODE=%s", node ? node : "");
	ret_call->spec.variables[0] = ret_call->fault;
	ret_call->spec.variables[1] = ret_call->phase;
	ret_call->spec.variables[2] = ret_call->node;
	return 0;
}

void hooks_tell(const struct fault_run *run, const char *what, const char *node, const struct command_result *result)
{
	struct buf said CLEANUP(buf_fini) = {0};
	buf_init(&said, 4 * COMMAND_OUTPUT_MAX + 1);
	escape_text(&said, span_of(result->output, result->len));
	fault_tell(run, what, node, 0, "status=%d%s output=%s%s", result->status, result->late ? " late" : "",
		   buf_cstr(&said), result->cut ? "..." : "");
}
