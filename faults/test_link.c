/*
 * Link faults as an ordinary TCP connection feels them: cut in one direction or both by every means, and healed; the
 * address changed under it; its peer gone; itself killed. Silence is proven by the sender's own retransmissions.
 */
#include <arpa/inet.h>
#include <net/route.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "faults/test_link_rig.h"
#include "harness/net/netlink.h"

enum { PLAIN = 1, NOTICED = 2, V6 = 4 };

static const struct {
	const char *options;
	bool to, from;             /* cut: what the client receives, what it sends */
	unsigned flags;            /* PLAIN: by interface; NOTICED: the client's own kernel does not even send */
} cuts[] = {
	{"", true, true, 0},
	{"", true, true, V6},
	{"direction=to", true, false, 0},
	{"direction=from", false, true, 0},
	{"by=blackhole", true, true, 0},
	{"", true, true, PLAIN},
	{"", true, true, PLAIN | V6},
	{"direction=to", true, false, PLAIN},
	{"direction=from", false, true, PLAIN},
	{"by=down", true, true, 0},
	{"by=down", true, true, PLAIN | NOTICED},
	{"by=down", true, true, PLAIN | NOTICED | V6},
	{"by=address", true, true, NOTICED},
	{"by=address", true, true, NOTICED | V6},
};

static void cut_and_heal(const char *options, bool to, bool from, unsigned flags)
{
	struct link_rig rig;
	link_rig_open(&rig, flags & V6 ? AF_INET6 : AF_INET);
	if (flags & PLAIN)
		link_rig_plain(&rig);
	struct fault_run *run = link_rig_must(&rig, "partition", options);
	if (from)
		space_send(rig.client, "up ");
	if (to)
		link_rig_assert_cut(rig.server, rig.client, "down ");
	if (from && !(flags & NOTICED))
		space_wait_retransmits(rig.client, 2);
	if (from) {
		link_rig_assert_silent(rig.server);
	} else {
		space_send(rig.client, "up ");
		space_expect(rig.server, "up ");
	}
	if (!to) {
		space_send(rig.server, "down ");
		space_expect(rig.client, "down ");
	}
	fault_stop(run);
	space_send(rig.client, "later");
	space_send(rig.server, "later");
	space_expect(rig.server, from ? "up later" : "later");
	space_expect(rig.client, to ? "down later" : "later");
	link_rig_close(&rig);
}

static void test_cuts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
		print_message("partition %s%s%s\n", cuts[i].options, cuts[i].flags & PLAIN ? ", plain" : "",
			      cuts[i].flags & V6 ? ", IPv6" : "");
		cut_and_heal(cuts[i].options, cuts[i].to, cuts[i].from, cuts[i].flags);
	}
}

static void test_cut_by_netem(void **state)
{
	(void)state;
	struct err e;
	space_enter();
	if (link_can(LINK_NEED_NETEM, &e) < 0)
		space_skip(e.text);
	cut_and_heal("by=netem", true, true, 0);
	cut_and_heal("by=netem direction=to", true, false, 0);
	cut_and_heal("by=netem direction=from", false, true, 0);
	cut_and_heal("by=netem direction=from", false, true, PLAIN);
}

/* Who sends into a rejecting partition is answered; who does not, lives on. */
static void test_reject(void **state)
{
	(void)state;
	static const struct {
		const char *options;
		bool to, from;
	} rows[] = {
		{"style=reject", true, true},
		{"style=reject direction=to", true, false},
		{"style=reject direction=from", false, true},
	};
	for (size_t i = 0; i < 2 * ARRAY_LEN(rows); i++) {
		struct link_rig rig;
		struct err e;
		link_rig_open(&rig, AF_INET);
		if (link_can(LINK_NEED_REJECT, &e) < 0) {
			link_rig_close(&rig);
			space_skip(e.text);
		}
		if (i % 2)
			link_rig_plain(&rig);
		struct fault_run *run = link_rig_must(&rig, "partition", rows[i / 2].options);
		if (rows[i / 2].to) {
			space_send(rig.server, "down");
			link_rig_assert_error(rig.server, ECONNRESET);
		}
		if (rows[i / 2].from) {
			assert_int_equal(space_connect(&rig.client_node->netns, &rig.address), -ECONNREFUSED);
			space_send(rig.client, "up");
			link_rig_assert_error(rig.client, ECONNRESET);
		}
		fault_stop(run);
		int again = space_connect(&rig.client_node->netns, &rig.address);
		assert_true(again >= 0);
		close(again);
		link_rig_close(&rig);
	}
}

