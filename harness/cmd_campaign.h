#pragma once
/* What the commands that run a campaign share. */
#include "harness/campaign.h"
#include "harness/cmd.h"

/* Arena, defaults, arguments. Below 0: go on; else the exit code (help was printed, or a sentence about what was wrong). */
int cmd_campaign_options(const struct command *c, struct campaign *campaign, int argc, char **argv, struct opt_strings *ret_words);
/* init, run, fini; prints what went wrong. The exit code. */
int cmd_campaign_run(const struct command *c, struct campaign *campaign);
/* Prints the sentence, frees the campaign's arena. EXIT_USAGE. */
int cmd_campaign_refuse(const struct command *c, struct campaign *campaign, const char *sentence);
