#pragma once
/*
 * Why a check about resumes has nothing to say, where that is known: refusals that break no promise. A
 * reader must be able to tell them from a situation that did not come about.
 */
#include "harness/check/check.h"

/* Zeroed it is empty. */
struct resume_silence {
	uint64_t edges;            /* samples of resume.edge */
	uint64_t lost_nodes, lost_broker; /* refused after a loss of memory that the contract does not speak of */
};

/* The history is over. */
void resume_silence_tell(struct check_run *run, const struct resume_silence *s, const char *edge);
