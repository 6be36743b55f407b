#pragma once
/* What a campaign shows and writes while it runs and when it is done; for campaign*.c only. */
#include "harness/campaign.h"
#include "harness/run/history.h"
#include "reports/report.h"

struct campaign_view {
	struct campaign *c;
	struct history history;
	struct result_item *items;  /* parallel to the runner's */
	const char *replay_options;
	bool tty, history_broken;
	unsigned columns;
	uint64_t started_us, last_drawn_us;
	unsigned shown[VERDICT_COUNT];
};

int campaign_view_init(struct campaign_view *v, struct campaign *c, struct err *e);
void campaign_view_fini(struct campaign_view *v);
void campaign_on_decided(void *owner, const struct runner_item *item);
/* Writes all reports, prints the text. The exit code. */
int campaign_report(struct campaign_view *v, struct err *e);
/* Every case is an error that says why; reports are written, nothing is printed. */
void campaign_view_unreachable(struct campaign_view *v, const char *why);
int campaign_dry_run(struct campaign *c);
bool campaign_interrupted(void);
