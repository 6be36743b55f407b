#pragma once
/*
 * The target's log as events of a history (EVENT_LOG): its files are tailed (log_tail.h), each line is read by the rules
 * of its target file (log_line.h).
 *
 * An event has: type ok; text: the key of log_words.def, or the log's own word when it has no such meaning; id: the
 * connection; code; note: the reason; node; value: the line's own time, in seconds since the run began; line: itself, without
 * the target file's secrets. A line that tells no
 * event has no text, and itself as its note. A line that cannot be read has type fail, and itself as its note.
 */
#include "harness/history/history.h"
#include "harness/net/loop.h"
#include "harness/target/target.h"

enum {
	LOG_EVENTS_SHOWN_MAX = 300,    /* octets of a line that are shown */
	LOG_EVENTS_SECRETS_MAX = 4 << 20,
	LOG_EVENTS_OTHER_MAX = 100000, /* lines without a word of log_words.def that are told; more are counted */
	LOG_EVENTS_BAD_MAX = 1000,     /* lines that cannot be read that are told; more are counted */
};

struct log_events_options {
	struct loop *loop;
	const struct target *target;   /* target_has_logs() */
	struct history_log *history;
	uint64_t (*now_us)(void *owner); /* time of the history */
	double start_s;                /* when that was 0, in seconds since 1970 */
	void *owner;
};

struct log_events;

/* Everything is borrowed. As log_tail_new. */
int log_events_new(const struct log_events_options *o, struct log_events **ret, struct err *e);
/* NULL is fine. */
void log_events_free(struct log_events *l);
/* Tells what the files hold at this moment before it returns. */
void log_events_catch_up(struct log_events *l);
/* The same for the end of a run: also lines that have no end. */
void log_events_finish(struct log_events *l);

struct log_events_state {
	uint64_t lines, bad, untold;   /* all; that could not be read; that are not in the history */
	uint64_t words[LOG_WORDS];     /* by what they mean */
	uint64_t joined;               /* that name a connection */
};
void log_events_state(const struct log_events *l, struct log_events_state *ret);
