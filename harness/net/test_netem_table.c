/* The tables of the delay distributions: value for value those of tc. */
#include <linux/rtnetlink.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/net/netem.h"
#include "harness/net/netlink.h"
#include "harness/net/qdisc.h"
#include "harness/net/test_space.h"

#define MS 1000000ull

static size_t numbers(const char *path, int *to, size_t max)
{
	char line[1024];
	size_t n = 0;
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		for (char *at = line, *end; line[0] != '#' && n < max; at = end) {
			long value = strtol(at, &end, 10);
			if (end == at)
				break;
			to[n++] = (int)value;
		}
	if (f)
		fclose(f);
	return n;
}

/* FNV-1a, of what tc sent for "delay 100ms 10ms distribution D limit 1000". */
static uint64_t fnv(const uint8_t *p, size_t len)
{
	uint64_t h = 0xcbf29ce484222325;
	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 0x100000001b3;
	return h;
}

static const struct {
	enum netem_distribution distribution;
	uint64_t hash;
} tables[] = {{NETEM_NORMAL, 0x384bb4340b71b8f3},
	      {NETEM_PARETO, 0xb7f4a15ecaf8ea6d},
	      {NETEM_PARETONORMAL, 0x631f2c76e6e2669e}};

static void test_tables(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		const struct netem n = {.delay_ns = 100 * MS,
					.jitter_ns = 10 * MS,
					.limit = 1000,
					.distribution = tables[i].distribution};
		struct err e;
		struct nl_msg *m = qdisc_request(1, 0x20000, "netem");
		assert_int_equal(netem_put(m, &n, false, &e), 0);
		struct nlattr *options = nlmsg_find_attr(nlmsg_hdr(m), sizeof(struct tcmsg), TCA_OPTIONS);
		assert_true(fnv(nla_data(options), (size_t)nla_len(options)) == tables[i].hash);
		nlmsg_free(m);
	}
}

static void test_tables_of_tc(void **state)
{
	(void)state;
	int read[NETEM_TABLE_LEN + 1];
	int16_t table[NETEM_TABLE_LEN];
	size_t found = 0;
	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		char pattern[128];
		glob_t g;
		snprintf(pattern, sizeof(pattern), "/usr/lib/*/tc/%s.dist", netem_distribution_names[tables[i].distribution]);
		if (glob(pattern, 0, NULL, &g) == 0) {
			found++;
			assert_int_equal(numbers(g.gl_pathv[0], read, ARRAY_LEN(read)), NETEM_TABLE_LEN);
			netem_table(tables[i].distribution, table);
			for (size_t k = 0; k < NETEM_TABLE_LEN; k++)
				assert_int_equal(table[k], read[k]);
		}
		globfree(&g);
	}
	if (!found)
		space_skip("tc's tables are not installed (package iproute2)");
}

/* Without a table the kernel draws evenly; the table that says so is as even. */
static void test_uniform(void **state)
{
	(void)state;
	int16_t table[NETEM_TABLE_LEN];
	netem_table(NETEM_UNIFORM, table);
	assert_int_equal(table[0], -8192);
	assert_int_equal(table[NETEM_TABLE_LEN / 2], 0);
	for (size_t i = 1; i < NETEM_TABLE_LEN; i++)
		assert_int_equal(table[i] - table[i - 1], 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_tables_of_tc),
		cmocka_unit_test(test_uniform),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
