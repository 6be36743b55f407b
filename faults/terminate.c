/*
 * terminate: a node is asked to end, as every deploy, scale-in and reboot does, and killed when it takes too long. A
 * good server stops accepting, says 1001 or 1012 to its clients, and is gone before the grace is over.
 */
#include "faults/outage.h"

static const struct opt terminate_options[] = {
	WHICH_ROW(outage_options, "one"),
	OUTAGE_SIGNAL_ROW(NULL),
	OUTAGE_GRACE_ROW,
	OUTAGE_RESTART_ROWS,
	{0},
};

const struct fault fault_terminate = {
	.name = "terminate",
	.about = "nodes are told to end, killed after a grace, and started again",
	.known_as = "deploys, scale-in, graceful shutdown",
	.options = terminate_options,
	.options_size = sizeof(struct outage_options),
	.check = outage_check,
	.process = &outage_action,
};
