/* Options from flags and files: what is taken, and each complaint to the letter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server-under-test/config/config_options.h"

#define ARGUMENTS_MAX 20

static char path[] = "test_config_XXXXXX";

static void write_file(const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* Arguments in one text, split at blanks; FILE is the file. */
static int parse(struct config *config, char *line, struct err *err)
{
	char *argv[ARGUMENTS_MAX] = { NULL };
	enum config_command command;
	int argc = 1;

	argv[0] = line;
	while (*line && argc < ARGUMENTS_MAX) {
		argv[argc++] = line;
		line += strcspn(line, " ");
		if (*line)
			*line++ = '\0';
	}
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "FILE") == 0)
			argv[i] = path;
	*err = (struct err){ "" };
	return config_parse(config, argc, argv, &command, err);
}

/* What is wrong with the flags, or with the file when there is one; "FILE" is its name. */
static const struct {
	const char *flags, *file, *says;
} complaints[] = {
	{ "--prot 1", NULL, "unknown option --prot; the nearest is --port" },
	{ "--tls.cert x", NULL, "unknown option --tls.cert; the nearest is --tls-cert" },
	{ "--drain-timout=1s", NULL, "unknown option --drain-timout; the nearest is --drain-timeout" },
	{ "--redis-password-fil x", NULL, "unknown option --redis-password-fil; the nearest is --redis-password-file" },
	{ "--zzzzzz 1", NULL, "unknown option --zzzzzz (--help lists them)" },
	{ "stray", NULL, "unknown option stray (--help lists them)" },
	{ "-x", NULL, "unknown option -x (--help lists them)" },
	{ "--", NULL, "unknown option -- (--help lists them)" },
	{ "--port", NULL, "option --port needs a value: a whole number from 0 to 65535" },
	{ "--port 65536", NULL, "option --port cannot be \"65536\"; it takes a whole number from 0 to 65535" },
	{ "--port 1x", NULL, "option --port cannot be \"1x\"; it takes a whole number from 0 to 65535" },
	{ "--port 1.5", NULL, "option --port cannot be \"1.5\"; it takes a whole number from 0 to 65535" },
	{ "--port=", NULL, "option --port cannot be \"\"; it takes a whole number from 0 to 65535" },
	{ "--window 0", NULL, "option --window cannot be \"0\"; it takes a whole number from 1 to 1000000000" },
	{ "--message-max 1023", NULL,
	  "option --message-max cannot be \"1023\"; it takes a size (such as 512, 64KiB, 1MiB) from 1KiB to 1GiB" },
	{ "--header-max 0x200", NULL,
	  "option --header-max cannot be \"0x200\"; it takes a size (such as 512, 64KiB, 1MiB) from 256B to 1MiB" },
	{ "--drain-notice -1s", NULL,
	  "option --drain-notice cannot be \"-1s\"; it takes a time (such as 500ms, 10s, 5m) from 0 to 31d" },
	{ "--heartbeat-timeout 0", NULL,
	  "option --heartbeat-timeout cannot be \"0\"; it takes a time (such as 500ms, 10s, 5m) from 1ms to 31d" },
	{ "--drain-notice 1e3s", NULL,
	  "option --drain-notice cannot be \"1e3s\"; it takes a time (such as 500ms, 10s, 5m) from 0 to 31d" },
	{ "--engine l", NULL, "option --engine cannot be \"l\"; it takes one of lws|naive" },
	{ "--node=", NULL, "option --node cannot be \"\"; it takes a text (NAME)" },
	{ "--origins a,,b", NULL, "option --origins cannot be \"a,,b\"; it takes a list of at most 32 texts" },
	{ "--config", NULL, "option --config needs a value: FILE" },
	{ "--config FILE --config=FILE", "", "option --config can be given once only" },
	{ "--config no/such/file", NULL, "cannot read the configuration no/such/file: No such file or directory" },
	{ "--config .", NULL, "cannot read the configuration .: Is a directory" },
	{ "--workers 2", NULL, "option --workers needs --store redis: each worker would keep messages of its own" },
	{ "--workers 2 --engine naive", NULL,
	  "the naive engine is one process: leave out --workers, or use --engine lws" },
	{ "--tls-cert x", NULL, "options --tls-cert and --tls-key go together: one of them is missing" },
	{ "--defect quux", NULL, "there is no defect quux (--list-defects prints them)" },
	{ "--defect rsv_ignored,resume_skip_one", NULL, "there is no defect resume_skip_one; the nearest is resume_skips_one" },
	{ "--engine lws --defect rsv_ignored", NULL,
	  "defect rsv_ignored lives in the engine naive, not in lws, which is asked for" },
	{ "--engine naive --defect resume_skips_one", NULL,
	  "defect resume_skips_one lives in the engine lws, not in naive, which is asked for" },
	{ "--defect rsv_ignored,resume_skips_one", NULL,
	  "defect resume_skips_one lives in the engine lws, not in naive, which the one before it lives in" },
	{ "--auth-algorithm RS256", NULL,
	  "option --auth-algorithm needs --auth-key: without a key no token is looked at" },
	{ "--config FILE", "auth: {algorithm: HS256}",
	  "option --auth-algorithm needs --auth-key: without a key no token is looked at" },
	{ "--channel-max-data 2MiB", NULL,
	  "option --channel-max-data is more than --message-max: such a message would never get that far" },

	{ "--config FILE", "port: 1\ntls:\n  crt: x\n", "FILE:3:3: there is no option \"tls.crt\"; the nearest is \"tls.cert\"" },
	{ "--config FILE", "hello: x", "FILE:1:1: there is no option \"hello\" (--help lists them)" },
	{ "--config FILE", "port: 99999",
	  "FILE:1:7: \"port\" cannot be \"99999\"; it takes a whole number from 0 to 65535" },
	{ "--config FILE", "port: [1]", "FILE:1:7: \"port\" cannot be a list; it takes a whole number from 0 to 65535" },
	{ "--config FILE", "port: {a: 1}",
	  "FILE:1:7: \"port\" cannot be a mapping; it takes a whole number from 0 to 65535" },
	{ "--config FILE", "origins: x", "FILE:1:10: \"origins\" cannot be \"x\"; it takes a list of at most 32 texts" },
	{ "--config FILE", "origins: [a, [b]]",
	  "FILE:1:10: \"origins\" cannot be a list; it takes a list of at most 32 texts" },
	{ "--config FILE", "origins: [a, '']",
	  "FILE:1:14: \"origins\" cannot be \"\"; it takes a list of at most 32 texts" },
	{ "--config FILE", "port: 1\nnode: b\nport: 2\n", "FILE:3:1: \"port\" stands here again; it is in line 1 already" },
	{ "--config FILE", "tls: {cert: x}\ntls.cert: y\n",
	  "FILE:2:1: \"tls.cert\" stands here again; it is in line 1 already" },
	{ "--config FILE", "tls: x", "FILE:1:1: \"tls\" cannot be a value or a list; it takes a mapping" },
	{ "--config FILE", "node: \"a\\0b\"", "FILE:1:7: \"node\" cannot be \"a\"; it takes a text (NAME)" },
	{ "--config FILE", "[1]: 2", "FILE:1:1: a key must be a text" },
	{ "--config FILE", "- port", "FILE:1:1: a configuration is a mapping (key: value)" },
	{ "--config FILE", "port: 1\n--- \nport: 2\n",
	  "FILE:2:1: a configuration is one document, and here begins a second" },
	{ "--config FILE", "a: &a\n  b: *a\n", "FILE:1:1: there is no option \"a\" (--help lists them)" },
	{ "--config FILE", "tls: &t\n  tls: *t\n", "FILE:2:3: there is no option \"tls.tls\" (--help lists them)" },
	{ "--config FILE", "port: [1\n", "FILE:2:1: this is no YAML: did not find expected ',' or ']'" },
	{ "--config FILE", "\t\tport: 1\n", "FILE:1:1: this is no YAML: found character that cannot start any token" },
	{ "--config FILE", "port: 1\n\x01\n", "FILE:1:1: this is no YAML: control characters are not allowed" },
};

