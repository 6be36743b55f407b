#pragma once
/* What a dialogue is in a result: one item, "readiness/security.origin". */
#include "harness/readiness/dialogue.h"

#define READINESS_SUITE "readiness"

/* As planned: id, title, what is required; verdict error. In the arena. -ENOMEM. */
int readiness_plan_item(const struct dialogue_row *row, struct arena *a, struct result_item *item);
/*
 * What came out. folder: of the reports, for evidence/readiness-CHECK.txt of what did not pass; NULL: nowhere. replay:
 * the command that runs it again, or NULL.
 */
void readiness_fill_item(struct dialogue *d, const char *folder, const char *replay, struct arena *a,
			 struct result_item *item);
