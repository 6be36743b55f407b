/* Lines of logs in each format: what is read from a good one, what is no line, and what hostile ones can do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/rng.h"
#include "harness/target/log_line.h"

static const char *down_words[] = {"ws.disconnect", "closed"}, *up_words[] = {"ws.connect"};

static const struct target_logs json_logs = {
	.format = LOG_JSON, .event = "/event", .connection = "/ctx/conn", .code = "/code", .reason = "/reason", .level = "/a~1b/0",
	.time = "/ts", .node = "/m~0n",
	.words = {[LOG_WORD_disconnect] = {down_words, 2, 2}, [LOG_WORD_connect] = {up_words, 1, 1}},
};
static const struct target_logs logfmt_logs = {
	.format = LOG_LOGFMT, .event = "msg", .connection = "/conn", .code = "code", .reason = "reason", .level = "level", .time = "t",
	.words = {[LOG_WORD_disconnect] = {down_words, 2, 2}},
};
static const struct target_logs regex_logs = {
	.format = LOG_REGEX,
	.pattern = "^([^ ]+) \\[(?<level>[a-z]+)\\] (?<event>opened|closed) id=(?<id>[^ ()]+)( code=(?<code>[0-9]+) \"(?<why>[^\"]*)\")?$",
	.event = "event", .connection = "id", .code = "code", .reason = "why", .level = "2", .time = "1",
	.words = {[LOG_WORD_disconnect] = {down_words, 2, 2}},
};

struct row {
	const struct target_logs *logs;
	const char *line;
	bool is;
	enum log_word word;
	const char *event, *connection;
	int code;
	const char *reason, *level;
	double time_s;
};

static const struct row rows[] = {
	{&json_logs, "{\"ts\":\"2026-01-02T03:04:05.500Z\",\"event\":\"ws.disconnect\",\"ctx\":{\"conn\":\"c1\"},\"code\":1006,\"reason\":\"x\","
	 "\"a/b\":[\"warn\"],\"m~n\":\"a\"}", true, LOG_WORD_disconnect, "ws.disconnect", "c1", 1006, "x", "warn", 1767323045.5},
	{&json_logs, "{\"event\":\"ws.connect\",\"ctx\":{\"conn\":17},\"ts\":1767323045500}", true, LOG_WORD_connect, "ws.connect", "17", 0, "",
	 "", 1767323045.5},
	{&json_logs, "{\"event\":\"other\",\"code\":\"1001\",\"ctx\":[\"conn\"]}", true, LOG_WORD_OTHER, "other", "", 1001, "", "", 0},
	{&json_logs, "{\"event\":null,\"code\":100000,\"reason\":{}}", true, LOG_WORD_OTHER, "", "", 0, "", "", 0},
	{&json_logs, "{\"event\":\"a\",\"code\":-1,\"id\":18446744073709551615}", true, LOG_WORD_OTHER, "a", "", 0, "", "", 0},
	{&json_logs, "  {}  ", true, LOG_WORD_OTHER, "", "", 0, "", "", 0},
	{&json_logs, "{\"event\":\"nul\\u0000behind\",\"code\":true}", true, LOG_WORD_OTHER, "nul", "", 0, "", "", 0},
	{&json_logs, "{\"event\":\"a\"} {\"event\":\"b\"}", false},
	{&json_logs, "{\"event\":\"say \"hi\"\"}", false},
	{&json_logs, "\"event\"", false},
	{&json_logs, "12", false},
	{&json_logs, "", false},
	{&json_logs, "Traceback (most recent call last):", false},
	{&json_logs, "{\"event\":\"\xff\"}", false},
	{&logfmt_logs, "t=2026-01-02T03:04:05Z level=info msg=\"closed\" conn=c9 code=1000 reason=\"bye \\\"now\\\"\\n\"", true,
	 LOG_WORD_disconnect, "closed", "c9", 1000, "bye \"now\"\n", "info", 1767323045},
	{&logfmt_logs, "msg=closed msg=second flag conn=", true, LOG_WORD_disconnect, "closed", "", 0, "", "", 0},
	{&logfmt_logs, "x=1 level", true, LOG_WORD_OTHER, "", "", 0, "", "true", 0},
	{&logfmt_logs, "only words here", false},
	{&logfmt_logs, "msg=\"never closed", false},
	{&logfmt_logs, "=x", false},
	{&regex_logs, "2026-01-02T03:04:05,500Z [info] closed id=c3 code=4321 \"as agreed\"", true, LOG_WORD_disconnect, "closed", "c3", 4321,
	 "as agreed", "info", 1767323045.5},
	{&regex_logs, "17 [info] opened id=c3", true, LOG_WORD_OTHER, "opened", "c3", 0, "", "info", 17},
	{&regex_logs, "something else", false},
};

static bool same(const struct row *row, const struct log_entry *e)
{
	return e->word == row->word && strcmp(e->event, row->event) == 0 && strcmp(e->connection, row->connection) == 0 &&
	       e->code == row->code && strcmp(e->reason, row->reason) == 0 && strcmp(e->level, row->level) == 0 &&
	       fabs(e->time_s - row->time_s) < 1e-6;
}

static void lines_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct log_rules *rules;
		struct log_entry entry = {0};
		struct err e = {0};
		if (log_rules_new(rows[i].logs, &rules, &e) < 0)
			fail_msg("%s", e.text);
		bool is = log_line_parse(rules, span_str(rows[i].line), &entry);
		if (is != rows[i].is || (is && !same(&rows[i], &entry)))
			fail_msg("row %zu: %d '%s' '%s' %d '%s' '%s' %f", i, is, entry.event, entry.connection, entry.code, entry.reason,
				 entry.level, entry.time_s);
		log_rules_free(rules);
	}
}

/* The same line with a member that only the real parser reads: both must say the same of it. */
static void two_readers_agree(void **state)
{
	static const char *const lines[] = {
		"{\"event\":\"a\",\"code\":1006,\"reason\":\"x y\",\"ts\":1767323045500,\"clean\":true,\"m~n\":null}",
		" { \"event\" : \"a\" , \"code\" : -7 ,\"event\":\"b\",\"ctx\":{\"conn\":\"c\"},\"z\":0.5}",
		"{\"event\":true,\"code\":\"1000\",\"reason\":false,\"a\":999999999999999999,\"b\":0,\"ctx\":\"c\"}",
		"{\"event\":1,\"event\":null,\"code\":12e1,\"reason\":-0,\"b\":01}",
	};
	static const char more[] = ",\"zz\":\"\\u0041\"}", octets[] = "{}[]\":,\\ 0123456789-+.eEtrufalsn\t\x7f\xc3";
	struct log_rules *rules;
	struct rng rng;
	struct err e;
	uint64_t read = 0;
	(void)state;
	rng_init(&rng, 11, "readers");
	assert_int_equal(log_rules_new(&json_logs, &rules, &e), 0);
	for (int n = 0; n < 40000; n++) {
		struct log_entry fast = {0}, slow = {0};
		char line[300];
		size_t len = strlen(lines[n % 4]);
		memcpy(line, lines[n % 4], len);
		for (uint64_t c = rng_below(&rng, 3); c; c--)
			line[rng_below(&rng, len - 1)] = octets[rng_below(&rng, sizeof(octets) - 1)];
		bool is = log_line_parse(rules, span_of(line, len), &fast);
		memcpy(line + len - 1, more, sizeof(more));
		bool also = log_line_parse(rules, span_of(line, len + sizeof(more) - 2), &slow);
		read += is;
		if (is != also || memcmp(&fast, &slow, sizeof(fast)) != 0)
			fail_msg("%d, %d: %s", is, also, line);
	}
	assert_true(read > 5000);
	log_rules_free(rules);
}

