/*
 * The state of each interface that faults are at work on. The qdisc there is made anew from all of them whenever one
 * comes or goes; what was there before the first is put back after the last.
 */
#include "faults/link.h"

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

/* An interface with at least one shape. */
struct shaped {
	struct shaped *next;
	dev_t device;              /* with inode: its namespace */
	ino_t inode;
	unsigned ifindex;
	char name[IFNAMSIZ];
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
	snprintf(name, sizeof(name), "netem %s %s", end->node, end->hub ? "to" : "from");
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
	int r = qdisc_root(on->nl, on->ifindex, &now, e);
	if (r < 0 || qdisc_is_ours(&now, on->ours) || qdisc_equal(&now, &on->before))
		return r;
	return err_set(e, EBUSY,
		       "somebody gave the interface %s another root qdisc (%s %x:) while a fault was at work there: it stays",
		       on->name, now.kind, (unsigned)(now.handle >> 16));
}

static int apply(struct shaped *on, struct err *e)
{
	struct netem merged;
	bool cut = false;
	if (!on->shapes)
		return qdisc_restore(on->nl, on->ifindex, on->ours, &on->before, e);
	int r = look_before(on, e);
	if (r == 0)
		r = merge(on, &merged, &cut, e);
	if (r < 0)
		return r;
	return cut ? qdisc_blackhole(on->nl, on->ifindex, QDISC_SECOND(on->ours), e)
		   : netem_set(on->nl, on->ifindex, on->ours, &merged, e);
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

static int look(struct shaped *on, const struct link_end *end, struct err *e)
{
	int r = qdisc_root(on->nl, on->ifindex, &on->before, e);
	if (r == 0)
		r = qdisc_restorable(&on->before, end->interface, e);
	return r < 0 ? r : tell_guard(on, end, e);
}

static int shaped_find(struct fault_run *run, const struct link_end *end, struct shaped **ret_shaped, struct err *e)
{
	struct shaped at = {.ours = own_handle(), .guard = run->site->guard, .seed = link_seed(run->site->seed, end)};
	struct interface found;
	int r = netns_id(&end->netns, &at.device, &at.inode);
	if (r < 0)
		return err_set(e, -r, "cannot look at the network namespace: %s", strerror(-r));
	r = netlink_open(&end->netns, NETLINK_ROUTE, &at.nl, e);
	if (r == 0)
		r = interface_get(at.nl, end->interface, &found, e);
	if (r == 0) {
		at.ifindex = found.index;
		memcpy(at.name, found.name, sizeof(at.name));
	}
	for (struct shaped *s = all; s && r == 0; s = s->next)
		if (s->device == at.device && s->inode == at.inode && s->ifindex == at.ifindex) {
			netlink_close(at.nl);
			*ret_shaped = s;
			return 0;
		}
	if (r == 0)
		r = look(&at, end, e);
	struct shaped *made = r == 0 ? malloc(sizeof(*made)) : NULL;
	if (!made) {
		if (at.guard && at.undo > 0)
			guard_drop(at.guard, at.undo);
		netlink_close(at.nl);
		return r < 0 ? r : err_set(e, ENOMEM, "out of memory");
	}
	*made = at;
	made->next = all;
	all = made;
	*ret_shaped = made;
	return 0;
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
