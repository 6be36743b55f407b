#pragma once
/* The nodes, brokers and hooks of a target file as faults see them. */
#include "faults/fault.h"
#include "faults/node.h"
#include "harness/target/target.h"

/* Zero it first. */
struct run_nodes {
	struct fault_node *nodes[FAULT_NODES_MAX + 1], *backplane[FAULT_NODES_MAX + 1]; /* NULL at the end */
	struct opt_map hooks;
};

/* The target outlives it. Negative errno with a sentence. */
int run_nodes_init(struct run_nodes *n, struct loop *l, const struct target *t, struct err *e);
/* Sets nodes, backplane, hooks and hooks_folder of the site; what the target has none of stays NULL. */
void run_nodes_site(const struct run_nodes *n, const struct target *t, struct fault_site *site);
/* Safe on a zeroed one. */
void run_nodes_fini(struct run_nodes *n);
