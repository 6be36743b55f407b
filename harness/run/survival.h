#pragma once
/* What watch/survival says when the target died: which cases ended it, or, as long as that is not known, which may have. */
#include "harness/run/runner.h"

enum { SURVIVAL_NAMED = 5 };       /* cases that its sentence names; the others are counted */

/*
 * Ids of the cases that were found to end the target; when none was, of those that were under way when it died. At most
 * max of them; returns how many there are.
 */
size_t survival_blamed(const struct runner *r, const char **ids, size_t max, bool *ret_proven);
/* "the target died 1 time during the run, of control/ping-cut-head", or that a process of it did; in the runner's arena. NULL without memory. */
const char *survival_seen(struct runner *r);
