/*
 * The state of each interface that faults are at work on, for each of its directions. The qdisc there is made anew from
 * all of them whenever one comes or goes; what was there before the first is put back after the last.
 */
#include "faults/link_arriving.h"

#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/net/hex.h"
#include "harness/net/interface.h"
#include "harness/net/netlink.h"
#include "harness/net/qdisc.h"

struct shape {
	struct shape *next;        /* on the same interface, in the order of coming */
	struct shaped *shaped;
	const struct fault_run *run;
	bool cut;
};

/* An interface with at least one shape, in one direction. */
struct shaped {
	struct shaped *next;
	dev_t device;              /* with inode: its namespace */
	ino_t inode;
	unsigned ifindex;
	char name[IFNAMSIZ];
	bool is_arriving;
	struct arriving arriving;  /* of what it receives: the ifb that this is led through */
	unsigned at;               /* the interface whose root qdisc shapes it: itself, or the ifb */
	struct netlink *nl;
	struct qdisc before;
	uint32_t ours;             /* handle, see qdisc.h */
	uint64_t seed;
	struct guard *guard;
	int undo;
	struct shape *shapes;
};

/* Of this process: what an interface has does not depend on which run or site it was reached through. */
static struct shaped *all;

double link_share(double a, double b)
{
	return 1 - (1 - a) * (1 - b);
}

/* Even majors 0x2000 to 0x3ffe: below those that the kernel numbers by itself (from 0x8000). */
static uint32_t own_handle(void)
{
	return (0x2000u + 2 * ((uint32_t)getpid() & 0xfff)) << 16;
}

uint64_t link_seed(uint64_t seed, const struct link_end *end)
{
	char name[LINK_NETNS_TEXT];
	struct rng rng;
	snprintf(name, sizeof(name), "netem %s %s", end->node, link_end_direction(end));
	rng_init(&rng, seed, name);
	return rng_u64(&rng);
}

static int merge(const struct shaped *on, struct netem *ret_netem, bool *ret_cut, struct err *e)
{
	struct netem merged = {.has_seed = true, .seed = on->seed};
	bool cut = false;
	int r = 0;
	for (const struct shape *s = on->shapes; s && r == 0; s = s->next) {
		cut = cut || s->cut;
		if (!s->cut)
			r = s->run->fault->link->netem(s->run->options, &merged, e);
	}
	if (r == 0)
		r = netem_check(&merged, e);
	*ret_netem = merged;
	*ret_cut = cut;
	return r;
}

/* What is there is ours, or still what was there before us: nothing of somebody else's is lost. */
static int look_before(const struct shaped *on, struct err *e)
{
	struct qdisc now;
	int r = qdisc_root(on->nl, on->at, &now, e);
	if (r < 0 || qdisc_is_ours(&now, on->ours) || qdisc_equal(&now, &on->before))
		return r;
	return err_set(e, EBUSY,
		       "somebody gave the interface %s another root qdisc (%s %x:) while a fault was at work there: it stays",
		       on->name, now.kind, (unsigned)(now.handle >> 16));
}

/* Of the filter that leads what arrives, see ingress.h. */
static uint16_t priority(const struct shaped *on)
{
	return (uint16_t)(on->ours >> 16);
}

static int restore(struct shaped *on, struct err *e)
{
	if (on->is_arriving)
		return arriving_release(&on->arriving, on->nl, on->ifindex, priority(on), on->guard, e);
	return qdisc_restore(on->nl, on->at, on->ours, &on->before, e);
}

static int apply(struct shaped *on, struct err *e)
{
	struct netem merged;
	bool cut = false;
	if (!on->shapes)
		return restore(on, e);
	int r = look_before(on, e);
	if (r == 0)
		r = merge(on, &merged, &cut, e);
	if (r < 0)
		return r;
	return cut ? qdisc_blackhole(on->nl, on->at, QDISC_SECOND(on->ours), e)
		   : netem_set(on->nl, on->at, on->ours, &merged, e);
}

static int tell_guard(struct shaped *on, const struct link_end *end, struct err *e)
{
	char index[16], ours[16], handle[16], options[QDISC_UNDO_TEXT];
	const char *words[] = {end->where, end->interface, index, ours, on->before.kind, handle, options, NULL};
	if (!on->guard || !end->where[0])
		return 0;
	snprintf(index, sizeof(index), "%u", on->ifindex);
	snprintf(ours, sizeof(ours), "%x", (unsigned)on->ours);
	snprintf(handle, sizeof(handle), "%x", (unsigned)on->before.handle);
	hex_write(on->before.options, on->before.options_len, options);
	on->undo = guard_add(on->guard, undo_qdisc.name, words, e);
	return on->undo < 0 ? on->undo : 0;
}

