/* wsquall run: chosen suites against a target; or the selftest, which needs none. */
#include <string.h>

#include "harness/campaign.h"
#include "harness/cmd.h"
#include "harness/cmd_campaign.h"
#include "harness/selftest.h"

int cmd_run(const struct command *c, int argc, char **argv)
{
	struct campaign campaign = {0};
	struct opt_strings words;
	int code = cmd_campaign_options(c, &campaign, argc, argv, &words);
	if (code >= 0)
		return code;
	if (words.len == 0)
		return cmd_campaign_refuse(c, &campaign, "name at least one suite: 'wsquall list suites' shows them");
	if (strcmp(words.items[0], "selftest") == 0) {
		if (words.len > 1)
			return cmd_campaign_refuse(c, &campaign, "selftest runs alone; choose defects with --case");
		code = selftest_run(&campaign.o, &campaign.arena);
		arena_fini(&campaign.arena);
		return code;
	}
	campaign.o.suites = words;
	return cmd_campaign_run(c, &campaign);
}
