#pragma once
/*
 * The deployment under test: a URL is enough, a target file tells the rest. One option table (target.c) is the file format, its
 * documentation and its JSON Schema.
 */
#include <jansson.h>

#include "harness/base/opt.h"
#include "harness/target/contract.h"
#include "harness/target/hours.h"
#include "harness/target/log_line.h"
#include "harness/target/url.h"

/* Paths of the same server, or whole URLs, that behave in a known way. NULL: not known. */
struct target_paths {
	const char *absent, *protected_, *redirect, *text_only, *other;
};

struct target_origins {
	const char *allowed, *forbidden;
};

struct target_tls {
	const char *ca, *server_name;
	bool insecure;
};

/* One deviation that the target's owner knows and accepts. */
struct target_known {
	const char *id, *reason;
	bool flaky;              /* it does not happen every time: passing is not stale */
};

enum { TARGET_NODES_MAX = 64, TARGET_NODE_NAME_MAX = 63 };

/* A process of the target, or of the broker behind it, that may be ended and started again. NULL, 0: not told. */
struct target_node {
	const char *name, *url;
	struct opt_strings start; /* the command */
	const char *folder;      /* its working folder */
	const char *ready, *log, *pidfile, *stop_signal;
	uint64_t grace_ms, ready_within_ms;
	bool clock;              /* start it under libfaketime */
	const char *proxy, *proxy_api;
	const char *metrics;     /* URL of this node's own */
};

/* Who a client says it is, good and bad. Where it goes: one of header, query, variable. */
struct target_credentials {
	const char *header;      /* of the request; "Authorization" when neither is told */
	const char *query;       /* a parameter of the URL */
	const char *variable;    /* of the dialect's templates: it goes with the first message */
	const char *valid, *expired, *wrong; /* NULL: not told */
	const char *expiring;    /* one that ends during the run, expiring_within_ms after the run began at the latest */
	uint64_t expiring_within_ms;
	const char *renewal;     /* the message by which a connection that was opened with it is renewed */
	bool anonymous;          /* who has none is let in, too */
};

struct target_peak {
	uint64_t connections;
	double publish_rate;     /* messages a second */
};

/* What the target's metrics are called; metrics.def. */
enum target_metric {
#define METRIC(name, text, selector, about) TARGET_METRIC_##name,
#include "harness/target/metrics.def"
#undef METRIC
	TARGET_METRICS
};
struct target_metrics {
	const char *url;         /* of a page for the whole target; nodes have their own */
	uint64_t every_ms;
	const char *names[TARGET_METRICS]; /* selectors (metrics_text.h); NULL: unknown */
	struct opt_map also;     /* more of them: text of the samples, selector */
	const char *closes;      /* name of a counter of ends, with a label that holds the code; NULL: unknown */
	const char *closes_label;
	const char *latency;     /* name of a histogram or summary: NAME_sum, NAME_count; NULL: unknown */
};
/* The text of its samples in a history: "connections". */
const char *target_metric_text(enum target_metric metric);

struct target_abort_if {
	double connections_lost; /* share of those that were up; 0: never */
	uint64_t for_ms;         /* without a break */
};

/* What may be done to the target, and when it is enough. */
struct target_guard {
	struct target_abort_if abort_if;
	double max_affected;     /* share of the nodes, and of the connections, that faults may hit at once; 0: all */
	struct opt_strings never_between;
	struct hours never;      /* of never_between */
};

/* What stands between the clients and the target: a load balancer, a proxy, a CDN. */
struct target_front {
	uint64_t idle_ms;        /* it ends a connection on which nothing moves for so long; 0: not known */
	uint64_t lifetime_ms;    /* and any connection after this */
	const char *cookie;      /* by which it sends a client back to the same node */
	bool forwards;           /* it tells the client's address in X-Forwarded-For */
};

/* Long polling: requests for what came behind a position. The paths hold {channel} and {since}. */
struct target_poll {
	const char *first, *next;  /* path and query: without a position, and with one */
	const char *since;         /* the position, made of what an answer holds: "{/epoch}:{/seq}" */
	const char *messages, *data; /* JSON pointers: the list in an answer, the data in one of the list */
};

/* How who cannot use WebSockets gets the same. NULL: not told. */
struct target_fallback {
	const char *sse;           /* a dialect of event streams at the same address */
	struct target_poll poll;
};

/* What a client sees when a node is told to end. */
struct target_restart {
	struct opt_strings close_codes;
};

struct target {
	int64_t version;
	const char *name, *url_text, *echo_text;
	struct opt_map headers;
	struct opt_strings subprotocols;
	struct target_origins origins;
	struct target_paths paths;
	const char *close_trigger;
	struct target_tls tls;
	struct contract contract;
	uint64_t timeout_ms;     /* deadline of one answer; 0: CASE_TIMEOUT_MS */
	const char *source;      /* local address to connect from, or NULL */
	struct opt_sections known; /* of struct target_known */
	struct opt_sections nodes, backplane; /* of struct target_node */
	struct opt_map hooks;    /* commands of the owner, by name */
	const char *dialect;     /* a built-in one's name, or a path; NULL: not told */
	struct opt_map variables; /* of its templates; secret */
	struct target_credentials credentials;
	struct target_peak peak;
	struct target_logs logs;
	const char *id_header;   /* response header with the id of the connection, as the log has it; NULL: none */
	struct target_metrics metrics;
	struct target_guard guard;
	struct target_front front;
	struct target_restart restart;
	struct target_fallback fallback;
	const char *folder;      /* of the file, absolute; hooks and nodes run there; NULL without a file */

	struct url url;          /* of `url` */
	struct url echo;         /* where cases go: the echo path when there is one, else the URL */
	bool echo_known;         /* the file said where the echo is, or that there is none */
	bool has_echo;           /* by the file; otherwise found out by the run */
};

extern const struct opt target_table[];

/* From a ws:// or wss:// URL, or a target file. -EINVAL or the file's errno, with a sentence. Strings live in the arena. */
int target_load(const char *url_or_path, struct arena *a, struct target *ret_target, struct err *e);
/* From the text of a target file; `name` stands for the file in errors. */
int target_load_text(struct span text, const char *name, struct arena *a, struct target *ret_target, struct err *e);
/* The entry by which the target file accepts a deviation of this case, or NULL. */
const struct target_known *target_known_find(const struct target *t, const char *id);
/* It says where its log is and how it is to be read. */
bool target_has_logs(const struct target *t);
/* For target.c: the sections about evidence and care, what is wrong with them, their paths made absolute. */
extern const struct opt target_credentials_table[], target_peak_table[], target_logs_table[], target_metrics_table[],
	target_guard_table[], target_front_table[], target_restart_table[], target_fallback_table[];
int target_evidence_check(struct target *t, struct err *e);
int target_evidence_resolve(struct target *t, struct arena *a);
/* For target.c: the table of one node, what is wrong with one, and its paths made absolute. */
extern const struct opt target_node_table[];
int target_nodes_check(const struct target *t, struct arena *a, struct err *e);
int target_nodes_resolve(struct target *t, struct arena *a);
