#pragma once
/*
 * The link plane: faults of a network interface, in a topology of ours (topology.h) or one that is there already.
 *
 * A link fault is netem-like, then it is a function that adds its part to one struct netem: several of them on the same
 * interface become one qdisc, and are taken out one by one. Or it is an action of its own.
 *
 *	const struct fault_link loss_link = {.netem = add_loss, .action = &link_netem};
 *
 * What an interface sends is shaped by its own root qdisc, what it receives by that of the other end. In a topology
 * both are at hand. What a plain interface receives is led through an ifb of ours first (ingress.h), whose root qdisc
 * shapes it; where the kernel has none of that, what arrives can only be dropped (link_cut).
 */
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#include "faults/fault.h"
#include "harness/net/netem.h"
#include "harness/net/netns.h"

struct interface_address;
struct interface_saved;
struct netlink;

struct fault_link {
	/*
	 * Adds to what others have put there: options are valid. 0, or -EINVAL with a sentence when they exclude each
	 * other (two models of loss). NULL: not netem-like.
	 */
	int (*netem)(const void *options, struct netem *merged, struct err *e);
	const struct fault_action *action; /* never NULL; &link_netem for netem-like ones */
};

/*
 * For the help of options: sch_netem takes the correlated number modulo twice the jitter in ns, or modulo the size of
 * the table; only near 2^31 ns anything of the correlation is left.
 */
#define JITTER_CORRELATION_NOTE "Linux (as of 6.1) ignores it but for a uniform jitter of about 2s"

/* The action of netem-like faults. */
extern const struct fault_action link_netem;

/* Of two independent chances, that at least one happens: how shares add. */
double link_share(double a, double b);

/* Ends of links: where things are done
 * --------------------------------------------------------------------------------- */

enum { LINK_ENDS_MAX = 400, LINK_NETNS_TEXT = 256 };

/* An interface that sends; or, `arriving`, a plain one that receives. */
struct link_end {
	struct netns netns;                /* fd -1: our own namespace; borrowed from links */
	/* For the guard, as for netlink_open_named; "": ends with us, nothing to tell it. */
	char where[LINK_NETNS_TEXT];
	char interface[IFNAMSIZ];
	const char *node;                  /* for events: the node's name, or the interface */
	bool hub;                          /* the port towards the node: what the node receives */
	bool arriving;                     /* for shapes alone; else of a plain interface only what it sends is meant */
};

struct links {
	struct netns opened;               /* site->netns */
	struct link_end *ends;
	size_t n;
};

/*
 * The ends for a direction as the site says it: of a node what it sends (its eth0), what it receives (its port at the
 * hub). -EINVAL for a node that is not there, or a site without a link.
 */
int links_find(const struct fault_site *site, enum link_direction d, struct links *ret_links, struct err *e);
void links_fini(struct links *l);
/* "to" or "from": the node or interface. */
const char *link_end_direction(const struct link_end *end);

/* What is put on an end
 * ------------------------------------------------------------------------------------------------- */

struct shape;

/* Where the chance of netem at that end comes from (Linux 6.6 and later): each direction of each node has its own. */
uint64_t link_seed(uint64_t seed, const struct link_end *end);
/*
 * Puts a run on the end: its netem part, or, with `cut`, nothing that the end sends goes anywhere any more. All of the
 * runs on an end are in force together. -EBUSY when somebody else's qdisc is there that could not be put back, or came
 * since; then, and on every failure, the end is as it was.
 */
int shape_add(struct fault_run *run, const struct link_end *end, bool cut, struct shape **ret_shape, struct err *e);
/*
 * Takes it out; the others stay, the last one gives the interface back what it had, unless somebody has given it
 * something else since. NULL is fine.
 */
void shape_remove(struct shape *s);

/* What was done, undone in reverse
 * -------------------------------------------------------------------------------------- */

struct step {
	struct step *before;
	void (*undo)(struct step *s);      /* undoes and frees */
};
struct steps {
	struct step *last;
};
/* Undoes all of them. */
void steps_undo(struct steps *s);

/* Each of these does something to an end for run, tells the guard before, and leaves a step; on failure nothing. */

/* As shape_add. */
int step_shape(struct steps *s, struct fault_run *run, const struct link_end *end, bool cut, struct err *e);
/* A wall (wall.h) before the interface of the end: what arrives there is dropped; or with `reject` what crosses it. */
int step_drop(struct steps *s, struct fault_run *run, const struct link_end *end, struct err *e);
int step_reject(struct steps *s, struct fault_run *run, const struct link_end *end, bool in, bool out, struct err *e);
/* Sets the interface down; with its addresses and routes it comes back. */
int step_down(struct steps *s, struct fault_run *run, const struct link_end *end, struct err *e);
/*
 * Takes the addresses away, but link-local ones; what still has one of them as its source goes nowhere. What there was
 * comes back: it lives as long as the step.
 */
int step_addresses_take(struct steps *s, struct fault_run *run, const struct link_end *end,
			const struct interface_saved **ret_saved, struct err *e);
/* Gives the end an address, and those of the routes it had that are possible with it. */
int step_address_give(struct steps *s, struct fault_run *run, const struct link_end *end,
		      const struct interface_saved *had, const struct interface_address *a, struct err *e);

/* The link is cut: nothing crosses any more. */
enum link_cut_means { LINK_CUT_AUTO, LINK_CUT_BLACKHOLE, LINK_CUT_NETEM, LINK_CUT_DOWN, LINK_CUT_ADDRESS };
/* For option tables: "auto" "blackhole" "netem" "down" "address", NULL. */
extern const char *const link_cut_means_names[];
struct link_cut {
	bool to, from;                     /* what the node or interface receives; what it sends */
	bool reject;                       /* answered by RST and ICMP instead of dropped; LINK_CUT_AUTO alone */
	enum link_cut_means means;         /* NETEM: the fault's own netem function is to lose everything */
};
/* 0, -EINVAL for what does not go together, -ENOTSUP, ... with a sentence; then nothing is done. Tells a "hit" an end.
 */
int link_cut(struct steps *s, struct fault_run *run, const struct link_cut *cut, struct err *e);
void link_cut_probe(const struct fault_site *site, struct fault_probe *ret);

struct sock_match;
/* Kills the connections of the end's own addresses that match (more NULL: all). How many, or as sock_destroy(). */
int link_kill(const struct link_end *end, const struct sock_match *more, struct err *e);

/* What this machine can, tried once in a namespace of its own
 * ------------------------------------------------------------ */

enum link_need {
	LINK_NEED_NETEM = 1,               /* sch_netem */
	LINK_NEED_WALL = 2,                /* nf_tables with the netdev family */
	LINK_NEED_REJECT = 4,              /* nf_tables with reject */
	LINK_NEED_VETH = 8,                /* veth and bridge: topologies */
	LINK_NEED_DESTROY = 16,            /* SOCK_DESTROY */
	LINK_NEED_IFB = 32,                /* ifb, sch_ingress, cls_u32, act_mirred */
};
/*
 * 0, or -ENOTSUP with what is missing and what to load, install or allow. Without the right to make a namespace, but
 * with that to change links: 0, and a fault that cannot be says so when it is started.
 */
int link_can(unsigned needs, struct err *e);
/* For probes: driven with this sentence, or missing and why. */
void link_probe(unsigned needs, const char *driven, struct fault_probe *ret);
