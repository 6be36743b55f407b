/* The built-in dialects are whole, and a mistake in a file is told with its place and the word that was meant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "harness/target/dialect.h"
#include "harness/target/test_dialect_file.h"

enum { ARENA_MAX = 16 << 20 };

static void builtin(void **state)
{
	(void)state;
	size_t n = 0;
	for (; dialect_builtin_name(n); n++) {
		const struct dialect *d;
		struct arena a;
		struct err e = {.text = ""};
		arena_init(&a, ARENA_MAX);
		if (dialect_load(dialect_builtin_name(n), NULL, &a, &d, &e) < 0)
			fail_msg("%s", e.text);
		assert_string_equal(d->name, dialect_builtin_name(n));
		assert_true(d->about && d->can_publish);
		assert_int_equal(d->contract.resumes, d->resumes);
		assert_true(strncmp(dialect_builtin_text(n), "# ", 2) == 0);
		arena_fini(&a);
	}
	assert_int_equal(n, 12);
	assert_null(dialect_builtin_text(n));
}

#define GOOD \
	"dialect: d\n" \
	"subscribe:\n" \
	"  say: '{\"sub\":\"$channel\"}'\n" \
	"deliver:\n" \
	"  - '{\"c\":\"$channel\",\"d\":\"$data\"}'\n"

static const struct {
	const char *text, *sentence;
} wrong[] = {
	{"dialekt: d\n", ":1:1: unknown key \"dialekt\", did you mean \"dialect\"?"},
	{"dialect: d\n", ":1:1: expected `deliver`: nothing else says how a message comes"},
	{"dialect: D\n" "deliver: ['{\"c\":\"$channel\",\"d\":\"$data\"}']\n", ":1:1: dialect: expected a name of small letters"},
	{GOOD "transport: carrier\n", ":6:12: transport: expected one of websocket, sse, adapter, not \"carrier\""},
	{GOOD "unsubscribe:\n  say: '{\"c\":\"$chanel\"}'\n", ":7:8: say: unknown value $chanel, did you mean $channel?"},
	{GOOD "unsubscribe:\n  say: '{\"c\":'\n", ":7:8: say: expected JSON: "},
	{GOOD "unsubscribe:\n  say: '{\"c\":\"$data\"}'\n",
	 ":7:3: unsubscribe.say: $data is not known when this is said"},
	{GOOD "publish:\n  say: '{\"p\":\"$TOKN\"}'\nvariables: {TOKEN: x}\n",
	 ":7:15: $TOKN is said, but neither heard nor among `variables`"},
	{GOOD "connect:\n  ok: '{\"t\":\"$TOKEN\"}'\n", ":7:14: $TOKEN is heard, but never said; $* stands for what"},
	{GOOD "connect:\n  ok: '{\"t\":\"$TOKEN\"}'\n  say: '{\"t\":\"$TOKENS\"}'\n",
	 ":8:15: $TOKENS is said, but neither heard nor among `variables`; did you mean $TOKEN?"},
	{GOOD "variables: {token: x}\n", ":6:13: variables: expected a name in CAPITALS, not \"token\""},
	{GOOD "resume: {by: subscribe}\n", ":6:1: resume: expected `say` with `by: subscribe`"},
	{GOOD "resume: {by: subscribe, say: x, ok: '{\"resumed\":\"$recovered\"}'}\n", ":6:1: resume: $recovered is read in `subscribe.ok`"},
	{GOOD "resume: {by: query, say: x}\n", ":6:1: resume: expected no `say` with `by: query`"},
	{GOOD "cursor: {kind: numeric}\n", ":6:10: cursor.kind: expected $seq in what is heard"},
	{GOOD "channel_by: url\n", ":6:1: channel_by: `url` goes with `channel_by: url`"},
	{GOOD "transport: adapter\n", ":6:1: transport: `adapter` goes with"},
	{GOOD "heartbeat: {say: x}\n", ":6:1: heartbeat: `say` and `every` belong together"},
	{GOOD "publish: {subscribed: true}\n", ":6:11: publish.subscribed: expected `publish.say`"},
	{GOOD "publish: {http: {target: /p, body: $data, sign: pusher}}\n",
	 ":6:11: publish.http: `sign`, `key` and `secret` belong together"},
	{GOOD "publish: {http: {target: /p, body: $data, key: k, secret: s}}\n",
	 ":6:11: publish.http: `sign`, `key` and `secret` belong together"},
	{GOOD "publish: {http: {target: /p, body: $data, sign: pusher, key: k, secret: $data}}\n",
	 ":6:65: publish.http.secret: $data is not known when this is said"},
	{GOOD "codes: [{from: 4001, to: 4000, then: stop}]\n", ":6:1: codes: expected `to` not below `from`"},
	{GOOD "codes: [{from: 99, then: stop}]\n", ":6:16: from: expected a whole number"},
	{GOOD "connect: {headers: {\"a b\": x}}\n", ":6:11: connect.headers: expected names of header fields"},
	{"dialect: d\ndeliver: ['{\"d\":\"$data\"}']\n", ":2:1: deliver: expected $channel, or the $id of its subscription"},
	{"dialect: d\ndeliver: ['{\"d\":\"$channel\"}']\n", ":2:1: deliver: expected $data in each of them"},
};

static void mistakes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		const struct dialect *d;
		struct arena a;
		struct err e = {.text = ""};
		arena_init(&a, ARENA_MAX);
		int r = test_dialect_load(wrong[i].text, &a, &d, &e);
		const char *place = strstr(e.text, "d.yaml");
		if (r != -EINVAL || !place || strncmp(place + 6, wrong[i].sentence, strlen(wrong[i].sentence)) != 0)
			fail_msg("%s%d %s", wrong[i].text, r, e.text);
		arena_fini(&a);
	}
}

static void names(void **state)
{
	const struct dialect *d;
	struct arena a;
	struct err e;
	struct opt_pair pairs[] = {{"SUBSCRIB", "x"}};
	const struct opt_map variables = {.items = pairs, .len = 1};
	(void)state;
	arena_init(&a, ARENA_MAX);
	assert_int_equal(dialect_load("wsqual", NULL, &a, &d, &e), -ENOENT);
	assert_string_equal(e.text, "unknown dialect wsqual, did you mean wsquall?");
	assert_int_equal(dialect_load("absent.yaml", "/nowhere", &a, &d, &e), -ENOENT);
	assert_int_equal(test_dialect_load(GOOD, &a, &d, &e), 0);
	assert_false(d->can_publish);
	assert_int_equal(dialect_load("socketio", NULL, &a, &d, &e), 0);
	assert_int_equal(dialect_variables_check(d, &variables, &e), -EINVAL);
	assert_string_equal(e.text, "the dialect socketio has no variable SUBSCRIB, did you mean SUBSCRIBE?");
	pairs[0].key = "client";
	assert_int_equal(dialect_variables_check(d, &variables, &e), 0);
	arena_fini(&a);
}

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

#define SESSIONS "connect: {ok: '{\"s\":\"$session\"}'}\nresume: {by: query, query: 's=$session', restores: true}\n"

static void variants(void **state)
{
	static const struct {
		const char *base, *variant, *wanted, *says; /* the variant's file, NULL: none; its name, NULL: refused, and how */
	} rows[] = {
		{GOOD, GOOD "about: other\n", "other", NULL},
		{GOOD SESSIONS, GOOD "about: other\n", "other", NULL},
		{GOOD SESSIONS, NULL, "", NULL},
		{GOOD, NULL, NULL, "the dialect d has no variant \"sessions\": there is no ./d-sessions.yaml"},
		{GOOD SESSIONS, "dialect: d\nwhat: 1\n", NULL, "d-sessions.yaml:2:1: "},
	};
	char folder[] = "/tmp/wsquall-dialect-XXXXXX", base[64], variant[64];
	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(base, sizeof(base), "%s/d.yaml", folder);
	snprintf(variant, sizeof(variant), "%s/d-sessions.yaml", folder);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct dialect *d, *v = NULL;
		struct arena a;
		struct err e = {0};
		arena_init(&a, ARENA_MAX);
		write_text(base, rows[i].base);
		if (rows[i].variant)
			write_text(variant, rows[i].variant);
		assert_int_equal(dialect_load("./d.yaml", folder, &a, &d, &e), 0);
		int r = dialect_load_variant("./d.yaml", d, "sessions", folder, &a, &v, &e);
		assert_int_equal(r == 0, rows[i].wanted != NULL);
		if (rows[i].wanted)
			assert_string_equal(v->about ? v->about : "", rows[i].wanted);
		if (rows[i].wanted)
			assert_string_equal(e.text, "");
		else
			assert_non_null(strstr(e.text, rows[i].says));
		arena_fini(&a);
		unlink(variant);
	}
	unlink(base);
	rmdir(folder);
}

