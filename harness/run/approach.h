#pragma once
/* How every connection of a run approaches the target: where it dials, and the standard opening handshake. */
#include "harness/run/interp.h"

/* The target's echo address; TLS when it is wss and `plain` is not asked for. */
struct dial_options approach_dial(const struct case_env *env, bool plain);
/* GET with the target's own header fields and a fresh key from rng; strings live in the arena. */
void approach_request(const struct case_env *env, struct rng *rng, struct arena *a, struct handshake_request *ret_request);
/* Writes a request that was made so, in one piece. */
void approach_write(struct conn *c, const struct handshake_request *q);
