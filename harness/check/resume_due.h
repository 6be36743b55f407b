#pragma once
/*
 * Replays of a target that numbers nothing: what was answered to its publisher before the resume was asked for comes
 * before anything else of that publisher.
 */
#include "harness/check/check.h"
#include "harness/check/slots.h"
#include "harness/check/track.h"

/* Of a subscription that was just confirmed; a slot for each pair. Samples and findings are of the check `id`. */
void resume_due_begin(struct check_run *run, struct slots *dues, const char *id, struct track_sub *sub);
/* A message came for the first time; claim: "resumed". */
void resume_due_deliver(struct check_run *run, struct slots *dues, const char *id, const char *claim,
			const struct event *e);
