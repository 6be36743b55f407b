/* What templates say and what they recognise, row by row; hostile input; sentences for those who mistype. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "harness/target/session.h"
#include "harness/target/template.h"

enum { ARENA_MAX = 1 << 20, TEXT_MAX = 4 << 20 };

static struct template_names names;
static struct arena arena;

static const struct template *parse(const char *text, enum template_use use)
{
	const struct template *t = NULL;
	struct err e = {.text = ""};
	int r = template_parse(span_str(text), use, &names, &arena, &t, &e);
	if (r < 0)
		fail_msg("%s: %s", text, e.text);
	return t;
}

static int setup(void **state)
{
	(void)state;
	names = (struct template_names){0};
	arena_init(&arena, ARENA_MAX);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

/* "channel=c seq=7": what was found, in the order of names. */
static const char *found(const struct template_values *values, struct buf *b)
{
	b->len = 0;
	for (size_t name = 0; name < NAMES_KNOWN + names.n; name++) {
		if (!template_has(values, name))
			continue;
		buf_printf(b, "%s%s=", b->len ? " " : "", template_name_text(&names, name));
		template_value_text(&values->v[name], b);
	}
	return buf_cstr(b);
}

static const struct {
	const char *pattern, *text, *found; /* NULL: it does not match */
} matches[] = {
	{"{\"type\":\"m\",\"c\":\"$channel\"}", "{\"c\":\"x\",\"more\":[1],\"type\":\"m\"}", "channel=x"},
	{"{\"type\":\"m\",\"c\":\"$channel\"}", "{\"c\":\"x\",\"type\":\"n\"}", NULL},
	{"{\"type\":\"m\",\"c\":\"$channel\"}", "{\"type\":\"m\"}", NULL},
	{"{\"type\":\"m\",\"c\":\"$channel\"}", " {\"type\":\"m\",\"c\":5}\n", "channel=5"},
	{"{\"c\":\"$channel\"}", "{\"c\":null}", NULL},
	{"{\"c\":\"$channel\"}", "{\"c\":[\"x\"]}", NULL},
	{"{\"c\":\"$channel?\"}", "{\"c\":null}", ""},
	{"{\"c\":\"$channel?\"}", "{}", ""},
	{"{\"c\":\"$channel?\"}", "{\"c\":true}", NULL},
	{"{\"c\":\"room:$channel\"}", "{\"c\":\"room:a:b\"}", "channel=a:b"},
	{"{\"c\":\"room:$channel\"}", "{\"c\":\"rooms:a\"}", NULL},
	{"{\"c\":\"room:$channel\"}", "{\"c\":\"room:\"}", NULL},
	{"{\"c\":\"$$5\"}", "{\"c\":\"$5\"}", ""},
	{"{\"s\":\"$seq\"}", "{\"s\":12}", "seq=12"},
	{"{\"s\":\"$seq\"}", "{\"s\":\"12\"}", "seq=12"},
	{"{\"s\":\"$seq\"}", "{\"s\":-1}", NULL},
	{"{\"s\":\"$seq\"}", "{\"s\":1.5}", NULL},
	{"{\"s\":\"$seq\"}", "{\"s\":\"1e3\"}", NULL},
	{"{\"s\":\"$seq\"}", "{\"s\":18446744073709551616}", NULL},
	{"{\"r\":\"$recovered\"}", "{\"r\":false}", "recovered=false"},
	{"{\"r\":\"$recovered\"}", "{\"r\":\"false\"}", NULL},
	{"{\"d\":\"$data\"}", "{\"d\":{\"a\":[1,\"x\"]}}", "data={\"a\":[1,\"x\"]}"},
	{"{\"d\":\"$data\"}", "{\"d\":\"a\\u00e9\\n\"}", "data=a\xc3\xa9\n"},
	{"{\"d\":\"$data\"}", "{\"d\":1.5}", "data=1.5"},
	{"{\"a\":null,\"b\":true,\"c\":7}", "{\"a\":null,\"b\":true,\"c\":7}", ""},
	{"{\"a\":null}", "{}", NULL},
	{"{\"a\":7}", "{\"a\":7.0}", NULL},
	{"{}", "{}", ""},
	{"{}", "{\"a\":1}", NULL},
	{"[]", "[]", ""},
	{"[]", "[1]", NULL},
	{"{\"a\":{}}", "{\"a\":{\"b\":1}}", NULL},
	{"[\"$*\",null,\"$channel\"]", "[1,null,\"c\",4]", "channel=c"},
	{"[\"$channel\",\"$cursor?\"]", "[\"c\"]", "channel=c"},
	{"[\"$channel\",\"$cursor?\"]", "[\"c\",\"o\"]", "channel=c cursor=o"},
	{"[\"$channel\"]", "[]", NULL},
	{"{\"d\":{\"$json\":{\"id\":\"$session\"}}}", "{\"d\":\"{\\\"id\\\":\\\"1.2\\\"}\"}", "session=1.2"},
	{"{\"d\":{\"$json\":{\"id\":\"$session\"}}}", "{\"d\":{\"id\":\"1.2\"}}", NULL},
	{"{\"d\":{\"$json\":{\"id\":\"$session\"}}}", "{\"d\":\"{\"}", NULL},
	{"{\"p?\":{\"q\":\"$seq\"}}", "{}", ""},
	{"{\"p?\":{\"q\":\"$seq\"}}", "{\"p\":{\"q\":3}}", "seq=3"},
	{"{\"p?\":{\"q\":\"$seq\"}}", "{\"p\":{}}", NULL},
	{"42$id?[\"m\",\"$data\"]", "42[\"m\",\"x\"]", "data=x"},
	{"42$id?[\"m\",\"$data\"]", "4217[\"m\",\"x\"]", "id=17 data=x"},
	{"42$id[\"m\",\"$data\"]", "42[\"m\",\"x\"]", NULL},
	{"42[\"m\",\"$data\"]", "427[\"m\",\"x\"]", NULL},
	{"42[\"m\",\"$data\"]", "42x", NULL},
	{"2", "2", ""},
	{"2", "2x", NULL},
	{"2", "", NULL},
	{"id: $cursor\ncontent-type: $*\n\n$data?", "id: 1:0\ncontent-type: a/b\n\nbody\n\nmore", "cursor=1:0 data=body\n\nmore"},
	{"id: $cursor\n\n$data?", "id: 1:0\n\n", "cursor=1:0"},
	{"id: $cursor\n\n$data", "id: 1:0\n\n", NULL},
	{"id: $cursor\n\n$data", "id: \n\nx", NULL},
	{"$seq:$epoch", "12:E", "seq=12 epoch=E"},
	{"$*{\"a\":\"$seq\"}", "xx{\"a\":1}", "seq=1"},
	{"{\"t\":\"$TOKEN\"}", "{\"t\":\"secret\"}", "TOKEN=secret"},
	{"{\"a\":\"$channel\"}", "[1]", NULL},
	{"{\"a\":\"$channel\"}", "{\"a\":\"x\"", NULL},
	{"{\"a\":\"$channel\"}", "{\"a\":\"\xff\"}", NULL},
	{"{\"a\":\"$channel\"}", "{\"a\":\"x\"} x", NULL},
};

