#pragma once
/*
 * The suite must prove itself: wsquall-server is started with each of its deliberate defects in turn, and exactly the cases that the
 * defect names have to notice. Without a defect every case has to pass.
 */
#include <jansson.h>

#include "harness/campaign.h"

struct selftest_defect {
	const char *name, *about;
	const char *kind;          /* "wire": caught by conformance cases; "service": by readiness and chaos checks */
	const json_t *catches;     /* array of globs of case ids: exactly the cases that must not pass; with ? in front: that may not.
				      Of a service defect: ids of checks */
};

struct selftest_defects {
	json_t *document;          /* holds the strings */
	struct selftest_defect *list;
	size_t n;
};

/* Asks `wsquall-server --list-defects`. Negative errno with a sentence. */
int selftest_defects_load(struct selftest_defects *ret_defects, struct err *e);
void selftest_defects_free(struct selftest_defects *d);

/* The wire defects. --case chooses by name (globs); jobs, timeout and seed are used. Prints one line a defect and a closing line; the exit code. */
int selftest_run(const struct campaign_options *o, struct arena *a);
