#pragma once
/*
 * For the tests of this folder: a workload in a loop, against the real wsquall-server beside the test or against
 * anything that listens; everything that it tells is kept, and looked at with no code of ours in between.
 */
#include "faults/toxics.h"
#include "harness/history/history.h"
#include "harness/load/workload.h"
#include "harness/target/process.h"

enum { RIG_DEADLINE_MS = 30000, RIG_SERVERS = 3 };

struct rig {
	struct loop loop;
	struct alarms *alarms;
	struct history_log *history;
	struct arena arena;
	struct toxics subscribers, publishers;
	struct process servers[RIG_SERVERS];
	struct dial_addresses addresses[RIG_SERVERS];
	struct workload_way ways[RIG_SERVERS];
	struct workload_site site;
	struct contract contract;  /* the dialect's, with the limit that rig_server sets */
	struct workload_options options;
	struct workload *workload;
	uint64_t from_us;

	struct event *events;      /* texts are copies in the arena */
	size_t n_events, size;

	bool (*until)(struct rig *r);
	struct alarm look;
	uint64_t deadline_us;
	bool reached;
};

/* Everything but a server and a workload; options are the defaults. */
void rig_init(struct rig *r, const char *dialect);
/* Options as "key=value key=value", of workload_table and, as reconnect.key, of backoff_table. */
void rig_options(struct rig *r, const char *text);
/* wsquall-server number i with these arguments (NULL-terminated, may be NULL) on a port (0: free), as a way. */
void rig_server(struct rig *r, size_t i, const char *const *args, uint16_t port);
/* A way to a port of this host. */
void rig_way(struct rig *r, size_t i, uint16_t port);
/* Puts a stream fault on subscribers or publishers; options as rig_options. Takes it off again. */
struct toxic *rig_fault(struct rig *r, bool publishers, const char *fault, const char *options);
void rig_heal(struct rig *r, bool publishers, struct toxic *toxic);
/* Makes and opens the workload. */
void rig_open(struct rig *r);
/* Runs the loop until this holds; false: RIG_DEADLINE_MS passed. */
bool rig_run(struct rig *r, bool (*until)(struct rig *r));
void rig_run_ms(struct rig *r, uint64_t ms);
/* Stops publishing, settles, closes, frees, and checks what must hold in every history. */
void rig_end(struct rig *r);
void rig_fini(struct rig *r);

bool rig_settled(struct rig *r);
bool rig_up(struct rig *r);
bool rig_closed(struct rig *r);
size_t rig_count(const struct rig *r, enum event_kind kind, enum event_type type);
/* The n-th event of this kind and type from the end (0: the last one), or NULL. */
const struct event *rig_last(const struct rig *r, enum event_kind kind, enum event_type type, size_t n);
/* The events of these kinds in words, for a message of a test. */
void rig_print(const struct rig *r);

/*
 * What must hold in every history: an end for each connection that was up and only for those, an outcome for each
 * publish, no message corrupt. all: and each confirmed message came to every subscriber of its channel.
 */
void rig_check(const struct rig *r, bool all);
