/*
 * Netem's message, octet for octet as tc sends it, and what the kernel says to it. The octets were taken from
 * iproute2 6.1: strace -e trace=sendmsg -e write=3 tc qdisc add dev lo root netem WORDS.
 */
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/net/interface.h"
#include "harness/net/netem.h"
#include "harness/net/netlink.h"
#include "harness/net/qdisc.h"
#include "harness/net/test_space.h"

#define MS 1000000ull
enum { HANDLE = 0x47120000, TEXT_MAX = 4096 };

static const struct {
	const char *words;
	struct netem netem;
	const char *octets;
} rows[] = {
	{"delay 100ms limit 1000",
	 {.delay_ns = 100 * MS, .limit = 1000},
	 "84d71700e803000000000000000000000000000000000000"},
	{"delay 100ms 10ms 25% limit 1000",
	 {.delay_ns = 100 * MS, .jitter_ns = 10 * MS, .delay_correlation = .25, .limit = 1000},
	 "84d71700e80300000000000000000000000000005a62020010000100000000400000000000000000"},
	{"loss 1% limit 1000", {.loss = .01, .limit = 1000}, "00000000e8030000295c8f02000000000000000000000000"},
	{"loss 1% 30% limit 1000",
	 {.loss = .01, .loss_correlation = .3, .limit = 1000},
	 "00000000e8030000295c8f020000000000000000000000001000010000000000cccccc4c00000000"},
	{"loss 100% limit 1000", {.loss = 1, .limit = 1000}, "00000000e8030000ffffffff000000000000000000000000"},
	{"loss gemodel 1% 10% 70% 0.1% limit 1000",
	 {.loss_model = NETEM_LOSS_GEMODEL, .gemodel = {.01, .1, .7, .001}, .limit = 1000},
	 "00000000e8030000000000000000000000000000000000001800058014000200295c8f029a999919cdcccc4c37894100"},
	{"loss gemodel 1% limit 1000",
	 {.loss_model = NETEM_LOSS_GEMODEL, .gemodel = {.01, .99, 1, 0}, .limit = 1000},
	 "00000000e8030000000000000000000000000000000000001800058014000200295c8f02d6a370fd0000000000000000"},
	{"loss state 1% 40% 5% 80% 2% limit 1000",
	 {.loss_model = NETEM_LOSS_STATE, .state = {.01, .4, .05, .8, .02}, .limit = 1000},
	 "00000000e8030000000000000000000000000000000000001c00058018000100295c8f0266666666cdcccc0c52b81e05cccc"
	 "cccc"},
	/* Alone, tc 6.1 forgets the correlation of duplicates. */
	{"loss 1% 30% duplicate 1% 5% limit 1000",
	 {.loss = .01, .loss_correlation = .3, .duplicate = .01, .duplicate_correlation = .05, .limit = 1000},
	 "00000000e8030000295c8f0200000000295c8f02000000001000010000000000cccccc4ccdcccc0c"},
	{"delay 10ms reorder 25% 50% gap 5 limit 1000",
	 {.delay_ns = 10 * MS, .reorder = .25, .reorder_correlation = .5, .reorder_gap = 5, .limit = 1000},
	 "5a620200e803000000000000050000000000000000000000100001000000000000000000000000000c000300000000400000"
	 "0080"},
	{"delay 10ms reorder 25% limit 1000",
	 {.delay_ns = 10 * MS, .reorder = .25, .limit = 1000},
	 "5a620200e8030000000000000100000000000000000000000c0003000000004000000000"},
	{"corrupt 0.1% limit 1000",
	 {.corrupt = .001, .limit = 1000},
	 "00000000e8030000000000000000000000000000000000000c0004003789410000000000"},
	{"corrupt 0.1% 5% limit 1000",
	 {.corrupt = .001, .corrupt_correlation = .05, .limit = 1000},
	 "00000000e803000000000000000000000000000000000000100001000000000000000000000000000c00040037894100cdcc"
	 "cc0c"},
	{"rate 1mbit limit 1000",
	 {.rate = 125000, .limit = 1000},
	 "00000000e8030000000000000000000000000000000000001400060048e80100000000000000000000000000"},
	{"rate 1mbit 20 100 5 limit 1000",
	 {.rate = 125000, .packet_overhead = 20, .cell_size = 100, .cell_overhead = 5, .limit = 1000},
	 "00000000e8030000000000000000000000000000000000001400060048e80100140000006400000005000000"},
	{"rate 1mbit -20 limit 1000",
	 {.rate = 125000, .packet_overhead = -20, .limit = 1000},
	 "00000000e8030000000000000000000000000000000000001400060048e80100ecffffff0000000000000000"},
	{"rate 100gbit limit 1000",
	 {.rate = 12500000000, .limit = 1000},
	 "00000000e8030000000000000000000000000000000000000c00080000dd0ee90200000014000600ffffffff000000000000"
	 "000000000000"},
	{"slot 20ms 30ms packets 3 bytes 4000 limit 1000",
	 {.slot = {.min_delay_ns = 20 * MS, .max_delay_ns = 30 * MS, .max_packets = 3, .max_octets = 4000},
	  .limit = 1000},
	 "00000000e8030000000000000000000000000000000000002c000c00002d31010000000080c3c9010000000003000000a00f"
	 "000000000000000000000000000000000000"},
	{"slot 20ms limit 1000",
	 {.slot = {.min_delay_ns = 20 * MS, .max_delay_ns = 20 * MS}, .limit = 1000},
	 "00000000e8030000000000000000000000000000000000002c000c00002d310100000000002d310100000000000000000000"
	 "000000000000000000000000000000000000"},
	{"loss 1% ecn limit 1000",
	 {.loss = .01, .ecn = true, .limit = 1000},
	 "00000000e8030000295c8f020000000000000000000000000800070001000000"},
	{"delay 274s limit 7",
	 {.delay_ns = 274000 * MS, .limit = 7},
	 "d0b02eff0700000000000000000000000000000000000000"},
	{"delay 100ms 10ms 25% loss gemodel 1% 10% 70% 0.1% duplicate 1% 5% reorder 25% 50% gap 5 corrupt 0.1%"
	 " rate 1mbit 20 100 5 limit 5000 slot 20ms 30ms packets 3 bytes 4000 ecn",
	 {.delay_ns = 100 * MS,
	  .jitter_ns = 10 * MS,
	  .delay_correlation = .25,
	  .loss_model = NETEM_LOSS_GEMODEL,
	  .gemodel = {.01, .1, .7, .001},
	  .duplicate = .01,
	  .duplicate_correlation = .05,
	  .reorder = .25,
	  .reorder_correlation = .5,
	  .reorder_gap = 5,
	  .corrupt = .001,
	  .rate = 125000,
	  .packet_overhead = 20,
	  .cell_size = 100,
	  .cell_overhead = 5,
	  .limit = 5000,
	  .slot = {.min_delay_ns = 20 * MS, .max_delay_ns = 30 * MS, .max_packets = 3, .max_octets = 4000},
	  .ecn = true},
	 "84d71700881300000000000005000000295c8f025a620200100001000000004000000000cdcccc0c0c000300000000400000"
	 "008008000700010000000c00040037894100000000002c000c00002d31010000000080c3c9010000000003000000a00f0000"
	 "000000000000000000000000000000001800058014000200295c8f029a999919cdcccc4c378941001400060048e801001400"
	 "00006400000005000000"},
};

