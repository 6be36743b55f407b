/*
 * Netem-like faults: how their parts add up, without a kernel; and, where the kernel has netem, that several of them on
 * one interface are one qdisc, come and go one by one, and delay what they should.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "faults/test_link_rig.h"
#include "harness/base/clock.h"
#include "harness/net/netlink.h"

enum { WORDS_MAX = 3, TEXT_MAX = 1024 };

/* Faults put on one after another; what they come to in tc's words, or how the last one is refused. */
static const struct {
	const char *faults[WORDS_MAX]; /* "name key=value" */
	const char *netem, *refused;
} sums[] = {
	{{"none"}, "limit 1000", NULL},
	{{"latency latency=100ms", "bandwidth rate=1000000B"},
	 "limit 1067 delay 100ms rate 1000000B/s overhead 0 cell 0 0", NULL},
	{{"latency latency=20ms", "latency latency=30ms jitter=5ms", "bandwidth rate=1000B"},
	 "limit 1001 delay 50ms 5ms rate 1000B/s overhead 0 cell 0 0", NULL},
	{{"latency jitter=5ms", "latency jitter=5ms"}, NULL, "one jitter at a time"},
	{{"latency latency=1ms jitter=2ms distribution=pareto correlation=10%", "bandwidth rate=1000B"},
	 "limit 1001 delay 1ms 2ms 10% distribution pareto rate 1000B/s overhead 0 cell 0 0", NULL},
	{{"loss probability=50%", "loss probability=50%"}, "limit 1000 loss 75%", NULL},
	{{"loss probability=10% correlation=20%", "loss probability=10%"}, "limit 1000 loss 19% 20%", NULL},
	{{"loss correlation=20%", "loss correlation=20%"}, NULL, "one correlation of loss at a time"},
	{{"loss model=gemodel p=2% r=25%"}, "limit 1000 loss gemodel p 2% r 25% 1-h 100% 1-k 0%", NULL},
	{{"loss model=state p13=2% p31=25%"}, "limit 1000 loss state p13 2% p31 25% p32 0% p23 100% p14 0%", NULL},
	{{"loss", "loss model=gemodel"}, NULL, "one model of loss at a time"},
	{{"loss model=state", "loss"}, NULL, "one model of loss at a time"},
	{{"loss model=gemodel", "partition", "loss"}, "limit 1000 loss 100%", NULL},
	{{"loss model=gemodel", "bandwidth rate=0B"}, "limit 1000 loss 100%", NULL},
	{{"loss ecn=true"}, "limit 1000 loss 1% ecn", NULL},
	{{"duplicate probability=50%", "duplicate probability=50% correlation=5%"}, "limit 1000 duplicate 75% 5%", NULL},
	{{"duplicate correlation=5%", "duplicate correlation=5%"}, NULL, "one correlation of duplicates"},
	{{"reorder", "bandwidth rate=1000B"},
	 "limit 1001 delay 10ms reorder 25% gap 1 rate 1000B/s overhead 0 cell 0 0", NULL},
	{{"reorder", "reorder"}, NULL, "one reorder at a time"},
	{{"corrupt probability=10%", "corrupt probability=10%"}, "limit 1000 corrupt 19%", NULL},
	{{"corrupt bit=3"}, NULL, "can be chosen on the plane stream alone"},
	{{"bandwidth rate=2000B", "bandwidth rate=1000B", "bandwidth rate=3000B"},
	 "limit 1000 rate 1000B/s overhead 0 cell 0 0", NULL},
	{{"bandwidth rate=2000B burst=1B"}, NULL, "netem has none"},
	{{"slot min=20ms", "bandwidth rate=1000B"}, "limit 1001 rate 1000B/s overhead 0 cell 0 0 slot 20ms 20ms", NULL},
	{{"slot", "slot"}, NULL, "one slot at a time"},
	{{"netem delay=1ms jitter=1ms distribution=normal rate=1000B packet_overhead=5 cell_size=6 cell_overhead=-7 loss=1% "
	  "loss_correlation=2% duplicate=3% duplicate_correlation=4% reorder=5% reorder_correlation=6% gap=7 corrupt=8% "
	  "corrupt_correlation=9% slot_distribution=normal slot_delay=1ms slot_jitter=2ms slot_packets=3 slot_octets=4 "
	  "ecn=true limit=5 delay_correlation=10%"},
	 "limit 5 delay 1ms 1ms 10% distribution normal loss 1% 2% duplicate 3% 4% reorder 5% 6% gap 7 corrupt 8% 9% "
	 "rate 1000B/s overhead 5 cell 6 -7 slot distribution normal delay 1ms 2ms packets 3 bytes 4 ecn", NULL},
	{{"latency latency=1ms", "netem loss=1%"}, NULL, "netem sets everything"},
};

