#pragma once
/*
 * The suites must prove themselves: wsquall-server is started with each of its deliberate defects in turn, and exactly the cases and
 * checks that the defect names have to notice. Without a defect everything has to pass.
 *
 * Defects on the wire are seen by the conformance cases; those of the service by the checks of the scenarios, whatever
 * the scenario (selftest_service.c). Those between nodes need a deployment that was started with the defect:
 *
 *	selftest --case NAME --target FILE
 */
#include <jansson.h>

#include "harness/campaign.h"

struct selftest_defect {
	const char *name, *about;
	const char *kind;          /* "wire": caught by conformance cases; "service": by readiness and chaos checks; "nodes":
				      by those, where there are nodes and a broker */
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

enum selftest_naming { NOT_NAMED, MAY_FAIL, MUST_FAIL };
/* How the globs of a defect (`catches`, NULL: none) name a case or check. */
enum selftest_naming selftest_naming(const json_t *globs, const char *id);

/* --case chooses by name (globs); jobs, timeout, target and seed are used. Prints one line a defect and a closing line; the exit code. */
int selftest_run(const struct campaign_options *o, struct arena *a);

struct selftest_count {
	unsigned passed, failed, skipped;
};
/*
 * Those of the service, several at once; reports of each go to FOLDER/selftest/NAME, and the matrix of defects and
 * checks to FOLDER/selftest/matrix.md. list: n of them, NULL is the server without a defect.
 */
void selftest_service_run(const struct campaign_options *o, const struct selftest_defect *const *list, size_t n,
			  struct selftest_count *count);
