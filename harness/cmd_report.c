/* wsquall report: an earlier result in another format. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/limits.h"
#include "harness/cmd.h"
#include "reports/report.h"

enum { REPORT_ARENA_MAX = 1 << 30 };

struct report_command {
	const char *format;
	bool no_color, verbose, help;
};

#define ROW(field_name, field, opt_type, help_text, ...) \
	{.name = field_name, .type = opt_type, .offset = offsetof(struct report_command, field), .help = help_text, ##__VA_ARGS__}
const struct opt cmd_report_options[] = {
	ROW("format", format, OPT_STRING, "which report; 'wsquall list reports' shows them", .letter = 'f', .def = "text", .metavar = "NAME"),
	ROW("verbose", verbose, OPT_FLAG, "also one line for each case that passed", .letter = 'v'),
	ROW("no_color", no_color, OPT_FLAG, "no colours on a terminal"),
	ROW("help", help, OPT_FLAG, "this text", .letter = 'h', .flags = OPT_STOP),
	{0},
};

static int render(const struct report_command *o, const char *path, struct arena *a, struct buf *out, struct err *e)
{
	struct result result;
	struct stat st;
	const struct report_format *f = report_format_find(o->format);
	if (!f)
		return err_set(e, EINVAL, "unknown report format '%.40s'; 'wsquall list reports' shows them", o->format);
	int r = result_load(path, a, &result, e);
	if (r < 0)
		return r;
	const char *slash = strrchr(path, '/'), *dir = path;
	if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
		dir = slash ? arena_printf(a, "%.*s", (int)(slash - path), path) : ".";
	struct report_options ro = {.color = !o->no_color && isatty(STDOUT_FILENO), .verbose = o->verbose, .dir = dir};
	return f->write(&result, &ro, out, e);
}

int cmd_report(const struct command *c, int argc, char **argv)
{
	struct report_command o;
	struct opt_strings words;
	struct arena a;
	struct err e;
	struct buf out;
	arena_init(&a, REPORT_ARENA_MAX);
	buf_init(&out, REPORT_MAX);
	int code = cmd_parse(c, argc, argv, &o, &o.help, &a, 1, "report takes one result: result.json, history.jsonl, or the folder they are in", &words);
	if (code < 0)
		code = render(&o, words.items[0], &a, &out, &e) < 0 ? cmd_usage_error(c, &e) : cmd_print(&out);
	buf_fini(&out);
	arena_fini(&a);
	return code;
}
