#pragma once
/*
 * Checkers: each finds one kind of violation in a history (harness/history). A checker is a row of checkers.def and a
 * file of its name, which ends in its `struct checker`; it sees every event once, in order, and says what is wrong when
 * it sees it. It keeps memory for each connection and channel, never for each message. It is a pure function of the
 * events: no clock, no I/O, and the same history gives the same findings.
 *
 * What a checker decides are checks: rows of checks.def with an id, a severity, what is required and how it is mended.
 * For each of its checks it counts samples: the chances the target had to break it. A check without samples is
 * inconclusive, never passed.
 */
#include "harness/base/arena.h"
#include "harness/base/opt.h"
#include "harness/history/event.h"
#include "harness/target/contract.h"

enum severity { SEVERITY_CRITICAL, SEVERITY_MAJOR, SEVERITY_MINOR };

/* CHECK(id, severity, level, title, required, source, why, fix): see checks.def. */
struct check_row {
	const char *id;            /* "resume.sequence" */
	enum severity severity;
	const char *level;         /* "MUST", "SHOULD" */
	const char *title;         /* "replays exactly what was missed" */
	const char *required;      /* the sentence a result shows */
	const char *source;        /* the RFC section or the sentence of a checklist it comes from */
	const char *why, *fix;
};
extern const struct check_row check_rows[];
extern const size_t check_rows_len;
const struct check_row *check_row_find(const char *id);

struct check_run;
struct track;

struct checker {
	const char *name;          /* as in a scenario's `checks` */
	const char *about;
	const char *const *checks; /* ids of the checks it decides, NULL at the end */
	const struct opt *options; /* table over its options struct; never NULL, perhaps empty */
	size_t options_size;
	size_t state_size;         /* octets of check_state(), zeroed */
	bool whole_target; /* holds what the target counts in all against our clients: no other scenario may run beside
			      it */
	/* May be NULL. -ENOMEM, or -EINVAL with a sentence for options that do not go together. */
	int (*start)(struct check_run *run, struct err *e);
	void (*event)(struct check_run *run, const struct event *e);
	/* The history is over. May be NULL. */
	void (*end)(struct check_run *run);
	/* Frees what state points to. May be NULL. */
	void (*stop)(struct check_run *run);
};
extern const struct checker *const checkers[];
extern const size_t checkers_len;
const struct checker *checker_find(const char *name);
/* Among its checks is this one. */
bool checker_decides(const struct checker *c, const char *id);

/* For a checker ------------------------------------------------------------------------------------------------ */

void *check_state(const struct check_run *run);
const void *check_options(const struct check_run *run);
const struct contract *check_contract(const struct check_run *run);
/* What the events add up to, this one included (track.h). Only track_pair() changes it. */
struct track *check_track(const struct check_run *run);
/* Of a skip where check_track(run)->no_log. */
#define CHECK_NO_LOG "the target file does not say where and how connections are logged"
/* Of a skip where no connection ever named its node. */
#define CHECK_NO_NODES \
	"it is not known which node a connection is on: that takes two nodes of the target file with a `url` of their own, " \
	"and a scenario whose clients go there"
/* The target had n chances to break it. */
void check_samples(struct check_run *run, const char *id, uint64_t n);
/* How many were counted so far. */
uint64_t check_sampled(struct check_run *run, const char *id);
/*
 * A violation: what was seen, one clause without a full stop, such as "message 17 of publisher 3 never came". `at` is
 * the event that shows it, NULL: the end. Its client's last events, the faults in force and the target's log lines
 * about its connection are kept with it. The first CHECK_FINDINGS_MAX of a check are kept, all are counted.
 */
void check_fail(struct check_run *run, const char *id, const struct event *at, const char *seen, ...)
	__attribute__((format(printf, 4, 5)));
/* The same, milder: a SHOULD. */
void check_warn(struct check_run *run, const char *id, const struct event *at, const char *seen, ...)
	__attribute__((format(printf, 4, 5)));
/* The same, about a client and channel (0: none) that `at` does not name. */
void check_fail_of(struct check_run *run, const char *id, const struct event *at, uint32_t client, uint32_t channel,
		   const char *seen, ...) __attribute__((format(printf, 6, 7)));