static void variants_built_in(void **state)
{
	const struct dialect *d, *v;
	struct arena a;
	struct err e;
	(void)state;
	arena_init(&a, ARENA_MAX);
	assert_int_equal(dialect_load("wsquall", NULL, &a, &d, &e), 0);
	assert_false(d->sessions);
	assert_int_equal(dialect_load_variant("wsquall", d, "sessions", NULL, &a, &v, &e), 0);
	assert_string_equal(v->name, "wsquall-sessions");
	assert_int_equal(dialect_load("centrifugo", NULL, &a, &d, &e), 0);
	assert_int_equal(dialect_load_variant("centrifugo", d, "sessions", NULL, &a, &v, &e), -ENOENT);
	assert_string_equal(e.text, "the dialect centrifugo has no variant \"sessions\"");
	assert_int_equal(dialect_load("mqtt5", NULL, &a, &d, &e), 0);
	assert_int_equal(dialect_load_variant("mqtt5", d, "sessions", NULL, &a, &v, &e), 0);
	assert_ptr_equal(v, d);
	assert_int_equal(dialect_load_variant("mqtt5", d, "other", NULL, &a, &v, &e), -ENOENT);
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(builtin), cmocka_unit_test(mistakes), cmocka_unit_test(names),
					   cmocka_unit_test(variants), cmocka_unit_test(variants_built_in)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
