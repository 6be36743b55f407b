/*
 * Prints what docs/ holds of the option tables, for ci/generate-docs: --help, manual, catalogue and schema say the same
 * because all are made from the rows. Built on demand, never installed.
 */
#undef main /* main.c is linked in for its helpers, its main() under another name: see meson.build */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "faults/fault.h"
#include "harness/cmd.h"
#include "harness/proxy/config.h"
#include "harness/scenario/scenario.h"
#include "harness/target/dialect.h"
#include "harness/target/target.h"

enum { PAGE_MAX = 1 << 20 };

static int print_options(void)
{
	struct buf b;
	buf_init(&b, PAGE_MAX);
	buf_printf(&b, "# Commands and their options\n\nMade by `ci/generate-docs` from the option tables.\n");
	for (size_t i = 0; i < commands_len; i++) {
		const struct command *c = &commands[i];
		buf_printf(&b, "\n## wsquall %s\n\n`wsquall %s%s%s`: %s.\n\n", c->name, c->name, c->synopsis[0] ? " " : "",
			   c->synopsis, c->about);
		opt_markdown(c->options, OPT_ON_COMMAND_LINE, &b);
	}
	return cmd_print(&b);
}

static int print_target_file(void)
{
	struct buf b;
	buf_init(&b, PAGE_MAX);
	buf_printf(&b, "# Keys of a target file\n\nMade by `ci/generate-docs` from the option table. How to write one: "
		       "[target-file.md](../target-file.md).\n\n");
	opt_markdown(target_table, OPT_IN_FILE, &b);
	return cmd_print(&b);
}

static int print_proxy_file(void)
{
	struct buf b;
	buf_init(&b, PAGE_MAX);
	buf_printf(&b, "# Keys of a proxy file\n\nMade by `ci/generate-docs` from the option table. How to write one: "
		       "[proxy.md](../proxy.md). A toxic has one of the faults, and its options are in [faults.md](faults.md).\n\n");
	opt_markdown(config_table(), OPT_IN_FILE, &b);
	return cmd_print(&b);
}

static int print_dialect_file(void)
{
	struct buf b;
	buf_init(&b, PAGE_MAX);
	buf_printf(&b, "# Keys of a dialect file\n\nMade by `ci/generate-docs` from the option table. How to write one, "
		       "and the language of its templates: [adding-a-dialect.md](../adding-a-dialect.md).\n\n");
	opt_markdown(dialect_table, OPT_IN_FILE, &b);
	return cmd_print(&b);
}

static int print_schema(const struct opt *table, const char *title)
{
	struct buf b;
	json_t *schema = opt_schema(table, title);
	char *text = schema ? json_dumps(schema, JSON_INDENT(2)) : NULL;
	buf_init(&b, PAGE_MAX);
	buf_printf(&b, "%s\n", text ? text : "");
	free(text);
	json_decref(schema);
	return cmd_print(&b);
}

static int print_target_schema(void)
{
	return print_schema(target_table, "wsquall target file");
}

static int print_dialect_schema(void)
{
	return print_schema(dialect_table, "wsquall dialect file");
}

static int print_proxy_schema(void)
{
	return print_schema(config_table(), "wsquall proxy file");
}

/* The keys that every fault of a phase has beside its own, from the row itself. */
static const struct opt *common_keys(void)
{
	const struct opt *phases = opt_find(scenario_table, "phases", OPT_IN_FILE);
	return opt_find(phases->sub, "faults", OPT_IN_FILE)->callees->common;
}

static void print_checkers(struct buf *b)
{
	for (size_t i = 0; i < checkers_len; i++) {
		buf_printf(b, "\n## Check: %s\n\n%c%s. It decides:", checkers[i]->name,
			   checkers[i]->about[0] - 32 * (checkers[i]->about[0] >= 'a'), checkers[i]->about + 1);
		for (size_t k = 0; checkers[i]->checks[k]; k++)
			buf_printf(b, "%s `%s`", k ? "," : "", checkers[i]->checks[k]);
		buf_printf(b, ".\n\n");
		if (checkers[i]->options[0].name)
			opt_markdown(checkers[i]->options, OPT_IN_FILE, b);
		else
			buf_printf(b, "It has no keys.\n");
	}
}

static int print_scenario_file(void)
{
	struct buf b;
	buf_init(&b, PAGE_MAX);
	buf_printf(&b, "# Keys of a scenario file\n\nMade by `ci/generate-docs` from the option tables. How to write one: "
		       "[adding-a-scenario.md](../adding-a-scenario.md).\n\n");
	opt_markdown(scenario_table, OPT_IN_FILE, &b);
	buf_printf(&b, "\n## Needs\n\nWhat `needs` can name, and the reason for a skip without it.\n\n| need | reason "
		       "|\n|---|---|\n");
#define NEED(NAME, name, why) buf_printf(&b, "| `%s` | %s |\n", name, why);
#include "harness/scenario/needs.def"
#undef NEED
	buf_printf(&b, "\n## Faults\n\nEach is one of [faults.md](faults.md), with its own keys and these:\n\n");
	opt_markdown(common_keys(), OPT_IN_FILE, &b);
	print_checkers(&b);
	return cmd_print(&b);
}