static const struct {
	const char *fault, *options, *says;
	bool plain;
} refusals[] = {
	{"partition", "by=down direction=to", "by=down cuts both directions, not one"},
	{"partition", "by=address direction=from", "by=address cuts both directions, not one"},
	{"partition", "by=blackhole style=reject", "by=blackhole drops, it cannot reject"},
	{"partition", "by=blackhole direction=to", "what the interface eth0 receives cannot be shaped", true},
	{"half_open", "after_octets=5B", "after_octets works on the plane stream alone"},
	{"link_down", "how=carrier", "how=carrier needs a topology", true},
	{"handover", "", "needs the new address", true},
};

static void test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		struct link_rig rig;
		struct err e;
		link_rig_open(&rig, AF_INET);
		if (refusals[i].plain)
			link_rig_plain(&rig);
		if (link_rig_start(&rig, refusals[i].fault, refusals[i].options, &e))
			fail_msg("%s %s was taken", refusals[i].fault, refusals[i].options);
		if (!strstr(e.text, refusals[i].says))
			fail_msg("'%s' does not say '%s'", e.text, refusals[i].says);
		link_rig_assert_as_before(&rig);
		rig.site.link_node = "nobody";
		rig.site.topology = rig.topology;
		rig.site.interface = NULL;
		assert_null(link_rig_start(&rig, "link_down", "", &e));
		assert_string_equal(e.text, "the topology has no node 'nobody'");
		rig.site.interface = "eth9";
		assert_null(link_rig_start(&rig, "partition", "", &e));
		assert_string_equal(e.text, "there is no interface 'eth9'");
		rig.site.interface = NULL;
		rig.site.topology = NULL;
		assert_null(link_rig_start(&rig, "partition", "", &e));
		assert_non_null(strstr(e.text, "no link is given"));
		link_rig_close(&rig);
	}
}

/* Somebody else's qdisc that could not be put back is left alone. */
static void test_foreign_qdisc(void **state)
{
	(void)state;
	struct link_rig rig;
	struct err e;
	struct interface i;
	link_rig_open(&rig, AF_INET);
	struct netlink *nl = link_rig_netlink(&rig, false);
	assert_int_equal(interface_get(nl, "eth0", &i, &e), 0);
	assert_int_equal(qdisc_blackhole(nl, i.index, 0x70000, &e), 0);
	assert_null(link_rig_start(&rig, "partition", "", &e));
	assert_non_null(strstr(e.text, "the interface eth0 has a root qdisc of its own already (blackhole 7:)"));
	assert_int_equal(qdisc_delete(nl, i.index, 0x70000, &e), 0);
	netlink_close(nl);
	link_rig_close(&rig);
}

/* Two partitions of one direction at once: the first heal does not heal. */
static void test_overlap(void **state)
{
	(void)state;
	struct link_rig rig;
	link_rig_open(&rig, AF_INET);
	struct fault_run *one = link_rig_must(&rig, "partition", "direction=from");
	struct fault_run *two = link_rig_must(&rig, "partition", "");
	fault_stop(one);
	link_rig_assert_cut(rig.client, rig.server, "up");
	fault_stop(two);
	space_expect(rig.server, "up");
	link_rig_close(&rig);
}

