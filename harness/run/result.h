#pragma once
/*
 * The result of a run: what every report is made from. `result.json` (schema "wsquall.result/1", see docs/schema/) is
 * this struct written out; result_load() reads it back, and also the history.jsonl of a run that was killed.
 */
#include <jansson.h>

#include "harness/base/arena.h"
#include "harness/base/err.h"

#define RESULT_SCHEMA "wsquall.result/1"

/* VERDICT(NAME, name, about) */
#define VERDICTS(V) \
	V(PASS, "pass", "did what is required") \
	V(WARN, "warn", "a SHOULD was not met, or a milder reading was needed") \
	V(FAIL, "fail", "a MUST was broken") \
	V(INCONCLUSIVE, "inconclusive", "could not be decided") \
	V(SKIP, "skip", "the target lacks what it needs") \
	V(ERROR, "error", "our own trouble: not the target's fault")

enum verdict {
#define VERDICT_ENUM(NAME, name, about) VERDICT_##NAME,
	VERDICTS(VERDICT_ENUM)
#undef VERDICT_ENUM
	VERDICT_COUNT
};
const char *verdict_name(enum verdict v);
/* -EINVAL for an unknown word. */
int verdict_parse(const char *name);

/* A figure for people: bars of one value each, or of two that are compared. */
struct result_bar {
	const char *label;         /* "0.2 s", "1006" */
	uint64_t n, m;             /* m: where the chart has an m_name */
};
struct result_chart {
	const char *title;         /* "close codes" */
	const char *n_name, *m_name; /* whose values: "seen by clients", "logged by the target"; m_name may be NULL */
	const struct result_bar *bars;
	size_t n_bars;             /* at most RESULT_BARS_MAX */
};
enum { RESULT_CHARTS_MAX = 8, RESULT_BARS_MAX = 64 };

/* All strings are UTF-8, already made safe by json_text() where a peer wrote them, but never escaped for a format: each
 * report escapes. May be NULL only where it says so. */
struct result_item {
	const char *id, *title, *suite, *group;
	const char *kind;          /* "case", "check", "scenario" */
	enum verdict verdict;
	bool expected;             /* a fail or warn that is a known deviation: not counted against the target */
	const char *known;         /* the reason that the target file gives for it, or NULL */
	bool stale;                /* a known deviation that passed: fails the run */
	const char *level;         /* "MUST", "SHOULD", "INFO" */
	const char *rfc;           /* "6455 5.5" or NULL */
	const char *const *requirements; /* NULL-terminated, never NULL */
	const char *const *autobahn;     /* NULL-terminated, never NULL */
	const char *seen, *required;     /* sentences without a full stop; "" when there is nothing to say */
	const char *note;          /* or NULL: what else was noticed ("close frame lost", "7 of 10 pings answered") */
	const char *explain, *fix; /* or NULL */
	const char *evidence;      /* path of the transcript relative to the report folder, or NULL */
	const char *replay;        /* the one command, or NULL */
	const struct result_chart *charts; /* of a scenario: what it was like */
	size_t n_charts;           /* at most RESULT_CHARTS_MAX */
	const char *const *cases;  /* NULL-terminated, or NULL: those that it is about, which a replay of it runs */
	double duration_ms;
};

/* A reason why the letter is lower than the score alone would give. */
struct result_cap {
	const char *letter, *why;
};

enum { RESULT_CAPS_MAX = 12 };

struct result {
	const char *tool;          /* version */
	uint64_t seed;
	const char *target_name, *target_url;
	const char *target_server; /* what the target calls itself in `Server:`, or NULL */
	const char *started;       /* RFC 3339 */
	double duration_ms;
	const char *command;       /* the command line, secrets removed */
	const char *verdict;       /* "pass", "fail", "inconclusive", "aborted" */
	const char *why;           /* the rule of the gate that made the verdict; NULL before result_grade() */
	bool strict;               /* a warn counts as a fail: set by result_grade(); reports then show it as one */
	int exit_code;
	const char *abort_reason;  /* or NULL: "the target stopped answering after frame/x" */
	char grade;                /* 'A' to 'F', or 0 when nothing was graded */
	int score;                 /* 0 to 100 */
	struct result_cap caps[RESULT_CAPS_MAX]; /* those that lower the letter, hardest first */
	size_t n_caps;
	unsigned counts[VERDICT_COUNT]; /* by true verdict, expected ones too: adds up to n_items */
	unsigned expected, stale;
	struct result_item *items;
	size_t n_items;
	const char *const *notes;  /* NULL-terminated remarks on the run as a whole ("TLS verification is off") */
};

