#pragma once
/*
 * The hooks of a target file, looked up and made ready to run. A command finds in its environment WSQUALL_FAULT (the
 * fault's name), WSQUALL_PHASE ("begin", "end", "restart") and, where there is one, WSQUALL_NODE.
 */
#include "faults/command.h"
#include "faults/fault.h"

enum { HOOK_VARIABLE_MAX = 128 };

struct hook_call {
	struct command_spec spec;
	char fault[HOOK_VARIABLE_MAX], phase[HOOK_VARIABLE_MAX], node[HOOK_VARIABLE_MAX];
};

/* -EINVAL with a sentence when the target file has no such hook. Must not be moved afterwards. node may be NULL. */
int hooks_call(const struct fault_site *site, const char *hook, const char *fault, const char *phase, const char *node,
	       uint64_t timeout_ms, struct hook_call *ret_call, struct err *e);
/* Tells `what` with how it ended and what it said. */
void hooks_tell(const struct fault_run *run, const char *what, const char *node, const struct command_result *result);
