#pragma once
/* For tests of the scheduler: a run of cases against the scripted server, which may die of the text "die". */
#include "harness/run/runner.h"
#include "harness/run/test_server.h"

#undef ECHO /* termios.h has one */
#include "harness/run/case_rows.h"

enum { LONG_MS = 20000, SHORT_MS = 120, PATIENCE_MS = 40, RECOVER_MS = 200, CASES_MAX = 64 };

struct rig {
	struct loop loop;
	struct arena arena;
	struct target target;
	struct case_env env;
	struct server server;
	struct runner runner;
	struct runner_case cases[CASES_MAX];
	size_t n;
	struct runner_options o;
	unsigned told, stop_after, revived;
};

extern const struct test_case case_good, case_pinged, case_survival, case_masked, case_whole_frames;

/* For runner_options: starts the server again when it has died. */
int rig_revive(void *owner);
void rig_add(struct rig *f, const struct test_case *tc, size_t times);
/* Every item is decided afterwards. `then`, unless NULL, is the script of all connections but the first. */
void rig_run(struct rig *f, const struct act *script, const struct act *then, uint32_t timeout_ms, uint32_t patience_ms);
void rig_fini(struct rig *f);
unsigned rig_count(const struct rig *f, enum verdict v);
/* The first with this id. */
const struct runner_item *rig_item(const struct rig *f, const char *id);
