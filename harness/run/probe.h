#pragma once
/*
 * The first look at a target, before any case: can it be reached, does it speak WebSocket, does it echo, does it talk on its own,
 * how fast does it answer. From this come the waiting times of the run, so that a slow target is not taken for a wrong one.
 */
#include "harness/run/interp.h"

struct probe {
	bool connected;         /* TCP (and TLS) opened */
	int status;             /* of the reply to a standard opening handshake; 0: none */
	bool echo, pong;        /* a text message came back, a Ping was answered */
	bool chatty;            /* messages came that nobody sent */
	uint32_t answer_ms;     /* slowest of: reply, echo, Pong */
	char server[128];       /* value of the reply's Server field, made printable; "" when it has none */
	char why[200];          /* what went wrong, for a person; "" when the target can be tested */
};

/* Blocks on the loop, at most about 3 times the deadline of the environment. Uses target, addresses, tls, seed and timeout_ms of env. */
void probe_run(struct case_env *env, struct probe *ret_probe);
