/* Option tables: defaults, the command line, what is refused with which sentence, help and documents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "harness/base/opt.h"

static const char *const modes[] = {"strict", "lax", "off", NULL};

struct options {
	bool quiet, color, help, jobs_given;
	const char *target, *key;
	int64_t jobs, offset;
	uint64_t seed, max, timeout;
	double rate;
	int mode;
	struct opt_strings cases, formats;
	struct opt_map headers;
};

static int check_url(const char *text, struct err *e)
{
	return strncmp(text, "ws://", 5) == 0 ? 0 : err_set(e, EINVAL, "expected a ws:// URL");
}

#define AT(member) .offset = offsetof(struct options, member)

static const struct opt table[] = {
	{.name = "quiet", .letter = 'q', .type = OPT_FLAG, AT(quiet), .help = "say less"},
	{.name = "color", .type = OPT_FLAG, AT(color), .def = "true", .help = "use colors on a terminal"},
	{.name = "target",
	 .letter = 't',
	 .type = OPT_STRING,
	 AT(target),
	 .check = check_url,
	 .metavar = "URL",
	 .help = "what to test"},
	{.name = "sign_key",
	 .type = OPT_STRING,
	 AT(key),
	 .flags = OPT_SECRET,
	 .def = "ws://hunter2",
	 .check = check_url,
	 .help = "key to sign with"},
	{.name = "jobs",
	 .letter = 'j',
	 .type = OPT_INT,
	 AT(jobs),
	 .def = "64",
	 .min = 1,
	 .max = 1024,
	 .seen = OPT_SEEN(struct options, jobs_given),
	 .help = "connections at once"},
	{.name = "offset", .type = OPT_INT, AT(offset), .min = -5, .max = 5},
	{.name = "seed", .type = OPT_U64, AT(seed), .help = "where the random numbers start"},
	{.name = "max_message",
	 .type = OPT_SIZE,
	 AT(max),
	 .def = "1MiB",
	 .min = 1,
	 .max = INT64_MAX,
	 .help = "largest message"},
	{.name = "timeout",
	 .type = OPT_DURATION,
	 AT(timeout),
	 .def = "10s",
	 .min = 100,
	 .max = 60000,
	 .help = "deadline of one answer"},
	{.name = "rate", .type = OPT_RATE, AT(rate), .def = "100/s", .help = "messages published"},
	{.name = "mode",
	 .type = OPT_ENUM,
	 AT(mode),
	 .def = "lax",
	 .choices = modes,
	 .help = "how to read doubtful sentences of the RFC"},
	{.name = "case", .letter = 'c', .type = OPT_STRINGS, AT(cases), .metavar = "GLOB", .help = "only these cases"},
	{.name = "format",
	 .type = OPT_STRINGS,
	 AT(formats),
	 .flags = OPT_COMMAS,
	 .def = "text,json",
	 .help = "reports to write, each into a file of its own that is renamed when it is whole, so that nobody sees "
		 "half of one"},
	{.name = "header", .type = OPT_MAP, AT(headers), .help = "sent with the handshake"},
	{.name = "in_file", .type = OPT_STRING, AT(target), .flags = OPT_FILE_ONLY},
	{.name = "help",
	 .letter = 'h',
	 .type = OPT_FLAG,
	 AT(help),
	 .flags = OPT_STOP | OPT_CLI_ONLY,
	 .help = "this text"},
	{0},
};

struct fixture {
	struct arena arena;
	struct options o;
	struct opt_strings positional;
	struct err e;
};

static int set_up(void **state)
{
	static struct fixture f;
	memset(&f, 0xaa, sizeof(f));
	arena_init(&f.arena, 1 << 20);
	*state = &f;
	f.positional = (struct opt_strings){.len = 77};
	return opt_defaults(table, &f.o, &f.arena);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	arena_fini(&f->arena);
	return 0;
}

/* The words of `line`, split at spaces. */
static int parse(struct fixture *f, const char *line)
{
	char copy[512], *argv[32], *save = NULL;
	int argc = 0;
	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		argv[argc++] = arena_strdup(&f->arena, word);
	f->e.text[0] = 0;
	return opt_parse_argv(table, argc, argv, &f->o, &f->arena, &f->positional, &f->e);
}

