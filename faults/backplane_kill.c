/*
 * backplane_kill: the broker behind the nodes dies and comes back. Nodes lose their subscriptions and what was on its
 * way between them; clients see nothing of it unless the nodes tell them.
 */
#include "faults/outage.h"

static const struct opt backplane_kill_options[] = {
	WHICH_ROW(outage_options, "all"),
	OUTAGE_SIGNAL_ROW("KILL"),
	OUTAGE_GRACE_ROW,
	OUTAGE_RESTART_ROWS,
	{0},
};

const struct fault fault_backplane_kill = {
	.name = "backplane_kill",
	.about = "the broker ends at once, and is started again",
	.known_as = "Redis failover drops a burst",
	.options = backplane_kill_options,
	.options_size = sizeof(struct outage_options),
	.check = outage_check,
	.backplane = &outage_action,
};
