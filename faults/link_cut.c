/* Cutting a link by every means there is, at the node or interface that is named. */
#include <stdio.h>
#include <string.h>

#include "faults/link.h"
#include "harness/net/interface.h"
#include "harness/net/netlink.h"
#include "harness/net/sock_destroy.h"

#include <linux/netlink.h>

const char *const link_cut_means_names[] = {"auto", "blackhole", "netem", "down", "address", NULL};

static void told(struct fault_run *run, const struct link_end *end, const char *direction, const char *by)
{
	fault_tell(run, "hit", end->node, 0, "direction=%s by=%s", direction, by);
}

static int shape_ends(struct steps *s, struct fault_run *run, enum link_direction d, bool cut, struct err *e)
{
	struct links l;
	int r = links_find(run->site, d, &l, e);
	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < l.n; i++) {
		r = step_shape(s, run, &l.ends[i], cut, e);
		if (r == 0)
			told(run, &l.ends[i], link_end_direction(&l.ends[i]), cut ? "blackhole" : "netem");
	}
	links_fini(&l);
	return r;
}

enum at_node { DROP_ARRIVING, REJECT_BOTH, REJECT_ARRIVING, REJECT_LEAVING, TAKE_ADDRESSES, SET_DOWN };

static int do_at(struct steps *s, struct fault_run *run, const struct link_end *end, enum at_node what, struct err *e)
{
	const struct interface_saved *had;
	switch (what) {
	case DROP_ARRIVING:
		return step_drop(s, run, end, e);
	case TAKE_ADDRESSES:
		return step_addresses_take(s, run, end, &had, e);
	case SET_DOWN:
		return step_down(s, run, end, e);
	default:
		return step_reject(s, run, end, what != REJECT_LEAVING, what != REJECT_ARRIVING, e);
	}
}

/* At the node's own interface, or, with `hub`, at the port towards it. */
static int at_ends(struct steps *s, struct fault_run *run, enum at_node what, bool hub, struct err *e)
{
	static const struct {
		const char *direction, *by;
	} words[] = {
		[DROP_ARRIVING] = {"to", "wall"}, [REJECT_BOTH] = {"both", "reject"}, [REJECT_ARRIVING] = {"to", "reject"},
		[REJECT_LEAVING] = {"from", "reject"}, [TAKE_ADDRESSES] = {"both", "address"}, [SET_DOWN] = {"both", "down"},
	};
	struct links l;
	int r = links_find(run->site, hub ? LINK_TO : LINK_FROM, &l, e);
	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < l.n; i++) {
		r = do_at(s, run, &l.ends[i], what, e);
		if (r == 0)
			told(run, &l.ends[i], words[what].direction, words[what].by);
	}
	links_fini(&l);
	return r;
}

static int drop(struct steps *s, struct fault_run *run, const struct link_cut *cut, struct err *e)
{
	bool plain = run->site->interface != NULL;
	if (plain && cut->to && cut->means == LINK_CUT_AUTO && link_can(LINK_NEED_WALL, e) < 0)
		return cut->from ? at_ends(s, run, SET_DOWN, false, e) : -ENOTSUP;
	int r = cut->from ? shape_ends(s, run, LINK_FROM, true, e) : 0;
	if (r == 0 && cut->to)
		r = plain && cut->means == LINK_CUT_AUTO ? at_ends(s, run, DROP_ARRIVING, false, e)
							 : shape_ends(s, run, LINK_TO, true, e);
	return r;
}

static int by_netem(struct steps *s, struct fault_run *run, const struct link_cut *cut, struct err *e)
{
	int r = cut->to ? shape_ends(s, run, LINK_TO, false, e) : 0;
	return r == 0 && cut->from ? shape_ends(s, run, LINK_FROM, false, e) : r;
}

static int by_means(struct steps *s, struct fault_run *run, const struct link_cut *cut, struct err *e)
{
	bool both = cut->to && cut->from;
	if (cut->reject && cut->means != LINK_CUT_AUTO)
		return err_set(e, EINVAL, "by=%s drops, it cannot reject: leave it out", link_cut_means_names[cut->means]);
	if (cut->reject)
		return at_ends(s, run, both ? REJECT_BOTH : cut->to ? REJECT_ARRIVING : REJECT_LEAVING, false, e);
	if (!both && (cut->means == LINK_CUT_DOWN || cut->means == LINK_CUT_ADDRESS))
		return err_set(e, EINVAL, "by=%s cuts both directions, not one", link_cut_means_names[cut->means]);
	switch (cut->means) {
	case LINK_CUT_NETEM:
		return by_netem(s, run, cut, e);
	case LINK_CUT_DOWN:
		/* The port at the hub, where there is one: the node sees its cable pulled and keeps all it has. */
		return at_ends(s, run, SET_DOWN, run->site->interface == NULL, e);
	case LINK_CUT_ADDRESS:
		return at_ends(s, run, TAKE_ADDRESSES, false, e);
	default:
		return drop(s, run, cut, e);
	}
}

int link_cut(struct steps *s, struct fault_run *run, const struct link_cut *cut, struct err *e)
{
	int r = by_means(s, run, cut, e);
	if (r < 0)
		steps_undo(s);
	return r;
}

void link_cut_probe(const struct fault_site *site, struct fault_probe *ret)
{
	struct err e;
	(void)site;
	link_probe(0, "what is sent by a blackhole qdisc, what arrives at a plain interface by nf_tables", ret);
	if (ret->means == FAULT_MISSING || link_can(LINK_NEED_WALL | LINK_NEED_REJECT, &e) == 0)
		return;
	ret->means = FAULT_EMULATED;
	snprintf(ret->why, sizeof(ret->why), "a plain interface is set down, and nothing can be rejected: %.400s", e.text);
}

int link_kill(const struct link_end *end, const struct sock_match *more, struct err *e)
{
	struct netlink *nl CLEANUP(cleanup_netlink) = NULL;
	struct interface_address addresses[INTERFACE_ADDRESSES_MAX];
	struct interface i;
	int killed = 0;
	int n = netlink_open(&end->netns, NETLINK_ROUTE, &nl, e);
	if (n == 0)
		n = interface_get(nl, end->interface, &i, e);
	if (n == 0)
		n = interface_addresses(nl, i.index, addresses, e);
	for (int k = 0; k < n; k++) {
		struct sock_match m = more ? *more : (struct sock_match){0};
		char text[INTERFACE_ADDRESS_TEXT];
		interface_address_text(&addresses[k], text);
		text[strcspn(text, "/")] = 0;
		m.has_local = true;
		int r = sock_match_address(text, m.local, e);
		if (r == 0)
			r = sock_destroy(&end->netns, &m, e);
		if (r < 0)
			return r;
		killed += r;
	}
	return n < 0 ? n : killed;
}
