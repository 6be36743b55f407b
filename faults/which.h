#pragma once
/* The nodes that a fault on processes is about: the option `nodes`, the same in all of them. */
#include "faults/fault.h"
#include "faults/node.h"

/* The row; the options struct has a member `struct opt_strings nodes`. */
#define WHICH_ROW(S, default_words) \
	{.name = "nodes", .type = OPT_STRINGS, .flags = OPT_COMMAS, .offset = offsetof(struct S, nodes), \
	 .def = default_words, .metavar = "WHICH", .help = "which: all, one (the first), random (by the seed), or names"}

struct which {
	struct fault_node *nodes[FAULT_NODES_MAX];
	size_t n;                  /* at least 1 */
};

/* Of the site's nodes, or on the plane backplane of its brokers. In their order. -EINVAL with a sentence. */
int which_choose(struct fault_run *run, const struct opt_strings *words, struct which *ret_which, struct err *e);
