/*
 * Link faults take care: what is somebody else's is left alone or comes back as it was, the guard is told of nothing
 * but what is hurt, and no more rights are asked for than it takes.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "faults/test_link_rig.h"
#include "harness/net/ingress.h"
#include "harness/net/netlink.h"

/* Less than root: what of a container with CAP_NET_ADMIN alone, on its own interface. */
static int hurt_own_interface(void)
{
	struct link_rig rig = {.client_node = NULL};
	struct netlink *nl = NULL;
	struct fault_probe probe;
	struct qdisc q;
	struct interface lo;
	struct err e;
	rig.site = (struct fault_site){.seed = 1, .interface = "lo"};
	if (unshare(CLONE_NEWNET) < 0)
		return 1;
	space_powers(UINT64_C(1) << CAP_NET_ADMIN);
	fault_probe(fault_find("partition"), FAULT_LINK, &rig.site, &probe);
	if (probe.means != FAULT_DRIVEN || !strstr(probe.why, "not tried beforehand"))
		return 2;
	struct fault_run *run = link_rig_start(&rig, "partition", "direction=from", &e);
	if (!run || netlink_open(NULL, NETLINK_ROUTE, &nl, &e) < 0 || interface_get(nl, "lo", &lo, &e) < 0 ||
	    qdisc_root(nl, lo.index, &q, &e) < 0 || strcmp(q.kind, "blackhole") != 0)
		return 3;
	fault_stop(run);
	return qdisc_root(nl, lo.index, &q, &e) < 0 || q.handle != 0 ? 4 : 0;
}

static void test_less_than_root(void **state)
{
	(void)state;
	int status;
	space_enter();
	fflush(stdout);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(hurt_own_interface());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* What the guard is told of a namespace holds for that one alone. */
static void test_where(void **state)
{
	(void)state;
	struct link_rig rig;
	struct links l;
	struct err e;
	char where[LINK_NETNS_TEXT], path[64];
	dev_t device;
	ino_t inode;
	link_rig_open(&rig, AF_INET);
	link_rig_plain(&rig);
	assert_int_equal(netns_id(&rig.client_node->netns, &device, &inode), 0);
	assert_int_equal(links_find(&rig.site, LINK_FROM, &l, &e), 0);
	snprintf(where, sizeof(where), "/proc/%d/fd/%d@%llu", (int)getpid(), rig.client_node->netns.fd,
		 (unsigned long long)inode);
	assert_string_equal(l.ends[0].where, where);
	links_fini(&l);
	snprintf(path, sizeof(path), "pid:%d", (int)getpid());
	rig.site.netns = path;
	assert_int_equal(links_find(&rig.site, LINK_FROM, &l, &e), 0);
	assert_string_equal(l.ends[0].where, "-");
	links_fini(&l);
	link_rig_close(&rig);
}

/* Addresses of every kind are taken away, and come back as they were. */
static void test_addresses(void **state)
{
	(void)state;
	static const char *const more[] = {
		"10.9.0.1/32,nobrd,peer=10.9.0.2", "10.9.1.1/24", "10.9.1.2/24,nobrd", "fd99::1/128,peer=fd99::2",
	};
	static const struct {
		const char *fault, *options;
	} rows[] = {{"partition", "by=address"}, {"handover", "address=10.8.0.1/24 gap=1h"}};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct interface_address a, left[INTERFACE_ADDRESSES_MAX];
		struct link_rig rig;
		struct interface eth0;
		struct err e;
		link_rig_open(&rig, AF_INET);
		struct netlink *nl = link_rig_netlink(&rig, false);
		assert_int_equal(interface_get(nl, "eth0", &eth0, &e), 0);
		for (size_t k = 0; k < ARRAY_LEN(more); k++) {
			assert_int_equal(interface_address_parse(more[k], &a, &e), 0);
			assert_int_equal(interface_address_add(nl, eth0.index, &a, &e), 0);
		}
		link_rig_look_again(&rig);
		struct fault_run *run = link_rig_must(&rig, rows[i].fault, rows[i].options);
		assert_int_equal(interface_addresses(nl, eth0.index, left, &e), 0);
		fault_stop(run);
		netlink_close(nl);
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

/* So is one that came while a fault was at work, when another fault comes or goes. */
static void test_foreign_qdisc_since(void **state)
{
	(void)state;
	struct link_rig rig;
	struct err e;
	struct interface i;
	struct qdisc now;
	link_rig_open(&rig, AF_INET);
	struct netlink *nl = link_rig_netlink(&rig, false);
	assert_int_equal(interface_get(nl, "eth0", &i, &e), 0);
	struct fault_run *one = link_rig_must(&rig, "partition", "direction=from");
	struct fault_run *two = link_rig_must(&rig, "partition", "direction=from");
	assert_int_equal(qdisc_blackhole(nl, i.index, 0x70000, &e), 0);
	assert_null(link_rig_start(&rig, "partition", "direction=from", &e));
	assert_string_equal(e.text, "somebody gave the interface eth0 another root qdisc (blackhole 7:) while a fault was at "
				    "work there: it stays");
	for (int k = 0; k < 2; k++) {
		fault_stop(k == 0 ? one : two);
		assert_int_equal(qdisc_root(nl, i.index, &now, &e), 0);
		assert_int_equal(now.handle, 0x70000);
	}
	assert_int_equal(qdisc_delete(nl, i.index, 0x70000, &e), 0);
	netlink_close(nl);
	link_rig_close(&rig);
}

/* The same of what arrives: there is one qdisc for it, and what somebody added to ours stays. */
static void test_foreign_ingress(void **state)
{
	(void)state;
	enum { OURS = 0x10, OTHERS = 0x20 };
	struct link_rig rig;
	struct err e;
	struct interface i;
	link_rig_open(&rig, AF_INET);
	if (link_can(LINK_NEED_IFB, &e) < 0) {
		link_rig_close(&rig);
		space_skip(e.text);
	}
	struct netlink *nl = link_rig_netlink(&rig, false);
	link_rig_plain(&rig);
	assert_int_equal(interface_get(nl, "eth0", &i, &e), 0);
	assert_int_equal(ingress_lead(nl, i.index, i.index, OTHERS, &e), 0);
	assert_null(link_rig_start(&rig, "partition", "direction=to by=blackhole", &e));
	assert_non_null(strstr(e.text, "the interface eth0 has a qdisc for what arrives already (ingress ffff:)"));
	assert_int_equal(ingress_clear(nl, i.index, OURS, &e), 0);
	assert_int_equal(ingress_unused(nl, i.index, "eth0", &e), -EBUSY);
	assert_int_equal(ingress_lead(nl, i.index, i.index, OURS, &e), -EEXIST);
	assert_int_equal(ingress_clear(nl, i.index, OTHERS, &e), 0);
	assert_int_equal(ingress_clear(nl, i.index, OTHERS, &e), 0);
	assert_int_equal(ingress_unused(nl, i.index, "eth0", &e), 0);
	netlink_close(nl);
	link_rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_less_than_root),
		cmocka_unit_test(test_where),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_foreign_qdisc),
		cmocka_unit_test(test_foreign_qdisc_since),
		cmocka_unit_test(test_foreign_ingress),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
