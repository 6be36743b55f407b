/* Requests to the kernel: what it refuses is a sentence of its own words. */
#include <linux/netlink.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "harness/net/interface.h"
#include "harness/net/qdisc.h"
#include "harness/net/test_space.h"

struct space {
	struct netns ns;
	struct netlink *nl;
};

static void space_open(struct space *s)
{
	struct err e = {""};
	space_enter();
	if (netns_new(NULL, &s->ns, &e) < 0)
		space_skip(e.text);
	assert_int_equal(netlink_open(&s->ns, NETLINK_ROUTE, &s->nl, &e), 0);
}

static void space_close(struct space *s)
{
	netlink_close(s->nl);
	netns_close(&s->ns);
}

static void test_refusals(void **state)
{
	(void)state;
	struct space s;
	struct interface i;
	struct err e;
	space_open(&s);
	assert_int_equal(interface_get(s.nl, "eth9", &i, &e), -ENODEV);
	assert_string_equal(e.text, "there is no interface 'eth9'");
	assert_int_equal(interface_get(s.nl, "a-name-longer-than-15", &i, &e), -ENODEV);
	assert_int_equal(interface_add_veth(s.nl, "left", NULL, "right", &e), 0);
	assert_int_equal(interface_add_veth(s.nl, "left", NULL, "other", &e), -EEXIST);
	assert_string_equal(e.text, "cannot make the pair of interfaces left and other (kind veth): File exists");
	assert_int_equal(interface_add(s.nl, "x0", "nosuchkind", &e), -EOPNOTSUPP);
	/* The words in the middle are the kernel's. */
	assert_string_equal(
		e.text,
		"cannot make the interface x0 (kind nosuchkind): Unknown device type (Operation not supported)");
	assert_int_equal(interface_get(s.nl, "left", &i, &e), 0);
	struct nl_msg *m = qdisc_request(i.index, 0x10000, "nosuch");
	assert_int_equal(netlink_call(s.nl, m, &e, "cannot set %s", "it"), -ENOENT);
	assert_string_equal(e.text, "cannot set it: Specified qdisc kind is unknown (No such file or directory)");
	nlmsg_free(m);
	/* The socket still works. */
	assert_int_equal(interface_get(s.nl, "right", &i, &e), 0);
	space_close(&s);
}

static void test_interfaces(void **state)
{
	(void)state;
	struct space s;
	struct interface i;
	struct err e;
	space_open(&s);
	assert_int_equal(interface_add_veth(s.nl, "left", NULL, "right", &e), 0);
	assert_int_equal(interface_get(s.nl, "left", &i, &e), 0);
	assert_string_equal(i.kind, "veth");
	assert_false(i.flags & IFF_UP);
	assert_int_equal(interface_set_up(s.nl, "left", true, &e), 0);
	assert_int_equal(interface_set_up(s.nl, "right", true, &e), 0);
	assert_int_equal(interface_get(s.nl, "left", &i, &e), 0);
	assert_true(i.flags & IFF_UP);
	assert_true(i.carrier);
	assert_int_equal(interface_set_up(s.nl, "right", false, &e), 0);
	assert_int_equal(interface_get(s.nl, "left", &i, &e), 0);
	assert_false(i.carrier);
	assert_int_equal(interface_delete(s.nl, "right", &e), 0);
	assert_int_equal(interface_get(s.nl, "left", &i, &e), -ENODEV);
	assert_int_equal(interface_delete(s.nl, "right", &e), 0);
	space_close(&s);
}

static const struct {
	const char *text, *again; /* NULL: refused */
} addresses[] = {
	{"10.1.2.3/24", "10.1.2.3/24"}, {"10.1.2.3", "10.1.2.3/32"}, {"fd00::1/64", "fd00::1/64"}, {"fd00::1", "fd00::1/128"},
	{"10.1.2.3/24,nobrd", "10.1.2.3/24,nobrd"}, {"10.1.2.3/32,nobrd,peer=10.9.9.9", "10.1.2.3/32,nobrd,peer=10.9.9.9"},
	{"10.1.2.3/24,peer=10.9.9.9", "10.1.2.3/24,peer=10.9.9.9"}, {"fd00::1/128,peer=fd99::9", "fd00::1/128,peer=fd99::9"},
	{"10.1.2.3/24,peer=fd00::1", NULL}, {"10.1.2.3/24,peer=", NULL}, {"10.1.2.3/24,peer=10.9.9.9x", NULL},
	{"fd00::1/64,nobrd", NULL}, {"10.1.2.3,nobrd", NULL}, {"10.1.2.3/24,", NULL},
	{"10.1.2.3/33", NULL}, {"10.1.2.3/", NULL}, {"10.1.2/24", NULL}, {"fd00::1/129", NULL}, {"", NULL}, {"/24", NULL},
	{"10.1.2.3/24x", NULL}, {"10.1.2.3/0024", NULL}, {"::g/1", NULL},
	{"1111111111111111111111111111111111111111111111111111111111111111", NULL},
};

static void test_addresses(void **state)
{
	(void)state;
	struct space s;
	struct interface i;
	struct interface_address a, list[INTERFACE_ADDRESSES_MAX];
	char text[INTERFACE_ADDRESS_TEXT];
	struct err e;
	int n = 0;
	space_open(&s);
	assert_int_equal(interface_get(s.nl, "lo", &i, &e), 0);
	for (size_t k = 0; k < ARRAY_LEN(addresses); k++) {
		int r = interface_address_parse(addresses[k].text, &a, &e);
		assert_int_equal(r, addresses[k].again ? 0 : -EINVAL);
		if (r < 0)
			continue;
		assert_string_equal(interface_address_text(&a, text), addresses[k].again);
		assert_int_equal(interface_address_add(s.nl, i.index, &a, &e), 0);
		assert_int_equal(interface_address_add(s.nl, i.index, &a, &e), 0);
		assert_int_equal(interface_addresses(s.nl, i.index, list, &e), n + 1);
		/* A network of one or two has no broadcast address, whatever was asked for. */
		a.no_broadcast = a.no_broadcast || (a.family == AF_INET && a.prefix > 30);
		assert_memory_equal(&list[n], &a, sizeof(a));
		assert_int_equal(interface_address_delete(s.nl, i.index, &a, &e), 0);
		assert_int_equal(interface_address_delete(s.nl, i.index, &a, &e), 0);
	}
	assert_int_equal(interface_addresses(s.nl, 0, list, &e), n);
	space_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_interfaces),
		cmocka_unit_test(test_addresses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
