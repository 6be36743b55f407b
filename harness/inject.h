#pragma once
/* `wsquall inject`: one fault on a plane other than stream, for a time, on what the command line names. */
#include "faults/fault.h"
#include "faults/node.h"
#include "faults/peer.h"
#include "harness/run/nodes.h"
#include "harness/target/target.h"

enum {
	INJECT_FOR_MAX_MS = FAULT_TIME_MAX_MS, /* --for */
	INJECT_PIDS_MAX = FAULT_NODES_MAX,
};

struct inject_options {
	int plane;
	bool plane_given;
	uint64_t for_ms;
	struct opt_strings pids, nodes;
	const char *target, *interface, *netns, *url;
	int direction;             /* enum link_direction */
	bool direction_given;
	uint64_t seed;
	bool seed_given;
	bool dry_run, help;
};

/*
 * KEY=VALUE of the fault's table, words[1] and on, over its defaults; in the arena. A list starts empty at its first
 * mention. The option `nodes`, where there is one, is all unless told otherwise: who names processes means them.
 * -EINVAL with a sentence.
 */
int inject_read_options(const struct fault *f, const struct opt_strings *words, struct arena *a, void **ret_options,
			struct err *e);

/* What the fault works on, made from the options. Zero it first. */
struct inject_site {
	struct fault_site site;
	struct fault_node *list[FAULT_NODES_MAX + 1]; /* by their number */
	size_t n;
	struct run_nodes named;    /* of the target file */
	struct fault_node *chosen[FAULT_NODES_MAX + 1]; /* what the fault gets of both, NULL at the end */
	size_t n_chosen;
	struct target target;
	struct dial_addresses addresses;
	struct tls_context *tls;
	struct fault_peers peers;
};

/*
 * Looks up what is named. Strings live in the arena. -EINVAL for what is written wrong; what is not there: -ESRCH,
 * -ENOENT, -ENODEV, -EHOSTUNREACH; each with a sentence.
 */
int inject_site_init(struct inject_site *s, struct loop *l, const struct inject_options *o, enum fault_plane plane,
		     struct arena *a, struct err *e);
/* Appends what is hurt, a line each: "process 123 (redis-server)". */
void inject_site_describe(const struct inject_site *s, struct buf *b);
/* Safe on a zeroed one. */
void inject_site_fini(struct inject_site *s);