static int print_scenario_schema(void)
{
	return print_schema(scenario_table, "wsquall scenario file");
}

/* "stream, link" */
static void print_planes(const struct fault *f, struct buf *b)
{
	const char *between = "";
	for (enum fault_plane p = 0; p < FAULT_PLANES; p++)
		if (fault_has_plane(f, p)) {
			buf_printf(b, "%s%s", between, fault_plane_name(p));
			between = ", ";
		}
}

static void print_fault(const struct fault *f, struct buf *b)
{
	buf_printf(b, "\n## %s\n\nWhat happens: %s. Known as: %s.\n\n", f->name, f->about, f->known_as);
	for (enum fault_plane p = 0; p < FAULT_PLANES; p++)
		if (fault_has_plane(f, p))
			buf_printf(b, "- %s; healed: %s\n", fault_plane_name(p), fault_undo(f, p));
	buf_printf(b, "\n");
	if (f->options[0].name)
		opt_markdown(f->options, OPT_IN_FILE, b);
	else
		buf_printf(b, "It has no options.\n");
}

static int print_faults(void)
{
	struct buf b;
	buf_init(&b, PAGE_MAX);
	buf_printf(&b, "# Faults\n\nMade by `ci/generate-docs` from the program's tables. `wsquall doctor` tells which of "
		       "them a machine can make, `wsquall explain FAULT` more about one. On streams they are toxics of `wsquall "
		       "proxy`; on the other planes `wsquall inject` starts one and heals it ([inject.md](../inject.md)). How to "
		       "write one: [adding-a-fault.md](../adding-a-fault.md).\n\n| plane | where it hurts |\n|---|---|\n");
	for (enum fault_plane p = 0; p < FAULT_PLANES; p++)
		buf_printf(&b, "| %s | %s |\n", fault_plane_name(p), fault_plane_about(p));
	buf_printf(&b, "\n| fault | planes | what happens |\n|---|---|---|\n");
	for (size_t i = 0; i < faults_len; i++) {
		buf_printf(&b, "| [%s](#%s) | ", faults[i]->name, faults[i]->name);
		print_planes(faults[i], &b);
		buf_printf(&b, " | %s |\n", faults[i]->about);
	}
	for (size_t i = 0; i < faults_len; i++)
		print_fault(faults[i], &b);
	return cmd_print(&b);
}

static const struct {
	enum exit_code code;
	const char *about;
} exits[] = {
	{EXIT_PASSED, "passed"},
	{EXIT_FAILED, "a required check failed"},
	{EXIT_INCONCLUSIVE, "inconclusive"},
	{EXIT_STOPPED, "stopped by a guard or a signal"},
	{EXIT_USAGE, "usage or file error"},
	{EXIT_UNREACHABLE, "target unreachable"},
	{EXIT_OURS, "our own error"},
};

static int print_man(void)
{
	struct buf b;
	buf_init(&b, PAGE_MAX);
	buf_printf(&b, ".\\\" Made by ci/generate-docs from the option tables.\n"
		       ".TH WSQUALL 1 \"\" \"wsquall %s\" \"User commands\"\n"
		       ".SH NAME\nwsquall \\- certifies WebSocket servers\n.SH SYNOPSIS\n.B wsquall\n.I COMMAND\n[\\fIOPTIONS\\fR]\n"
		       ".SH COMMANDS\n", WSQUALL_VERSION);
	for (size_t i = 0; i < commands_len; i++) {
		const struct command *c = &commands[i];
		buf_printf(&b, ".SS \"wsquall %s%s%s\"\n%c%s.\n", c->name, c->synopsis[0] ? " " : "", c->synopsis,
			   c->about[0] - 32, c->about + 1);
		opt_man(c->options, OPT_ON_COMMAND_LINE, &b);
	}
	buf_printf(&b, ".SH TARGET FILE\nYAML; each key once.\n");
	opt_man(target_table, OPT_IN_FILE, &b);
	buf_printf(&b, ".SH EXIT STATUS\n");
	for (size_t i = 0; i < ARRAY_LEN(exits); i++)
		buf_printf(&b, ".TP\n.B %d\n%s\n", exits[i].code, exits[i].about);
	return cmd_print(&b);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*print)(void);
	} pages[] = {
		{"options", print_options},
		{"target-file", print_target_file},
		{"target-schema", print_target_schema},
		{"dialect-file", print_dialect_file},
		{"dialect-schema", print_dialect_schema},
		{"man", print_man},
		{"faults", print_faults},
		{"scenario-file", print_scenario_file},
		{"scenario-schema", print_scenario_schema},
		{"proxy-file", print_proxy_file},
		{"proxy-schema", print_proxy_schema},
	};
	for (size_t i = 0; argc == 2 && i < ARRAY_LEN(pages); i++)
		if (strcmp(argv[1], pages[i].name) == 0)
			return pages[i].print();
	fprintf(stderr, "usage: gen_docs");
	for (size_t i = 0; i < ARRAY_LEN(pages); i++)
		fprintf(stderr, "%s%s", i ? "|" : " ", pages[i].name);
	fprintf(stderr, "\n");
	return EXIT_USAGE;
}
