#pragma once
/*
 * What a finding shows: the last events of each client, with the lines of the target's log about its connections, as
 * they were when it was found; and lines about them that are read later.
 */
#include "harness/check/check.h"

struct evidence;

int evidence_new(struct evidence **ret_evidence);
void evidence_free(struct evidence *ev);
/* Keeps the event. The client it is about: its own, or that of the connection a log line names; 0: nobody's. */
uint32_t evidence_event(struct evidence *ev, const struct event *e);
/*
 * The lines that show `at` (may be NULL) and the client's last events, in the order of the history, NULL at the end; at
 * most CHECK_EVIDENCE_MAX, in an array with room for as many. NULL without memory.
 */
const char **evidence_lines(struct evidence *ev, struct arena *a, const struct event *at, uint32_t client);
/* Of any one event. NULL without memory. */
const char *evidence_line(struct arena *a, const struct event *e);
