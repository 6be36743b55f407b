/* Walls and killed connections between two namespaces, seen by ordinary TCP on both sides. */
#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "harness/net/interface.h"
#include "harness/net/netlink.h"
#include "harness/net/qdisc.h"
#include "harness/net/sock_destroy.h"
#include "harness/net/test_space.h"
#include "harness/net/topology.h"
#include "harness/net/wall.h"

static const char *const nodes[] = {"client", "server", NULL};

struct pair {
	struct topology *t;
	const struct netns *client_ns, *server_ns;
	struct sockaddr_storage address;
	int listener, client, server;
};

static void pair_open(struct pair *p, int family)
{
	struct err e;
	const struct topology_options o = {.nodes = nodes};
	space_enter();
	if (topology_new(&o, &p->t, &e) < 0)
		space_skip(e.text);
	p->client_ns = &topology_find(p->t, "client")->netns;
	p->server_ns = &topology_find(p->t, "server")->netns;
	topology_address(topology_find(p->t, "server"), family, 0, &p->address);
	p->listener = space_listen(p->server_ns, &p->address);
	p->client = space_connect(p->client_ns, &p->address);
	p->server = space_accept(p->listener);
	space_send(p->client, "before");
	space_expect(p->server, "before");
	space_send(p->server, "answer");
	space_expect(p->client, "answer");
	space_wait_acked(p->client);
	space_wait_acked(p->server);
}

static void pair_close(struct pair *p)
{
	close(p->client);
	close(p->server);
	close(p->listener);
	topology_free(p->t);
}

/* Builds it on the client's eth0, or skips without nf_tables. */
static struct netlink *build(struct pair *p, const struct wall *w)
{
	struct netlink *nl = NULL;
	struct err e;
	assert_int_equal(netlink_open(p->client_ns, NETLINK_NETFILTER, &nl, &e), 0);
	int r = wall_build(nl, w, &e);
	if (r < 0) {
		netlink_close(nl);
		pair_close(p);
		space_skip(e.text);
	}
	return nl;
}

/* What is sent towards a wall is sent again and again; its absence is known by that, not by a pause. */
static void assert_cut(int from, int to, const char *text)
{
	struct pollfd nothing = {.fd = to, .events = POLLIN};
	space_send(from, text);
	space_wait_retransmits(from, 2);
	assert_int_equal(poll(&nothing, 1, 0), 0);
}

/* What is sent towards a blackhole or a wall is gone; when it is healed TCP sends it again, and all of it arrives. */
static void test_drop(void **state)
{
	(void)state;
	static const int families[] = {AF_INET, AF_INET6};
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		struct pair p;
		struct err e;
		const struct wall w = {.name = "wsq-test", .interface = "eth0", .in = true};
		pair_open(&p, families[i]);
		struct netlink *nl = build(&p, &w);
		assert_int_equal(wall_build(nl, &w, &e), -EEXIST);
		assert_cut(p.server, p.client, "down");
		/* The other way data arrives, though its acknowledgements do not. */
		space_send(p.client, "up");
		space_expect(p.server, "up");
		assert_int_equal(wall_remove(nl, "wsq-test", &e), 0);
		assert_int_equal(wall_remove(nl, "wsq-test", &e), 0);
		space_expect(p.client, "down");
		space_send(p.server, "after");
		space_expect(p.client, "after");
		netlink_close(nl);
		pair_close(&p);
	}
}

static void test_blackhole(void **state)
{
	(void)state;
	struct pair p;
	struct err e;
	struct netlink *nl;
	struct interface i;
	struct qdisc before, after;
	const uint32_t ours = 0x47120000;
	pair_open(&p, AF_INET);
	assert_int_equal(netlink_open(p.client_ns, NETLINK_ROUTE, &nl, &e), 0);
	assert_int_equal(interface_get(nl, "eth0", &i, &e), 0);
	assert_int_equal(qdisc_root(nl, i.index, &before, &e), 0);
	assert_int_equal(qdisc_blackhole(nl, i.index, QDISC_SECOND(ours), &e), 0);
	assert_cut(p.client, p.server, "up");
	space_send(p.server, "down");
	space_expect(p.client, "down");
	assert_int_equal(qdisc_restore(nl, i.index, ours + 0x20000, &before, &e), 0); /* not that one */
	assert_int_equal(qdisc_root(nl, i.index, &after, &e), 0);
	assert_string_equal(after.kind, "blackhole");
	assert_int_equal(qdisc_restore(nl, i.index, ours, &before, &e), 0);
	space_expect(p.server, "up");
	assert_int_equal(qdisc_root(nl, i.index, &after, &e), 0);
	assert_string_equal(after.kind, before.kind);
	assert_int_equal(after.handle, before.handle);
	netlink_close(nl);
	pair_close(&p);
}