/* TCA_OPTIONS of what would be sent. */
static struct nl_msg *message(const struct netem *n, struct nlattr **ret_options)
{
	struct err e = {""};
	struct nl_msg *m = qdisc_request(1, HANDLE, "netem");
	assert_non_null(m);
	int r = netem_put(m, n, false, &e);
	if (r < 0)
		fail_msg("%s", e.text);
	*ret_options = nlmsg_find_attr(nlmsg_hdr(m), sizeof(struct tcmsg), TCA_OPTIONS);
	assert_non_null(*ret_options);
	return m;
}

static void hex(const void *octets, size_t len, char *text)
{
	for (size_t i = 0; i < len; i++)
		snprintf(text + 2 * i, 3, "%02x", ((const uint8_t *)octets)[i]);
}

static void test_octets(void **state)
{
	(void)state;
	char text[TEXT_MAX];
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct nlattr *options;
		struct nl_msg *m = message(&rows[i].netem, &options);
		assert_true(2 * nla_len(options) < TEXT_MAX);
		hex(nla_data(options), (size_t)nla_len(options), text);
		if (strcmp(text, rows[i].octets) != 0)
			fail_msg("%s:\ntc sends %s\nwe send  %s", rows[i].words, rows[i].octets, text);
		nlmsg_free(m);
	}
}

static void assert_near(double a, double b)
{
	if (a - b > 1e-9 || b - a > 1e-9)
		fail_msg("%.12f is not %.12f", a, b);
}