static void match(void **state)
{
	struct buf b CLEANUP(buf_fini);
	(void)state;
	buf_init(&b, TEXT_MAX);
	for (size_t i = 0; i < ARRAY_LEN(matches); i++) {
		struct template_input in;
		struct template_values values;
		names.n = 0;
		const struct template *t = parse(matches[i].pattern, TEMPLATE_MATCH);
		template_input_init(&in, span_str(matches[i].text));
		template_values_init(&values);
		bool is = template_match(t, &in, &values);
		if (is != (matches[i].found != NULL))
			fail_msg("%s and %s: %d", matches[i].pattern, matches[i].text, is);
		if (is)
			assert_string_equal(found(&values, &b), matches[i].found);
		template_values_fini(&values);
		template_input_fini(&in);
	}
}

static void each(void **state)
{
	struct buf b CLEANUP(buf_fini);
	const struct template *t = parse("{\"c\":\"$channel\",\"p\":{\"$each\":{\"d\":\"$data\",\"o\":\"$seq?\"}}}", TEMPLATE_MATCH);
	struct template_input in;
	struct template_values values, element;
	(void)state;
	buf_init(&b, TEXT_MAX);
	template_input_init(&in, span_str("{\"c\":\"x\",\"p\":[{\"d\":\"1\",\"o\":7},{\"d\":\"2\"},5]}"));
	template_values_init(&values);
	template_values_init(&element);
	assert_true(template_match(t, &in, &values));
	assert_int_equal(template_each_len(t, &values), 3);
	assert_true(template_each(t, 0, &values, &element));
	assert_string_equal(found(&element, &b), "channel=x seq=7 data=1");
	assert_true(template_each(t, 1, &values, &element));
	assert_string_equal(found(&element, &b), "channel=x data=2");
	assert_false(template_each(t, 2, &values, &element));
	template_values_fini(&element);
	template_values_fini(&values);
	template_input_fini(&in);
}

