/* Two namespaces, a connection, and what the interfaces were before. */
#include "faults/test_link_rig.h"

#include <linux/netlink.h>
#include <poll.h>
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/net/ingress.h"
#include "harness/net/netlink.h"

enum { EVENTS_MAX = 1 << 16, OPTION_MAX = 256, RIG_ARENA_MAX = 1 << 16, RETRANSMIT_MS = 4 };

static const char *const nodes[] = {"client", "server", NULL};

static void on_event(void *owner, const struct fault_event *event)
{
	struct link_rig *rig = owner;
	buf_printf(&rig->events, "%s %s %s %s\n", event->fault, event->what, event->node ? event->node : "-",
		   event->detail ? event->detail : "-");
}

struct netlink *link_rig_netlink(struct link_rig *rig, bool hub)
{
	struct netlink *nl = NULL;
	assert_int_equal(
		netlink_open(hub ? topology_hub(rig->topology) : &rig->client_node->netns, NETLINK_ROUTE, &nl, NULL),
		0);
	return nl;
}

static struct qdisc root_of(struct link_rig *rig, bool hub)
{
	struct netlink *nl = link_rig_netlink(rig, hub);
	struct interface i;
	struct qdisc q;
	assert_int_equal(interface_get(nl, hub ? "client" : "eth0", &i, NULL), 0);
	assert_int_equal(qdisc_root(nl, i.index, &q, NULL), 0);
	netlink_close(nl);
	return q;
}

static struct interface_saved state_of(struct link_rig *rig)
{
	struct netlink *nl = link_rig_netlink(rig, false);
	struct interface_saved s;
	assert_int_equal(interface_save(nl, "eth0", &s, NULL), 0);
	netlink_close(nl);
	return s;
}

/*
 * To the other node TCP sends again after RETRANSMIT_MS, not the kernel's 200 ms: a test waits for retransmissions to
 * know that nobody answers, and after a heal until the next one comes.
 */
static void retransmit_soon(const struct topology_node *from, const struct topology_node *to, int family)
{
	const struct rtmsg header = {
		.rtm_family = (uint8_t)family, .rtm_dst_len = family == AF_INET ? 32 : 128, .rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_STATIC, .rtm_scope = family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
		.rtm_type = RTN_UNICAST,
	};
	struct netlink *nl = NULL;
	struct interface i;
	assert_int_equal(netlink_open(&from->netns, NETLINK_ROUTE, &nl, NULL), 0);
	assert_int_equal(interface_get(nl, TOPOLOGY_INTERFACE, &i, NULL), 0);
	struct nl_msg *m = netlink_request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header));
	int r = family == AF_INET ? nla_put(m, RTA_DST, 4, &to->address4) : nla_put(m, RTA_DST, 16, &to->address6);
	assert_int_equal(r, 0);
	assert_int_equal(nla_put_u32(m, RTA_OIF, i.index), 0);
	struct nlattr *metrics = nla_nest_start(m, RTA_METRICS);
	/* The kernel takes this one only when it is locked. */
	assert_int_equal(nla_put_u32(m, RTAX_LOCK, 1u << RTAX_RTO_MIN), 0);
	assert_int_equal(nla_put_u32(m, RTAX_RTO_MIN, RETRANSMIT_MS), 0);
	nla_nest_end(m, metrics);
	assert_int_equal(netlink_call(nl, m, NULL, "cannot add the route"), 0);
	nlmsg_free(m);
	netlink_close(nl);
}

void link_rig_open(struct link_rig *rig, int family)
{
	struct err e;
	const struct topology_options o = {.nodes = nodes};
	*rig = (struct link_rig){0};
	space_enter();
	if (topology_new(&o, &rig->topology, &e) < 0)
		space_skip(e.text);
	rig->client_node = topology_find(rig->topology, "client");
	rig->server_node = topology_find(rig->topology, "server");
	retransmit_soon(rig->client_node, rig->server_node, family);
	retransmit_soon(rig->server_node, rig->client_node, family);
	topology_address(rig->server_node, family, 0, &rig->address);
	rig->listener = space_listen(&rig->server_node->netns, &rig->address);
	rig->client = space_connect(&rig->client_node->netns, &rig->address);
	assert_true(rig->client >= 0);
	rig->server = space_accept(rig->listener);
	space_send(rig->client, "before");
	space_expect(rig->server, "before");
	space_send(rig->server, "answer");
	space_expect(rig->client, "answer");
	space_wait_acked(rig->client);
	space_wait_acked(rig->server);
	assert_int_equal(loop_init(&rig->loop), 0);
	buf_init(&rig->events, EVENTS_MAX);
	rig->site = (struct fault_site){.loop = &rig->loop, .seed = 1, .topology = rig->topology, .link_node = "client",
					.on_event = on_event, .owner = rig};
	rig->qdiscs[0] = root_of(rig, false);
	rig->qdiscs[1] = root_of(rig, true);
	rig->had = state_of(rig);
}

void link_rig_look_again(struct link_rig *rig)
{
	interface_saved_fini(&rig->had);
	rig->had = state_of(rig);
}

static int interfaces_inside(void *arg)
{
	struct if_nameindex *all = if_nameindex();
	size_t *n = arg;
	for (*n = 0; all[*n].if_index;)
		++*n;
	if_freenameindex(all);
	return 0;
}

