#pragma once
/* Which suites decide a check of checks.def: told by the tables of checkers and of readiness, never written down. */
#include "harness/check/check.h"

/* By "chaos", "readiness", "both", or "nothing yet": the row is there, and no suite looks at it. */
const char *check_decided_by(const struct check_row *row);
/* How many rows some suite decides. */
size_t check_rows_decided(void);
