/* Attributes of toxics: each kind of row, from JSON and back, and what is refused with which sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "harness/proxy/options_json.h"

struct sample {
	uint64_t latency_us, bytes, delay_us, plain_us, count;
	int64_t offset;
	double share, rate;
	bool loud;
	int how;
	const char *text;
	struct opt_strings words;
	struct opt_map pairs;
};
static const char *const hows[] = {"rst", "fin", NULL};
#define ROW(name_, member, type_, ...) \
	{.name = name_, .type = type_, .offset = offsetof(struct sample, member), .help = "", __VA_ARGS__}
static const struct opt table[] = {
	ROW("latency", latency_us, OPT_MICROS, .bare = 1000, .def = "0s", .max = 60000000),
	ROW("bytes", bytes, OPT_SIZE, .bare = 1, .def = "0B", .max = INT64_MAX),
	ROW("delay", delay_us, OPT_MICROS, .bare = 1, .def = "0s"),
	ROW("plain", plain_us, OPT_MICROS, .def = "5ms"),
	ROW("count", count, OPT_U64, .def = "1", .min = 1, .max = 100),
	ROW("offset", offset, OPT_INT, .def = "0"),
	ROW("share", share, OPT_PERCENT, .def = "1%"),
	ROW("rate", rate, OPT_RATE, .def = "10/s"),
	ROW("loud", loud, OPT_FLAG, .def = "false"),
	ROW("how", how, OPT_ENUM, .choices = hows, .def = "fin"),
	ROW("text", text, OPT_STRING, .def = NULL),
	ROW("words", words, OPT_STRINGS, .def = NULL),
	ROW("pairs", pairs, OPT_MAP, .def = NULL),
	{0},
};

static int read_json(const char *json, struct sample *s, struct arena *a, struct err *e)
{
	json_error_t error;
	json_t *value = json_loads(json, JSON_DECODE_ANY, &error);
	assert_non_null(value);
	assert_int_equal(opt_defaults(table, s, a), 0);
	int r = options_from_json(table, value, s, a, e);
	json_decref(value);
	return r;
}

static void assert_shown(const struct sample *s, enum options_shown shown, const char *want)
{
	struct buf b CLEANUP(buf_fini) = {0};
	json_t *value = options_to_json(table, sizeof(*s), s, shown);
	buf_init(&b, 4096);
	assert_int_equal(options_json_print(&b, value), 0);
	assert_string_equal(buf_cstr(&b), want);
	json_decref(value);
}

#define NUMBERS "\"latency\":0,\"bytes\":0,\"delay\":0"
#define REST "\"count\":1,\"offset\":0,\"share\":0.01"

static void values_go_in_and_come_out(void **state)
{
	(void)state;
	static const struct {
		const char *json, *told;
	} rows[] = {
		{"null", "{" NUMBERS "," REST "}"},
		{"{}", "{" NUMBERS "," REST "}"},
		{"{\"latency\": null, \"how\": null}", "{" NUMBERS "," REST "}"},
		{"{\"latency\": 100}", "{\"latency\":100,\"bytes\":0,\"delay\":0," REST "}"},
		{"{\"latency\": 100.0}", "{\"latency\":100,\"bytes\":0,\"delay\":0," REST "}"},
		{"{\"latency\": 1e2}", "{\"latency\":100,\"bytes\":0,\"delay\":0," REST "}"},
		{"{\"latency\": 1.5}", "{\"latency\":1.5,\"bytes\":0,\"delay\":0," REST "}"},
		{"{\"latency\": \"100ms\"}", "{\"latency\":100,\"bytes\":0,\"delay\":0," REST "}"},
		{"{\"latency\": \"250us\"}", "{\"latency\":0.25,\"bytes\":0,\"delay\":0," REST "}"},
		{"{\"bytes\": 9007199254740993}", "{\"latency\":0,\"bytes\":9007199254740993,\"delay\":0," REST "}"},
		{"{\"bytes\": \"16777215TiB\"}", "{\"latency\":0,\"bytes\":\"16777215TiB\",\"delay\":0," REST "}"},
		{"{\"bytes\": \"8388607TiB\"}", "{\"latency\":0,\"bytes\":9223370937343148032,\"delay\":0," REST "}"},
		{"{\"bytes\": \"64KiB\"}", "{\"latency\":0,\"bytes\":65536,\"delay\":0," REST "}"},
		{"{\"delay\": 7}", "{\"latency\":0,\"bytes\":0,\"delay\":7," REST "}"},
		{"{\"plain\": \"2s\"}", "{" NUMBERS ",\"plain\":\"2s\"," REST "}"},
		{"{\"count\": 100}", "{" NUMBERS ",\"count\":100,\"offset\":0,\"share\":0.01}"},
		{"{\"offset\": -5}", "{" NUMBERS ",\"count\":1,\"offset\":-5,\"share\":0.01}"},
		{"{\"share\": 0.1}", "{" NUMBERS ",\"count\":1,\"offset\":0,\"share\":0.1}"},
		{"{\"share\": 1}", "{" NUMBERS ",\"count\":1,\"offset\":0,\"share\":1}"},
		{"{\"share\": \"12.5%\"}", "{" NUMBERS ",\"count\":1,\"offset\":0,\"share\":0.125}"},
		{"{\"rate\": \"100/s\"}", "{" NUMBERS "," REST ",\"rate\":\"100/s\"}"},
		{"{\"loud\": true}", "{" NUMBERS "," REST ",\"loud\":true}"},
		{"{\"loud\": \"true\"}", "{" NUMBERS "," REST ",\"loud\":true}"},
		{"{\"loud\": false}", "{" NUMBERS "," REST "}"},
		{"{\"how\": \"rst\"}", "{" NUMBERS "," REST ",\"how\":\"rst\"}"},
		{"{\"text\": \"a b\"}", "{" NUMBERS "," REST ",\"text\":\"a b\"}"},
		{"{\"words\": [\"a\", \"b\"]}", "{" NUMBERS "," REST ",\"words\":[\"a\",\"b\"]}"},
		{"{\"words\": \"a\"}", "{" NUMBERS "," REST ",\"words\":[\"a\"]}"},
		{"{\"pairs\": {\"k\": \"v\"}}", "{" NUMBERS "," REST ",\"pairs\":{\"k\":\"v\"}}"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sample s;
		struct arena a;
		struct err e = {.text = ""};
		arena_init(&a, 1 << 16);
		if (read_json(rows[i].json, &s, &a, &e) < 0)
			fail_msg("%s: %s", rows[i].json, e.text);
		assert_shown(&s, OPTIONS_TOLD, rows[i].told);
		arena_fini(&a);
	}
}

static void wrong_values_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *json, *word; /* word: part of the sentence */
	} rows[] = {
		{"[]", "expected an object, not a list"},
		{"3", "expected an object, not a number"},
		{"{\"latncy\": 1}", "did you mean \"latency\""},
		{"{\"\": 1}", "unknown key"},
		{"{\"latency\": -1}", "latency: expected no negative number, not -1"},
		{"{\"latency\": 60001}", "latency: expected a duration"},
		{"{\"latency\": 1e308}", "latency: expected a duration"},
		{"{\"latency\": -1e308}", "latency: expected"},
		{"{\"latency\": 9223372036854775807}", "latency: expected a duration"},
		{"{\"latency\": 0.0001}", "latency: expected a duration"},
		{"{\"latency\": \"100\"}", "latency: expected a duration"},
		{"{\"latency\": \"\"}", "latency: expected a duration"},
		{"{\"latency\": true}", "not true"},
		{"{\"latency\": []}", "not a list"},
		{"{\"latency\": {}}", "not an object"},
		{"{\"plain\": 5}", "plain: expected a duration"},
		{"{\"bytes\": -1}", "bytes: expected no negative number"},
		{"{\"bytes\": 1e300}", "bytes: expected a size"},
		{"{\"bytes\": 1.5}", "bytes: expected a size"},
		{"{\"count\": 0}", "count: expected"},
		{"{\"count\": 101}", "count: expected"},
		{"{\"count\": 1.5}", "count: expected"},
		{"{\"count\": -1}", "count: expected no negative number"},
		{"{\"count\": \"3\"}", "count: expected"},
		{"{\"share\": 1.01}", "share: expected a share"},
		{"{\"share\": -0.1}", "share: expected a share"},
		{"{\"share\": 1e308}", "share: expected a share"},
		{"{\"share\": \"101%\"}", "share: expected"},
		{"{\"rate\": 5}", "rate: expected a rate"},
		{"{\"loud\": 1}", "loud: expected"},
		{"{\"loud\": \"yes\"}", "loud: expected"},
		{"{\"how\": \"RST\"}", "how: expected one of rst, fin"},
		{"{\"how\": 0}", "how: expected one of rst, fin"},
		{"{\"text\": 5}", "text: expected"},
		{"{\"words\": [1]}", "words: expected texts"},
		{"{\"words\": {}}", "words: expected"},
		{"{\"pairs\": {\"k\": 1}}", "pairs: expected text"},
		{"{\"pairs\": \"k=v\"}", "pairs: expected"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sample s;
		struct arena a;
		struct err e = {.text = ""};
		arena_init(&a, 1 << 16);
		if (read_json(rows[i].json, &s, &a, &e) != -EINVAL)
			fail_msg("%s was taken", rows[i].json);
		if (!strstr(e.text, rows[i].word))
			fail_msg("%s: \"%s\" does not say \"%s\"", rows[i].json, e.text, rows[i].word);
		arena_fini(&a);
	}
}

