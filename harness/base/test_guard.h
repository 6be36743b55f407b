#pragma once
/*
 * For the tests of the guard: a folder for journals, runs as processes of their own that can be killed, and undos that
 * leave their word in a log, so that what was undone, how often and in which order is seen from outside.
 */
#include "harness/base/guard.h"

enum { RIG_HANG_MS = 120000 };     /* who waits longer for anything hangs */

/* "log WORD": a line in the log. "needs PATH WORD": -EBUSY until the file is there, then as log. "dies WORD": SIGKILL
 * in the run's own process, else as log. "lasts WORD": as log, and survives a boot. "holds THING WORD": as log; who has
 * hold of a thing has it alone. "once WORD": leaves its line and fails, and is not tried again. */
extern const struct guard_kind *const rig_kinds[];

/* What runs tell the test. */
struct rig_shared {
	pid_t run, guard;
	int r[4];
	char text[ERR_TEXT_MAX];
};
extern struct rig_shared *rig;

/* For every test: a new folder, which WSQUALL_RUN_DIR names; gone afterwards with all that is in it. */
int rig_setup(void **state);
int rig_teardown(void **state);
/* A path in the folder of this test, not in that of the journals; valid until the eighth call after. */
const char *rig_path(const char *name);
/* The folder of the journals, "". */
const char *rig_folder(void);
/* Starts a process in a group of its own: guard_start(), f, and when f returns it waits to be killed. */
pid_t rig_run(void (*f)(struct guard *g));
/* SIGKILL and its end awaited; of a process that is not our child, too. */
void rig_kill(pid_t pid);
void rig_await_end(pid_t pid);
/* guard_add of "kind word", which must succeed. */
int rig_add(struct guard *g, const char *kind, const char *word);
/* The log, "first\nsecond\n"; valid until the next call. */
const char *rig_log(void);
/* The path of this process's own journal. */
const char *rig_journal(void);
/* Files in the folder of the journals. */
size_t rig_journals(void);
/* With their folder. */
void rig_remove_journals(void);
/* Writes a journal of a run that never was (of this boot), with this content after the first line. */
void rig_write_journal(const char *content);
/* guard_leftovers(), what it told as lines "state description\n" in text; its result. */
int rig_leftovers(bool clean, char *text, size_t len);