/* The other node's link is another one. */
static void test_only_that_node(void **state)
{
	(void)state;
	static const char *const three[] = {"a", "b", "c", NULL};
	struct link_rig rig;
	struct err e;
	struct sockaddr_storage address;
	struct topology *t;
	link_rig_open(&rig, AF_INET);
	const struct topology_options o = {.nodes = three};
	assert_int_equal(topology_new(&o, &t, &e), 0);
	rig.site.topology = t;
	rig.site.link_node = "a";
	struct fault_run *run = link_rig_must(&rig, "partition", "");
	topology_address(topology_find(t, "b"), AF_INET, 0, &address);
	int listener = space_listen(&topology_find(t, "b")->netns, &address);
	int c = space_connect(&topology_find(t, "c")->netns, &address);
	assert_true(c >= 0);
	space_send(rig.client, "another topology");
	space_expect(rig.server, "another topology");
	fault_stop(run);
	int a = space_connect(&topology_find(t, "a")->netns, &address);
	assert_true(a >= 0);
	close(a);
	close(c);
	close(listener);
	topology_free(t);
	rig.site.topology = rig.topology;
	link_rig_close(&rig);
}

static void peer_of(int fd, struct sockaddr_storage *ret_address)
{
	socklen_t len = sizeof(*ret_address);
	memset(ret_address, 0, sizeof(*ret_address));
	assert_int_equal(getpeername(fd, (struct sockaddr *)ret_address, &len), 0);
}

static bool same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	return a->ss_family == AF_INET
		? memcmp(&((const struct sockaddr_in *)a)->sin_addr, &((const struct sockaddr_in *)b)->sin_addr, 4) == 0
		: memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr, &((const struct sockaddr_in6 *)b)->sin6_addr, 16) == 0;
}

static void test_handover(void **state)
{
	(void)state;
	static const struct {
		int family;
		const char *options, *wait;
	} rows[] = {{AF_INET, "", "address="}, {AF_INET6, "", "address="}, {AF_INET, "gap=30ms", "address=10."}};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct link_rig rig;
		struct sockaddr_storage old, new;
		link_rig_open(&rig, rows[i].family);
		struct fault_run *run = link_rig_must(&rig, "handover", rows[i].options);
		link_rig_wait(&rig, rows[i].wait);
		/* The old connection: neither side hears anything any more, and nobody is told. */
		space_send(rig.client, "up ");
		link_rig_assert_cut(rig.server, rig.client, "down ");
		link_rig_assert_silent(rig.server);
		/* A new one comes from elsewhere. */
		int client = space_connect(&rig.client_node->netns, &rig.address), server = space_accept(rig.listener);
		assert_true(client >= 0);
		peer_of(rig.server, &old);
		peer_of(server, &new);
		assert_false(same_host(&old, &new));
		space_send(client, "new");
		space_expect(server, "new");
		fault_stop(run);
		/* It did not die: it was unreachable. */
		space_expect(rig.server, "up ");
		space_expect(rig.client, "down ");
		close(client);
		close(server);
		link_rig_close(&rig);
	}
}

static void test_sock_destroy(void **state)
{
	(void)state;
	static const struct {
		const char *options;
		bool plain, kills;
	} rows[] = {{"", false, true}, {"", true, true}, {"share=0%", false, false}, {"remote=10.9.9.9", false, false},
		    {"local_port=1", false, false}, {"every=10ms", false, true}};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct link_rig rig;
		link_rig_open(&rig, AF_INET);
		if (rows[i].plain)
			link_rig_plain(&rig);
		struct fault_run *run = link_rig_must(&rig, "sock_destroy", rows[i].options);
		assert_non_null(strstr(buf_cstr(&rig.events), rows[i].kills ? "connections=1\n" : "connections=0\n"));
		if (rows[i].kills) {
			link_rig_assert_error(rig.client, ECONNABORTED);
			link_rig_assert_error(rig.server, ECONNRESET);
		} else {
			space_send(rig.client, "alive");
			space_expect(rig.server, "alive");
		}
		if (strstr(rows[i].options, "every")) {
			int client = space_connect(&rig.client_node->netns, &rig.address);
			assert_true(client >= 0);
			link_rig_wait(&rig, "connections=1\nsock_destroy kill client connections=1\n");
			link_rig_assert_error(client, ECONNABORTED);
			close(client);
		}
		fault_stop(run);
		link_rig_close(&rig);
	}
}