/* A variable that is given matches its value alone, and shows where the next one begins. */
static void given(void **state)
{
	static const struct {
		const char *text;
		bool is;
	} rows[] = {
		{"[\"room:a\",\"ev\"]", true}, {"[\"room:a\",\"other\"]", false}, {"[\"roam:a\",\"ev\"]", false},
		{"[\"room:\",\"ev\"]", false}, {"[\"room:a\",5]", false},
	};
	const struct template *t = parse("[\"$TOPIC$channel\",\"$EVENT\"]", TEMPLATE_MATCH);
	struct template_values variables;
	(void)state;
	template_values_init(&variables);
	template_set_text(&variables, NAMES_KNOWN, span_str("room:"));
	template_set_text(&variables, NAMES_KNOWN + 1, span_str("ev"));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct template_input in;
		struct template_values values;
		template_input_init(&in, span_str(rows[i].text));
		template_values_init(&values);
		values.given = &variables;
		assert_int_equal(template_match(t, &in, &values), rows[i].is);
		if (rows[i].is)
			assert_true(span_eq(values.v[NAME_CHANNEL].text, SPAN_LIT("a")));
		template_values_fini(&values);
		template_input_fini(&in);
	}
}

static const struct {
	const char *template;
	enum template_into into;
	const char *said; /* NULL: it cannot be said */
} sayings[] = {
	{"{\"id\":\"$id\",\"c\":\"$channel\"}", TEMPLATE_INTO_TEXT, "{\"id\":3,\"c\":\"a/b \\\"c\\\"\"}"},
	{"{\"id\":\"s$id\",\"k\":\"$key?\"}", TEMPLATE_INTO_TEXT, "{\"id\":\"s3\"}"},
	{"{\"k\":\"$key\"}", TEMPLATE_INTO_TEXT, NULL},
	{"[null,\"$id\",{},[],true,false,-7]", TEMPLATE_INTO_TEXT, "[null,3,{},[],true,false,-7]"},
	{"42$id[\"m\",\"$channel\",\"$cursor?\"]", TEMPLATE_INTO_TEXT, "423[\"m\",\"a/b \\\"c\\\"\"]"},
	{"{\"d\":{\"$json\":{\"c\":\"$channel\"}}}", TEMPLATE_INTO_TEXT, "{\"d\":\"{\\\"c\\\":\\\"a/b \\\\\\\"c\\\\\\\"\\\"}\"}"},
	{"{\"$$a\":1}", TEMPLATE_INTO_TEXT, NULL},
	{"$$$id$$", TEMPLATE_INTO_TEXT, "$3$"},
	{"/sub/$channel?x=$id", TEMPLATE_INTO_URL, "/sub/a%2Fb%20%22c%22?x=3"},
	{"$epoch:$id", TEMPLATE_INTO_HEADER, NULL},
	{"$reason", TEMPLATE_INTO_TEXT, "r\r\n"},
	{"{\"r\":\"$reason\"}", TEMPLATE_INTO_TEXT, "{\"r\":\"r\\u000d\\u000a\"}"},
	{"$reason", TEMPLATE_INTO_HEADER, NULL},
	{"{\"c\":\"$code\"}", TEMPLATE_INTO_TEXT, NULL},
	{"{\"s\":\"$session\"}", TEMPLATE_INTO_TEXT, "{\"s\":{\"a\":1}}"},
};

static void say(void **state)
{
	struct template_values values;
	(void)state;
	template_values_init(&values);
	template_set_number(&values, NAME_ID, 3);
	template_set_text(&values, NAME_CHANNEL, span_str("a/b \"c\""));
	template_set_text(&values, NAME_REASON, span_str("r\r\n"));
	template_set_text(&values, NAME_CODE, span_str("\xff"));
	template_set_text(&values, NAME_SESSION, span_str("{\"a\":1}"));
	values.v[NAME_SESSION].kind = VALUE_JSON;
	for (size_t i = 0; i < ARRAY_LEN(sayings); i++) {
		const struct template *t = NULL;
		struct buf b CLEANUP(buf_fini);
		buf_init(&b, TEXT_MAX);
		enum template_use use = sayings[i].into == TEMPLATE_INTO_TEXT ? TEMPLATE_SAY : TEMPLATE_LINE;
		int r = template_parse(span_str(sayings[i].template), use, &names, &arena, &t, NULL);
		if (r == 0)
			r = template_say(t, &values, sayings[i].into, &b);
		if ((r == 0) != (sayings[i].said != NULL))
			fail_msg("%s: %d %s", sayings[i].template, r, buf_cstr(&b));
		if (r == 0)
			assert_string_equal(buf_cstr(&b), sayings[i].said);
	}
}