static void long_values_are_cut(void **state)
{
	static char line[LOG_LINE_MAX + 2];
	struct log_rules *rules;
	struct log_entry entry;
	struct err e;
	(void)state;
	assert_int_equal(log_rules_new(&json_logs, &rules, &e), 0);
	memset(line, 'x', sizeof(line));
	memcpy(line, "{\"event\":\"", 10);
	memcpy(line + LOG_LINE_MAX - 2, "\"}", 2);
	assert_true(log_line_parse(rules, span_of(line, LOG_LINE_MAX), &entry));
	assert_int_equal(strlen(entry.event), LOG_VALUE_MAX - 1);
	assert_false(log_line_parse(rules, span_of(line, LOG_LINE_MAX + 1), &entry));
	memset(line, '[', sizeof(line));
	assert_false(log_line_parse(rules, span_of(line, LOG_LINE_MAX), &entry));
	log_rules_free(rules);
}

/* Octets of all kinds, and good lines with octets changed: the sanitizers look on. */
static void garbage_does_no_harm(void **state)
{
	const struct target_logs *const all[] = {&json_logs, &logfmt_logs, &regex_logs};
	struct rng rng;
	struct err e;
	(void)state;
	rng_init(&rng, 7, "garbage");
	for (size_t k = 0; k < ARRAY_LEN(all); k++) {
		struct log_rules *rules;
		struct log_entry entry;
		uint8_t line[300];
		assert_int_equal(log_rules_new(all[k], &rules, &e), 0);
		for (int n = 0; n < 2000; n++) {
			const char *from = rows[rng_u64(&rng) % ARRAY_LEN(rows)].line;
			size_t len = strlen(from);
			assert_true(len < sizeof(line));
			memcpy(line, from, len + 1);
			if (n % 4 == 0)
				rng_fill(&rng, line, len = rng_u64(&rng) % sizeof(line));
			for (int c = 0; c < 3 && len; c++)
				line[rng_u64(&rng) % len] = (uint8_t)rng_u64(&rng);
			log_line_parse(rules, span_of(line, len), &entry);
		}
		log_rules_free(rules);
	}
}

