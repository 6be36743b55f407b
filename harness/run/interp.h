#pragma once
/*
 * Runs one case (case.h) against a target: the steps in turn, one connection at a time, everything on the loop. What the target does is
 * recorded first and judged by the row's rules; see case.h for how a list of steps is read.
 */
#include "harness/base/rng.h"
#include "harness/run/conn.h"
#include "harness/run/judge.h"
#include "harness/run/result.h"
#include "harness/target/target.h"

/* What broke a rule of a watcher. */
struct watch_broken {
	unsigned seen;             /* how often */
	const char *first;         /* id of the first case in which it was broken; static */
	char *evidence;            /* rendered transcript of that connection; malloc'd */
};

/* What all cases of a run share. The owner keeps it alive. */
struct case_env {
	struct loop *loop;
	const struct target *target;
	struct dial_addresses echo_addresses;
	struct tls_context *tls;   /* when the target is wss */
	const struct secrets *secrets; /* of the target; NULL: none */
	uint64_t seed;
	bool has_echo;             /* the target echoes on its echo path */
	bool chatty;               /* it sends messages on its own: what nobody sent is no violation */
	size_t too_big;            /* octets of the smallest message that was answered by Close 1009 as it may be; 0: none was */
	uint32_t timeout_ms;       /* longest silence while something must come */
	uint32_t patience_ms;      /* after this long without a reaction the target is asked (by a Ping, by a Close) */
	unsigned watch_samples[WATCH_COUNT];  /* how often it could have been broken, over all connections */
	struct watch_broken watch[WATCH_COUNT];
	/* Frames cut by the end of a connection: they count once the target is known to live, for a target that dies cuts any frame. */
	struct watch_broken cut;
};

/* The first `n` of env->cut count: the target lived after them. */
void case_env_confirm_cuts(struct case_env *env, unsigned n);
/* The target died: its death cut them. */
void case_env_forget_cuts(struct case_env *env);
/* What a watch has seen broken so far does not count. */
void case_env_forget_watch(struct case_env *env, enum watch w);
/* Frees what the watches hold. */
void case_env_fini(struct case_env *env);

struct case_outcome {
	enum verdict verdict;
	/* It rests on time passing or on an end of the connection that nobody asked for: run the case again, alone, before it counts. */
	bool soft;
	bool no_connection;        /* TCP (or TLS) could not be opened */
	bool refused;              /* TCP was refused: nobody listens */
	bool answered;             /* octets came: the target lived after the case was started */
	bool bare;                 /* a connection had no reply or, once it was upgraded, no Close frame of the target: it may have been the last of its process */
	int iter;                  /* the repeat that decided */
	const char *seen, *required, *note; /* in the run's arena; note may be NULL */
};

struct case_run;
/* Called once, from the loop, never from inside case_run_new. The run is freed by the callee (case_run_free), now or later. */
typedef void case_on_done(void *owner, struct case_run *run);

/* Starts. `why_skipped` of the row's needs was asked before: see case_missing(). -ENOMEM. */
int case_run_new(struct case_env *env, const struct test_case *tc, case_on_done *on_done, void *owner, struct case_run **ret_run);
/* Stops at once; NULL is fine. Safe inside on_done. */
void case_run_free(struct case_run *run);
const struct test_case *case_run_case(const struct case_run *run);
const struct case_outcome *case_run_outcome(const struct case_run *run);
/* Transcripts of the connections of the deciding repeat. */
void case_run_transcript(const struct case_run *run, struct buf *out);

/* A fresh connection gets its 101: the target lives. */
extern const struct test_case case_canary;

/* The sentence of the first need that the target does not meet, or why its messages are too large for it; or NULL. */
const char *case_missing(const struct case_env *env, const struct test_case *tc);
/* The verdict that a grade means at a level. */
enum verdict case_verdict(enum req_level level, enum grade grade);
