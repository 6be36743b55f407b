/* Probing by trying, in a namespace of its own that goes at once: what a kernel was built with is not written anywhere.
 */
#include <linux/netlink.h>
#include <stdio.h>

#include "faults/link.h"
#include "harness/net/ingress.h"
#include "harness/net/interface.h"
#include "harness/net/netlink.h"
#include "harness/net/qdisc.h"
#include "harness/net/sock_destroy.h"
#include "harness/net/wall.h"

enum { TRY_HANDLE = 0x20000 };

struct space {
	struct netns ns;
	struct netlink *route, *filter;
};

static int try_netem(struct space *s, struct err *e)
{
	const struct netem n = {.delay_ns = 1000000};
	struct interface lo;
	int r = interface_get(s->route, "lo", &lo, e);
	return r < 0 ? r : netem_set(s->route, lo.index, TRY_HANDLE, &n, e);
}

static int wall(struct space *s, const struct wall *w, struct err *e)
{
	int r = wall_build(s->filter, w, e);
	return r == 0 ? 0
		      : err_set(e, ENOTSUP,
				"this kernel has no nf_tables for it: load it with `modprobe nf_tables`, or use one "
				"with CONFIG_NF_TABLES_NETDEV and CONFIG_NFT_REJECT_INET");
}

static int try_wall(struct space *s, struct err *e)
{
	return wall(s, &(struct wall){.name = "wsq-try", .interface = "lo", .in = true, .style = WALL_DROP}, e);
}

static int try_reject(struct space *s, struct err *e)
{
	return wall(
		s,
		&(struct wall){.name = "wsq-try-2", .interface = "lo", .in = true, .out = true, .style = WALL_REJECT},
		e);
}

static int try_veth(struct space *s, struct err *e)
{
	int r = interface_add_veth(s->route, "try0", NULL, "try1", NULL);
	if (r == 0)
		r = interface_add(s->route, "try2", "bridge", NULL);
	return r == 0 ? 0 : err_set(e, ENOTSUP, "this kernel has no veth pairs or bridges: `modprobe veth bridge`");
}

static int try_ifb(struct space *s, struct err *e)
{
	struct interface lo, ifb;
	struct err why;
	int r = interface_add(s->route, "try3", "ifb", &why);
	if (r == 0)
		r = interface_get(s->route, "try3", &ifb, &why);
	if (r == 0)
		r = interface_get(s->route, "lo", &lo, &why);
	if (r == 0)
		r = ingress_lead(s->route, lo.index, ifb.index, TRY_HANDLE >> 16, &why);
	return r == 0 ? 0
		      : err_set(e, ENOTSUP,
				"this kernel shapes only what an interface sends (%.200s): `modprobe -a ifb sch_ingress cls_u32 "
				"act_mirred` for what it receives, or choose the interface at the other end of the link", why.text);
}

static int try_destroy(struct space *s, struct err *e)
{
	return sock_destroy_possible(&s->ns, e);
}

static const struct {
	unsigned need;
	int (*try_it)(struct space *s, struct err *e);
} tries[] = {
	{LINK_NEED_NETEM, try_netem}, {LINK_NEED_WALL, try_wall}, {LINK_NEED_REJECT, try_reject}, {LINK_NEED_VETH, try_veth},
	{LINK_NEED_DESTROY, try_destroy}, {LINK_NEED_IFB, try_ifb},
};

static struct {
	bool tried;
	int result;
	struct err why;
} answers[ARRAY_LEN(tries)];

static int space_open(struct space *s, struct err *e)
{
	int r = netns_new(NULL, &s->ns, e);
	if (r == 0)
		r = netlink_open(&s->ns, NETLINK_ROUTE, &s->route, e);
	return r < 0 ? r : netlink_open(&s->ns, NETLINK_NETFILTER, &s->filter, e);
}

/* The first time that one is asked for, for it may load a module; what a kernel can does not change under us. */
static void answer(size_t i)
{
	struct space s = {.ns = {.fd = -1}};
	int r = space_open(&s, &answers[i].why);
	answers[i].result = r < 0 ? r : tries[i].try_it(&s, &answers[i].why);
	answers[i].tried = true;
	netlink_close(s.route);
	netlink_close(s.filter);
	netns_close(&s.ns);
}

/* Who may change links, but make no namespace (a container with CAP_NET_ADMIN alone), cannot try beforehand. */
static bool is_untried(void)
{
	return netns_allowed(NULL) < 0 && netns_links_allowed(NULL) == 0;
}

int link_can(unsigned needs, struct err *e)
{
	struct err why;
	if (is_untried())
		return 0;
	if (netns_allowed(&why) < 0)
		return err_set(e, ENOTSUP, "%s", why.text);
	for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
		if (!(needs & tries[i].need))
			continue;
		if (!answers[i].tried)
			answer(i);
		if (answers[i].result < 0)
			return err_set(e, ENOTSUP, "%s", answers[i].why.text);
	}
	return 0;
}

void link_probe(unsigned needs, const char *driven, struct fault_probe *ret)
{
	struct err e;
	ret->means = link_can(needs, &e) < 0 ? FAULT_MISSING : FAULT_DRIVEN;
	snprintf(ret->why, sizeof(ret->why), "%.400s%s", ret->means == FAULT_DRIVEN ? driven : e.text,
		 is_untried() ? "; not tried beforehand, which needs CAP_SYS_ADMIN" : "");
}