static void defaults_fill_every_field(void **state)
{
	const struct options *o = &((struct fixture *)*state)->o;
	assert_false(o->quiet || o->help || o->jobs_given);
	assert_true(o->color && o->rate == 100);
	assert_null(o->target);
	assert_string_equal(o->key, "ws://hunter2");
	assert_true(o->jobs == 64 && o->offset == 0 && o->seed == 0 && o->max == 1048576 && o->timeout == 10000 &&
		    o->mode == 1);
	assert_int_equal(o->cases.len, 0);
	assert_int_equal(o->headers.len, 0);
	assert_int_equal(o->formats.len, 2);
	assert_string_equal(o->formats.items[1], "json");
}

static void every_form_is_read(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(parse(f, "first --jobs 5 --seed=18446744073709551615 -qt ws://a -c a/* -cb* --case=-x "
				  "--no-color --offset -5 - "
				  "--max-message 2MB --timeout=1.5s --rate 30/m --mode off --header A=b=c --header B= "
				  "second -- --jobs -q"),
			 0);
	assert_true(f->o.jobs == 5 && f->o.jobs_given && f->o.seed == UINT64_MAX && f->o.quiet && !f->o.color &&
		    f->o.offset == -5);
	assert_true(f->o.max == 2000000 && f->o.timeout == 1500 && f->o.rate == 0.5 && f->o.mode == 2);
	assert_string_equal(f->o.target, "ws://a");
	static const char *const cases[] = {"a/*", "b*", "-x"}, *const rest[] = {"first", "-", "second", "--jobs",
										 "-q"};
	assert_int_equal(f->o.cases.len, ARRAY_LEN(cases));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(f->o.cases.items[i], cases[i]);
	assert_int_equal(f->positional.len, ARRAY_LEN(rest));
	for (size_t i = 0; i < ARRAY_LEN(rest); i++)
		assert_string_equal(f->positional.items[i], rest[i]);
	assert_string_equal(opt_map_get(&f->o.headers, "A"), "b=c");
	assert_string_equal(opt_map_get(&f->o.headers, "B"), "");
	assert_null(opt_map_get(&f->o.headers, "C"));
	assert_int_equal(f->o.formats.len, 2); /* not mentioned: as it was */
}

static void the_last_one_wins_and_lists_start_anew(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(parse(f, "-j1 -j2 --jobs=3 -q --no-quiet --quiet=true --format junit,tap --format html"), 0);
	assert_int_equal(f->o.jobs, 3);
	assert_true(f->o.quiet);
	static const char *const want[] = {"junit", "tap", "html"};
	assert_int_equal(f->o.formats.len, 3);
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(f->o.formats.items[i], want[i]);
	assert_int_equal(f->positional.len, 0);
	assert_int_equal(parse(f, "--format text"), 0);
	assert_int_equal(f->o.formats.len, 1);
	char line[512] = "";
	for (int i = 0; i < 30; i++)
		snprintf(line + strlen(line), sizeof(line) - strlen(line), "-cc%d ", i);
	assert_int_equal(parse(f, line), 0);
	assert_int_equal(f->o.cases.len, 30);
	assert_string_equal(f->o.cases.items[29], "c29");
	assert_string_equal(f->o.cases.items[0], "c0");
}

static void help_ends_the_reading(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(parse(f, "a -qh --bogus"), 0);
	assert_true(f->o.help && f->o.quiet);
	assert_int_equal(f->positional.len, 1);
}

