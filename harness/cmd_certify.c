/* wsquall certify: everything the target allows. */
#include <stdio.h>

#include "harness/campaign.h"
#include "harness/cmd.h"
#include "harness/cmd_campaign.h"

/* The option table is the campaign's own. */
int cmd_certify(const struct command *c, int argc, char **argv)
{
	struct campaign campaign = {0};
	struct opt_strings words;
	int code = cmd_campaign_options(c, &campaign, argc, argv, &words);
	if (code >= 0)
		return code;
	if (words.len > 1 || (words.len == 1 && campaign.o.target))
		return cmd_campaign_refuse(c, &campaign, "certify takes one target: a URL, a target file, or: reference");
	if (words.len)
		campaign.o.target = words.items[0];
	return cmd_campaign_run(c, &campaign);
}
