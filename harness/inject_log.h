#pragma once
/*
 * The log of `wsquall inject`: JSON objects, a line each, on standard output. A reader that has stopped reading never
 * keeps the loop from healing: what it does not take waits here, up to INJECT_LOG_MAX octets; lines beyond are counted
 * and left out.
 */
#include <jansson.h>

#include "harness/net/watch.h"
#include "harness/base/buf.h"

enum {
	INJECT_LINE_MAX = 1 << 16, /* octets of one line */
	INJECT_LOG_MAX = 1 << 20,  /* octets that wait for the reader */
	INJECT_LOG_END_MS = 2000,  /* at the end, once all is healed, it is waited for so long */
};

struct inject_log {
	struct loop *loop;
	struct watch watch;        /* while octets wait */
	struct buf waiting;
	uint64_t lost;             /* lines that were left out */
	int error;                 /* of the first write that failed: nothing more is written */
};

void inject_log_init(struct inject_log *log, struct loop *l);
/* Takes the object. */
void inject_log_put(struct inject_log *log, json_t *event);
/* Waits for what is still to be written: blocking. 0, -ETIMEDOUT, or what writing gave. */
int inject_log_end(struct inject_log *log);
/* The loop may end now. Safe on a zeroed one. */
void inject_log_fini(struct inject_log *log);