/* Reading gives what was written. */
static void assert_same(const struct netem *a, const struct netem *b)
{
	assert_int_equal(a->delay_ns, b->delay_ns);
	assert_int_equal(a->jitter_ns, b->jitter_ns);
	assert_near(a->delay_correlation, b->delay_correlation);
	assert_int_equal(a->loss_model, b->loss_model);
	assert_near(a->loss, b->loss);
	assert_near(a->loss_correlation, b->loss_correlation);
	assert_near(a->gemodel.p, b->gemodel.p);
	assert_near(a->gemodel.r, b->gemodel.r);
	assert_near(a->gemodel.bad_loss, b->gemodel.bad_loss);
	assert_near(a->gemodel.good_loss, b->gemodel.good_loss);
	assert_near(a->state.p13, b->state.p13);
	assert_near(a->state.p31, b->state.p31);
	assert_near(a->state.p32, b->state.p32);
	assert_near(a->state.p23, b->state.p23);
	assert_near(a->state.p14, b->state.p14);
	assert_near(a->duplicate, b->duplicate);
	assert_near(a->duplicate_correlation, b->duplicate_correlation);
	assert_near(a->reorder, b->reorder);
	assert_near(a->reorder_correlation, b->reorder_correlation);
	assert_near(a->corrupt, b->corrupt);
	assert_near(a->corrupt_correlation, b->corrupt_correlation);
	assert_int_equal(a->rate, b->rate);
	assert_int_equal(a->packet_overhead, b->packet_overhead);
	assert_int_equal(a->cell_size, b->cell_size);
	assert_int_equal(a->cell_overhead, b->cell_overhead);
	assert_memory_equal(&a->slot, &b->slot, sizeof(a->slot));
	assert_int_equal(a->ecn, b->ecn);
	assert_int_equal(netem_limit(a), netem_limit(b));
}

static void test_read_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct nlattr *options;
		struct nl_msg *m = message(&rows[i].netem, &options);
		struct netem seen;
		assert_int_equal(netem_parse(nla_data(options), (size_t)nla_len(options), &seen), 0);
		assert_same(&seen, &rows[i].netem);
		/* Cut anywhere it is refused or read, and never read past its end (address sanitizer). */
		for (size_t len = 0; len < (size_t)nla_len(options); len++) {
			void *cut = malloc(len ? len : 1);
			memcpy(cut, nla_data(options), len);
			int r = netem_parse(cut, len, &seen);
			assert_true(r == 0 || r == -EINVAL);
			free(cut);
		}
		nlmsg_free(m);
	}
}

/* What 32-bit ticks cannot hold goes into the 64-bit attributes. */
static void test_long_and_fine(void **state)
{
	(void)state;
	static const uint64_t delays[] = {1000, 1, 274877906881, 300 * 1000 * MS, NETEM_DELAY_MAX_NS};
	for (size_t i = 0; i < ARRAY_LEN(delays); i++) {
		const struct netem n = {.delay_ns = delays[i], .jitter_ns = 999, .has_seed = true, .seed = 0x1122334455667788};
		struct netem seen;
		struct nlattr *options;
		struct nl_msg *m = message(&n, &options);
		assert_int_equal(netem_parse(nla_data(options), (size_t)nla_len(options), &seen), 0);
		assert_int_equal(seen.delay_ns, n.delay_ns);
		assert_int_equal(seen.jitter_ns, n.jitter_ns);
		assert_int_equal(seen.seed, n.seed);
		nlmsg_free(m);
	}
}

static const struct {
	struct netem netem;
	const char *says;
} refused[] = {
	{{.loss = 1.01}, "loss is to be 0% to 100%"},
	{{.loss = -.1}, "loss is to be 0% to 100%"},
	{{.corrupt = 0. / 0.}, "corrupt is to be 0% to 100%"},
	{{.duplicate = 1e-11}, "duplicate is too small"},
	{{.delay_ns = NETEM_DELAY_MAX_NS + 1}, "at most 24h"},
	{{.delay_ns = MS, .jitter_ns = NETEM_JITTER_MAX_NS + 1}, "jitter is at most 2.147483647s"},
	{{.delay_ns = MS, .distribution = NETEM_PARETO}, "the distribution pareto needs jitter"},
	{{.delay_ns = MS, .delay_correlation = .5}, "needs jitter"},
	{{.reorder = .5}, "reordering needs a delay"},
	{{.reorder_gap = 5}, "a gap needs"},
	{{.packet_overhead = 5}, "need a rate"},
	{{.rate = 5, .cell_overhead = 5}, "needs a cell size"},
	{{.rate = NETEM_RATE_MAX + 1}, "at most 10 Tbit/s"},
	{{.slot = {.min_delay_ns = 2, .max_delay_ns = 1}}, "longer than the longest"},
	{{.slot = {.delay_ns = 2}}, "either a shortest"},
	{{.limit = NETEM_LIMIT_MAX + 1}, "the limit is at most"},
};

static void test_refused(void **state)
{
	(void)state;
	struct err e;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		assert_int_equal(netem_check(&refused[i].netem, &e), -EINVAL);
		if (!strstr(e.text, refused[i].says))
			fail_msg("'%s' does not say '%s'", e.text, refused[i].says);
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(netem_check(&rows[i].netem, &e), 0);
}

