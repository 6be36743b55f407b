#pragma once
/* The parts of `wsquall doctor`. Each row is one line of text, or one JSON object a line. */
#include "harness/base/buf.h"

struct doctor {
	bool json;
	struct buf out;
	bool ok;                       /* nothing that makes the exit status other than 0 */
};

/* A row as JSON: the keys that are not NULL. */
void doctor_row_json(struct doctor *d, const char *kind, const char *name, const char *plane, const char *state,
		     const char *detail);
/* Each fault on each of its planes: driven, emulated or missing here, and by what or why. */
void doctor_faults(struct doctor *d);
/* What runs that are gone have left; clean: undoes it. */
void doctor_leftovers(struct doctor *d, bool clean);
