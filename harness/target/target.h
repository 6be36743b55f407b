#pragma once
/*
 * The deployment under test: a URL is enough, a target file tells the rest. One option table (target.c) is the file format, its
 * documentation and its JSON Schema.
 */
#include <jansson.h>

#include "harness/base/opt.h"
#include "harness/target/contract.h"
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
/* For target.c: the table of one node, what is wrong with one, and its paths made absolute. */
extern const struct opt target_node_table[];
int target_nodes_check(const struct target *t, struct arena *a, struct err *e);
int target_nodes_resolve(struct target *t, struct arena *a);