void link_rig_assert_as_before(struct link_rig *rig)
{
	struct interface_saved now = state_of(rig);
	struct netlink *nl = link_rig_netlink(rig, false);
	size_t n = 0;
	assert_int_equal(ingress_unused(nl, now.interface.index, "eth0", NULL), 0);
	netlink_close(nl);
	assert_int_equal(netns_run(&rig->client_node->netns, interfaces_inside, &n), 0);
	assert_int_equal(n, 2); /* lo and eth0 */
	for (int hub = 0; hub < 2; hub++) {
		struct qdisc q = root_of(rig, hub);
		assert_string_equal(q.kind, rig->qdiscs[hub].kind);
		assert_int_equal(q.handle, rig->qdiscs[hub].handle);
		assert_int_equal(q.options_len, rig->qdiscs[hub].options_len);
		assert_memory_equal(q.options, rig->qdiscs[hub].options, q.options_len);
	}
	assert_int_equal(now.interface.flags, rig->had.interface.flags);
	assert_int_equal(now.n_addresses, rig->had.n_addresses);
	for (size_t i = 0; i < now.n_addresses; i++) {
		bool found = false;
		for (size_t k = 0; k < now.n_addresses; k++)
			found = found || memcmp(&now.addresses[i], &rig->had.addresses[k], sizeof(now.addresses[i])) == 0;
		assert_true(found);
	}
	assert_int_equal(now.n_routes, rig->had.n_routes);
	interface_saved_fini(&now);
}

void link_rig_close(struct link_rig *rig)
{
	link_rig_assert_as_before(rig);
	close(rig->client);
	close(rig->server);
	close(rig->listener);
	interface_saved_fini(&rig->had);
	buf_fini(&rig->events);
	loop_fini(&rig->loop);
	topology_free(rig->topology);
}

void link_rig_option(const struct fault *f, void *options, struct arena *a, const char *word)
{
	char text[OPTION_MAX];
	struct err e;
	snprintf(text, sizeof(text), "%s", word);
	char *value = strchr(text, '=');
	assert_non_null(value);
	*value++ = 0;
	const struct opt *row = opt_find(f->options, text, OPT_IN_FILE);
	if (!row || opt_set(row, options, value, a, &e) < 0)
		fail_msg("the fault %s has no '%s'", f->name, word);
}

struct fault_run *link_rig_start(struct link_rig *rig, const char *fault, const char *options, struct err *why)
{
	const struct fault *f = fault_find(fault);
	struct arena a;
	struct fault_run *run = NULL;
	char words[OPTION_MAX], *rest = words;
	assert_non_null(f);
	arena_init(&a, RIG_ARENA_MAX);
	void *filled = arena_alloc(&a, f->options_size);
	assert_non_null(filled);
	assert_int_equal(opt_defaults(f->options, filled, &a), 0);
	snprintf(words, sizeof(words), "%s", options);
	for (char *word; (word = strsep(&rest, " "));)
		if (*word)
			link_rig_option(f, filled, &a, word);
	int r = fault_start(&rig->site, f, FAULT_LINK, NULL, filled, 0, &run, why);
	arena_fini(&a);
	assert_int_equal(r == 0, run != NULL);
	return run;
}

struct fault_run *link_rig_must(struct link_rig *rig, const char *fault, const char *options)
{
	struct fault_probe probe;
	struct err e;
	fault_probe(fault_find(fault), FAULT_LINK, &rig->site, &probe);
	if (probe.means == FAULT_MISSING) {
		link_rig_close(rig);
		space_skip(probe.why);
	}
	struct fault_run *run = link_rig_start(rig, fault, options, &e);
	if (!run)
		fail_msg("%s %s: %s", fault, options, e.text);
	return run;
}

void link_rig_plain(struct link_rig *rig)
{
	static char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", rig->client_node->netns.fd);
	rig->site.topology = NULL;
	rig->site.link_node = NULL;
	rig->site.interface = "eth0";
	rig->site.netns = path;
}

struct waiting {
	struct link_rig *rig;
	struct timer timer;
	const char *what;
	int left;
};

static void look_again(void *owner)
{
	struct waiting *w = owner;
	if (strstr(buf_cstr(&w->rig->events), w->what) || --w->left == 0)
		loop_stop(&w->rig->loop);
	else
		timer_start(&w->timer, &w->rig->loop, 5, look_again, w);
}

void link_rig_wait(struct link_rig *rig, const char *what)
{
	struct waiting w = {.rig = rig, .what = what, .left = SPACE_HANG_S * 200};
	assert_int_equal(timer_start(&w.timer, &rig->loop, 0, look_again, &w), 0);
	loop_run(&rig->loop);
	timer_fini(&w.timer);
	if (w.left == 0)
		fail_msg("'%s' did not come: %s", what, buf_cstr(&rig->events));
}

void link_rig_assert_silent(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN | POLLRDHUP};
	char got[64] = "";
	if (poll(&p, 1, 0) == 0)
		return;
	ssize_t n = recv(fd, got, sizeof(got) - 1, MSG_PEEK);
	fail_msg("a connection that should be silent: poll says %#x, recv gives %zd '%s'", (unsigned)p.revents, n,
		 n < 0 ? strerror(errno) : got);
}

void link_rig_assert_cut(int from, int to, const char *text)
{
	space_send(from, text);
	space_wait_retransmits(from, 2);
	link_rig_assert_silent(to);
}

void link_rig_assert_error(int fd, int error)
{
	char octet;
	assert_int_equal(recv(fd, &octet, 1, 0), -1);
	assert_int_equal(errno, error);
}
