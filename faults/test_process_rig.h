#pragma once
/*
 * For the tests of faults on processes: a folder, a loop, a guard with its journals in that folder, victims
 * (test_victim.c) as nodes, clients that ask them, and the events of the faults as text.
 */
#include "faults/fault.h"
#include "faults/node.h"
#include "harness/base/guard.h"

enum { RIG_NODES_MAX = 4, RIG_HANG_S = 60 }; /* who waits longer for anything hangs */

struct rig {
	char folder[64];
	struct loop loop;
	struct guard *guard;
	struct arena arena;
	struct fault_site site;
	struct fault_node *nodes[RIG_NODES_MAX + 1];
	uint16_t ports[RIG_NODES_MAX];
	size_t n;
	struct opt_map hooks;
	char log[16384];           /* "what node detail\n" */
	void (*on_event)(struct rig *r, const struct fault_event *event); /* may be NULL */
	bool done;
	int error;
};

/* The folder of the tests: set it before all else. NULL: test_victim lies beside the program that runs. */
int rig_setup(void **state);
int rig_teardown(void **state);

/* How the victim of a node is kept. */
enum rig_kept {
	RIG_STARTED,               /* by its `start`: ready on its port, pidfile "<name>.pid", log "<name>.log" */
	RIG_STUBBORN,              /* likewise, and SIGTERM is ignored */
	RIG_CLOCK,                 /* likewise, with `clock` */
	RIG_KEPT,                  /* by a supervisor of the test, which writes the pidfile */
	RIG_BY_PID,                /* by its number alone */
};
/* Adds a node called a, b, c ... with a running victim, as site->nodes and site->backplane; returns its index. */
size_t rig_add(struct rig *r, enum rig_kept kept);
/* Its process now, which must run. */
struct proc_id rig_id(struct rig *r, size_t node);

/* Until it has ended, which it must within RIG_HANG_S. */
void rig_await_end(struct proc_id id);

/* Options are words "key=value"; NULL at the end. What fault_start gave; the sentence in e. */
int rig_start(struct rig *r, const char *fault, const char *const *words, uint64_t duration_ms,
	      struct fault_run **ret_run, struct err *e);
/* The same, which must succeed. */
struct fault_run *rig_begin(struct rig *r, const char *fault, const char *const *words);
#define WORDS(...) ((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})
/* Runs the loop until it is so; fails after RIG_HANG_S. */
void rig_until(struct rig *r, bool (*is)(struct rig *r));
void rig_until_done(struct rig *r);
/* How many lines of the log begin with this. */
size_t rig_count(const struct rig *r, const char *start);

/* A connection to a victim: a descriptor with a timeout of RIG_HANG_S. -1: refused. */
int rig_connect(const struct rig *r, size_t node);
/* Sends a line without waiting. */
void rig_say(int fd, const char *line);
/* Reads a line, without its end; valid until the next call. "" at the end of the connection. */
const char *rig_hear(int fd);
/* Says and hears. */
const char *rig_ask(int fd, const char *line);
/* A path in the folder; valid until the fourth call after. */
const char *rig_path(const struct rig *r, const char *name);