static void mistakes_are_one_sentence(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *line, *want;
	} rows[] = {
		{"--tiemout 5s", "unknown option --tiemout, did you mean --timeout?"},
		{"--max_message 5B", "unknown option --max_message, did you mean --max-message?"},
		{"--no-colour", "unknown option --no-colour, did you mean --no-color?"},
		{"--no-jobs", "unknown option --no-jobs, did you mean --jobs?"},
		{"--frobnicate", "unknown option --frobnicate; --help lists the known ones"},
		{"--in-file x", "unknown option --in-file; --help lists the known ones"},
		{"--\xff\x1b", "unknown option --\\xff\\x1b; --help lists the known ones"},
		{"-z", "unknown option -z; --help lists the known ones"},
		{"-\xc3\xa4x", "unknown option -\xc3\xa4; --help lists the known ones"},
		{"-q\xff", "unknown option -\\xff; --help lists the known ones"},
		{"-qz5", "unknown option -z; --help lists the known ones"},
		{"--jobs many", "--jobs: expected a whole number, 1 to 1024, not \"many\""},
		{"--jobs 0", "--jobs: expected a whole number, 1 to 1024, not \"0\""},
		{"--jobs 1025", "--jobs: expected a whole number, 1 to 1024, not \"1025\""},
		{"--jobs 007", "--jobs: expected a whole number, 1 to 1024, not \"007\""},
		{"--jobs= ", "--jobs: expected a whole number, 1 to 1024, not \"\""},
		{"-j", "--jobs: expected a whole number, 1 to 1024 behind it"},
		{"--offset -6", "--offset: expected a whole number, -5 to 5, not \"-6\""},
		{"--offset 9223372036854775808",
		 "--offset: expected a whole number, -5 to 5, not \"9223372036854775808\""},
		{"--seed 18446744073709551616", "--seed: expected a whole number, not \"18446744073709551616\""},
		{"--seed -1", "--seed: expected a whole number, not \"-1\""},
		{"--timeout 25",
		 "--timeout: expected a duration with its unit (ms, s, m, h, d), such as 25s, not \"25\""},
		{"--timeout 99ms", "--timeout: expected a duration with its unit (ms, s, m, h, d), such as 25s, and "
				   "100ms to 1m, not \"99ms\""},
		{"--max-message 0B", "--max-message: expected a size with its unit (B, kB, MB, GB, TB, KiB, MiB, GiB, "
				     "TiB), such as 64KiB, and at least 1B, "
				     "not \"0B\""},
		{"--rate 5", "--rate: expected a rate with its unit (/s, /m, /h), such as 100/s, not \"5\""},
		{"--mode Off", "--mode: expected one of strict, lax, off, not \"Off\""},
		{"--quiet=yes", "--quiet: expected true or false, not \"yes\""},
		{"--no-quiet=true", "--quiet: expected no value behind --no-"},
		{"--target http://a", "--target: expected a ws:// URL, not \"http://a\""},
		{"--sign-key s3cret", "--sign-key: expected a ws:// URL"},
		{"--case", "--case: expected text behind it"},
		{"--header", "--header: expected key=value behind it"},
		{"--header X", "--header: expected key=value, not \"X\""},
		{"--header =X", "--header: expected key=value, not \"=X\""},
		{"--header A=1 --header A=2", "--header: expected each name once, not \"A\""},
		{"--format a,,b", "--format: expected words with one comma between two, not \"a,,b\""},
		{"--format ,", "--format: expected words with one comma between two, not \",\""},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct options before = f->o;
		f->positional.len = 77;
		if (parse(f, rows[i].line) != -EINVAL)
			fail_msg("\"%s\" was accepted", rows[i].line);
		assert_string_equal(f->e.text, rows[i].want);
		assert_int_equal(f->positional.len, 77);
		f->o = before;
	}
}

static void a_long_value_is_cut_in_the_sentence(void **state)
{
	struct fixture *f = *state;
	char *argv[] = {arena_printf(&f->arena, "--jobs=%0300d", 1)};
	assert_int_equal(opt_parse_argv(table, 1, argv, &f->o, &f->arena, &f->positional, &f->e), -EINVAL);
	assert_true(strlen(f->e.text) < 160);
	assert_non_null(strstr(f->e.text, "0... (240 more octets)\""));
}

struct required {
	const char *url;
	bool given, help;
	int64_t port;
};

