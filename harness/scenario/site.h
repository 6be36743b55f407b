#pragma once
/* A deployment as scenarios see it: everything of the target that is prepared once for all of them. */
#include "faults/peer.h"
#include "harness/run/nodes.h"
#include "harness/scenario/scenario.h"
#include "harness/target/scrape.h"

enum { SITE_WAYS_MAX = FAULT_NODES_MAX + 1 };

/* Zero it, and set what is above the line. */
struct site {
	struct loop *loop;
	struct arena *arena;
	struct target *target;
	struct guard *guard;       /* NULL: nothing outside our memory is touched */
	bool may_touch;            /* it may be: dry runs have no guard */
	struct tls_context *tls;   /* NULL: the target has no TLS */
	uint64_t seed;
	bool dry;                  /* nobody will connect: no name is resolved */
	const char *output;        /* folder of the reports; NULL: nothing is written */
	/* ------------------------------------------------------------------------------------ */
	struct alarms *alarms;
	const struct dialect *dialect; /* NULL: the target names none */
	struct contract contract;  /* of the dialect, changed by the target's */
	struct dial_addresses door, node_addresses[FAULT_NODES_MAX];
	struct workload_way ways[SITE_WAYS_MAX]; /* [0]: the front door; then the nodes */
	size_t n_ways;
	struct opt_map headers, variables; /* the target's, with the valid credential where it goes by one of them */
	struct run_nodes nodes;
	struct fault_peers peers;
	struct scrape_state scraped; /* over all scenarios that have ended */
};

/* -EINVAL, -EHOSTUNREACH, ... with a sentence. */
int site_init(struct site *s, struct err *e);
void site_fini(struct site *s);
/* How a scenario speaks to the target. */
struct site_speech {
	const struct dialect *dialect;
	struct contract contract;
	struct opt_map variables;
};
/* -ENOENT: the dialect has no such variant; -EINVAL: nor such a variable; -ENOMEM. With a sentence. */
int site_speech(struct site *s, const struct scenario *scenario, struct site_speech *ret, struct err *e);
/*
 * Connects to the front door once and closes again; blocks, on the loop, at most CONNECT_TIMEOUT_MS for each address.
 * -ECONNREFUSED, -ETIMEDOUT, -EPROTO (TLS), ... with a sentence.
 */
int site_reach(struct site *s, struct err *e);
/*
 * NULL when the scenario can run here, else why not: a clause for a skip, in the arena. No dialect, too few nodes, a
 * fault that this machine cannot make, ...
 */
const char *site_lacks(struct site *s, const struct scenario *scenario);
/*
 * Makes the scenario as large as this target's contract asks (`kept_percent`). NULL; or why no run can be so large: a
 * clause for a skip, in the arena.
 */
const char *site_fit(struct site *s, struct scenario *scenario);
/* What faults work on; on_event and owner are the caller's to set. */
void site_fault_site(struct site *s, struct fault_site *ret);
/* Path and query with the valid credential, where that is its place; in the arena, or target itself. */
const char *site_with_credential(const struct site *s, struct arena *a, const char *target);
/* Number of the node of this name, from 1, the brokers behind the nodes; 0: none. */
uint32_t site_node_number(const struct site *s, const char *name);