static void test_complaints(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(complaints) / sizeof(complaints[0]); i++) {
		struct config config;
		struct err err;
		char *flags = strdup(complaints[i].flags);
		char says[sizeof(err.text) + 1];
		const char *wanted = complaints[i].says;
		int r;

		if (complaints[i].file)
			write_file(complaints[i].file);
		r = parse(&config, flags, &err);
		snprintf(says, sizeof(says), "%s%s", strncmp(wanted, "FILE", 4) == 0 ? path : "",
			 strncmp(wanted, "FILE", 4) == 0 ? wanted + 4 : wanted);
		if (r != -22 || strcmp(err.text, says) != 0)
			fail_msg("%s with %s:\n%s\ninstead of\n%s", complaints[i].flags,
				 complaints[i].file ? complaints[i].file : "no file", err.text, says);
		config_fini(&config);
		free(flags);
	}
}

static void test_defaults(void **state)
{
	struct config config;
	struct err err;
	char none[] = "";

	(void)state;
	assert_int_equal(parse(&config, none, &err), 0);
	assert_int_equal(config.port, 9001);
	assert_string_equal(config.engine, "lws");
	assert_int_equal(config.window, 256);
	assert_int_equal(config.message_max, 1048576);
	assert_int_equal(config.echo_max, 16 * 1048576);
	assert_true(config.heartbeat_interval_s == 25);
	assert_true(config.heartbeat_timeout_s == 10);
	assert_true(config.session_ttl_s == 300);
	assert_true(config.retention_time_s == 600);
	assert_int_equal(config.retention_messages, 1000);
	assert_int_equal(config.slow_consumer_bytes, 1048576);
	assert_int_equal(config.limit_handshakes, 200);
	assert_int_equal(config.subprotocols.count, 1);
	assert_null(config.auth_key);
	config_fini(&config);
}

