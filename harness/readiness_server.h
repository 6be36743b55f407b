#pragma once
/* The embedded reference server that the suite `readiness` is run against, with keys and tokens made for this run. */
#include "harness/scenario/site.h"
#include "harness/target/process.h"
#include "harness/target/secrets.h"

struct readiness_server {
	struct process process;
	struct target target;
	struct secrets secrets;
	struct site site;
};

/*
 * Starts it, with `more` arguments of the user's. like: what the run has (loop, arena, seed). 0, or an exit code with a
 * sentence. readiness_server_stop() in any case.
 */
int readiness_server_start(struct readiness_server *s, const struct site *like, const struct opt_strings *more,
			   struct err *e);
/* Its target file alone, for a dry run. */
int readiness_server_describe(struct arena *a, struct target *ret_target, struct err *e);
void readiness_server_stop(struct readiness_server *s);