static int add_one(const char *text, struct netem *merged, struct err *e)
{
	char name[32], words[TEXT_MAX], *rest = words;
	struct arena a;
	size_t len = strcspn(text, " ");
	snprintf(name, sizeof(name), "%.*s", (int)len, text);
	snprintf(words, sizeof(words), "%s", text + len);
	const struct fault *f = fault_find(name);
	assert_non_null(f);
	arena_init(&a, 1 << 16);
	void *options = arena_alloc(&a, f->options_size);
	assert_int_equal(opt_defaults(f->options, options, &a), 0);
	for (char *word; (word = strsep(&rest, " "));)
		if (*word)
			link_rig_option(f, options, &a, word);
	assert_true(!f->check || f->check(options, e) == 0);
	int r = f->link->netem(options, merged, e);
	arena_fini(&a);
	return r;
}

static void test_sums(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sums); i++) {
		struct netem merged = {.has_seed = false};
		struct buf b CLEANUP(buf_fini) = {0};
		struct err e = {""};
		int r = 0;
		buf_init(&b, TEXT_MAX);
		for (size_t k = 0; k < WORDS_MAX && sums[i].faults[k] && r == 0; k++)
			r = add_one(sums[i].faults[k], &merged, &e);
		assert_int_equal(r, sums[i].refused ? -EINVAL : 0);
		if (sums[i].refused) {
			if (!strstr(e.text, sums[i].refused))
				fail_msg("'%s' does not say '%s'", e.text, sums[i].refused);
			continue;
		}
		assert_int_equal(netem_check(&merged, &e), 0);
		netem_print(&merged, &b);
		assert_string_equal(buf_cstr(&b), sums[i].netem);
	}
}

/* Every parameter of struct netem has an option of the fault netem, and none is lost on the way. */
static void test_netem_check(void **state)
{
	(void)state;
	struct netem n = {0};
	struct err e;
	const struct fault *f = fault_find("netem");
	struct arena a;
	arena_init(&a, 1 << 16);
	void *options = arena_alloc(&a, f->options_size);
	assert_int_equal(opt_defaults(f->options, options, &a), 0);
	assert_int_equal(f->check(options, &e), 0);
	assert_int_equal(f->link->netem(options, &n, &e), 0);
	link_rig_option(f, options, &a, "reorder=5%");
	assert_int_equal(f->check(options, &e), -EINVAL);
	assert_non_null(strstr(e.text, "reordering needs a delay"));
	arena_fini(&a);
}

/* No two ends have the same chance, and each has the same again. */
static void test_seeds(void **state)
{
	(void)state;
	static const struct link_end ends[] = {
		{.node = "a"}, {.node = "a", .hub = true}, {.node = "b"}, {.node = "b", .hub = true},
	};
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		assert_true(link_seed(1, &ends[i]) == link_seed(1, &ends[i]));
		assert_true(link_seed(1, &ends[i]) != link_seed(2, &ends[i]));
		for (size_t k = 0; k < i; k++)
			assert_true(link_seed(1, &ends[i]) != link_seed(1, &ends[k]));
	}
}

static struct netem netem_of(struct link_rig *rig, bool hub)
{
	struct netlink *nl = link_rig_netlink(rig, hub);
	struct interface i;
	struct netem n = {0};
	struct err e;
	assert_int_equal(interface_get(nl, hub ? "client" : "eth0", &i, &e), 0);
	if (netem_get(nl, i.index, &n, &e) < 0)
		n.limit = 0;
	netlink_close(nl);
	return n;
}

