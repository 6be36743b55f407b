#pragma once
/*
 * A fault: one way to hurt a deployment. It is one row of faults.def and one file of its name, which ends in its
 * `struct fault`; none.c is the one to copy (docs/adding-a-fault.md). Scenarios, `wsquall proxy`, `wsquall inject`,
 * list, explain, doctor and the docs all read this row.
 *
 * A fault works on one plane or several:
 *	stream     a filter in the octets of a connection, in the proxy and in the harness's own clients (filter.h)
 *	link       the network below: netem, partitions, addresses (link.h)
 *	process    the processes of the target (node.h)
 *	peer       connections of ours that misbehave (peer.h)
 *	backplane  the broker behind the target: process faults on its node, stream faults on a proxy before it
 *	hook       a command of the target's owner
 *
 * A fault never knows what is being checked. What it changes outside our memory is told to the guard (guard.h) first.
 */
#include <stdbool.h>
#include <stdint.h>

#include "harness/base/arena.h"
#include "harness/base/err.h"
#include "harness/base/opt.h"
#include "harness/base/rng.h"

enum { FAULT_TIME_MAX_MS = 24 * 60 * 60 * 1000 }; /* of options that are times: a day */

enum fault_plane {
#define PLANE(NAME, name, about) FAULT_##NAME,
#include "faults/planes.def"
#undef PLANE
	FAULT_PLANES
};
const char *fault_plane_name(enum fault_plane plane);
const char *fault_plane_about(enum fault_plane plane);

/* Whether this machine can do it. EMULATED: with the same effect on the target by other means, which `why` names. */
enum fault_means { FAULT_DRIVEN, FAULT_EMULATED, FAULT_MISSING };
const char *fault_means_name(enum fault_means means);
struct fault_probe {
	enum fault_means means;
	char why[ERR_TEXT_MAX];    /* how it is driven; or what is missing, and what to install or load */
};

struct fault_site;
struct fault_run;

/* A fault that acts from our own loop: on processes, as a peer, by a hook, and on links beyond netem. */
struct fault_action {
	size_t state_size;         /* octets of run->state, zeroed at start */
	/* How it is healed, for the docs and dry runs: "each process is continued"; or "nothing: what was killed stays so". */
	const char *undo;
	/* NULL: driven everywhere. Changes nothing. */
	void (*probe)(const struct fault_site *site, struct fault_probe *ret);
	/* Begins; may go on from the loop. On failure it has undone what it did. -ENOTSUP: not on this machine. */
	int (*start)(struct fault_run *run, struct err *e);
	/* Undoes everything, at once and whatever state it is in; afterwards no callback of it comes. */
	void (*stop)(struct fault_run *run);
};

struct filter_ops;                 /* filter.h */
struct fault_link;                 /* link.h */

struct fault {
	const char *name;          /* Toxiproxy's or netem's where they have one; snake_case */
	const char *about;         /* what happens, one sentence without a full stop */
	const char *known_as;      /* where a team meets it: "proxy idle-timeout kills" */
	const struct opt *options; /* table over its options struct; never NULL */
	size_t options_size;
	/* Looks at options that are each fine; 0, or -EINVAL with a sentence. NULL: nothing to look at. */
	int (*check)(const void *options, struct err *e);
	const struct filter_ops *stream;
	const struct fault_link *link;
	const struct fault_action *process, *peer, *backplane, *hook;
};

/* In the order of faults.def. */
extern const struct fault *const faults[];
extern const size_t faults_len;
/* NULL when there is none of that name. */
const struct fault *fault_find(const char *name);
/* The fault can work on this plane at all. */
bool fault_has_plane(const struct fault *f, enum fault_plane plane);
/* What it does there; NULL: nothing, or the plane is STREAM. */
const struct fault_action *fault_action(const struct fault *f, enum fault_plane plane);
/* 0, or -EINVAL and a sentence that says on which planes it works. STREAM is none that a fault is started on. */
int fault_must_work_on(const struct fault *f, enum fault_plane plane, struct err *e);
/* How it is healed there, one clause. */
const char *fault_undo(const struct fault *f, enum fault_plane plane);
/* site may be NULL: what can be said without one. Never fails. */
void fault_probe(const struct fault *f, enum fault_plane plane, const struct fault_site *site, struct fault_probe *ret);

/* What a fault did. Texts are valid during the call. */
struct fault_event {
	const char *fault, *name;  /* the row's name; the name it was given, or NULL */
	enum fault_plane plane;
	const char *what;          /* "start" "stop" "hit" "end" "kill" "ready" ...; one word or dotted words */
	const char *node;          /* the node, proxy or interface hit, or NULL */
	uint64_t connection;       /* from 1, of a stream or peer; 0 none */
	const char *stream;        /* "upstream" "downstream", or NULL */
	uint64_t at;               /* octets that this direction had carried before */
	const char *detail;        /* the figures, "delay_us=1500"; or NULL. The same for the same seed */
};

struct fault_node;                 /* node.h */
struct fault_peers;                /* peer.h */

/* Whose way is hurt on a link: what a node or interface sends, what it receives, or both. */
enum link_direction { LINK_FROM, LINK_TO, LINK_BOTH };

/* What faults work on: all that a run knows of the deployment. The owner keeps it alive; NULL members are absent. */
struct fault_site {
	struct loop *loop;
	struct guard *guard;
	uint64_t seed;
	struct fault_node *const *nodes; /* of the target, NULL at the end */
	struct fault_node *const *backplane;
	struct topology *topology; /* links between nodes that we made; or */
	const char *interface;     /* an interface of this host, or of the namespace `netns` */
	const char *netns;         /* a path or a name under /run/netns; NULL: ours */
	const char *link_node;     /* of the topology; NULL: every node */
	enum link_direction link_direction; /* for faults that do not choose one themselves */
	const struct fault_peers *peers; /* where misbehaving clients connect */
	const struct opt_map *hooks; /* commands of the target's owner, by name */
	const char *hooks_folder;  /* where they run; NULL: our working folder */
	void (*on_event)(void *owner, const struct fault_event *event); /* may be NULL */
	void *owner;
};

/* One fault in force. */
struct fault_run {
	const struct fault *fault;
	enum fault_plane plane;
	const char *name;          /* given, or the fault's own */
	const void *options;
	struct fault_site *site;
	struct rng rng;            /* of (site->seed, name) */
	void *state;
	/*
	 * Set by the owner after fault_start(), may be NULL: called once from the loop when the fault has ended by itself. Its
	 * duration is over and it is healed; or it has an end of its own and has reached it (a rolling restart is through),
	 * which the fault says with fault_done(). fault_stop() is still the owner's to call, also from inside.
	 */
	void (*on_done)(struct fault_run *run, int error);
	void *owner;
};

/*
 * Starts a fault on a plane other than stream (those are toxics: toxics.h). Options are copied; duration_ms 0: until
 * fault_stop(). 0, -EINVAL, -ENOTSUP (probe says why), or what starting gave, each with a sentence.
 */
int fault_start(struct fault_site *site, const struct fault *f, enum fault_plane plane, const char *name,
		const void *options, uint64_t duration_ms, struct fault_run **ret_run, struct err *e);
/* Heals and frees. NULL is fine. */
void fault_stop(struct fault_run *run);
/* For faults with an end of their own: it is reached, with 0 or a negative errno. From the loop, never from start. */
void fault_done(struct fault_run *run, int error);
/* For faults: tells an event about this run. detail_fmt may be NULL. */
void fault_tell(const struct fault_run *run, const char *what, const char *node, uint64_t connection,
		const char *detail_fmt, ...) __attribute__((format(printf, 5, 6)));
