/* Strict YAML: for each way to be wrong the sentence with its place; and the environment, whose values are secret. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "harness/base/test_conf.h"

#define DURATION "expected a duration with its unit (ms, s, m, h, d), such as 25s"
#define KNOWN "known here: wsquall, name, url, echo, headers, credentials, subprotocols, contract, seed, rate, nodes"

struct mistake {
	const char *text, *want;
};

static const struct mistake key_mistakes[] = {
	{GOOD "heders: {}\n", "t.yaml:3:1: unknown key \"heders\", did you mean \"headers\"?"},
	{GOOD "contract:\n  heart-beat: 5s\n", "t.yaml:4:3: unknown key \"heart-beat\", did you mean \"heartbeat\"?"},
	{GOOD "frobnicate: 1\n", "t.yaml:3:1: unknown key \"frobnicate\"; " KNOWN},
	{GOOD "verbose: true\n", "t.yaml:3:1: unknown key \"verbose\"; " KNOWN},
	{GOOD "\"\\e[31m\": 1\n", "t.yaml:3:1: unknown key \"\\x1b[31m\"; " KNOWN},
	{GOOD "url: ws://b\n", "t.yaml:3:1: expected each key once, but \"url\" is already in line 2"},
	{GOOD "headers:\n  A: b\n  C: d\n  A: e\n",
	 "t.yaml:6:3: expected each key once, but \"A\" is already in line 4"},
	{"url: ws://a\n", "t.yaml:1:1: expected the key \"wsquall\", which is required and missing"},
	{"# only this\n\nwsquall: 1\n", "t.yaml:3:1: expected the key \"url\", which is required and missing"},
	{GOOD "nodes:\n  - {name: a}\n  - {log: b}\n",
	 "t.yaml:5:5: expected the key \"name\", which is required and missing"},
	{GOOD "[a, b]: c\n", "t.yaml:3:1: expected a word as the key"},
	{GOOD "? {a: b}\n: c\n", "t.yaml:3:3: expected a word as the key"},
	{GOOD "<<: {name: a}\n", "t.yaml:3:1: expected a key, not a merge (<<), which is not supported"},
	{GOOD "headers: {<<: a}\n", "t.yaml:3:11: expected a key, not a merge (<<), which is not supported"},
};

static const struct mistake value_mistakes[] = {
	{"wsquall: 2\nurl: ws://a\n", "t.yaml:1:10: wsquall: expected a whole number, 1, not \"2\""},
	{"wsquall: \"1\"\nurl: ws://a\n", "t.yaml:1:10: wsquall: expected a whole number, 1, without quotes"},
	{GOOD "seed: 0x10\n", "t.yaml:3:7: seed: expected a whole number, not \"0x10\""},
	{GOOD "seed: 1_000\n", "t.yaml:3:7: seed: expected a whole number, not \"1_000\""},
	{GOOD "seed: 1.0\n", "t.yaml:3:7: seed: expected a whole number, not \"1.0\""},
	{GOOD "seed: []\n", "t.yaml:3:7: seed: expected a whole number, not a list"},
	{GOOD "seed:\n", "t.yaml:3:6: seed: expected a whole number, not nothing"},
	{GOOD "contract: {heartbeat: 25}\n", "t.yaml:3:23: heartbeat: " DURATION ", not \"25\""},
	{GOOD "contract: {heartbeat: 25 s}\n", "t.yaml:3:23: heartbeat: " DURATION ", not \"25 s\""},
	{GOOD "contract: {heartbeat: 1ms}\n", "t.yaml:3:23: heartbeat: " DURATION ", and 1s to 1h, not \"1ms\""},
	{GOOD "contract: {heartbeat: {}}\n", "t.yaml:3:23: heartbeat: " DURATION ", and 1s to 1h, not a mapping"},
	{GOOD "contract: {ordered: yes}\n", "t.yaml:3:21: ordered: expected true or false, not \"yes\""},
	{GOOD "contract: {ordered: True}\n", "t.yaml:3:21: ordered: expected true or false, not \"True\""},
	{GOOD "contract: {ordered: 'true'}\n", "t.yaml:3:21: ordered: expected true or false, without quotes"},
	{GOOD "contract: {delivery: exactly-once}\n",
	 "t.yaml:3:22: delivery: expected one of at-most-once, at-least-once, not \"exactly-once\""},
	{GOOD "contract: ordered\n", "t.yaml:3:11: contract: expected a mapping, not a single value"},
	{GOOD "contract: [ordered]\n", "t.yaml:3:11: contract: expected a mapping, not a list"},
	{GOOD "contract:\n", "t.yaml:3:10: contract: expected a mapping, not nothing"},
	{GOOD "name: 12\n", "t.yaml:3:7: name: expected text, not a number; text that looks like this needs quotes"},
	{GOOD "name: 1.5e3\n", "t.yaml:3:7: name: expected text, not a number; text that looks like this needs quotes"},
	{GOOD "name: -.inf\n", "t.yaml:3:7: name: expected text, not a number; text that looks like this needs quotes"},
	{GOOD "name: true\n",
	 "t.yaml:3:7: name: expected text, not a truth value; text that looks like this needs quotes"},
	{GOOD "name: ~\n", "t.yaml:3:7: name: expected text, not nothing; text that looks like this needs quotes"},
	{GOOD "name:\n", "t.yaml:3:6: name: expected text, not nothing; text that looks like this needs quotes"},
	{GOOD "name: [a]\n", "t.yaml:3:7: name: expected text, not a list"},
	{GOOD "headers: {A: 5}\n",
	 "t.yaml:3:14: headers: expected text, not a number; text that looks like this needs quotes"},
	{GOOD "headers: [A]\n", "t.yaml:3:10: headers: expected a mapping of names to texts, not a list"},
	{GOOD "subprotocols: a\n", "t.yaml:3:15: subprotocols: expected a list of texts, not a single value"},
	{GOOD "subprotocols: [a, {b: c}]\n", "t.yaml:3:19: subprotocols: expected text, not a mapping"},
	{GOOD "nodes: {name: a}\n", "t.yaml:3:8: nodes: expected a list of mappings, not a mapping"},
	{GOOD "nodes: [a]\n", "t.yaml:3:9: nodes: expected a mapping in each item of this list"},
	{"wsquall: 1\nurl: http://a\n", "t.yaml:2:6: url: expected a ws:// URL, not \"http://a\""},
	{GOOD "rate: 5\n", "t.yaml:3:7: rate: expected a rate with its unit (/s, /m, /h), such as 100/s, not \"5\""},
	{GOOD "echo: \xc3\xa4\xc3\xa4\nname: {}\n", "t.yaml:4:7: name: expected text, not a mapping"},
	{GOOD "headers: {\xc3\xa4: \xe2\x82\xac, B: 5}\n",
	 "t.yaml:3:20: headers: expected text, not a number; text that looks like this needs quotes"},
};

static const struct mistake yaml_mistakes[] = {
	{"", "t.yaml:1:1: expected keys and values, but it is empty"},
	{"# nothing\n", "t.yaml:1:1: expected keys and values, but it is empty"},
	{"---\n", "t.yaml:1:1: expected keys and values, but it is empty"},
	{"ws://a\n", "t.yaml:1:1: expected keys and values at the top"},
	{"- a\n", "t.yaml:1:1: expected keys and values at the top"},
	{GOOD "name: &x a\n", "t.yaml:3:7: expected a value, not an anchor (&), which is not supported"},
	{GOOD "headers: &x {}\n", "t.yaml:3:10: expected a value, not an anchor (&), which is not supported"},
	{GOOD "subprotocols: &x []\n", "t.yaml:3:15: expected a value, not an anchor (&), which is not supported"},
	{GOOD "&k name: a\n", "t.yaml:3:1: expected a value, not an anchor (&), which is not supported"},
	{GOOD "name: *x\n", "t.yaml:3:7: expected a value, not an alias (*), which is not supported"},
	{GOOD "name: !!str a\n", "t.yaml:3:7: expected a value, not a tag (!), which is not supported"},
	{GOOD "name: ! a\n", "t.yaml:3:7: expected a value, not a tag (!), which is not supported"},
	{GOOD "nodes: !x []\n", "t.yaml:3:8: expected a value, not a tag (!), which is not supported"},
	{"&root\n" GOOD, "t.yaml:1:1: expected a value, not an anchor (&), which is not supported"},
	{"%YAML 1.1\n---\n" GOOD, "t.yaml:1:1: expected keys and values, not a directive (%), which is not supported"},
	{"%TAG ! tag:x,2026:\n---\n" GOOD,
	 "t.yaml:1:1: expected keys and values, not a directive (%), which is not supported"},
	{GOOD "---\n" GOOD, "t.yaml:3:1: expected the end of the file, not a second document"},
	{GOOD "...\n---\n", "t.yaml:4:1: expected the end of the file, not a second document"},
	{GOOD "name: [a\n", "t.yaml:4:1: expected YAML, but did not find expected ',' or ']'"},
	{GOOD "name: a: b\n", "t.yaml:3:8: expected YAML, but mapping values are not allowed in this context"},
	{GOOD "name: \"a\n", "t.yaml:4:1: expected YAML, but found unexpected end of stream"},
	{GOOD "\tname: a\n", "t.yaml:3:1: expected YAML, but found a tab character that violates indentation"},
	{GOOD "name: \"\\0\"\n", "t.yaml:3:7: expected text, not the control character U+0000"},
	{GOOD "\"a\\0\": b\n", "t.yaml:3:1: expected text, not the control character U+0000"},
	{GOOD "name: a\xff\n", "t.yaml:3:8: expected UTF-8, not the octet 0xff"},
	{GOOD "name: \xc3\xa4\xe2\x82\n", "t.yaml:3:8: expected UTF-8, not the octet 0xe2"},
	{GOOD "name: a\x1b[31m\n", "t.yaml:3:8: expected text, not the control character U+001B"},
	{GOOD "# \xe2\x80\xae comment\n", "t.yaml:3:3: expected text, not the control character U+202E"},
	{GOOD "name: \xc2\x85\n", "t.yaml:3:7: expected text, not the control character U+0085"},
	{GOOD "\xef\xbb\xbfname: a\n", "t.yaml:3:1: expected text, not the control character U+FEFF"},
	{"wsquall: 1\r\nurl: ws://a\r\nname: a\x07\r\n", "t.yaml:3:8: expected text, not the control character U+0007"},
	{"wsquall: 1\rurl: ws://a\rnme: a\r", "t.yaml:3:1: unknown key \"nme\", did you mean \"name\"?"},
	{"\xff\xfew\0s\0", "t.yaml:1:1: expected UTF-8, not the octet 0xff"},
};

static void check_mistakes(struct fixture *f, const struct mistake *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int r = read_text(f, span_str(rows[i].text));
		if (r != -EINVAL || strcmp(f->e.text, rows[i].want) != 0)
			fail_msg("%s\n  gave %d %s\n  want    %s", rows[i].text, r, f->e.text, rows[i].want);
	}
}

static void wrong_keys_are_named(void **state)
{
	check_mistakes(*state, key_mistakes, ARRAY_LEN(key_mistakes));
}

static void wrong_values_say_what_was_expected(void **state)
{
	check_mistakes(*state, value_mistakes, ARRAY_LEN(value_mistakes));
}

static void what_is_no_plain_yaml_is_refused(void **state)
{
	struct fixture *f = *state;
	check_mistakes(f, yaml_mistakes, ARRAY_LEN(yaml_mistakes));
	assert_int_equal(read_text(f, SPAN_LIT(GOOD "name: a\0b\n")), -EINVAL);
	assert_string_equal(f->e.text, "t.yaml:3:8: expected text, not the control character U+0000");
}

static void the_environment_is_substituted(void **state)
{
	struct fixture *f = *state;
	setenv("WSQUALL_TEST_A", "ws://secret: {x}", 1);
	setenv("WSQUALL_TEST_EMPTY", "", 1);
	setenv("WSQUALL_TEST_BAD", "a\xff", 1);
	unsetenv("WSQUALL_TEST_UNSET");
	assert_int_equal(read_text(f, SPAN_LIT("wsquall: 1\nurl: ${WSQUALL_TEST_A}/p\nname: "
					       "'a${WSQUALL_TEST_EMPTY}$${HOME}$$5 $HOME'\n"
					       "headers: {A: \"x ${WSQUALL_TEST_A}${WSQUALL_TEST_A}\"}\nsubprotocols: "
					       "[\"${WSQUALL_TEST_EMPTY}\"]\n")),
			 0);
	assert_string_equal(f->t.url, "ws://secret: {x}/p");
	assert_string_equal(f->t.name, "a${HOME}$$5 $HOME");
	assert_string_equal(opt_map_get(&f->t.headers, "A"), "x ws://secret: {x}ws://secret: {x}");
	assert_string_equal(f->t.subprotocols.items[0], "");
	static const struct mistake rows[] = {
		{"wsquall: 1\nurl: ${WSQUALL_TEST_UNSET}\n",
		 "t.yaml:2:6: url: the environment variable WSQUALL_TEST_UNSET is not set"},
		{"wsquall: 1\nurl: ${WSQUALL_TEST_BAD}\n",
		 "t.yaml:2:6: url: the environment variable WSQUALL_TEST_BAD is not UTF-8"},
		{"wsquall: 1\nurl: x${WSQUALL_TEST_A}\n", "t.yaml:2:6: url: expected a ws:// URL"},
		{"wsquall: 1\nurl: ${}\n", "t.yaml:2:6: url: expected ${NAME} with the name of an environment variable "
					   "($${ stands for ${ itself)"},
		{"wsquall: 1\nurl: ${A\n", "t.yaml:2:6: url: expected ${NAME} with the name of an environment variable "
					   "($${ stands for ${ itself)"},
		{"wsquall: 1\nurl: ${1A}\n", "t.yaml:2:6: url: expected ${NAME} with the name of an environment "
					     "variable ($${ stands for ${ itself)"},
		{"wsquall: 1\nurl: ${A-b}\n", "t.yaml:2:6: url: expected ${NAME} with the name of an environment "
					      "variable ($${ stands for ${ itself)"},
		{GOOD "seed: ${WSQUALL_TEST_A}\n",
		 "t.yaml:3:7: seed: expected a whole number, not \"${WSQUALL_TEST_A}\""},
		{"wsquall: 1\n\"${WSQUALL_TEST_A}\": 5\n", "t.yaml:2:1: unknown key \"${WSQUALL_TEST_A}\"; " KNOWN},
	};
	check_mistakes(f, rows, ARRAY_LEN(rows));
}

static void secrets_stay_out_of_sentences(void **state)
{
	struct fixture *f = *state;
	static const struct mistake rows[] = {
		{GOOD "credentials: {valid: hunter2}\n", "t.yaml:3:22: credentials: expected a ws:// URL"},
		{GOOD "credentials: {valid: 123456}\n",
		 "t.yaml:3:22: credentials: expected text, not a number; text that looks like this needs quotes"},
		{GOOD "credentials: [hunter2]\n",
		 "t.yaml:3:14: credentials: expected a mapping of names to texts, not a list"},
	};
	check_mistakes(f, rows, ARRAY_LEN(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FIXTURE(wrong_keys_are_named),
		WITH_FIXTURE(wrong_values_say_what_was_expected),
		WITH_FIXTURE(what_is_no_plain_yaml_is_refused),
		WITH_FIXTURE(the_environment_is_substituted),
		WITH_FIXTURE(secrets_stay_out_of_sentences),
	};
	return cmocka_run_group_tests_name("conf_errors", tests, NULL, NULL);
}
