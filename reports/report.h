#pragma once
/*
 * Reports: a result rendered in one format. A format is a file of its own that ends in its write function, and a row of
 * formats.def; to add one, copy tap.c, add the row and a golden file.
 *
 * Reports read only the result. They say nothing that another format contradicts: what a case means to the reader is
 * decided once, by report_class(). Everything in a result may hold what a target wrote: control and bidirectional
 * characters are made visible (printable.h), then each format escapes for itself. The same result gives the same
 * octets: no clock, no locale, no environment.
 */
#include "harness/base/buf.h"
#include "harness/base/err.h"
#include "harness/run/result.h"

enum {
	REPORT_MAX = RESULT_FILE_MAX,      /* octets of one report; the Markdown summary stops at SUMMARY_MAX */
	REPORT_EVIDENCE_MAX = 16 << 10,    /* octets of one transcript shown inside a report */
	REPORT_EVIDENCE_SUM_MAX = 8 << 20, /* octets of all transcripts inside one report; later ones are only named */
	REPORT_WIDTH_MIN = 40, REPORT_WIDTH_DEFAULT = 80, REPORT_WIDTH_MAX = 160,
};

struct report_options {
	bool color;        /* text: ANSI colours */
	unsigned width;    /* text: columns; 0: REPORT_WIDTH_DEFAULT */
	int verbose;       /* text: -1 only the last line, 0 what needs attention, 1 every case, and why it matters */
	const char *dir;   /* that `evidence` paths are relative to; NULL: transcripts are named, not shown */
};

struct report_format {
	const char *name;  /* --format */
	const char *file;  /* in the folder of -o */
	const char *about;
	/* Appends the report. 0, or a negative errno (-ENOBUFS: larger than the buf's max) with a sentence. */
	int (*write)(const struct result *r, const struct report_options *o, struct buf *out, struct err *e);
};

/* formats.def, in its order */
extern const struct report_format report_formats[];
extern const size_t report_formats_len;

/* By its name, or NULL. */
const struct report_format *report_format_find(const char *name);

/* Renders to dir/<file of the format>, which appears whole or not at all. `dir` exists. 0, or a negative errno with a
 * sentence. */
int report_write_file(const struct report_format *f, const struct result *r, const struct report_options *o,
		      const char *dir, struct err *e);

/*
 * One line without its newline, at most o->width columns unless it is 0: "FAIL  ping/payload-126  Close 1000 (required:
 * fail 1002)". Words are in capitals when they count against the run. 0, -ENOBUFS, -ENOMEM.
 */
int report_text_item_line(const struct result *r, const struct result_item *item, const struct report_options *o,
			  struct buf *out);

/* --- for the formats --- */

/* CLASS(NAME, label, title, about): what a case means to a reader, most urgent first. */
#define REPORT_CLASSES(C) \
	C(FAIL, "fail", "Failures", "broke what is required, and is no known deviation") \
	C(STALE, "stale", "Known deviations that are gone", "a known deviation that passes: take it out of the target file") \
	C(ERROR, "error", "Errors", "our own trouble: says nothing about the target") \
	C(INCONCLUSIVE, "inconclusive", "Inconclusive", "could not be decided") \
	C(WARN, "warn", "Warnings", "a SHOULD was not met, or a milder reading was needed") \
	C(EXPECTED, "expected", "Known deviations", "fails or warns, and the target file accepts it") \
	C(SKIP, "skip", "Skipped", "the target lacks what the case needs") \
	C(PASS, "pass", "Passed", "did what is required")

enum report_class {
#define REPORT_CLASS_ENUM(NAME, label, title, about) REPORT_CLASS_##NAME,
	REPORT_CLASSES(REPORT_CLASS_ENUM)
#undef REPORT_CLASS_ENUM
	REPORT_CLASS_COUNT
};
/* In a strict run an unexpected warn is a FAIL. */
enum report_class report_class(const struct result *r, const struct result_item *item);
const char *report_class_label(enum report_class c);
const char *report_class_title(enum report_class c);
const char *report_class_about(enum report_class c);
/* Items of each class; adds up to n_items. */
void report_class_counts(const struct result *r, size_t ret_counts[REPORT_CLASS_COUNT]);

/* The groups of a result, in the order of their first case. */
struct report_group {
	const char *suite, *name;
	size_t n, counts[REPORT_CLASS_COUNT];
	double duration_ms;
};
struct report_groups {
	struct report_group *items;
	size_t len;
};
/* 0 or -ENOMEM. */
int report_groups_init(struct report_groups *g, const struct result *r);
void report_groups_fini(struct report_groups *g); /* also the CLEANUP function */
bool report_group_has(const struct report_group *g, const struct result_item *item);

/* What n of its items are called: cases, or checks where some are something else. */
const char *report_noun(const struct result *r, size_t n);
/* "512 cases: 480 passed, 10 warned, 5 failed, 2 known deviations, 14 skipped": zeros left out, the rest adds up. */
int report_counts_line(struct buf *out, const struct result *r);
/* "312 ms", "1.83 s", "2 min 5 s" */
int report_duration(struct buf *out, double ms);
/* "RFC 6455, section 5.5" of "6455 5.5"; nothing for NULL */
int report_rfc(struct buf *out, const char *rfc);
/* "passed", "failed", "undecided", "aborted": the verdict as a word after the target's name. */
const char *report_verdict_word(const struct result *r);
/* Appends at most `max` octets of dir/evidence. 1 when the file is longer, 0 when it is whole, -ENOENT when there is
 * nothing to show. */
int report_evidence(struct buf *out, const char *dir, const char *evidence, size_t max);
