#pragma once
/*
 * A scenario: one idea of what may befall a deployment, as a timeline. A workload runs, faults come and go in phases,
 * and in the end the checks look at the history. It is a YAML file, built in (suites/scenarios) or a user's;
 * scenario_table is its format.
 */
#include "faults/fault.h"
#include "harness/check/check.h"
#include "harness/load/workload.h"

enum {
	SCENARIO_PHASES_MAX = 64,
	SCENARIO_FAULTS_MAX = 64,  /* of one phase */
	SCENARIO_NAME_MAX = 64,
	SCENARIO_KEPT_PERCENT_MAX = 1000,
};

/* Whose connections a stream fault works on. */
enum scenario_on { SCENARIO_ON_SUBSCRIBERS, SCENARIO_ON_PUBLISHERS, SCENARIO_ON_ALL };

/* Where the clients connect. */
enum scenario_through { SCENARIO_THROUGH_DOOR, SCENARIO_THROUGH_NODES };

/* Keys that every fault of a phase has beside its own. */
struct scenario_fault {
	int plane;                 /* enum fault_plane; FAULT_PLANES: the first that it works on */
	uint64_t at_ms;            /* after the phase began */
	uint64_t for_ms;           /* it is healed after this long, 0: at the phase's end */
	uint64_t every_ms;         /* it comes again this often, 0: once; needs for_ms */
	int on;                    /* enum scenario_on, for streams */
	int stream;                /* STREAM_* bits, 0: the fault's own */
	double toxicity;           /* share of the connections, for streams */
};

/* A phase lasts `for`; or it is a heal phase, without faults, that lasts until everything is well, at most `within`. */
struct scenario_phase {
	const char *name;
	uint64_t for_ms, within_ms;
	bool quiet;                /* nothing is published meanwhile */
	uint64_t messages;         /* so many are published, and then no more; 0: at the workload's rate to its end */
	uint64_t kept_percent;     /* of what the contract keeps of a channel: site_fit() makes it `messages`; 0: as said */
	bool no_acks;              /* subscribers acknowledge nothing meanwhile */
	double takeover;           /* share of the subscribers that come a second time, their old connection being open */
	struct opt_calls faults;
};

struct scenario {
	const char *name, *about, *source;
	const char *suite;         /* "chaos"; of a user's file: "scenario" */
	const char *path;          /* of a user's file; NULL: built in */
	struct opt_strings needs;  /* of needs.def */
	int through;               /* enum scenario_through */
	const char *variant;       /* of the target's dialect: "sessions" is the dialect NAME-sessions; NULL: itself */
	struct opt_map variables;  /* of the dialect, beside the target's */
	bool alone;                /* nothing else runs beside it */
	const char *lacks;         /* why it cannot run against this target, by its owner (site_lacks()); NULL: it can */
	bool outside;              /* it touches processes, links or a broker, so a guard is needed */
	struct workload_options workload;
	struct opt_sections phases; /* of struct scenario_phase */
	struct opt_calls checks;   /* of struct checker */
};
extern const struct opt scenario_table[];

/* From a file, or of the built-in ones. Strings live in the arena. -EINVAL, ... with file, line and column. */
int scenario_load(const char *path, struct arena *a, struct scenario *ret, struct err *e);
int scenario_load_text(struct span text, const char *name, struct arena *a, struct scenario *ret, struct err *e);

/* The built-in ones, by suite. */
struct scenario_builtin {
	const char *suite, *name, *text;
};
extern const struct scenario_builtin scenario_builtins[];
extern const size_t scenario_builtins_len;

const struct fault *scenario_fault_of(const struct opt_call *call);
/* The plane that the fault is started on. */
enum fault_plane scenario_plane_of(const struct opt_call *call);
/* How long all phases last at most. */
uint64_t scenario_longest_ms(const struct scenario *s);
/* How long they last where everything heals at once. */
uint64_t scenario_planned_ms(const struct scenario *s);