static void refused(void **state)
{
	static const struct {
		const char *text;
		enum template_use use;
		const char *sentence;
	} rows[] = {
		{"{\"c\":\"$chanel\"}", TEMPLATE_SAY, "unknown value $chanel, did you mean $channel?"},
		{"$zzz", TEMPLATE_LINE, "unknown value $zzz; a variable of your own is written in CAPITALS"},
		{"a$", TEMPLATE_SAY, "expected a name behind $ ($$ stands for $ itself)"},
		{"$5", TEMPLATE_SAY, "expected a name behind $"},
		{"{\"a\":}", TEMPLATE_SAY, "expected JSON: unexpected token near '}', at character 6 of the template"},
		{"42[\"a\"", TEMPLATE_MATCH, "expected JSON: "},
		{"{\"a\":1,\"a\":2}", TEMPLATE_MATCH, "expected JSON: duplicate object key"},
		{"{\"a\":1.5}", TEMPLATE_MATCH, "expected a whole number"},
		{"{\"a\":\"$*\"}", TEMPLATE_SAY, "expected a message to say; $* is for what is heard"},
		{"{\"a\":{\"$each\":\"$data\"}}", TEMPLATE_SAY, "expected a message to say; {\"$each\": } is for what is heard"},
		{"{\"a\":{\"$each\":1},\"b\":{\"$each\":1}}", TEMPLATE_MATCH, "expected {\"$each\": } once"},
		{"{\"$json\":1,\"b\":2}", TEMPLATE_MATCH, "expected a name without $"},
		{"$channel$epoch", TEMPLATE_MATCH, "expected text between two values that are side by side"},
		{"[\"$seq?\",1]", TEMPLATE_MATCH, "expected what may be absent at the end of an array only"},
		{"{\"a?\":1}", TEMPLATE_SAY, "expected \"a?\" in what is heard only"},
		{"[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]", TEMPLATE_MATCH, "expected JSON of at most 16 levels"},
		{"$A$B$C$D$E$F$G$H$I$J$K$L$M$N$O$P$Q", TEMPLATE_LINE, "expected at most 16 variables"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct template *t;
		struct err e = {.text = ""};
		struct template_names own = {0};
		assert_int_equal(template_parse(span_str(rows[i].text), rows[i].use, &own, &arena, &t, &e), -EINVAL);
		if (strncmp(e.text, rows[i].sentence, strlen(rows[i].sentence)) != 0)
			fail_msg("%s: %s", rows[i].text, e.text);
	}
}

/* Deep, wide, long: none of it matches, and none of it takes memory for long. */
static void hostile(void **state)
{
	const struct template *t = parse("{\"a\":\"$epoch\"}", TEMPLATE_MATCH);
	struct buf rows[3];
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_init(&rows[i], TEXT_MAX);
		buf_printf(&rows[i], i == 2 ? "{\"a\":\"" : "{\"a\":\"x\",\"b\":");
	}
	for (size_t i = 0; i <= TEMPLATE_INPUT_DEPTH_MAX; i++)
		buf_append_u8(&rows[0], '[');
	for (size_t i = 0; i <= TEMPLATE_INPUT_DEPTH_MAX; i++)
		buf_append_u8(&rows[0], ']');
	buf_append_u8(&rows[1], '[');
	for (size_t i = 0; i <= TEMPLATE_INPUT_VALUES_MAX; i++)
		buf_append(&rows[1], "1,", 2);
	buf_printf(&rows[1], "1]");
	for (size_t i = 0; i <= SESSION_EPOCH_MAX; i++)
		buf_append_u8(&rows[2], 'e');
	buf_append_u8(&rows[2], '"');
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct template_input in;
		struct template_values values;
		assert_int_equal(buf_append_u8(&rows[i], '}'), 0);
		template_input_init(&in, buf_span(&rows[i]));
		template_values_init(&values);
		assert_false(template_match(t, &in, &values));
		template_values_fini(&values);
		template_input_fini(&in);
		buf_fini(&rows[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(match, setup, teardown),
		cmocka_unit_test_setup_teardown(each, setup, teardown),
		cmocka_unit_test_setup_teardown(given, setup, teardown),
		cmocka_unit_test_setup_teardown(say, setup, teardown),
		cmocka_unit_test_setup_teardown(refused, setup, teardown),
		cmocka_unit_test_setup_teardown(hostile, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
