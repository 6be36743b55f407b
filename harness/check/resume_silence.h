#pragma once
/*
 * Why a check about resumes has nothing to say, where that is known: what the protocol or the target file never tells,
 * and refusals that break no promise. A reader must be able to tell them from a situation that did not come about.
 */
#include "harness/check/check.h"

/* Zeroed it is empty. */
struct resume_silence {
	bool connected, confirmed; /* anybody was, ever */
	bool nodes, epochs, newest; /* a connection named its node, a confirmation its epoch or its number */
	uint64_t lost_nodes, lost_broker; /* refused after a loss of memory that the contract does not speak of */
};

void resume_silence_event(struct resume_silence *s, const struct event *e);
/* The history is over. */
void resume_silence_tell(struct check_run *run, const struct resume_silence *s, const char *edge, const char *epoch,
			 const char *zero, const char *other_node);
