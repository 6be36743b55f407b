#pragma once
/* What a set of checkers and one of them are; for check.c and findings.c only. */
#include "harness/check/check.h"
#include "harness/check/evidence.h"
#include "harness/check/track.h"

enum { RUN_CHECKS_MAX = 16 }; /* checks of one checker */

/* One check of one checker. */
struct judged {
	const char *id;
	const struct check_row *row;
	uint64_t samples, fails, warns;
	const char *unknown, *skip, *note;
	struct check_finding findings[CHECK_FINDINGS_MAX];
	size_t n_findings;
};

struct check_run {
	struct check_set *set;
	const struct checker *checker;
	const void *options;
	void *state;
	struct judged judged[RUN_CHECKS_MAX];
	size_t n_judged, moments;
};

struct check_set {
	struct contract contract;
	struct arena arena;
	struct track track;
	struct evidence *evidence;
	struct check_run *runs[CHECKS_MAX];
	size_t n_runs;
	uint64_t violations;
	struct check_result *results;
	bool begun, ended;
};
