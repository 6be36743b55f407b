/* Offers of permessage-deflate: which are taken, and what the answer repeats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "server-under-test/http/handshake_deflate.h"
#include "server-under-test/http/handshake_rules.h"

static const struct {
	const char *lines[2];
	bool acceptable;
	unsigned bits;
	bool no_takeover;
} rows[] = {
	{ { NULL }, false },
	{ { "permessage-deflate" }, true },
	{ { "permessage-deflate; client_max_window_bits" }, true },
	{ { "permessage-deflate;client_max_window_bits=8" }, true },
	{ { "permessage-deflate; client_max_window_bits = 15" }, true },
	{ { "permessage-deflate; client_max_window_bits=\"10\"" }, true },
	{ { "permessage-deflate; client_no_context_takeover" }, true },
	{ { "permessage-deflate; client_no_context_takeover; client_max_window_bits" }, true },
	{ { "permessage-deflate; server_max_window_bits=10" }, true, 10 },
	{ { "permessage-deflate; server_max_window_bits=15" }, true, 15 },
	{ { "permessage-deflate; server_no_context_takeover" }, true, 0, true },
	{ { "permessage-deflate; server_no_context_takeover, permessage-deflate" }, true, 0, true },
	{ { "permessage-deflate; server_max_window_bits=10, permessage-deflate; client_max_window_bits" }, true, 10 },
	{ { "permessage-deflate; server_max_window_bits=10", "permessage-deflate" }, true, 10 },
	{ { "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12" }, true, 12 },
	{ { "permessage-deflate; server_max_window_bits=7" }, false },
	{ { "permessage-deflate; server_no_context_takeover=1, permessage-deflate" }, true },
	{ { "x-webkit-deflate-frame, permessage-deflate" }, true },
	{ { "x-webkit-deflate-frame" }, false },
	{ { "permessage-deflatex" }, false },
	{ { "permessage-deflate; client_max_window_bits=7" }, false },
	{ { "permessage-deflate; client_max_window_bits=16" }, false },
	{ { "permessage-deflate; client_max_window_bits=08" }, false },
	{ { "permessage-deflate; client_max_window_bits=010" }, false },
	{ { "permessage-deflate; client_max_window_bits=1" }, false },
	{ { "permessage-deflate; client_max_window_bits=ten" }, false },
	{ { "permessage-deflate; client_no_context_takeover=1" }, false },
	{ { "permessage-deflate; client_no_context_takeover=true" }, false },
	{ { "permessage-deflate; client_no_context_takeover; client_no_context_takeover" }, false },
	{ { "permessage-deflate; client_max_window_bits; client_max_window_bits=10" }, false },
	{ { "permessage-deflate; server_max_window_bits" }, false },
	{ { "permessage-deflate; unknown" }, false },
	{ { "permessage-deflate; unknown=1, permessage-deflate" }, true },
	{ { "permessage-deflate; unknown=\"a\", permessage-deflate; mux=2" }, false },
	{ { ", permessage-deflate ," }, true },
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct field_lines lines = { 0 };

		for (unsigned k = 0; k < 2 && rows[i].lines[k]; k++) {
			assert_true(rule_extension_list(text_from(rows[i].lines[k])));
			field_lines_add(&lines, text_from(rows[i].lines[k]));
		}
		struct deflate_answer answer = deflate_choose(&lines);

		if (answer.accepted != rows[i].acceptable || answer.server_max_window_bits != rows[i].bits ||
		    answer.server_no_context_takeover != rows[i].no_takeover)
			fail_msg("row %zu: %s", i, rows[i].lines[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
