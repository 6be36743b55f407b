/* The program: one command table, one file a command. */
#include <stdio.h>
#include <string.h>

#include "harness/base/near.h"
#include "harness/cmd.h"

const struct command commands[] = {
#define COMMAND(name_, options_, synopsis_, about_) \
	{.name = #name_, .synopsis = synopsis_, .about = about_, .run = cmd_##name_, .options = options_},
#include "harness/commands.def"
#undef COMMAND
};
const size_t commands_len = ARRAY_LEN(commands);

int cmd_usage_error(const struct command *c, const struct err *e)
{
	fprintf(stderr, "wsquall: %s\n", e->text);
	if (c)
		fprintf(stderr, "See 'wsquall %s --help'.\n", c->name);
	return EXIT_USAGE;
}

int cmd_print(struct buf *b)
{
	size_t written = b->len ? fwrite(b->p, 1, b->len, stdout) : 0;
	bool ok = written == b->len && fflush(stdout) == 0;
	buf_fini(b);
	return ok ? EXIT_PASSED : EXIT_OURS;
}

int cmd_print_help(const struct command *c)
{
	struct buf b;
	buf_init(&b, 1 << 20);
	buf_printf(&b, "Usage: wsquall %s %s\n\n%c%s.\n\n", c->name, c->synopsis, c->about[0] - 32, c->about + 1);
	opt_help(c->options, &b);
	return cmd_print(&b);
}

int cmd_parse(const struct command *c, int argc, char **argv, void *o, const bool *help, struct arena *a, size_t n_words, const char *wanted,
	      struct opt_strings *ret_words)
{
	struct err e;
	if (opt_defaults(c->options, o, a) < 0)
		return EXIT_OURS;
	if (opt_parse_argv(c->options, argc, argv, o, a, ret_words, &e) < 0)
		return cmd_usage_error(c, &e);
	if (*help)
		return cmd_print_help(c);
	if (ret_words->len == n_words)
		return -1;
	err_set(&e, EINVAL, "%s", wanted);
	return cmd_usage_error(c, &e);
}

static int print_overview(FILE *out)
{
	fprintf(out, "wsquall %s: certifies WebSocket servers\n\nUsage: wsquall COMMAND [OPTIONS]\n\n", WSQUALL_VERSION);
	for (size_t i = 0; i < commands_len; i++)
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].about);
	fprintf(out, "\n'wsquall COMMAND --help' tells more. Start with: wsquall certify ws://HOST:PORT/PATH\n"
		     "Exit codes: 0 passed, 1 a required check failed, 2 inconclusive, 3 stopped, 64 usage or file error, 69 target unreachable, 70 our own error.\n");
	return out == stdout ? EXIT_PASSED : EXIT_USAGE;
}

static int unknown_command(const char *name)
{
	const char *names[ARRAY_LEN(commands)];
	for (size_t i = 0; i < commands_len; i++)
		names[i] = commands[i].name;
	const char *near = near_word(name, names, commands_len);
	fprintf(stderr, "wsquall: unknown command '%.60s'%s%s%s\nSee 'wsquall --help'.\n", name, near ? ", did you mean '" : "", near ? near : "",
		near ? "'?" : "");
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return print_overview(stderr);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)
		return print_overview(stdout);
	if (strcmp(argv[1], "--version") == 0) {
		printf("wsquall %s\n", WSQUALL_VERSION);
		return EXIT_PASSED;
	}
	for (size_t i = 0; i < commands_len; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(&commands[i], argc - 2, argv + 2);
	return unknown_command(argv[1]);
}