/* A root that an administrator set: the simple ones come back with all that they were, also by the guard's words. */
static void test_restore(void **state)
{
	(void)state;
	struct pair p;
	struct err e;
	struct netlink *nl;
	struct interface i;
	struct qdisc before, after;
	const uint32_t ours = 0x47120000, limit = 7;
	pair_open(&p, AF_INET);
	assert_int_equal(netlink_open(p.client_ns, NETLINK_ROUTE, &nl, &e), 0);
	assert_int_equal(interface_get(nl, "eth0", &i, &e), 0);
	struct nl_msg *m = qdisc_request(i.index, 0x50000, "pfifo");
	assert_int_equal(nla_put(m, TCA_OPTIONS, sizeof(limit), &limit), 0);
	assert_int_equal(netlink_call(nl, m, &e, "cannot"), 0);
	nlmsg_free(m);
	assert_int_equal(qdisc_root(nl, i.index, &before, &e), 0);
	assert_int_equal(qdisc_restorable(&before, "eth0", &e), 0);
	assert_int_equal(before.options_len, sizeof(limit));
	assert_int_equal(qdisc_blackhole(nl, i.index, ours, &e), 0);
	assert_int_equal(qdisc_restore(nl, i.index, ours, &before, &e), 0);
	assert_int_equal(qdisc_root(nl, i.index, &after, &e), 0);
	assert_memory_equal(&after, &before, sizeof(before));
	assert_int_equal(qdisc_blackhole(nl, i.index, ours, &e), 0);

	char path[64], index[16], hex[] = "07000000";
	char interface[] = "eth0", mine[] = "47120000", kind[] = "pfifo", handle[] = "50000";
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), p.client_ns->fd);
	snprintf(index, sizeof(index), "%u", i.index + 1);
	char *const words[] = {path, interface, index, mine, kind, handle, hex, NULL};
	assert_int_equal(undo_qdisc.undo(words), 0); /* another interface of that name */
	assert_int_equal(qdisc_root(nl, i.index, &after, &e), 0);
	assert_string_equal(after.kind, "blackhole");
	snprintf(index, sizeof(index), "%u", i.index);
	assert_int_equal(undo_qdisc.undo(words), 0);
	assert_int_equal(undo_qdisc.undo(words), 0);
	assert_int_equal(qdisc_root(nl, i.index, &after, &e), 0);
	assert_memory_equal(&after, &before, sizeof(before));
	const struct qdisc tree = {.kind = "htb", .handle = 0x10000};
	assert_int_equal(qdisc_restorable(&tree, "eth0", &e), -EBUSY);
	assert_non_null(strstr(e.text, "the interface eth0 has a root qdisc of its own already (htb 1:)"));
	netlink_close(nl);
	pair_close(&p);
}

static void assert_reset(int fd)
{
	char octet;
	assert_int_equal(recv(fd, &octet, 1, 0), -1);
	assert_int_equal(errno, ECONNRESET);
}

