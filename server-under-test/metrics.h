#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server-under-test/base/bytes.h"

#define METRICS_CODES_MAX 5000 /* close codes are below */
#define METRICS_STATUS_MAX 600 /* HTTP statuses are below */

/* The label `type` of ws_messages_total: message types of PROTOCOL in both directions, and the frames of /echo. */
#define METRICS_MESSAGE_TYPES(X) \
	X(subscribe) X(unsubscribe) X(publish) X(ack) X(history) X(auth) X(ping) X(invalid) X(text) X(binary) \
	X(welcome) X(subscribed) X(message) X(published) X(unsubscribed) X(authenticated) X(pong) X(error)

enum message_type {
#define METRICS_ENUM(name) MESSAGE_TYPE_##name,
	METRICS_MESSAGE_TYPES(METRICS_ENUM)
#undef METRICS_ENUM
	MESSAGE_TYPE_COUNT,
};

/* Upper bounds in seconds of ws_message_duration_seconds; a last bucket takes the rest. */
#define METRICS_BUCKETS 14

/*
 * The counters of one process. They lie in memory shared by the workers, one slot each, so that a scrape answered by
 * any worker tells of all. Written by their process alone, plainly: a reader may be one event late.
 */
struct metrics {
	int pid;
	int64_t connections_active;
	uint64_t connections_total;
	uint64_t refused[METRICS_STATUS_MAX];
	uint64_t messages_in[MESSAGE_TYPE_COUNT];
	uint64_t messages_out[MESSAGE_TYPE_COUNT];
	uint64_t duration_buckets[METRICS_BUCKETS + 1];
	double duration_sum_s;
	uint64_t closes[METRICS_CODES_MAX];
	uint64_t slow_consumers;
	uint64_t resumes_recovered, resumes_lost;
	int64_t send_queue_bytes;
	bool backplane_up;
};

extern struct metrics *metrics; /* this process's slot; there is always one */

/* Makes slots for `workers` processes, before they are forked; main calls it once. */
void metrics_share(unsigned workers);
/* The slot of worker number `index` becomes ours; gauges a crashed predecessor left behind are cleared. */
void metrics_use(unsigned index);
void metrics_forget(unsigned index); /* its gauges: the worker is gone; the counters stay */
void metrics_observe_duration(double seconds);
int64_t metrics_connections_active(void); /* of all workers */
bool metrics_backplane_up(void); /* for every worker that runs */

/* Prometheus text format 0.0.4. */
void metrics_render(struct bytes *out);

#endif