static void required_options_are_named(void **state)
{
	static const struct opt rows[] = {
		{.name = "base_url",
		 .type = OPT_STRING,
		 .offset = offsetof(struct required, url),
		 .flags = OPT_REQUIRED},
		{.name = "port",
		 .type = OPT_INT,
		 .offset = offsetof(struct required, port),
		 .flags = OPT_REQUIRED,
		 .seen = OPT_SEEN(struct required, given)},
		{.name = "help", .type = OPT_FLAG, .offset = offsetof(struct required, help), .flags = OPT_STOP},
		{0},
	};
	struct fixture *f = *state;
	struct required r;
	char url[] = "--base-url=x", port[] = "--port=5", help[] = "--help";
	char *none[] = {NULL}, *only_url[] = {url}, *only_port[] = {port}, *only_help[] = {help};
	assert_int_equal(opt_defaults(rows, &r, &f->arena), 0);
	assert_int_equal(opt_parse_argv(rows, 0, none, &r, &f->arena, &f->positional, &f->e), -EINVAL);
	assert_string_equal(f->e.text, "--base-url: is required and missing");
	assert_int_equal(opt_parse_argv(rows, 1, only_help, &r, &f->arena, &f->positional, &f->e), 0);
	assert_int_equal(opt_parse_argv(rows, 1, only_url, &r, &f->arena, &f->positional, &f->e), -EINVAL);
	assert_string_equal(f->e.text, "--port: is required and missing");
	/* What an earlier source gave is there. */
	assert_int_equal(opt_parse_argv(rows, 1, only_port, &r, &f->arena, &f->positional, &f->e), 0);
	assert_int_equal(opt_parse_argv(rows, 0, none, &r, &f->arena, &f->positional, &f->e), 0);
}

