/* An ifb for as long as what an interface receives is to be shaped. */
#include "faults/link_arriving.h"

#include <stdio.h>
#include <unistd.h>

#include "harness/base/guard.h"
#include "harness/net/ingress.h"
#include "harness/net/interface.h"

enum { IFB_NAMES = 100 }; /* of one process at once: the name of an interface has 15 octets */

static int tell(struct guard *g, const struct link_end *end, const struct guard_kind *kind, const char *const *words,
		int *ret_id, struct err *e)
{
	int r = g && end->where[0] ? guard_add(g, kind->name, words, e) : 0;
	if (r > 0)
		*ret_id = r;
	return r < 0 ? r : 0;
}

static void forget(struct guard *g, int *id)
{
	if (g && *id > 0)
		guard_drop(g, *id);
	*id = 0;
}

static int ifb_make(struct arriving *a, struct netlink *nl, struct err *e)
{
	struct interface made;
	int r = interface_add(nl, a->ifb, "ifb", e);
	if (r == 0)
		r = interface_set_up(nl, a->ifb, true, e);
	if (r == 0)
		r = interface_get(nl, a->ifb, &made, e);
	if (r == 0)
		a->index = made.index;
	return r;
}

int arriving_lead(struct arriving *a, struct netlink *nl, const struct link_end *end, unsigned ifindex, uint16_t ours,
		  struct guard *g, struct err *e)
{
	static unsigned made; /* in this process */
	char index[16], hex[16];
	const char *ifb_words[] = {end->where, a->ifb, NULL};
	const char *lead_words[] = {end->where, end->interface, index, hex, NULL};
	snprintf(a->ifb, sizeof(a->ifb), GUARD_NAMES "%d-i%u", (int)getpid(), made++ % IFB_NAMES);
	snprintf(index, sizeof(index), "%u", ifindex);
	snprintf(hex, sizeof(hex), "%x", ours);
	int r = link_can(LINK_NEED_IFB, e);
	if (r == 0)
		r = ingress_unused(nl, ifindex, end->interface, e);
	if (r == 0)
		r = tell(g, end, &undo_link, ifb_words, &a->undo_ifb, e);
	if (r < 0)
		return r;
	r = ifb_make(a, nl, e);
	if (r == 0)
		r = tell(g, end, &undo_ingress, lead_words, &a->undo_lead, e);
	if (r == 0)
		r = ingress_lead(nl, ifindex, a->index, ours, e);
	if (r < 0) {
		forget(g, &a->undo_lead);
		if (interface_delete(nl, a->ifb, NULL) == 0)
			forget(g, &a->undo_ifb);
	}
	return r;
}

int arriving_release(struct arriving *a, struct netlink *nl, unsigned ifindex, uint16_t ours, struct guard *g,
		     struct err *e)
{
	/* In this order: what is led to an interface that is gone is lost. */
	int r = ingress_clear(nl, ifindex, ours, e);
	if (r < 0)
		return r;
	forget(g, &a->undo_lead);
	r = interface_delete(nl, a->ifb, e);
	if (r == 0)
		forget(g, &a->undo_ifb);
	return r;
}
