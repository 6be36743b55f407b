/* Whose word is taken for the client's address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "server-under-test/http/trusted_proxies.h"

static const struct {
	const char *peer;
	const char *lines[3];
	const char *client;
} rows[] = {
	{ "203.0.113.5", { NULL }, "203.0.113.5" },
	{ "203.0.113.5", { "198.51.100.1" }, "203.0.113.5" },
	{ "10.1.2.3", { NULL }, "10.1.2.3" },
	{ "10.1.2.3", { "198.51.100.1" }, "198.51.100.1" },
	{ "10.1.2.3", { "1.1.1.1, 198.51.100.1" }, "198.51.100.1" },
	{ "10.1.2.3", { "1.1.1.1, 198.51.100.1, 10.9.9.9" }, "198.51.100.1" },
	{ "10.1.2.3", { "1.1.1.1", "198.51.100.1", "10.9.9.9" }, "198.51.100.1" },
	{ "10.1.2.3", { "1.1.1.1 ,198.51.100.1 ,\t172.31.255.255 , ," }, "198.51.100.1" },
	{ "10.1.2.3", { "1.1.1.1, 172.32.0.0" }, "172.32.0.0" },
	{ "10.1.2.3", { "10.0.0.1, 10.0.0.2" }, "10.0.0.1" },
	{ "11.1.2.3", { "1.1.1.1" }, "11.1.2.3" },
	{ "192.0.2.7", { "2001:DB8:8000::1" }, "2001:db8:8000::1" },
	{ "192.0.2.7", { "9.9.9.9, 2001:db8:7fff:ffff::1" }, "9.9.9.9" },
	{ "192.0.2.8", { "9.9.9.9" }, "192.0.2.8" },
	{ "::1", { "::ffff:9.9.9.9" }, "9.9.9.9" },
	{ "::ffff:10.1.2.3", { "9.9.9.9" }, "9.9.9.9" },
	{ "::ffff:9.9.9.9", { "1.1.1.1" }, "9.9.9.9" },
	{ "10.1.2.3", { "" }, "10.1.2.3" },
	{ "10.1.2.3", { "unknown" }, "10.1.2.3" },
	{ "10.1.2.3", { "1.1.1.1, unknown" }, "10.1.2.3" },
	{ "10.1.2.3", { "1.1.1.1, unknown, 10.4.4.4" }, "10.1.2.3" },
	{ "10.1.2.3", { "unknown, 1.1.1.1" }, "1.1.1.1" },
	{ "10.1.2.3", { "1.1.1.1:4711" }, "10.1.2.3" },
	{ "10.1.2.3", { "1.1.1.256" }, "10.1.2.3" },
	{ "10.1.2.3", { "01.1.1.1" }, "10.1.2.3" },
	{ "10.1.2.3", { "[2001:db8::1]" }, "10.1.2.3" },
	{ "10.1.2.3", { "1.1.1.1 2.2.2.2" }, "10.1.2.3" },
	{ "10.1.2.3", { "1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111" }, "10.1.2.3" },
};

static void test_rows(void **state)
{
	char *const trusted[] = { (char[]){ "10.0.0.0/8" },    (char[]){ "192.0.2.7" },
					 (char[]){ "2001:db8::/33" }, (char[]){ "::1" },
					 (char[]){ "172.16.0.0/12" } };
	struct config_list list = { .count = 5 };
	struct trusted_proxies proxies;
	struct err err;

	(void)state;
	memcpy(list.items, trusted, sizeof(trusted));
	assert_int_equal(trusted_proxies_parse(&proxies, &list, &err), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct field_lines field = { 0 };
		char ip[LOG_IP_MAX];

		for (unsigned k = 0; k < 3 && rows[i].lines[k]; k++)
			field_lines_add(&field, text_from(rows[i].lines[k]));
		trusted_proxies_client(&proxies, rows[i].peer, &field, ip);
		if (strcmp(ip, rows[i].client) != 0)
			fail_msg("row %zu: %s, not %s", i, ip, rows[i].client);
	}
}

static void test_nobody_is_trusted(void **state)
{
	struct trusted_proxies none = { .count = 0 };
	struct field_lines field = { 0 };
	char ip[LOG_IP_MAX];

	(void)state;
	field_lines_add(&field, text_from("1.1.1.1"));
	trusted_proxies_client(&none, "127.0.0.1", &field, ip);
	assert_string_equal(ip, "127.0.0.1");
}

static void test_entries(void **state)
{
	static const struct {
		const char *entry;
		bool good;
	} entries[] = {
		{ "10.0.0.0/8", true },	   { "0.0.0.0/0", true },  { "::/0", true },	      { "1.2.3.4/32", true },
		{ "2001:db8::/128", true }, { "fe80::1", true },   { "10.0.0.0/33", false },  { "10.0.0.0/", false },
		{ "10.0.0/8", false },	   { "::/129", false },	   { "/8", false },	      { "host", false },
		{ "10.0.0.0/-1", false },  { "10.0.0.0/8 ", false }, { "1.2.3.4/0032", false }, { "", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		char entry[64];
		struct config_list list = { .items = { entry }, .count = 1 };
		struct trusted_proxies proxies;
		struct err err;

		strncpy(entry, entries[i].entry, sizeof(entry) - 1);
		entry[sizeof(entry) - 1] = '\0';
		if ((trusted_proxies_parse(&proxies, &list, &err) == 0) != entries[i].good)
			fail_msg("%s", entries[i].entry);
		assert_int_equal(proxies.count, entries[i].good);
	}
}

/* 0.0.0.0/0 is IPv4 only. */
static void test_families(void **state)
{
	struct config_list list = { .items = { (char[]){ "0.0.0.0/0" } }, .count = 1 };
	struct trusted_proxies proxies;
	struct field_lines field = { 0 };
	struct err err;
	char ip[LOG_IP_MAX];

	(void)state;
	assert_int_equal(trusted_proxies_parse(&proxies, &list, &err), 0);
	field_lines_add(&field, text_from("2001:db8::1"));
	trusted_proxies_client(&proxies, "5.5.5.5", &field, ip);
	assert_string_equal(ip, "2001:db8::1");
	trusted_proxies_client(&proxies, "2001:db8::2", &field, ip);
	assert_string_equal(ip, "2001:db8::2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_nobody_is_trusted),
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_families),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
