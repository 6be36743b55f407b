/*
 * A link that is cut, in one direction or both, by every means, and healed, as an ordinary TCP connection feels it.
 * Silence is proven by the sender's own retransmissions.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "faults/test_link_rig.h"
#include "harness/net/netlink.h"

enum { PLAIN = 1, NOTICED = 2, V6 = 4, IFB = 8 };

static const struct {
	const char *options;
	bool to, from;             /* cut: what the client receives, what it sends */
	unsigned flags;            /* PLAIN: by interface; NOTICED: the client's own kernel does not even send; IFB: needed */
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
	{"by=blackhole", true, true, PLAIN | IFB},
	{"by=blackhole", true, true, PLAIN | IFB | V6},
	{"by=blackhole direction=to", true, false, PLAIN | IFB},
	{"by=blackhole direction=from", false, true, PLAIN},
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
	struct err e;
	space_enter();
	for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
		if (cuts[i].flags & IFB && link_can(LINK_NEED_IFB, &e) < 0) {
			print_message("not here: %s\n", e.text);
			continue;
		}
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
	if (link_can(LINK_NEED_IFB, &e) < 0)
		space_skip(e.text);
	cut_and_heal("by=netem direction=to", true, false, PLAIN);
	cut_and_heal("by=netem", true, true, PLAIN);
}

/* A datagram of its own arrives. */
static void assert_datagram(const struct topology_node *from, const struct topology_node *to)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	const struct timeval hang = {.tv_sec = SPACE_HANG_S};
	char octet = 0;
	int in = netns_socket(&to->netns, AF_INET, SOCK_DGRAM, 0), out = netns_socket(&from->netns, AF_INET, SOCK_DGRAM, 0);
	topology_address(to, AF_INET, 0, &address);
	assert_int_equal(setsockopt(in, SOL_SOCKET, SO_RCVTIMEO, &hang, sizeof(hang)), 0);
	assert_int_equal(bind(in, (struct sockaddr *)&address, sizeof(struct sockaddr_in)), 0);
	assert_int_equal(getsockname(in, (struct sockaddr *)&address, &len), 0);
	assert_int_equal(sendto(out, "x", 1, 0, (struct sockaddr *)&address, sizeof(struct sockaddr_in)), 1);
	assert_int_equal(recv(in, &octet, 1, 0), 1);
	close(in);
	close(out);
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
		if (!rows[i / 2].from)
			assert_datagram(rig.client_node, rig.server_node);
		if (!rows[i / 2].to)
			assert_datagram(rig.server_node, rig.client_node);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_cut_by_netem),
		cmocka_unit_test(test_reject),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_overlap),
		cmocka_unit_test(test_only_that_node),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
