#pragma once
/*
 * What happened, one JSON object a line (JSON lines), and the newest lines in memory for GET /events:
 *
 *	{"event":"toxic.hit","proxy":"ws","toxic":"slow","type":"latency","connection":1,"stream":"downstream","at":0,
 *	 "detail":"delay_us=1500","time":"2026-01-02T03:04:05.678Z"}
 *
 * event: "toxic.", "connection." or "proxy." and the word of the event (fault.h, proxy.h); or what the API changed:
 * proxy.add, proxy.change, proxy.remove, toxic.add, toxic.change, toxic.remove, connection.kill, reset; and
 * proxy.ready. Without times, what differs between two runs of the same seed and traffic is left out: times, and the
 * addresses that the kernel chose. Then the logs of two such runs are the same octets.
 */
#include <jansson.h>

#include "faults/fault.h"
#include "harness/net/loop.h"

enum { EVENT_LOG_KEPT = 1024, EVENT_LOG_LINE_MAX = 64 << 10, EVENT_LOG_PENDING_MAX = 64 << 10 };

struct event_log;

/* path: a file, written from its beginning; "-": standard output; NULL: memory alone. Negative errno, a sentence. */
int event_log_new(struct loop *l, const char *path, bool times, struct event_log **ret_log, struct err *e);
/* Writes what is pending. NULL is fine. */
void event_log_free(struct event_log *log);
bool event_log_has_times(const struct event_log *log);
/* Takes the object over, NULL is an event lost for lack of memory. A log that cannot be written is told once. */
void event_log_tell(struct event_log *log, json_t *event);
/* The same of a proxy's, a connection's or a toxic's event. */
void event_log_tell_fault(struct event_log *log, const struct fault_event *event);
/* {"lost": N, "events": [...]}: the newest ones, oldest first, and how many are gone. -ENOBUFS, -ENOMEM. */
int event_log_recent(const struct event_log *log, struct buf *b);
