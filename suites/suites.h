#pragma once
/*
 * What we claim: every case, every requirement of the RFCs, and what each Autobahn case has become. All of it is
 * constant data.
 *
 * To add a case: a row in the table of its group. To add a group: a static array in a file
 * suites/rfc<number>_<chapter>_<what>.c, one #include line in suites.c and one CASE_TABLE line in tables.def.
 * test_suites.c refuses whatever was forgotten.
 */
#include <stddef.h>

#include "harness/run/case.h"

/* In the order of tables.def, which is the order of a run. */
extern const struct case_table case_tables[];
extern const size_t case_tables_len;

/* requirements.def, in RFC order. */
extern const struct requirement requirements[];
extern const size_t requirements_len;

/* One row of autobahn.def: a case of the Autobahn Testsuite. Our cases name the ids that they cover in `.autobahn`. */
struct autobahn_case {
	const char *id;            /* "1.1.1" */
	const char *group;         /* ours: "frame/text" */
	const char *what;          /* what it sends and what it wants */
	const char *note;          /* where a better verdict differs; "" when nowhere */
};
extern const struct autobahn_case autobahn_cases[];
extern const size_t autobahn_cases_len;

/* By its exact id; NULL when there is none. */
const struct test_case *suite_find_case(const char *id);
/* By its exact id; NULL when there is none. */
const struct requirement *suite_find_requirement(const char *id);

/* Ids in a case row are lists with single spaces. Steps through one: `*list` moves on; returns the length of the
 * word that starts at `*ret_word`, 0 at the end. A NULL list is an empty one. */
size_t suite_next_id(const char **list, const char **ret_word);
