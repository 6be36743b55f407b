/* The JSON Schema made from a table, against one written by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "harness/base/opt.h"

static const char *const deliveries[] = {"at-most-once", "at-least-once", NULL};

/* The schema as draft 2020-12 wants it, by hand, for a table with one row of each kind. */
static void the_schema_says_what_the_reader_accepts(void **state)
{
	(void)state;
	static const struct opt part[] = {{.name = "x", .type = OPT_FLAG, .flags = OPT_REQUIRED}, {0}};
	static const struct opt item[] = {{.name = "y", .type = OPT_FLAG}, {0}};
	static const struct opt rows[] = {
		{.name = "v", .type = OPT_INT, .flags = OPT_REQUIRED, .min = 1, .max = 1, .help = "version"},
		{.name = "on", .type = OPT_FLAG, .def = "true"},
		{.name = "big", .type = OPT_U64, .def = "18"},
		{.name = "many", .type = OPT_INT, .min = 2, .max = INT64_MAX},
		{.name = "any", .type = OPT_INT},
		{.name = "text", .type = OPT_STRING, .def = "x"},
		{.name = "key", .type = OPT_STRING, .def = "secret", .flags = OPT_SECRET},
		{.name = "how", .type = OPT_ENUM, .choices = deliveries, .def = "at-most-once"},
		{.name = "wait", .type = OPT_DURATION, .def = "5s", .min = 1000, .max = 60000, .help = "how long"},
		{.name = "size", .type = OPT_SIZE},
		{.name = "rate", .type = OPT_RATE},
		{.name = "delay", .type = OPT_MICROS},
		{.name = "share", .type = OPT_PERCENT},
		{.name = "list", .type = OPT_STRINGS, .flags = OPT_COMMAS, .def = "a,b"},
		{.name = "map", .type = OPT_MAP},
		{.name = "part", .type = OPT_SECTION, .sub = part, .help = "p"},
		{.name = "parts", .type = OPT_SECTIONS, .sub = item},
		{.name = "cli", .type = OPT_FLAG, .flags = OPT_CLI_ONLY | OPT_REQUIRED},
		{0},
	};
	static const char want[] =
		"{\"$schema\": \"https://json-schema.org/draft/2020-12/schema\", \"title\": \"T\", \"type\": "
		"\"object\", \"additionalProperties\": false,"
		" \"required\": [\"v\"], \"properties\": {"
		"\"v\": {\"type\": \"integer\", \"minimum\": 1, \"maximum\": 1, \"description\": \"version\"},"
		"\"on\": {\"type\": \"boolean\", \"default\": true},"
		"\"big\": {\"type\": \"integer\", \"minimum\": 0, \"default\": 18},"
		"\"many\": {\"type\": \"integer\", \"minimum\": 2},"
		"\"any\": {\"type\": \"integer\"},"
		"\"text\": {\"type\": \"string\", \"default\": \"x\"},"
		"\"key\": {\"type\": \"string\"},"
		"\"how\": {\"enum\": [\"at-most-once\", \"at-least-once\"], \"default\": \"at-most-once\"},"
		"\"wait\": {\"type\": \"string\", \"pattern\": \"^[0-9]+(\\\\.[0-9]+)?(ms|s|m|h|d)$\", "
		"\"description\": \"how long (1s to 1m)\", \"default\": \"5s\"},"
		"\"size\": {\"type\": \"string\", \"pattern\": "
		"\"^[0-9]+(\\\\.[0-9]+)?(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)$\"},"
		"\"rate\": {\"type\": \"string\", \"pattern\": \"^[0-9]+(\\\\.[0-9]+)?/(s|m|h)$\"},"
		"\"delay\": {\"type\": \"string\", \"pattern\": \"^[0-9]+(\\\\.[0-9]+)?(us|ms|s|m|h|d)$\"},"
		"\"share\": {\"type\": \"string\", \"pattern\": \"^[0-9]+(\\\\.[0-9]+)?%$\"},"
		"\"list\": {\"type\": \"array\", \"items\": {\"type\": \"string\"}, \"default\": [\"a\", \"b\"]},"
		"\"map\": {\"type\": \"object\", \"additionalProperties\": {\"type\": \"string\"}},"
		"\"part\": {\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"x\"], "
		"\"properties\": {\"x\": {\"type\": \"boolean\"}}, "
		"\"description\": \"p\"},"
		"\"parts\": {\"type\": \"array\", \"items\": {\"type\": \"object\", \"additionalProperties\": false, "
		"\"properties\": {\"y\": {\"type\": \"boolean\"}}}}"
		"}}";
	json_t *got = opt_schema(rows, "T"), *expected = json_loads(want, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(expected);
	char *text = json_dumps(got, JSON_INDENT(1));
	if (!json_equal(got, expected))
		fail_msg("%s", text);
	free(text);
	json_decref(got);
	json_decref(expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_schema_says_what_the_reader_accepts),
	};
	return cmocka_run_group_tests_name("opt_schema", tests, NULL, NULL);
}
