/* Durations, sizes and rates: what is read, what is refused with which sentence, what is printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "harness/base/rng.h"
#include "harness/base/unit.h"

struct row {
	const char *text;
	uint64_t want;
};

typedef int parser(struct span text, uint64_t *ret, struct err *e);

static void check_good(parser *parse, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t got = 12345678;
		if (parse(span_str(rows[i].text), &got, NULL) != 0 || got != rows[i].want)
			fail_msg("\"%s\" gave %llu", rows[i].text, (unsigned long long)got);
	}
}

static void check_bad(parser *parse, const char *const *rows, const char *sentence)
{
	for (; *rows; rows++) {
		struct err e = {.text = ""};
		uint64_t got = 7;
		if (parse(span_str(*rows), &got, &e) != -EINVAL || got != 7)
			fail_msg("\"%s\" was accepted", *rows);
		assert_memory_equal(e.text, sentence, strlen(sentence));
	}
}

static void durations(void **state)
{
	(void)state;
	static const struct row good[] = {
		{"25s", 25000},
		{"200ms", 200},
		{"2m", 120000},
		{"1.5s", 1500},
		{"1h", 3600000},
		{"1d", 86400000},
		{"0s", 0},
		{"0.001s", 1},
		{"1.500000000000000000000s", 1500},
		{"007s", 7000},
		{"0.5m", 30000},
		{"0.25h", 900000},
		{"1.0ms", 1},
		{"18446744073709551615ms", UINT64_MAX},
		{"18446744073709551.615s", UINT64_MAX},
	};
	static const char *const bad[] = {
		"",    "25",  "s",     "ms",    " 25s", "25s ",  "25 s",      "-1s",    "+1s",  "1e3s", "1.s",
		".5s", "25S", "25sec", "1m30s", "1,5s", "0x10s", "\xd9\xa1s", "1.5.5s", "25us", "0",    NULL,
	};
	static const char *const fine[] = {"0.5ms", "1.0005s", "0.0000001h", NULL};
	static const char *const large[] = {"18446744073709551616ms", "18446744073709551.616s",
					    "5124095576031h",         "999999999999999999999999999999s",
					    "0.1234567890123456s",    NULL};
	check_good(unit_duration_parse, good, ARRAY_LEN(good));
	check_bad(unit_duration_parse, bad, "expected a duration with its unit (ms, s, m, h, d), such as 25s");
	check_bad(unit_duration_parse, fine,
		  "expected a duration with its unit (ms, s, m, h, d), such as 25s, in whole milliseconds");
	check_bad(unit_duration_parse, large, "expected a duration with its unit (ms, s, m, h, d), such as 25s, ");
}

static void sizes(void **state)
{
	(void)state;
	static const struct row good[] = {
		{"1MiB", 1048576},
		{"256B", 256},
		{"64KiB", 65536},
		{"1MB", 1000000},
		{"1kB", 1000},
		{"1KB", 1000},
		{"0B", 0},
		{"1.5KiB", 1536},
		{"2GiB", 2147483648},
		{"3GB", 3000000000},
		{"1TB", 1000000000000},
		{"1TiB", 1099511627776},
		{"0.5kB", 500},
		{"18446744073709551615B", UINT64_MAX},
		{"16777215TiB", 16777215ull << 40},
	};
	static const char *const bad[] = {"",    "1",   "1k", "1M",    "1Mb", "1mib", "1 MiB",
					  "MiB", "-1B", "1b", "1MiBs", "1/s", NULL};
	static const char *const fine[] = {"0.3B", "1.0001KiB", "0.1KiB", NULL};
	static const char *const large[] = {"16777216TiB", "18446744073709551616B", NULL};
	check_good(unit_size_parse, good, ARRAY_LEN(good));
	check_bad(unit_size_parse, bad,
		  "expected a size with its unit (B, kB, MB, GB, TB, KiB, MiB, GiB, TiB), such as 64KiB");
	check_bad(unit_size_parse, fine,
		  "expected a size with its unit (B, kB, MB, GB, TB, KiB, MiB, GiB, TiB), such as 64KiB, in whole "
		  "octets");
	check_bad(unit_size_parse, large,
		  "expected a size with its unit (B, kB, MB, GB, TB, KiB, MiB, GiB, TiB), such as 64KiB, ");
}

static void rates(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		double want;
	} good[] = {{"100/s", 100}, {"0.5/s", 0.5}, {"30/m", 0.5}, {"3600/h", 1}, {"0/s", 0}, {"1.25/s", 1.25}};
	static const char *const bad[] = {"",     "100",    "/s",    "100s",  "100/",  "100/sec", "100 /s",
					  "-1/s", "100/ms", "1e3/s", "nan/s", "inf/s", NULL};
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		double got = -1;
		assert_int_equal(unit_rate_parse(span_str(good[i].text), &got, NULL), 0);
		assert_true(got == good[i].want);
	}
	for (size_t i = 0; bad[i]; i++) {
		struct err e;
		double got = -1;
		assert_int_equal(unit_rate_parse(span_str(bad[i]), &got, &e), -EINVAL);
		assert_string_equal(e.text, "expected a rate with its unit (/s, /m, /h), such as 100/s");
		assert_true(got == -1);
	}
}

static void micros(void **state)
{
	(void)state;
	static const struct row good[] = {
		{"50us", 50}, {"1.5ms", 1500}, {"0.001ms", 1}, {"2s", 2000000}, {"1m", 60000000}, {"0us", 0}, {"1.000001s", 1000001},
	};
	static const char *const bad[] = {"", "25", "us", "25u", "1 us", "-1us", "5ns", NULL};
	static const char *const fine[] = {"0.5us", "0.0001ms", NULL};
	check_good(unit_micros_parse, good, ARRAY_LEN(good));
	check_bad(unit_micros_parse, bad, "expected a duration with its unit (us, ms, s, m, h, d), such as 25ms");
	check_bad(unit_micros_parse, fine,
		  "expected a duration with its unit (us, ms, s, m, h, d), such as 25ms, in whole microseconds");
}

static void percents(void **state)
{
	(void)state;
	static const struct {
		const char *text, *printed;
		double want;
	} good[] = {{"1%", "1%", 0.01}, {"0.1%", "0.1%", 0.001}, {"100%", "100%", 1}, {"0%", "0%", 0},
		    {"33.3%", "33.3%", 0.333}, {"100.0%", "100%", 1}, {"0.00001%", "0.00001%", 0.0000001}};
	static const char *const bad[] = {"", "1", "%", "101%", "100.1%", "-1%", "1e1%", "1 %", "99999999999999999999%", NULL};
	struct buf b CLEANUP(buf_fini) = {0};
	buf_init(&b, 100);
	for (size_t i = 0; i < ARRAY_LEN(good); i++, b.len = 0) {
		double got = -1;
		assert_int_equal(unit_percent_parse(span_str(good[i].text), &got, NULL), 0);
		assert_true(got == good[i].want);
		assert_int_equal(unit_percent_print(&b, got), 0);
		assert_string_equal(buf_cstr(&b), good[i].printed);
	}
	for (size_t i = 0; bad[i]; i++) {
		struct err e;
		double got = -1;
		assert_int_equal(unit_percent_parse(span_str(bad[i]), &got, &e), -EINVAL);
		assert_string_equal(e.text, "expected a share in percent, 0% to 100%, such as 0.1%");
		assert_true(got == -1);
	}
}

static void what_is_printed_reads_well(void **state)
{
	(void)state;
	static const struct row ms[] = {
		{"0s", 0},
		{"1ms", 1},
		{"999ms", 999},
		{"1s", 1000},
		{"1.5s", 1500},
		{"1.001s", 1001},
		{"1.01s", 1010},
		{"90s", 90000},
		{"2m", 120000},
		{"1h", 3600000},
		{"1d", 86400000},
		{"25s", 25000},
		{"18446744073709551.615s", UINT64_MAX},
	};
	static const struct row octets[] = {
		{"0B", 0},        {"1MiB", 1048576}, {"1MB", 1000000}, {"1536B", 1536},
		{"64KiB", 65536}, {"1kB", 1000},     {"125B", 125},    {"2GiB", 2147483648},
	};
	static const struct {
		const char *want;
		double rate;
	} per_second[] = {{"100/s", 100},        {"0.5/s", 0.5},   {"0/s", 0},
			  {"10/h", 10.0 / 3600}, {"1.25/s", 1.25}, {"1000000000000000/s", 1e15},
			  {"0.1/s", 0.1}};
	struct buf b CLEANUP(buf_fini) = {0};
	buf_init(&b, 100);
	for (size_t i = 0; i < ARRAY_LEN(ms); i++, b.len = 0) {
		assert_int_equal(unit_duration_print(&b, ms[i].want), 0);
		assert_string_equal(buf_cstr(&b), ms[i].text);
	}
	for (size_t i = 0; i < ARRAY_LEN(octets); i++, b.len = 0) {
		assert_int_equal(unit_size_print(&b, octets[i].want), 0);
		assert_string_equal(buf_cstr(&b), octets[i].text);
	}
	for (size_t i = 0; i < ARRAY_LEN(per_second); i++, b.len = 0) {
		assert_int_equal(unit_rate_print(&b, per_second[i].rate), 0);
		assert_string_equal(buf_cstr(&b), per_second[i].want);
	}
}

static void what_is_printed_reads_back(void **state)
{
	(void)state;
	struct rng r;
	struct buf b CLEANUP(buf_fini) = {0};
	buf_init(&b, 100);
	rng_init(&r, 3, "unit");
	for (int i = 0; i < 5000; i++) {
		uint64_t value = rng_u64(&r) >> rng_below(&r, 64), back = 0;
		b.len = 0;
		assert_int_equal(unit_duration_print(&b, value), 0);
		assert_int_equal(unit_duration_parse(buf_span(&b), &back, NULL), 0);
		assert_true(back == value);
		b.len = 0;
		assert_int_equal(unit_micros_print(&b, value), 0);
		assert_int_equal(unit_micros_parse(buf_span(&b), &back, NULL), 0);
		assert_true(back == value);
		b.len = 0;
		assert_int_equal(unit_size_print(&b, value), 0);
		assert_int_equal(unit_size_parse(buf_span(&b), &back, NULL), 0);
		assert_true(back == value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations),
		cmocka_unit_test(sizes),
		cmocka_unit_test(rates),
		cmocka_unit_test(micros),
		cmocka_unit_test(percents),
		cmocka_unit_test(what_is_printed_reads_well),
		cmocka_unit_test(what_is_printed_reads_back),
	};
	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
