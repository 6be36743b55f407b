/* Who is let in: browsers, strangers' names for this machine, tokens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/proxy/api_admit.h"

static const char token[] = "0123456789abcdef";

static void hosts_of_this_machine_are_let_in(void **state)
{
	(void)state;
	static const struct {
		const char *host;
		unsigned status;
	} rows[] = {
		{NULL, 0}, {"localhost", 0}, {"LocalHost:8474", 0}, {"127.0.0.1", 0}, {"127.0.0.1:1", 0}, {"127.9.8.7:80", 0},
		{"[::1]", 0}, {"[::1]:8474", 0},
		{"", 403}, {"evil.example", 403}, {"evil.example:8474", 403}, {"localhost.evil.example", 403},
		{"localhost:8474.evil.example", 403}, {"127.0.0.1.evil.example", 403}, {"127.0.0.1:80x", 403}, {"0.0.0.0", 403},
		{"128.0.0.1", 403}, {"[::1", 403}, {"[::1]x", 403}, {"[::2]", 403}, {"::1", 403}, {"[127.0.0.1]", 403},
		{"2130706433", 403}, {"localhost ", 403}, {"127.1", 403},
	};
	const struct api_door door = {.local = true};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_request q = {.host = rows[i].host};
		struct err e;
		assert_int_equal(api_admit(&door, &q, &e), rows[i].status);
	}
	/* Elsewhere the token decides. */
	const struct api_door open = {.token = token};
	struct http_request q = {.host = "proxy.example", .authorization = "Bearer 0123456789abcdef"};
	struct err e;
	assert_int_equal(api_admit(&open, &q, &e), 0);
}

static void browsers_are_not(void **state)
{
	(void)state;
	static const struct {
		const char *agent;
		unsigned status;
	} rows[] = {
		{NULL, 0}, {"", 0}, {"curl/8", 0}, {"toxiproxy-cli", 0}, {"python-requests/2 Mozilla/5.0", 0},
		{"Mozilla/5.0 (X11; Linux x86_64)", 403}, {"Mozilla/", 403},
	};
	const struct api_door door = {.local = true};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_request q = {.host = "localhost", .user_agent = rows[i].agent};
		struct err e;
		assert_int_equal(api_admit(&door, &q, &e), rows[i].status);
	}
	/* Whatever they say: a page cannot leave them out, and nobody else sends them. */
	static const struct http_request pages[] = {
		{.origin = "https://evil.example"}, {.origin = "null"}, {.origin = ""}, {.origin = "http://localhost:8474"},
		{.sec_fetch_site = "cross-site"}, {.sec_fetch_site = "same-origin"}, {.sec_fetch_site = "none"},
	};
	for (size_t i = 0; i < ARRAY_LEN(pages) * 2; i++) {
		const struct api_door one = {.local = i % 2, .token = i % 2 ? NULL : token};
		struct http_request q = pages[i / 2];
		struct err e;
		q.host = "localhost";
		q.authorization = "Bearer 0123456789abcdef";
		assert_int_equal(api_admit(&one, &q, &e), 403);
	}
}

static void only_the_whole_token_opens(void **state)
{
	(void)state;
	static const struct {
		const char *authorization;
		unsigned status;
	} rows[] = {
		{"Bearer 0123456789abcdef", 0}, {"bearer 0123456789abcdef", 0}, {"Bearer  0123456789abcdef", 0},
		{NULL, 401}, {"", 401}, {"Bearer", 401}, {"Bearer ", 401}, {"Bearer 0123456789abcde", 401},
		{"Bearer 0123456789abcdef0", 401}, {"Bearer 0123456789abcdeF", 401}, {"Bearer 1123456789abcdef", 401},
		{"Bearer 0123456789abcdef0123456789abcdef", 401}, {"Basic 0123456789abcdef", 401}, {"0123456789abcdef", 401},
		{"Bearer 0123456789abcdef ", 401},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows) * 2; i++) {
		const struct api_door door = {.local = i % 2, .token = token};
		struct http_request q = {.host = "localhost", .authorization = rows[i / 2].authorization};
		struct err e;
		assert_int_equal(api_admit(&door, &q, &e), rows[i / 2].status);
	}
}

static void tokens_are_long_and_visible(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int r;
	} rows[] = {
		{token, 0}, {"0123456789abcde", -EINVAL}, {"", -EINVAL}, {"0123456789 bcdef", -EINVAL},
		{"0123456789\tbcdef", -EINVAL}, {"0123456789\xc3\xa9""bcdef", -EINVAL}, {"!\"#$%&'()*+,-./~", 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e;
		assert_int_equal(api_token_check(rows[i].text, &e), rows[i].r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_of_this_machine_are_let_in),
		cmocka_unit_test(browsers_are_not),
		cmocka_unit_test(only_the_whole_token_opens),
		cmocka_unit_test(tokens_are_long_and_visible),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
