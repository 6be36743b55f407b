#pragma once
/* The commands: one row here, one file each. To add one: a row in commands.def and cmd_<name>.c beside its siblings. */
#include <stddef.h>

#include "harness/base/opt.h"

/* Exit codes, sysexits-style where they are not verdicts. */
enum exit_code {
	EXIT_PASSED = 0,       /* passed */
	EXIT_FAILED = 1,       /* a required check failed */
	EXIT_INCONCLUSIVE = 2,
	EXIT_STOPPED = 3,      /* stopped by a guard or a signal */
	EXIT_USAGE = 64,       /* usage or file error */
	EXIT_UNREACHABLE = 69, /* target unreachable */
	EXIT_OURS = 70,        /* our own error */
};

struct command {
	const char *name, *synopsis, *about;
	int (*run)(const struct command *c, int argc, char **argv); /* argv[0] is the first argument after the command's name */
	const struct opt *options;
};

#define COMMAND(name, options, synopsis, about) int cmd_##name(const struct command *c, int argc, char **argv);
#include "harness/commands.def"
#undef COMMAND

extern const struct opt campaign_options_table[], cmd_list_options[], cmd_explain_options[], cmd_show_options[], cmd_report_options[],
	cmd_doctor_options[], cmd_inject_options[], cmd_init_options[], config_command_table[];

extern const struct command commands[];
extern const size_t commands_len;

/* Prints "wsquall: sentence" (and where help is) on stderr; returns EXIT_USAGE. */
int cmd_usage_error(const struct command *c, const struct err *e);
/*
 * Arguments of a command that takes exactly `n_words` words beside its options; `o` is its options struct, `help` the flag in it. Below 0: go on; else the
 * exit code: help was printed, or a sentence (`wanted` when the number of words is wrong).
 */
int cmd_parse(const struct command *c, int argc, char **argv, void *o, const bool *help, struct arena *a, size_t n_words, const char *wanted,
	      struct opt_strings *ret_words);
/* --help of a command on stdout. */
int cmd_print_help(const struct command *c);
/* Writes the buffer to stdout; EXIT_PASSED, or EXIT_OURS when that fails. Frees it. */
int cmd_print(struct buf *b);