/* Enough for what is under way: 100 ms at 1 Gbit/s are 8,333 packets. */
static void test_limit(void **state)
{
	(void)state;
	assert_int_equal(netem_limit(&(struct netem){0}), NETEM_LIMIT_DEFAULT);
	assert_int_equal(netem_limit(&(struct netem){.limit = 5, .delay_ns = 100 * MS}), 5);
	assert_int_equal(netem_limit(&(struct netem){.rate = 125000000, .delay_ns = 100 * MS}), NETEM_LIMIT_DEFAULT + 8334);
	assert_true(netem_limit(&(struct netem){.delay_ns = 100 * MS}) > 80000);
	assert_int_equal(netem_limit(&(struct netem){.rate = NETEM_RATE_MAX, .delay_ns = NETEM_DELAY_MAX_NS}),
			 NETEM_LIMIT_MAX);
}

static void test_print(void **state)
{
	(void)state;
	const struct netem n = {.delay_ns = 100 * MS,
				.jitter_ns = 10 * MS,
				.delay_correlation = .25,
				.distribution = NETEM_NORMAL,
				.loss = .01,
				.duplicate = .5,
				.corrupt = .001,
				.rate = 125000,
				.limit = 9,
				.ecn = true};
	struct buf b CLEANUP(buf_fini) = {0};
	buf_init(&b, TEXT_MAX);
	assert_int_equal(netem_print(&n, &b), 0);
	assert_string_equal(buf_cstr(&b),
			    "limit 9 delay 100ms 10ms 25% distribution normal loss 1% duplicate 50% corrupt 0.1% "
			    "rate 125000B/s overhead 0 cell 0 0 ecn");
}

/* In a kernel that has it: set, read back by us, replaced in place, taken away; another's qdisc is left alone. */
static void test_kernel(void **state)
{
	(void)state;
	struct netns ns;
	struct netlink *nl;
	struct interface lo;
	struct qdisc q;
	struct err e;
	space_enter();
	if (netns_new(NULL, &ns, &e) < 0)
		space_skip(e.text);
	assert_int_equal(netlink_open(&ns, NETLINK_ROUTE, &nl, &e), 0);
	assert_int_equal(interface_get(nl, "lo", &lo, &e), 0);
	int r = netem_set(nl, lo.index, HANDLE, &rows[0].netem, &e);
	if (r == -ENOENT) {
		netlink_close(nl);
		netns_close(&ns);
		space_skip(e.text);
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct netem seen;
		if (netem_set(nl, lo.index, HANDLE, &rows[i].netem, &e) < 0)
			fail_msg("%s: %s", rows[i].words, e.text);
		assert_int_equal(netem_get(nl, lo.index, &seen, &e), 0);
		assert_same(&seen, &rows[i].netem);
	}
	/* Over what was there before, in place, backwards: nothing of the older one shines through. From nothing, too. */
	for (size_t i = 2 * ARRAY_LEN(rows); i-- > 0;) {
		const struct netem *n = &rows[i / 2].netem;
		struct netem seen;
		if (netem_set(nl, lo.index, HANDLE, n, &e) < 0)
			fail_msg("%s: %s", rows[i / 2].words, e.text);
		assert_int_equal(netem_get(nl, lo.index, &seen, &e), 0);
		assert_same(&seen, n);
		if (i % 2)
			assert_int_equal(qdisc_delete(nl, lo.index, HANDLE, &e), 0);
	}
	const struct netem slow = {.delay_ns = 300 * 1000 * MS, .jitter_ns = MS, .distribution = NETEM_PARETONORMAL};
	struct netem seen;
	assert_int_equal(netem_set(nl, lo.index, HANDLE, &slow, &e), 0);
	assert_int_equal(netem_get(nl, lo.index, &seen, &e), 0);
	assert_int_equal(seen.delay_ns, slow.delay_ns);
	assert_int_equal(qdisc_delete(nl, lo.index, HANDLE + 0x20000, &e), 0); /* not that one */
	assert_int_equal(qdisc_root(nl, lo.index, &q, &e), 0);
	assert_string_equal(q.kind, "netem");
	assert_int_equal(q.handle, HANDLE);
	assert_int_equal(qdisc_delete(nl, lo.index, HANDLE, &e), 0);
	assert_int_equal(netem_get(nl, lo.index, &seen, &e), -ENOENT);
	netlink_close(nl);
	netns_close(&ns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_octets),
		cmocka_unit_test(test_read_back),
		cmocka_unit_test(test_long_and_fine),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_kernel),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
