/*
 * backplane_pause: the broker hangs. Its connections stay open and nothing is answered, so only a timeout of the nodes
 * finds out: a Redis that saves to disk, runs a slow command or swaps.
 */
#include "faults/pause.h"

static const struct opt backplane_pause_options[] = {
	WHICH_ROW(pause_options, "all"),
	PAUSE_PERIOD_ROWS,
	{0},
};

const struct fault fault_backplane_pause = {
	.name = "backplane_pause",
	.about = "the broker stands still, and goes on at the end",
	.known_as = "a slow Redis, a failover that takes its time",
	.options = backplane_pause_options,
	.options_size = sizeof(struct pause_options),
	.check = pause_check,
	.backplane = &pause_action,
};