/* The client is gone: its own program knows, the server does not until it asks a client that has started anew. */
static void test_half_open(void **state)
{
	(void)state;
	static const struct {
		const char *options;
		unsigned flags;
	} rows[] = {{"", 0}, {"", V6}, {"", PLAIN}, {"after=20ms", 0}};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct link_rig rig;
		link_rig_open(&rig, rows[i].flags & V6 ? AF_INET6 : AF_INET);
		if (rows[i].flags & PLAIN)
			link_rig_plain(&rig);
		struct fault_run *run = link_rig_must(&rig, "half_open", rows[i].options);
		link_rig_wait(&rig, "kill");
		assert_non_null(strstr(buf_cstr(&rig.events), "connections=1"));
		link_rig_assert_error(rig.client, ECONNABORTED);
		space_send(rig.server, "hello?");
		space_wait_retransmits(rig.server, 2);
		link_rig_assert_silent(rig.server);
		fault_stop(run);
		link_rig_assert_error(rig.server, ECONNRESET);
		link_rig_close(&rig);
	}
}

/* A route of the administrator's, through the server. */
static void add_default_route(struct link_rig *rig)
{
	int fd = netns_socket(&rig->client_node->netns, AF_INET, SOCK_DGRAM, 0);
	struct rtentry route = {.rt_flags = RTF_UP | RTF_GATEWAY};
	struct sockaddr_in any = {.sin_family = AF_INET};
	struct sockaddr_in gateway = {.sin_family = AF_INET, .sin_addr = rig->server_node->address4};
	memcpy(&route.rt_dst, &any, sizeof(any));
	memcpy(&route.rt_genmask, &any, sizeof(any));
	memcpy(&route.rt_gateway, &gateway, sizeof(gateway));
	assert_int_equal(ioctl(fd, SIOCADDRT, &route), 0);
	close(fd);
	struct netlink *nl = link_rig_netlink(rig, false);
	interface_saved_fini(&rig->had);
	assert_int_equal(interface_save(nl, "eth0", &rig->had, NULL), 0);
	assert_int_equal(rig->had.n_routes, 1);
	netlink_close(nl);
}

static struct interface client_interface(struct link_rig *rig)
{
	struct interface i;
	struct netlink *nl = link_rig_netlink(rig, false);
	assert_int_equal(interface_get(nl, "eth0", &i, NULL), 0);
	netlink_close(nl);
	return i;
}

static void test_link_down(void **state)
{
	(void)state;
	static const struct {
		const char *options;
		bool plain, admin;
	} rows[] = {{"", false, false}, {"how=carrier", false, false}, {"how=admin", false, true}, {"", true, true}};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct link_rig rig;
		link_rig_open(&rig, AF_INET6);
		add_default_route(&rig);
		if (rows[i].plain)
			link_rig_plain(&rig);
		struct fault_run *run = link_rig_must(&rig, "link_down", rows[i].options);
		struct interface now = client_interface(&rig);
		assert_false(now.carrier);
		assert_int_equal(!(now.flags & IFF_UP), rows[i].admin);
		link_rig_assert_cut(rig.server, rig.client, "down");
		fault_stop(run);
		space_expect(rig.client, "down");
		link_rig_close(&rig); /* with addresses and routes */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_cut_by_netem),
		cmocka_unit_test(test_reject),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_foreign_qdisc),
		cmocka_unit_test(test_overlap),
		cmocka_unit_test(test_only_that_node),
		cmocka_unit_test(test_handover),
		cmocka_unit_test(test_sock_destroy),
		cmocka_unit_test(test_half_open),
		cmocka_unit_test(test_link_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
