#pragma once
/*
 * What was seen before what, by several who need not have seen the same: finds out when two contradict each other, be
 * it over others in between. A bounded window of the newest messages; what has left it contradicts nothing.
 *
 * The graph is kept in a topological order as edges come (Marchetti-Spaccamela, Nanni, Rohnert: Maintaining a
 * topological order under edge insertions, 1996): an edge that goes with the order costs nothing.
 */
#include <stdint.h>

enum {
	PRECEDENCE_WINDOW = 512,   /* messages */
	PRECEDENCE_NEXT = 4,       /* different successors kept of one message */
};

struct precedence;

struct precedence *precedence_new(void);
void precedence_free(struct precedence *p);
/* The message's number in here, made if need be; never 0. */
uint64_t precedence_message(struct precedence *p, uint32_t publisher, uint64_t index);
/*
 * `who` saw `before`, then `after`. 0; or, when that contradicts what was seen earlier and is therefore not kept, who
 * saw it the other way round, UINT32_MAX when that was several together.
 */
uint32_t precedence_saw(struct precedence *p, uint32_t who, uint64_t before, uint64_t after);
