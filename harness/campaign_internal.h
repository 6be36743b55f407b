#pragma once
/* What a campaign shows and writes while it runs and when it is done; for campaign*.c only. */
#include "harness/campaign.h"
#include "harness/live.h"
#include "harness/run/history.h"
#include "reports/report.h"

struct campaign_view {
	struct campaign *c;
	struct history history;
	struct result_item *items;  /* parallel to the runner's, then those of each scenario */
	const char *replay_options;
	bool history_broken;
	struct live live;
	uint64_t started_us;
	unsigned shown[VERDICT_COUNT];
};

int campaign_view_init(struct campaign_view *v, struct campaign *c, struct err *e);
void campaign_view_fini(struct campaign_view *v);
void campaign_on_decided(void *owner, const struct runner_item *item);
/* An item of a scenario is what it is now. */
void campaign_view_decided(struct campaign_view *v, struct result_item *item);
/* A line for people, above what is live; nothing when they want it quiet. */
void campaign_view_say(struct campaign_view *v, const char *line);
/* The command that does this one again; in the arena. */
const char *campaign_view_replay(struct campaign_view *v, const char *id);
/* Runs the scenarios, after the cases. 0, or an exit code with a sentence. */
int campaign_scenarios_run(struct campaign_view *v, struct err *e);
/* What a dry run says of them. */
void campaign_scenarios_dry_run(struct campaign *c);
/* Runs the dialogues of readiness, after the scenarios. 0, or an exit code with a sentence. */
int campaign_readiness_run(struct campaign_view *v, struct err *e);
/* The target file tells something that one of them asks for, so that a run of everything has them, too. */
bool campaign_readiness_wanted(const struct campaign *c);
void campaign_readiness_dry_run(struct campaign *c);
/* Writes all reports, prints the text. The exit code. */
int campaign_report(struct campaign_view *v, struct err *e);
/* Every case is an error that says why; reports are written, nothing is printed. */
void campaign_view_unreachable(struct campaign_view *v, const char *why);
int campaign_dry_run(struct campaign *c);
/* SIGINT and SIGTERM end a run early from now on. */
void campaign_catch_signals(void);
bool campaign_interrupted(void);