/*
 * Fills counts, expected, stale, grade, score, caps, verdict, why, strict and exit_code from the items and
 * abort_reason. Allocates nothing.
 *
 * The gate (verdict, exit code), the first line that applies:
 *	abort_reason            "aborted"       1 with an unexpected fail (or a known deviation gone), else 69
 *	an unexpected fail      "fail"          1
 *	a known deviation gone  "fail"          1
 *	an unexpected warn      "fail"          1      only when strict, or fail_on names "warn"
 *	an error                "inconclusive"  2
 *	an inconclusive case    "inconclusive"  2      only when fail_on names "inconclusive"
 *	nothing decided         "inconclusive"  2      no pass, warn or fail at all: a run of skips is never a pass
 *	otherwise               "pass"          0
 * fail_on: NULL, or words separated by commas.
 *
 * The grade looks only at what was seen: what is known changes the gate, not the truth, so expected fails count here
 * like any other. score = sum of weight * credit / sum of weight, rounded down. Weight: MUST 3, SHOULD 1, INFO 0.
 * Credit: pass 100, warn 50, fail 0; other verdicts do not enter. Letter: A from 95, B from 85, C from 70, D from 50,
 * else F; then the caps, a table in result.c.
 */
void result_grade(struct result *r, bool strict, const char *fail_on);

/*
 * New references, NULL without memory. Text that is not UTF-8 after all becomes U+FFFD instead of losing the report. A
 * member that is NULL is left out. `seed` is a number up to 2^53 - 1 (what every JSON reader holds exactly), above that
 * a string of digits. Times have at most 3 decimals.
 */
json_t *result_to_json(const struct result *r);
json_t *result_item_to_json(const struct result_item *item);

#define HISTORY_SCHEMA "wsquall.history/1"
/*
 * The lines of history.jsonl, written as the run goes, each flushed at once. The plan is the first line: who, what, and
 * which cases, from a result whose items so far hold only what the case rows say. Then one line per decided case. Last,
 * when the run came to its end, the end line (duration, abort_reason, notes). strict and fail_on are kept in the plan,
 * so that the history of a killed run is judged by the same gate.
 *
 *	{"event":"plan","schema":"wsquall.history/1","tool":"0.1.0","seed":42,"target":{...},"started":"...",
 *	 "command":"...","strict":false,"cases":[{"id":"ping/x","title":"...","kind":"case","suite":"conformance",
 *	 "group":"ping","level":"MUST","rfc":"6455 5.5"}, ...]}
 *	{"event":"result","id":"ping/x","verdict":"pass", ...}      as in result.json
 *	{"event":"end","duration_ms":1834,"abort_reason":"...","notes":[...]}
 */
json_t *result_plan_event(const struct result *r, bool strict, const char *fail_on);
json_t *result_item_event(const struct result_item *item);
json_t *result_end_event(const struct result *r);

/*
 * From result.json, a history.jsonl, or a folder that holds one of them (result.json wins). Everything is kept in the
 * arena. -EINVAL with a sentence for a file that is neither, -ENOMEM when the arena is full, other negative errno (also
 * with a sentence) when it cannot be read.
 *
 * A history: `cases` of the plan may also be plain ids. The last result of an id wins. A planned case without a result
 * is an `error`. The last line may be cut anywhere; a broken line before it is -EINVAL. It is graded by result_grade();
 * a result.json keeps the verdict it was written with.
 */
int result_load(const char *path, struct arena *a, struct result *ret_result, struct err *e);
