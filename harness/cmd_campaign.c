/* The frame of certify, run and replay. */
#include "harness/cmd_campaign.h"

#include <stdio.h>

enum { CAMPAIGN_ARENA_MAX = 256 << 20 };

static const char *command_line(struct arena *a, const char *name, int argc, char **argv)
{
	struct buf b;
	buf_init(&b, 8192);
	buf_printf(&b, "wsquall %s", name);
	for (int i = 0; i < argc; i++)
		buf_printf(&b, " %s", argv[i]);
	const char *text = arena_strdup(a, buf_cstr(&b));
	buf_fini(&b);
	return text;
}

int cmd_campaign_options(const struct command *c, struct campaign *campaign, int argc, char **argv, struct opt_strings *ret_words)
{
	struct err e;
	arena_init(&campaign->arena, CAMPAIGN_ARENA_MAX);
	campaign->reference.out = -1;
	if (opt_defaults(c->options, &campaign->o, &campaign->arena) < 0)
		return EXIT_OURS;
	if (opt_parse_argv(c->options, argc, argv, &campaign->o, &campaign->arena, ret_words, &e) < 0) {
		arena_fini(&campaign->arena);
		return cmd_usage_error(c, &e);
	}
	campaign->command = command_line(&campaign->arena, c->name, argc, argv);
	if (!campaign->o.help)
		return -1;
	arena_fini(&campaign->arena);
	return cmd_print_help(c);
}

int cmd_campaign_refuse(const struct command *c, struct campaign *campaign, const char *sentence)
{
	struct err e;
	err_set(&e, EINVAL, "%s", sentence);
	arena_fini(&campaign->arena);
	return cmd_usage_error(c, &e);
}

int cmd_campaign_run(const struct command *c, struct campaign *campaign)
{
	struct err e = {0};
	int code = campaign_init(campaign, &e);
	if (code == EXIT_UNREACHABLE)
		campaign_report_unreachable(campaign, &e);
	else if (code == 0)
		code = campaign_run(campaign, &e);
	if (e.text[0]) {
		fprintf(stderr, "wsquall: %s\n", e.text);
		if (code == EXIT_USAGE)
			fprintf(stderr, "See 'wsquall %s --help'.\n", c->name);
	}
	campaign_fini(campaign);
	return code;
}