/* Whatever wants to cross is answered by a RST, to its sender. */
static void test_reject(void **state)
{
	(void)state;
	struct pair p;
	struct err e;
	const struct wall w = {.name = "wsq-test", .interface = "eth0", .in = true, .style = WALL_REJECT};
	pair_open(&p, AF_INET);
	struct netlink *nl = build(&p, &w);
	space_send(p.server, "down");
	assert_reset(p.server);
	assert_int_equal(wall_remove(nl, "wsq-test", &e), 0);
	netlink_close(nl);
	pair_close(&p);

	const struct wall out = {.name = "wsq-test", .interface = "eth0", .out = true, .style = WALL_REJECT};
	pair_open(&p, AF_INET);
	nl = build(&p, &out);
	space_send(p.client, "up");
	assert_reset(p.client);
	assert_int_equal(space_connect(p.client_ns, &p.address), -ECONNREFUSED);
	assert_int_equal(wall_remove(nl, "wsq-test", &e), 0);
	int again = space_connect(p.client_ns, &p.address);
	assert_true(again >= 0);
	close(again);
	netlink_close(nl);
	pair_close(&p);
}

/* A damaged journal never takes foreign rules down. */
static void test_wall_undo(void **state)
{
	(void)state;
	struct pair p;
	const struct wall w = {.name = "wsq-test", .interface = "eth0", .in = true};
	pair_open(&p, AF_INET);
	struct netlink *nl = build(&p, &w);
	char ns[] = "-", foreign[] = "filter";
	char *const words[] = {ns, foreign, NULL};
	assert_int_equal(undo_wall.undo(words), -EINVAL);
	char path[64], name[] = "wsq-test";
	char *const own[] = {path, name, NULL};
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), p.client_ns->fd);
	space_send(p.server, "down");
	assert_int_equal(undo_wall.undo(own), 0);
	assert_int_equal(undo_wall.undo(own), 0);
	space_expect(p.client, "down");
	netlink_close(nl);
	pair_close(&p);
}

static const struct {
	const char *side; /* whose socket is killed */
	int family;
	const char *local, *remote;
	bool local_port, port, nobody;
} kills[] = {
	{"client", AF_INET}, {"server", AF_INET}, {"client", AF_INET6},
	{"client", AF_INET, .remote = "server"}, {"server", AF_INET, .local_port = true}, {"client", AF_INET, .port = true},
	{"client", AF_INET, .remote = "client", .nobody = true}, {"client", AF_INET, .local_port = true, .nobody = true},
};

static bool never(void *owner)
{
	(*(int *)owner)++;
	return false;
}

static void test_kill(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kills); i++) {
		struct pair p;
		struct err e = {""};
		char octet;
		int asked = 0;
		pair_open(&p, kills[i].family);
		bool client = strcmp(kills[i].side, "client") == 0;
		const struct netns *ns = client ? p.client_ns : p.server_ns;
		int own = client ? p.client : p.server, other = client ? p.server : p.client;
		uint16_t port = ntohs(((struct sockaddr_in *)&p.address)->sin_port);
		struct sock_match m = {.family = kills[i].family, .has_remote = kills[i].remote != NULL,
				       .local_port = kills[i].local_port ? port : 0, .port = kills[i].port ? port : 0};
		if (m.has_remote) {
			char text[INET_ADDRSTRLEN];
			inet_ntop(AF_INET, &topology_find(p.t, kills[i].remote)->address4, text, sizeof(text));
			assert_int_equal(sock_match_address(text, m.remote, &e), 0);
		}
		m.chosen = never;
		m.owner = &asked;
		assert_int_equal(sock_destroy(ns, &m, &e), 0);
		assert_int_equal(asked, kills[i].nobody ? 0 : 1);
		assert_int_equal(sock_count(ns, &m, &e), asked);
		m.chosen = NULL;
		int r = sock_destroy(ns, &m, &e);
		if (r == -EOPNOTSUPP) {
			pair_close(&p);
			space_skip(e.text);
		}
		assert_int_equal(r, kills[i].nobody ? 0 : 1);
		if (kills[i].nobody) {
			space_send(p.client, "alive");
			space_expect(p.server, "alive");
		} else {
			assert_int_equal(recv(own, &octet, 1, 0), -1);
			assert_int_equal(errno, ECONNABORTED);
			assert_reset(other);
			assert_int_equal(sock_count(ns, &m, &e), 0);
		}
		pair_close(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_blackhole),
		cmocka_unit_test(test_restore),
		cmocka_unit_test(test_reject),
		cmocka_unit_test(test_wall_undo),
		cmocka_unit_test(test_kill),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