/* restored: how putting back what was there went; what failed stays with the guard, which tries it again. */
static void shaped_free(struct shaped *on, int restored)
{
	for (struct shaped **at = &all; *at; at = &(*at)->next)
		if (*at == on) {
			*at = on->next;
			break;
		}
	if (on->guard && on->undo > 0 && restored >= 0)
		guard_drop(on->guard, on->undo);
	netlink_close(on->nl);
	free(on);
}

/* Before the first shape: what is there is kept, and told to the guard. */
static int look(struct shaped *on, const struct link_end *end, struct err *e)
{
	on->at = on->ifindex;
	int r = qdisc_root(on->nl, on->at, &on->before, e);
	if (r == 0)
		r = qdisc_restorable(&on->before, end->interface, e);
	return r < 0 ? r : tell_guard(on, end, e);
}

/* The same for what arrives: the ifb is ours, with all that is on it. */
static int lead(struct shaped *on, const struct link_end *end, struct err *e)
{
	int r = arriving_lead(&on->arriving, on->nl, end, on->ifindex, priority(on), on->guard, e);
	on->at = on->arriving.index;
	return r;
}

static struct shaped *shaped_known(const struct shaped *like)
{
	struct shaped *s = all;
	while (s && (s->device != like->device || s->inode != like->inode || s->ifindex != like->ifindex ||
		     s->is_arriving != like->is_arriving))
		s = s->next;
	return s;
}

static int shaped_find(struct fault_run *run, const struct link_end *end, struct shaped **ret_shaped, struct err *e)
{
	struct interface found = {0};
	struct netlink *nl = NULL;
	struct shaped at = {.is_arriving = end->arriving};
	int r = netns_id(&end->netns, &at.device, &at.inode);
	if (r < 0)
		return err_set(e, -r, "cannot look at the network namespace: %s", strerror(-r));
	r = netlink_open(&end->netns, NETLINK_ROUTE, &nl, e);
	if (r == 0)
		r = interface_get(nl, end->interface, &found, e);
	at.ifindex = found.index;
	struct shaped *known = r == 0 ? shaped_known(&at) : NULL;
	struct shaped *made = r == 0 && !known ? calloc(1, sizeof(*made)) : NULL;
	if (known)
		*ret_shaped = known;
	if (!made) {
		netlink_close(nl);
		return r < 0 || known ? r : err_set(e, ENOMEM, "out of memory");
	}
	at.nl = nl;
	at.ours = own_handle();
	at.guard = run->site->guard;
	at.seed = link_seed(run->site->seed, end);
	at.next = all;
	*made = at;
	snprintf(made->name, sizeof(made->name), "%s", found.name);
	all = made;
	r = made->is_arriving ? lead(made, end, e) : look(made, end, e);
	if (r < 0)
		shaped_free(made, 0);
	else
		*ret_shaped = made;
	return r;
}

int shape_add(struct fault_run *run, const struct link_end *end, bool cut, struct shape **ret_shape, struct err *e)
{
	struct shaped *on;
	int r = shaped_find(run, end, &on, e);
	if (r < 0)
		return r;
	struct shape *s = calloc(1, sizeof(*s));
	struct shape **last = &on->shapes;
	while (*last)
		last = &(*last)->next;
	if (s) {
		*s = (struct shape){.shaped = on, .run = run, .cut = cut};
		*last = s;
	}
	r = s ? apply(on, e) : err_set(e, ENOMEM, "out of memory");
	if (r < 0) {
		*last = NULL;
		free(s);
		int restored = apply(on, NULL);
		if (!on->shapes)
			shaped_free(on, restored);
		return r;
	}
	*ret_shape = s;
	return 0;
}

void shape_remove(struct shape *s)
{
	if (!s)
		return;
	struct shaped *on = s->shaped;
	for (struct shape **at = &on->shapes; *at; at = &(*at)->next)
		if (*at == s) {
			*at = s->next;
			break;
		}
	free(s);
	int restored = apply(on, NULL);
	if (!on->shapes)
		shaped_free(on, restored);
}
