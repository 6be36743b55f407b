#pragma once
/*
 * Pages of metrics: the Prometheus text format 0.0.4 and OpenMetrics 1.0. Pure, and lenient as a scraper is: a line
 * that is no sample is counted and passed over.
 * Sources: prometheus.io/docs/instrumenting/exposition_formats, OpenMetrics 1.0 (github.com/prometheus/OpenMetrics).
 */
#include "harness/base/arena.h"
#include "harness/base/err.h"

enum {
	METRICS_LABELS_MAX = 64,       /* of one sample; one with more is no sample */
	METRICS_SELECTOR_LABELS_MAX = 16,
};

/* Which samples are meant: `name`, or `name{label="value",other!="value"}`. */
struct metrics_selector {
	struct span name;
	struct {
		struct span label, value;
		bool differs;          /* != */
	} labels[METRICS_SELECTOR_LABELS_MAX];
	size_t n;
};

/* -EINVAL with a sentence. Copies into the arena. */
int metrics_selector_parse(const char *text, struct arena *a, struct metrics_selector *ret, struct err *e);

struct metrics_label {
	struct span name, value;       /* the value as it is written, escaped */
};

/* A line of a page; spans of the page. */
struct metrics_sample {
	struct span name;
	struct metrics_label labels[METRICS_LABELS_MAX];
	size_t n;
	double value;
};

/*
 * The next sample from *at on, which begins at 0; false at the end. Nothing after "# EOF" is read. ret_bad (may be NULL) is
 * raised by the lines that are no samples, comments and empty ones not counted.
 */
bool metrics_text_next(struct span page, size_t *at, struct metrics_sample *ret, uint64_t *ret_bad);

struct metrics_found {
	double sum;                    /* over the samples that match; NaN of one makes NaN of all */
	uint64_t samples;              /* how many there were */
};

/*
 * Sums what each of n selectors matches on a page. A label that a sample has not is empty, as Prometheus sees it.
 * ret_bad (may be NULL): lines that are no samples. Returns the number of samples on the page.
 */
uint64_t metrics_text_sum(struct span page, const struct metrics_selector *selectors, size_t n,
			  struct metrics_found *ret_found, uint64_t *ret_bad);
