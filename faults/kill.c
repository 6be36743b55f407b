/*
 * kill: a node's processes end without a word. Its peers see a RST or nothing at all, nothing is said goodbye, and what
 * was in its memory is gone: the crash, the OOM killer, the machine that was switched off.
 */
#include "faults/outage.h"

static const struct opt kill_options[] = {
	WHICH_ROW(outage_options, "one"),
	OUTAGE_SIGNAL_ROW("KILL"),
	OUTAGE_RESTART_ROWS,
	{0},
};

const struct fault fault_kill = {
	.name = "kill",
	.about = "nodes end at once, and are started again",
	.known_as = "a crash, the OOM killer",
	.options = kill_options,
	.options_size = sizeof(struct outage_options),
	.check = outage_check,
	.process = &outage_action,
};
