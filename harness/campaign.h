#pragma once
/*
 * A campaign: chosen cases and scenarios against one target, from the options to the reports and the exit code. certify,
 * run and replay are thin layers over it.
 */
#include "harness/run/runner.h"
#include "harness/readiness/dialogue.h"
#include "harness/scenario/run.h"
#include "harness/target/process.h"

struct campaign_options {
	bool help;
	struct opt_strings suites, cases, skips, formats;
	const char *target, *output;
	uint64_t seed;
	bool seed_given;
	int64_t jobs;
	uint64_t timeout_ms;
	bool timeout_given, strict, ignore_known, insecure, dry_run, quiet, no_color, all_transcripts;
	const char *ca, *fail_on;
	struct opt_strings server_args; /* for the embedded reference server */
	struct opt_strings files;  /* scenario files, beside the suites; not in the table: the words of `run` */
};
/* Its table is campaign_options_table, declared in cmd.h. */

struct campaign {
	struct campaign_options o;
	struct arena arena;
	struct target target;
	struct secrets secrets;    /* of the target */
	struct process reference;  /* when the target is `reference` */
	bool embedded;
	bool looped;               /* the loop is there */
	bool mute;                 /* the first look got neither an echo nor a Pong: waits are short then */
	bool scratch;              /* write no files, show no progress: replay, selftest */
	struct loop loop;
	struct case_env env;
	struct runner_case *cases;
	size_t n_cases;
	struct scenario *scenarios;
	size_t n_scenarios;
	const struct dialogue_row **dialogues; /* of the suite `readiness` */
	size_t n_dialogues;
	size_t n_items;            /* of the result: cases, then those of each scenario, then dialogues */
	const char *no_metrics;    /* a remark: metrics that the target file names and no page had; NULL: none */
	const char *untested;      /* a remark: checks that no scenario put to the test; NULL: none */
	const char *guarded;       /* why the target file's guard stopped the run, or NULL */
	struct guard *guard;       /* when a scenario touches what is outside of us */
	struct site site;          /* of scenarios and dialogues */
	struct runner runner;
	struct result result;      /* valid after campaign_run */
	const char *command;       /* for the result */
	/* Replay: called in place of the text report; may be NULL. */
	void (*on_item)(const struct runner_item *item);
	void (*on_scenario)(const struct scenario *s, const struct scenario_outcome *o);
	void (*on_dialogue)(struct dialogue *d);
};

/*
 * Reads the options (already parsed), selects the cases, loads or starts the target and looks at it. 0, or an exit code after a sentence
 * in e: EXIT_USAGE, EXIT_UNREACHABLE, EXIT_OURS.
 */
int campaign_init(struct campaign *c, struct err *e);
/* Runs, writes the reports to the output folder, prints the text report. Returns the exit code of the run. */
int campaign_run(struct campaign *c, struct err *e);
/* After EXIT_UNREACHABLE: writes reports in which no case was run, so that nobody takes an older report for this run's. */
void campaign_report_unreachable(struct campaign *c, const struct err *why);
void campaign_fini(struct campaign *c);

/*
 * Selects cases and scenarios by suites, files and globs. -EINVAL with a sentence for an unknown suite, a glob that
 * matches nothing, an empty selection, a bad scenario file.
 */
int campaign_select(struct campaign *c, struct err *e);
