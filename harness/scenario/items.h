#pragma once
/* What a scenario is in a result: one item for itself, and one for each check that its checkers decide. */
#include "harness/run/result.h"
#include "harness/scenario/run.h"

/* How many items a scenario has: with `lacks` only that of its own. */
size_t scenario_items(const struct scenario *s);
/*
 * Fills them as planned: ids ("idle-kill", "idle-kill/resume.sequence"), titles, what is required; verdict error. Texts
 * live in the arena. -ENOMEM.
 */
int scenario_plan_items(const struct scenario *s, struct arena *a, struct result_item *items);
/* It did not run, or not to its end: its own item is of this verdict and says why, those of its checks are skips. */
void scenario_leave_items(const struct scenario *s, enum verdict verdict, const char *why, struct result_item *items);
/* The findings of one check with their evidence, as a text for people. */
void scenario_print_findings(const struct check_result *r, struct buf *b);
/*
 * What came out. folder: of the reports; findings go to FOLDER/evidence/SCENARIO-CHECK.txt, whose name each item keeps;
 * NULL: nowhere. replay: the command that runs it again, or NULL.
 */
void scenario_fill_items(const struct scenario *s, const struct scenario_outcome *o, const char *folder,
			 const char *replay, struct arena *a, struct result_item *items);
