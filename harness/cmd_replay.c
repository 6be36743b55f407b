/* wsquall replay: one case of an earlier result again, with its seed, every octet shown. */
#include <stdio.h>
#include <string.h>

#include "harness/base/near.h"
#include "harness/campaign.h"
#include "harness/cmd.h"
#include "harness/cmd_campaign.h"
#include "harness/scenario/items.h"
#include "suites/suites.h"

enum { REPLAY_MAX = 16 << 20 };

/* The case itself, and those that it is about. */
static int choose(struct campaign *campaign, const struct result_item *item, struct err *e)
{
	size_t n = 0;
	while (item->cases && item->cases[n])
		n++;
	const char **ids = arena_alloc(&campaign->arena, (n + 1) * sizeof(*ids));
	if (!ids)
		return err_set(e, ENOMEM, "out of memory");
	ids[0] = item->id;
	for (size_t i = 0; i < n; i++)
		ids[i + 1] = item->cases[i];
	campaign->o.cases = (struct opt_strings){.items = ids, .len = n + 1};
	return 0;
}

static int load(struct campaign *campaign, const char *path, const char *id, struct err *e)
{
	struct result old;
	if (result_load(path, &campaign->arena, &old, e) < 0)
		return -EINVAL;
	for (size_t i = 0; i < old.n_items; i++) {
		if (strcmp(old.items[i].id, id) != 0)
			continue;
		if (!campaign->o.seed_given)
			campaign->o.seed = old.seed;
		campaign->o.seed_given = true;
		if (!campaign->o.target)
			campaign->o.target = old.target_name && strcmp(old.target_name, "reference") == 0 ? "reference" : old.target_url;
		return choose(campaign, &old.items[i], e);
	}
	const char *names[1024];
	size_t n = old.n_items < ARRAY_LEN(names) ? old.n_items : ARRAY_LEN(names);
	for (size_t i = 0; i < n; i++)
		names[i] = old.items[i].id;
	const char *near = near_word(id, names, n);
	return err_set(e, EINVAL, "%s has no case '%.80s'%s%s%s", path, id, near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static void show(const struct runner_item *item)
{
	printf("%s: %s\n", item->c.tc->id, item->c.tc->title);
	printf("verdict   %s\nseen      %s\nrequired  %s\n", verdict_name(item->verdict), item->seen ? item->seen : "", item->required ? item->required : "");
	if (item->note)
		printf("note      %s\n", item->note);
	printf("\n%s", item->transcript ? item->transcript : "");
}

/* What it wanted to know is what went wrong: each check in a line, findings with their evidence. */
static void show_scenario(const struct scenario *s, const struct scenario_outcome *o)
{
	static const char *const words[] = {"pass", "warn", "fail", "inconclusive", "skip"};
	struct buf b;
	buf_init(&b, REPLAY_MAX);
	buf_printf(&b, "%s: %s\n%s%s", s->name, s->about, o->why ? o->why : "", o->why ? "\n" : "");
	for (size_t i = 0; i < o->n_checks; i++) {
		const struct check_result *r = &o->checks[i];
		buf_printf(&b, "\n%-13s %s%s%s\n", r->untested ? "untested" : words[r->outcome], r->row->id, r->note ? ": " : "",
			   r->note ? r->note : "");
		if (r->n_findings)
			scenario_print_findings(r, &b);
	}
	fwrite(b.p, 1, b.len, stdout);
	buf_fini(&b);
}

static void show_dialogue(struct dialogue *d)
{
	struct buf b;
	buf_init(&b, REPLAY_MAX);
	buf_printf(&b, "%s: %s\nverdict   %s\nseen      %s\n\n", d->row->check, d->row->about, verdict_name(d->verdict), d->seen);
	dialogue_render(d, &b);
	fwrite(b.p, 1, b.len, stdout);
	buf_fini(&b);
}

int cmd_replay(const struct command *c, int argc, char **argv)
{
	struct campaign campaign = {0};
	struct opt_strings words;
	struct err e = {0};
	int code = cmd_campaign_options(c, &campaign, argc, argv, &words);
	if (code >= 0)
		return code;
	if (words.len != 2)
		return cmd_campaign_refuse(c, &campaign, "replay takes a result (a file or its folder) and the id of a case");
	if (load(&campaign, words.items[0], words.items[1], &e) < 0)
		return cmd_campaign_refuse(c, &campaign, e.text);
	campaign.o.all_transcripts = true;
	campaign.scratch = true;
	campaign.on_item = show;
	campaign.on_scenario = show_scenario;
	campaign.on_dialogue = show_dialogue;
	return cmd_campaign_run(c, &campaign);
}