static void test_one_by_one(void **state)
{
	(void)state;
	struct link_rig rig;
	link_rig_open(&rig, AF_INET);
	struct fault_run *a = link_rig_must(&rig, "latency", "latency=20ms");
	struct fault_run *b = link_rig_must(&rig, "latency", "latency=30ms jitter=1ms distribution=normal");
	struct fault_run *c = link_rig_must(&rig, "duplicate", "probability=50%");
	struct netem n = netem_of(&rig, false);
	struct err e;
	assert_int_equal(n.delay_ns, 50000000);
	assert_int_equal(n.jitter_ns, 1000000);
	assert_true(n.duplicate > .49 && n.duplicate < .51);
	assert_true(n.limit > 1000);
	assert_null(link_rig_start(&rig, "netem", "loss=1%", &e));
	assert_non_null(strstr(e.text, "another link fault is at work"));
	assert_int_equal(netem_of(&rig, false).delay_ns, 50000000);
	fault_stop(b);
	n = netem_of(&rig, false);
	assert_int_equal(n.delay_ns, 20000000);
	assert_int_equal(n.jitter_ns, 0);
	assert_true(n.duplicate > .49);
	fault_stop(a);
	n = netem_of(&rig, false);
	assert_int_equal(n.delay_ns, 0);
	assert_true(n.duplicate > .49);
	/* A partition over it and back again. */
	struct fault_run *p = link_rig_must(&rig, "partition", "direction=from");
	assert_int_equal(netem_of(&rig, false).limit, 0);
	struct fault_run *d = link_rig_must(&rig, "latency", "latency=20ms");
	assert_int_equal(netem_of(&rig, false).limit, 0);
	link_rig_assert_cut(rig.client, rig.server, "up");
	fault_stop(p);
	space_expect(rig.server, "up");
	assert_int_equal(netem_of(&rig, false).delay_ns, 20000000);
	fault_stop(d);
	assert_true(netem_of(&rig, false).duplicate > .49);
	fault_stop(c);
	assert_int_equal(netem_of(&rig, false).limit, 0);
	link_rig_close(&rig);
}

static uint64_t round_trip_us(struct link_rig *rig)
{
	uint64_t since = clock_now_us();
	space_send(rig->client, "ping");
	space_expect(rig->server, "ping");
	space_send(rig->server, "pong");
	space_expect(rig->client, "pong");
	return clock_now_us() - since;
}

static void test_directions(void **state)
{
	(void)state;
	static const struct {
		enum link_direction direction;
		bool from, to, plain;
	} rows[] = {
		{LINK_FROM, true, false}, {LINK_TO, false, true}, {LINK_BOTH, true, true}, {LINK_FROM, true, false, true},
		{LINK_TO, false, true, true}, {LINK_BOTH, true, true, true},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct link_rig rig;
		link_rig_open(&rig, AF_INET);
		if (rows[i].plain)
			link_rig_plain(&rig);
		rig.site.link_direction = rows[i].direction;
		struct fault_run *run = link_rig_must(&rig, "latency", "latency=40ms");
		assert_int_equal(netem_of(&rig, false).delay_ns, rows[i].from ? 40000000 : 0);
		assert_int_equal(netem_of(&rig, true).delay_ns, rows[i].to && !rows[i].plain ? 40000000 : 0);
		assert_true(round_trip_us(&rig) >= (rows[i].from + rows[i].to) * 40000u);
		fault_stop(run);
		round_trip_us(&rig);
		link_rig_close(&rig);
	}
}

/* Each netem-like fault with its defaults: one qdisc, ordinary octets still arrive, and nothing stays. */
static void test_each(void **state)
{
	(void)state;
	for (size_t i = 0; i < faults_len; i++) {
		if (!faults[i]->link || faults[i]->link->action != &link_netem || strcmp(faults[i]->name, "bandwidth") == 0)
			continue;
		struct link_rig rig;
		print_message("%s\n", faults[i]->name);
		link_rig_open(&rig, AF_INET);
		struct fault_run *run = link_rig_must(&rig, faults[i]->name, "");
		assert_true(netem_of(&rig, false).limit > 0);
		round_trip_us(&rig);
		fault_stop(run);
		round_trip_us(&rig);
		link_rig_close(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_netem_check),
		cmocka_unit_test(test_seeds),
		cmocka_unit_test(test_one_by_one),
		cmocka_unit_test(test_directions),
		cmocka_unit_test(test_each),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
