#pragma once
/* One look at the target's metrics: every page is asked for now, and what is wanted of them is summed. */
#include "harness/target/metrics_text.h"
#include "harness/target/target.h"

struct dialogue;

enum { READING_VALUES_MAX = 8, READING_PAGES_MAX = TARGET_NODES_MAX + 1 };

struct reading {
	struct dialogue *dialogue;
	struct reading *next;      /* of the dialogue's */
	struct metrics_selector selectors[READING_VALUES_MAX];
	size_t n, pages, pending;
	struct http_ask *asks[READING_PAGES_MAX];
	bool failed;               /* a page could not be read */
	char why[160];
	double values[READING_VALUES_MAX];
	bool found[READING_VALUES_MAX];
};

/*
 * names: selectors, NULL: 0, found false. Wakes the dialogue when it is done. Lives as long as the dialogue; NULL
 * without memory.
 */
struct reading *reading_new(struct dialogue *d, const char *const *names, size_t n);
bool reading_done(const struct reading *r);
/* For dialogue.c. */
void reading_free(struct reading *r);
