#pragma once
/*
 * The log of one scenario: events get their number and time here, go to those who look (checkers, the live view) in the
 * order they came, and to a file of JSON lines.
 *
 * The file: its first line says what it is, then one event a line. Lines are written through a buffer that is flushed
 * every HISTORY_FLUSH_MS of events' time and when it is full, so that a killed harness loses at most that; a line cut
 * at the end is not an error of the reader. A file that cannot be written any more (a full disk) is told by
 * history_failed() and does not end the run.
 */
#include "harness/base/span.h"
#include "harness/history/event.h"

enum {
	HISTORY_WATCHERS_MAX = 32,
	HISTORY_BUFFER = 256 << 10,  /* octets kept before they are written */
	HISTORY_FLUSH_MS = 200,
	HISTORY_HEAD_MAX = 16 << 20, /* octets of the first line given back to us */
	HISTORY_LINE_MAX = 64 << 10, /* of any other; no event is longer (EVENT_TEXT_MAX) */
};
#define HISTORY_FORMAT "wsquall.events/1"

struct history_log;

/*
 * path NULL: no file; else it is created or emptied. head: an object with what a reader should know (scenario, seed,
 * channels, clients), or NULL; taken. A negative errno with a sentence.
 */
int history_log_new(const char *path, json_t *head, struct history_log **ret_log, struct err *e);
/* Flushes and closes; 0, or the negative errno of the first write that failed. NULL is fine. */
int history_log_free(struct history_log *log);
/* Called with every event from now on, in the order of watching. Asserts HISTORY_WATCHERS_MAX. */
void history_watch(struct history_log *log, void (*on_event)(void *owner, const struct event *e), void *owner);
/*
 * Takes the event as the next one: sets number; at_us is the caller's and never goes back (a smaller one counts as the
 * last one's). Watchers may not add from inside.
 */
void history_add(struct history_log *log, struct event *e);
void history_flush(struct history_log *log);
/* 0, or the negative errno of the first write that failed. */
int history_failed(const struct history_log *log);
uint64_t history_count(const struct history_log *log);

/*
 * Reads a file line by line: on_head (may be NULL) once, then on_event for each. 0; -EINVAL with file and line for a
 * line that is no event (the last one may be cut); other negative errno.
 */
int history_read(const char *path, void (*on_head)(void *owner, const json_t *head),
		 void (*on_event)(void *owner, const struct event *e), void *owner, struct err *e);
