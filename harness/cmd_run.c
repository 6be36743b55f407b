/* wsquall run: chosen suites against a target; or the selftest, which needs none. */
#include <string.h>

#include "harness/base/glob.h"
#include "harness/campaign.h"
#include "harness/cmd.h"
#include "harness/cmd_campaign.h"
#include "harness/selftest.h"

/* A word with a slash or a file's ending is a file, every other a suite. */
static void sort_words(struct campaign *c, struct opt_strings *words)
{
	c->o.suites = (struct opt_strings){.items = arena_alloc(&c->arena, words->len * sizeof(char *))};
	c->o.files = (struct opt_strings){.items = arena_alloc(&c->arena, words->len * sizeof(char *))};
	for (size_t i = 0; i < words->len; i++) {
		const char *word = words->items[i];
		bool file = strchr(word, '/') || glob_match("*.yaml", word) || glob_match("*.yml", word);
		struct opt_strings *to = file ? &c->o.files : &c->o.suites;
		to->items[to->len++] = word;
	}
}

int cmd_run(const struct command *c, int argc, char **argv)
{
	struct campaign campaign = {0};
	struct opt_strings words;
	int code = cmd_campaign_options(c, &campaign, argc, argv, &words);
	if (code >= 0)
		return code;
	if (words.len == 0)
		return cmd_campaign_refuse(c, &campaign, "name at least one suite or scenario file: 'wsquall list suites' shows them");
	if (strcmp(words.items[0], "selftest") == 0) {
		if (words.len > 1)
			return cmd_campaign_refuse(c, &campaign, "selftest runs alone; choose defects with --case");
		code = selftest_run(&campaign.o, &campaign.arena);
		arena_fini(&campaign.arena);
		return code;
	}
	sort_words(&campaign, &words);
	return cmd_campaign_run(c, &campaign);
}