static void integers_reach_their_ends(void **state)
{
	static const struct opt row = {.name = "n", .type = OPT_INT};
	struct fixture *f = *state;
	int64_t n = 5;
	assert_int_equal(opt_set(&row, &n, "-9223372036854775808", &f->arena, NULL), 0);
	assert_true(n == INT64_MIN);
	assert_int_equal(opt_set(&row, &n, "9223372036854775807", &f->arena, NULL), 0);
	assert_true(n == INT64_MAX);
	static const char *const bad[] = {
		"9223372036854775808", "-9223372036854775809", "--5", "-", "", "+5", "5 ", "05", "-05"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(opt_set(&row, &n, bad[i], &f->arena, NULL), -EINVAL);
	assert_int_equal(opt_set(&row, &n, "-0", &f->arena, NULL), 0);
	assert_true(n == 0);
}

static void a_full_arena_is_an_error(void **state)
{
	struct fixture *f = *state;
	char text[] = "--target=ws://0123456789";
	char *argv[] = {text};
	struct options o;
	for (size_t max = 0; max < 400; max += 16) {
		struct arena small;
		struct err e = {.text = ""};
		arena_init(&small, max);
		int r = opt_defaults(table, &o, &small);
		if (r == 0)
			r = opt_parse_argv(table, 1, argv, &o, &small, &f->positional, &e);
		assert_true(r == 0 || r == -ENOMEM);
		if (max < 32)
			assert_int_equal(r, -ENOMEM);
		if (max > 300)
			assert_int_equal(r, 0);
		arena_fini(&small);
	}
}

static void help_is_wrapped_in_two_columns(void **state)
{
	(void)state;
	static const char want[] =
		"  -q, --quiet                 say less\n"
		"      --no-color              use colors on a terminal (default true)\n"
		"  -t, --target URL            what to test\n"
		"      --sign-key TEXT         key to sign with\n"
		"  -j, --jobs N                connections at once (1 to 1024; default 64)\n"
		"      --offset N              (-5 to 5)\n"
		"      --seed N                where the random numbers start\n"
		"      --max-message SIZE      largest message (at least 1B; default 1MiB)\n"
		"      --timeout DURATION      deadline of one answer (100ms to 1m; default 10s)\n"
		"      --rate RATE             messages published (default 100/s)\n"
		"      --mode strict|lax|off   how to read doubtful sentences of the RFC (one of strict, lax, off;\n"
		"                              default lax)\n"
		"  -c, --case GLOB             only these cases (repeatable)\n"
		"      --format LIST           reports to write, each into a file of its own that is renamed when it\n"
		"                              is whole, so that nobody sees half of one (repeatable, or split by\n"
		"                              commas; default text,json)\n"
		"      --header KEY=VALUE      sent with the handshake (repeatable)\n"
		"  -h, --help                  this text\n";
	struct buf b CLEANUP(buf_fini) = {0};
	buf_init(&b, 10000);
	assert_int_equal(opt_help(table, &b), 0);
	assert_string_equal(buf_cstr(&b), want);
	struct buf small CLEANUP(buf_fini) = {0};
	buf_init(&small, 100);
	assert_int_equal(opt_help(table, &small), -ENOBUFS);
	assert_int_equal(small.len, 0);
}

static void lines_end_at_column_100(void **state)
{
	(void)state;
	char help[80];
	for (int over = 0; over < 2; over++) {
		struct opt rows[] = {{.name = "x", .type = OPT_FLAG, .help = help}, {0}};
		struct buf b CLEANUP(buf_fini) = {0};
		buf_init(&b, 1000);
		snprintf(help, sizeof(help), "%034d %0*d", 1, 35 + over, 2); /* 70 or 71 columns from column 30 on */
		assert_int_equal(opt_help(rows, &b), 0);
		assert_int_equal(strcspn(buf_cstr(&b), "\n"), over ? 64 : 100);
	}
}

static void documents_escape_their_format(void **state)
{
	(void)state;
	static const struct opt part[] = {{.name = "ca", .type = OPT_STRING, .help = ".pem file of the <authority>"},
					  {0}};
	static const struct opt rows[] = {
		{.name = "a_mode", .type = OPT_ENUM, .choices = modes, .flags = OPT_CLI_ONLY, .help = "one|two"},
		{.name = "tls", .type = OPT_SECTION, .sub = part, .help = "how to trust"},
		{.name = "nodes", .type = OPT_SECTIONS, .sub = part, .flags = OPT_REQUIRED, .help = "a\\b"},
		{0},
	};
	struct buf b CLEANUP(buf_fini) = {0};
	buf_init(&b, 10000);
	assert_int_equal(opt_markdown(rows, OPT_ON_COMMAND_LINE, &b), 0);
	assert_string_equal(buf_cstr(&b), "| option | meaning |\n|---|---|\n| `--a-mode strict\\|lax\\|off` | "
					  "one\\|two (one of strict, lax, off) |\n");
	b.len = 0;
	assert_int_equal(opt_markdown(rows, OPT_IN_FILE, &b), 0);
	assert_string_equal(
		buf_cstr(&b),
		"| key | value | meaning |\n|---|---|---|\n"
		"| `tls` | section | how to trust |\n| `tls.ca` | text | .pem file of the &lt;authority> |\n"
		"| `nodes` | list of sections | a\\b (required) |\n| `nodes[].ca` | text | .pem file of the "
		"&lt;authority> |\n");
	b.len = 0;
	assert_int_equal(opt_man(rows, OPT_IN_FILE, &b), 0);
	assert_string_equal(
		buf_cstr(&b),
		".TP\n\\fBtls\\fR\nhow to trust\n.TP\n\\fBtls.ca\\fR\n\\&.pem file of the <authority>\n"
		".TP\n\\fBnodes\\fR\na\\eb (required)\n.TP\n\\fBnodes[].ca\\fR\n\\&.pem file of the <authority>\n");
	b.len = 0;
	assert_int_equal(opt_man(rows, OPT_ON_COMMAND_LINE, &b), 0);
	assert_string_equal(buf_cstr(&b),
			    ".TP\n\\fB\\-\\-a\\-mode strict|lax|off\\fR\none|two (one of strict, lax, off)\n");
}

#define WITH_FIXTURE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FIXTURE(defaults_fill_every_field),
		WITH_FIXTURE(every_form_is_read),
		WITH_FIXTURE(the_last_one_wins_and_lists_start_anew),
		WITH_FIXTURE(help_ends_the_reading),
		WITH_FIXTURE(mistakes_are_one_sentence),
		WITH_FIXTURE(a_long_value_is_cut_in_the_sentence),
		WITH_FIXTURE(required_options_are_named),
		WITH_FIXTURE(integers_reach_their_ends),
		WITH_FIXTURE(a_full_arena_is_an_error),
		cmocka_unit_test(help_is_wrapped_in_two_columns),
		cmocka_unit_test(lines_end_at_column_100),
		cmocka_unit_test(documents_escape_their_format),
	};
	return cmocka_run_group_tests_name("opt", tests, NULL, NULL);
}