static void test_file_and_flags(void **state)
{
	struct config config;
	struct err err;
	char flags[] = "--port 7 --config FILE --origins c --origins d --node=x --retention-time 250ms";

	(void)state;
	write_file("# options\nport: 8\nnode: y\nheartbeat: {interval: 1.5s, timeout: 2m}\norigins: [a, b]\n"
		   "origins.denied: [e]\nsubprotocols: []\nredis:\n  password_file: ~\n  prefix: 'p:'\n"
		   "retention:\n  messages: \"5\"\n  bytes: 2KiB\nlimit:\nlog: null\ntrusted_proxies: [10.0.0.0/8, \"::1\"]\n");
	if (parse(&config, flags, &err) < 0)
		fail_msg("%s", err.text);
	unlink(path); /* what was read stays */
	assert_int_equal(config.port, 7);
	assert_string_equal(config.node, "x");
	assert_string_equal(config.log, "-");
	assert_true(config.heartbeat_interval_s == 1.5);
	assert_true(config.heartbeat_timeout_s == 120);
	assert_true(config.retention_time_s == 0.25);
	assert_int_equal(config.retention_messages, 5);
	assert_int_equal(config.retention_bytes, 2048);
	assert_int_equal(config.origins.count, 2);
	assert_string_equal(config.origins.items[0], "c");
	assert_string_equal(config.origins_denied.items[0], "e");
	assert_int_equal(config.subprotocols.count, 0);
	assert_null(config.redis_password_file);
	assert_string_equal(config.redis_prefix, "p:");
	assert_string_equal(config.trusted_proxies.items[1], "::1");
	config_fini(&config);
}

static void test_no_options_in_file(void **state)
{
	static const char *const files[] = { "", "# nothing\n", "---\n", "{}\n", "~\n", "port:\n", "--- {port: 9001}\n...\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct config config;
		struct err err;
		char flags[] = "--config=X";
		char *argv[] = { flags, flags, NULL };
		enum config_command command;
		char option[64];

		write_file(files[i]);
		snprintf(option, sizeof(option), "--config=%s", path);
		argv[1] = option;
		if (config_parse(&config, 2, argv, &command, &err) < 0)
			fail_msg("%s", err.text);
		assert_int_equal(config.port, 9001);
		config_fini(&config);
	}
}

