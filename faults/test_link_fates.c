/*
 * What becomes of an ordinary connection when the address changes under it, its peer vanishes, the link goes down, or
 * the kernel kills it.
 */
#include <arpa/inet.h>
#include <linux/rtnetlink.h>
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

enum { PLAIN = 1, V6 = 2 };

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

static const char *last_address(struct link_rig *rig)
{
	const char *found = NULL;
	for (const char *at = buf_cstr(&rig->events); (at = strstr(at, "address=10.")); at++)
		found = at;
	assert_non_null(found);
	return found;
}

/* However often addresses change, no two nodes ever have the same one; where there are too few, none is changed. */
static void test_handover_of_many(void **state)
{
	(void)state;
	enum { CHANGES = 100, NODES = 50 };
	static char names[NODES][8];
	static const char *nodes[NODES + 1];
	struct link_rig rig;
	struct topology *many = NULL;
	struct err e;
	char first[64];
	link_rig_open(&rig, AF_INET);
	rig.site.link_node = "server";
	struct fault_run *run = link_rig_must(&rig, "handover", "");
	snprintf(first, sizeof(first), "%.*s", (int)strcspn(last_address(&rig), "\n"), last_address(&rig));
	rig.site.link_node = "client";
	for (int i = 0; i < CHANGES; i++) {
		buf_consume(&rig.events, rig.events.len);
		fault_stop(link_rig_must(&rig, "handover", ""));
		assert_null(strstr(buf_cstr(&rig.events), first));
	}
	fault_stop(run);
	for (int i = 0; i < NODES; i++) {
		snprintf(names[i], sizeof(names[i]), "n%d", i);
		nodes[i] = names[i];
	}
	assert_int_equal(topology_new(&(struct topology_options){.nodes = nodes}, &many, &e), 0);
	rig.site.topology = many;
	rig.site.link_node = NULL;
	buf_consume(&rig.events, rig.events.len);
	assert_null(link_rig_start(&rig, "handover", "", &e));
	assert_string_equal(e.text, "there are new addresses for 49 nodes at once: name fewer");
	assert_null(strstr(buf_cstr(&rig.events), "hit"));
	topology_free(many);
	link_rig_close(&rig);
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
	link_rig_look_again(rig);
	assert_int_equal(rig->had.n_routes, 2); /* and the one of the rig */
}

static struct interface client_interface(struct link_rig *rig)
{
	struct interface i;
	struct netlink *nl = link_rig_netlink(rig, false);
	assert_int_equal(interface_get(nl, "eth0", &i, NULL), 0);
	netlink_close(nl);
	return i;
}

/* Two ways to one network. */
static void multipath_route(struct link_rig *rig, int type, int flags)
{
	const struct rtmsg header = {
		.rtm_family = AF_INET6, .rtm_dst_len = 64, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_STATIC,
		.rtm_scope = RT_SCOPE_UNIVERSE, .rtm_type = RTN_UNICAST,
	};
	struct in6_addr to = {.s6_addr = {0xfd, 0x99}}, gateway = rig->server_node->address6;
	struct netlink *nl = link_rig_netlink(rig, false);
	struct interface i;
	assert_int_equal(interface_get(nl, "eth0", &i, NULL), 0);
	struct nl_msg *m = netlink_request(type, flags, &header, sizeof(header));
	assert_int_equal(nla_put(m, RTA_DST, sizeof(to), &to), 0);
	struct nlattr *ways = nla_nest_start(m, RTA_MULTIPATH);
	for (int k = 0; k < 2; k++, gateway.s6_addr[15]++) {
		struct rtnexthop way = {.rtnh_len = sizeof(way) + NLA_HDRLEN + sizeof(gateway), .rtnh_ifindex = (int)i.index};
		assert_int_equal(nlmsg_append(m, &way, sizeof(way), NLMSG_ALIGNTO), 0);
		assert_int_equal(nla_put(m, RTA_GATEWAY, sizeof(gateway), &gateway), 0);
	}
	nla_nest_end(m, ways);
	struct err e;
	if (netlink_call(nl, m, &e, "cannot change the route") < 0)
		fail_msg("%s", e.text);
	nlmsg_free(m);
	netlink_close(nl);
}

/* What could not be put back is not taken away. */
static void test_multipath(void **state)
{
	(void)state;
	static const struct {
		const char *fault, *options;
	} rows[] = {{"link_down", "how=admin"}, {"partition", "by=address"}, {"handover", ""}};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct link_rig rig;
		struct err e;
		link_rig_open(&rig, AF_INET6);
		multipath_route(&rig, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
		assert_null(link_rig_start(&rig, rows[i].fault, rows[i].options, &e));
		assert_string_equal(e.text, "the interface eth0 has routes that could not be put back: of several ways, or by a "
					    "nexthop object");
		struct interface now = client_interface(&rig);
		assert_true(now.flags & IFF_UP);
		multipath_route(&rig, RTM_DELROUTE, 0);
		link_rig_close(&rig);
	}
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
		cmocka_unit_test(test_handover),
		cmocka_unit_test(test_handover_of_many),
		cmocka_unit_test(test_sock_destroy),
		cmocka_unit_test(test_half_open),
		cmocka_unit_test(test_link_down),
		cmocka_unit_test(test_multipath),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