/* What a change of a toxic stands on: all that is told can be read again, to the same struct. */
static void all_is_read_back_to_the_same(void **state)
{
	static const char json[] = "{\"latency\": 1.5, \"bytes\": 12345678901, \"delay\": 3, \"plain\": \"1.5ms\", "
				   "\"count\": 7, \"offset\": -9, \"share\": 0.3, \"rate\": \"2.5/s\", \"loud\": true, "
				   "\"how\": \"rst\", \"text\": \"x\", \"words\": [\"a\"], \"pairs\": {\"k\": \"v\"}}";
	struct sample s = {0}, again = {0};
	struct arena a;
	struct err e;
	(void)state;
	arena_init(&a, 1 << 16);
	assert_int_equal(read_json(json, &s, &a, &e), 0);
	json_t *all = options_to_json(table, sizeof(s), &s, OPTIONS_ALL);
	assert_int_equal(json_object_size(all), ARRAY_LEN(table) - 1);
	assert_int_equal(opt_defaults(table, &again, &a), 0);
	assert_int_equal(options_from_json(table, all, &again, &a, &e), 0);
	json_t *twice = options_to_json(table, sizeof(again), &again, OPTIONS_ALL);
	assert_true(json_equal(all, twice));
	assert_memory_equal(&s, &again, offsetof(struct sample, text));
	json_decref(all);
	json_decref(twice);
	arena_fini(&a);
}

static void what_is_required_is_asked_for(void **state)
{
	static const struct opt one[] = {
		ROW("bytes", bytes, OPT_SIZE, .bare = 1, .flags = OPT_REQUIRED), {0},
	};
	struct sample s = {0};
	struct arena a;
	struct err e;
	(void)state;
	arena_init(&a, 1 << 16);
	assert_int_equal(options_from_json(one, NULL, &s, &a, &e), -EINVAL);
	assert_non_null(strstr(e.text, "\"bytes\""));
	json_t *null = json_pack("{s:n}", "bytes"), *given = json_pack("{s:i}", "bytes", 5);
	assert_int_equal(options_from_json(one, null, &s, &a, &e), -EINVAL);
	assert_int_equal(options_from_json(one, given, &s, &a, &e), 0);
	assert_int_equal(s.bytes, 5);
	json_decref(null);
	json_decref(given);
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_go_in_and_come_out),
		cmocka_unit_test(wrong_values_are_refused),
		cmocka_unit_test(all_is_read_back_to_the_same),
		cmocka_unit_test(what_is_required_is_asked_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