static void test_values(void **state)
{
	static const struct {
		const char *key, *value, *shown;
	} rows[] = {
		{ "retention.bytes", "65536", "64KiB" },  { "retention.bytes", "1.5KiB", "1536B" },
		{ "retention.bytes", "2048B", "2KiB" },	  { "retention.bytes", "1GiB", "1GiB" },
		{ "channel.max_data", "0", "0" },	  { "drain.notice", "0", "0" },
		{ "drain.notice", "0.5", "500ms" },	  { "drain.notice", "90s", "90s" },
		{ "drain.notice", "120", "2m" },	  { "drain.notice", "24h", "1d" },
		{ "drain.notice", "1.5m", "90s" },	  { "drain.notice", "300ms", "300ms" },
		{ "port", "0080", "80" },		  { "engine", "naive", "naive" },
	};
	struct config config = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct option *option = option_by_key(text_from(rows[i].key));
		char shown[64];

		assert_int_equal(option_set(option, &config, rows[i].value), 0);
		option_show(option, &config, shown, sizeof(shown));
		if (strcmp(shown, rows[i].shown) != 0)
			fail_msg("%s %s is shown as %s", rows[i].key, rows[i].value, shown);
	}
}

/* Rows that the table itself must keep: --help groups neighbours, a default is a value, no two have one name. */
static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < config_option_count; i++) {
		const struct option *a = &config_options[i];
		size_t word = strcspn(a->key, ".");
		bool left = false; /* the group of a, which began above */
		char flag[OPTION_NAME_MAX];

		assert_true(strlen(a->key) < OPTION_NAME_MAX);
		option_flag(a, flag);
		assert_ptr_equal(option_by_flag(text_from(flag)), a);
		assert_ptr_equal(option_by_key(text_from(a->key)), a);
		for (size_t j = i; j < config_option_count; j++) {
			bool same = strcspn(config_options[j].key, ".") == word &&
				    strncmp(config_options[j].key, a->key, word) == 0;

			if (same && left)
				fail_msg("%s stands away from its group", config_options[j].key);
			left = left || !same;
		}
	}
}

/* --print-config is read back as the same. */
static void test_print(void **state)
{
	char flags[] = "--port 0 --node \"ä'\\ --origins http://a,b --retention-time 1ms --auth-key k --window 7 --defect rsv_ignored";
	char again[] = "--config FILE";
	struct config config, other;
	struct err err;
	int out = dup(1);
	char *text;

	(void)state;
	assert_int_equal(parse(&config, flags, &err), 0);
	fflush(stdout);
	assert_non_null(freopen(path, "w", stdout));
	config_print(&config);
	fflush(stdout);
	dup2(out, 1);
	close(out);
	if (parse(&other, again, &err) < 0)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < config_option_count; i++) {
		const struct option *o = &config_options[i];
		char a[256] = "", b[256] = "";

		assert_int_equal(option_is_set(o, &config), option_is_set(o, &other));
		if (o->kind == OPTION_LIST || !option_is_set(o, &config))
			continue;
		option_show(o, &config, a, sizeof(a));
		option_show(o, &other, b, sizeof(b));
		assert_string_equal(a, b);
	}
	text = strdup(other.node);
	assert_string_equal(text, "\"ä'\\");
	assert_int_equal(other.origins.count, 2);
	assert_string_equal(other.origins.items[0], "http://a");
	free(text);
	config_fini(&config);
	config_fini(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_complaints), cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_file_and_flags), cmocka_unit_test(test_no_options_in_file),
		cmocka_unit_test(test_values), cmocka_unit_test(test_table), cmocka_unit_test(test_print),
	};
	int fd = mkstemp(path);
	int r;

	if (fd < 0)
		return 1;
	close(fd);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return r;
}