/*
 * What a finding would show if it were made now, for a checker that will know later whether it is one: a gap that may
 * still close. NULL without memory and beyond CHECK_MOMENTS_MAX of a checker, which costs evidence and nothing else.
 */
struct check_moment;
struct check_moment *check_moment(struct check_run *run, const struct event *at, uint32_t client, uint32_t channel);
void check_moment_drop(struct check_run *run, struct check_moment *moment);
/* It was one. Takes the moment; NULL: as check_fail_of with what is known now. */
void check_fail_then(struct check_run *run, const char *id, struct check_moment *moment, const struct event *at,
		     uint32_t client, uint32_t channel, const char *seen, ...) __attribute__((format(printf, 7, 8)));
/* It cannot be decided, whatever else is seen; the first reason is kept. A fail is stronger. */
void check_unknown(struct check_run *run, const char *id, const char *why, ...) __attribute__((format(printf, 3, 4)));
/*
 * It is not graded, and why: "the contract does not promise that messages are ordered". Stronger than `unknown`, weaker
 * than a finding.
 */
void check_skip(struct check_run *run, const char *id, const char *why, ...) __attribute__((format(printf, 3, 4)));
/* One clause that a pass shows: "412 resumes, longest away 3.1 s". The last one is kept. */
void check_note(struct check_run *run, const char *id, const char *what, ...) __attribute__((format(printf, 3, 4)));

/* For who runs them -------------------------------------------------------------------------------------------- */

enum {
	CHECK_FINDINGS_MAX = 8,    /* findings kept of one check */
	CHECK_EVIDENCE_MAX = 48,   /* events kept with one finding */
	CHECK_LATE_US = 5000000,   /* what the target logs of its client until then belongs to it, too */
	CHECK_RING = 16,           /* last events kept of each client, log lines about its connections among them */
	CHECK_FAULTS_MAX = 16,     /* names of faults kept with one finding */
	CHECK_MOMENTS_MAX = 64,    /* of one checker at once */
	CHECKS_MAX = 64,           /* checkers in one scenario */
	CHECK_CLIENTS_MAX = 200000,
};

struct check_finding {
	const char *seen;
	bool warn;
	uint64_t at_us;
	uint32_t client, channel;
	const char *const *evidence; /* lines of JSON, in the order of the history, NULL at the end */
	const char *const *faults;   /* names of the faults in force, NULL at the end */
	const char *healed;          /* the fault that was healed last, "": none was; and when */
	uint64_t healed_us;
};

enum check_outcome { CHECK_PASS, CHECK_WARN, CHECK_FAIL, CHECK_INCONCLUSIVE, CHECK_SKIP };

struct check_result {
	const struct check_row *row;
	const struct checker *checker;
	enum check_outcome outcome;
	uint64_t samples, violations;
	bool untested;             /* inconclusive because what it looks at did not come about at all */
	const char *note;          /* of a pass, or why it is inconclusive or skipped; or NULL */
	const struct check_finding *findings;
	size_t n_findings;
};

struct check_set;              /* the checkers of one scenario */

/* Findings and results live as long as the set. -ENOMEM. The contract is copied. */
int check_set_new(const struct contract *contract, struct check_set **ret_set, struct err *e);
/* NULL is fine. */
void check_set_free(struct check_set *set);
/* The target's log is not read at all: what only that can show is skipped. Before the first event. */
void check_set_no_log(struct check_set *set);
/* The target file does not say where the log has reasons: nobody can miss them. Before the first event. */
void check_set_no_reasons(struct check_set *set);
/*
 * options: its options struct, NULL: its defaults; borrowed until the set is freed. Before the first event. -EEXIST: it
 * is there already; -EINVAL, -ENOMEM.
 */
int check_set_add(struct check_set *set, const struct checker *c, const void *options, struct err *e);
void check_set_event(struct check_set *set, const struct event *e);
/* Once; results in the order of check_rows. */
void check_set_end(struct check_set *set, const struct check_result **ret_results, size_t *ret_n);
/* So far, for a live view. */
uint64_t check_set_violations(const struct check_set *set);