static const struct {
	struct target_logs logs;
	const char *sentence;
} bad_rows[] = {
	{{.event = "event"}, "logs: event: expected a JSON pointer such as /event, not 'event'"},
	{{.event = "/a~2"}, "logs: event: '/a~2' is no JSON pointer of at most 16 steps (RFC 6901)"},
	{{.event = "/0/1/2/3/4/5/6/7/8/9/a/b/c/d/e/f/g"},
	 "logs: event: '/0/1/2/3/4/5/6/7/8/9/a/b/c/d/e/f/g' is no JSON pointer of at most 16 steps (RFC 6901)"},
	{{.format = LOG_REGEX}, "logs: format regex needs a `pattern`"},
	{{.pattern = "x"}, "logs: a `pattern` belongs to format regex alone"},
	{{.format = LOG_REGEX, .pattern = "(", .event = "1"}, "logs: pattern: Unmatched ( or \\("},
	{{.format = LOG_REGEX, .pattern = "(a)", .event = "2"}, "logs: event: the pattern has no group '2'"},
	{{.format = LOG_REGEX, .pattern = "(?<x>a)", .event = "y"}, "logs: event: the pattern has no group 'y'"},
	{{.format = LOG_REGEX, .pattern = "[(](a)", .event = "2"}, "logs: event: the pattern has no group '2'"},
	{{.format = LOG_REGEX, .pattern = "(?:a)", .event = "1"},
	 "logs: pattern: behind (? there is no <name>; it is a POSIX extended expression, and a group may have a name as in (?<code>[0-9]+)"},
	{{.format = LOG_REGEX, .pattern = "(a)\\1", .event = "1"},
	 "logs: pattern: \\1 and the like are not possible; it is a POSIX extended expression, and a group may have a name as in (?<code>[0-9]+)"},
	{{.event = "/e", .words = {[LOG_WORD_disconnect] = {down_words, 2, 2}, [LOG_WORD_slow] = {down_words + 1, 1, 1}}},
	 "logs: words: 'closed' stands for disconnect and for slow"},
};

static void bad_rules_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_rows); i++) {
		struct log_rules *rules = NULL;
		struct err e = {0};
		if (log_rules_new(&bad_rows[i].logs, &rules, &e) != -EINVAL || strcmp(e.text, bad_rows[i].sentence) != 0)
			fail_msg("row %zu: %s", i, e.text);
		assert_null(rules);
	}
}

static const struct {
	const char *text;
	double seconds;
} time_rows[] = {
	{"1970-01-01T00:00:01Z", 1}, {"2000-02-29T00:00:00Z", 951782400}, {"2026-01-02 03:04:05,25", 1767323045.25},
	{"2026/01/02 03:04:05", 1767323045}, {"2026-01-02T03:04:05+01:30", 1767317645}, {"2026-01-02T03:04:05.123456789-0100", 1767326645.123456789},
	{"2026-01-02 03:04:05 UTC", 1767323045}, {"1767323045", 1767323045}, {"1767323045.5", 1767323045.5}, {"1767323045500", 1767323045.5},
	{"1767323045500000", 1767323045.5}, {"1767323045500000000", 1767323045.5}, {"1.767323045e9", 1767323045},
	{"", 0}, {"yesterday", 0}, {"-5", 0}, {"2026-13-02T03:04:05Z", 0}, {"2026-01-02T25:04:05Z", 0}, {"2026-01-02", 0},
	{"2026-01-02T03:04:05X", 0}, {"inf", 0}, {"1e300", 0}, {"2026-01-02T03:04:05+1", 0},
};

static void times_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(time_rows); i++) {
		double is = log_time_parse(span_str(time_rows[i].text));
		if (fabs(is - time_rows[i].seconds) > 1e-5)
			fail_msg("%s: %f", time_rows[i].text, is);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_readers_agree),
		cmocka_unit_test(lines_are_read),      cmocka_unit_test(long_values_are_cut),  cmocka_unit_test(garbage_does_no_harm),
		cmocka_unit_test(bad_rules_are_refused), cmocka_unit_test(times_are_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
