#pragma once
/* pause and backplane_pause: processes that do not run for a while, once or again and again. */
#include "faults/which.h"

struct pause_options {
	struct opt_strings nodes;
	uint64_t on_ms, off_ms;    /* both 0: without a break */
};

#define PAUSE_PERIOD_ROWS \
	{.name = "on", .type = OPT_DURATION, .offset = offsetof(struct pause_options, on_ms), .max = FAULT_TIME_MAX_MS, \
	 .help = "stopped for so long, then going on for `off`, again and again; without both: stopped all the time"}, \
	{.name = "off", .type = OPT_DURATION, .offset = offsetof(struct pause_options, off_ms), .max = FAULT_TIME_MAX_MS, \
	 .help = "see `on`"}

int pause_check(const void *options, struct err *e);
extern const struct fault_action pause_action;
