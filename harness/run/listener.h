#pragma once
/*
 * A connection that only listens, open beside the cases: it tells whether the target sends messages on its own (then a message that nobody
 * sent is no violation), and whether and when the target ends quiet connections.
 */
#include "harness/run/interp.h"

struct listener {
	struct case_env *env;      /* chatty is set here */
	struct conn conn;
	struct arena arena;
	struct transcript transcript;
	struct handshake_request request;
	bool open, ended;          /* upgraded; ended by the target */
	bool cut;                  /* ended without a Close frame: FIN or RST alone */
	bool answered;             /* a Pong has come since listener_ask() */
	uint64_t opened_us, ended_us;
	/* Set after listener_start(): `open`, `ended` or `answered` changed. The listener may not be freed in it. May be NULL. */
	void (*on_change)(void *owner);
	void *owner;
};

/* Opens the connection; a failure to is no news here (the cases will say it). The struct stays where it is until listener_fini. */
void listener_start(struct listener *l, struct case_env *env);
/* How long it has listened, up to its end; milliseconds. */
uint32_t listener_heard_ms(const struct listener *l);
/* Sends a Ping to a target that is open: after its Pong, or its end, all that it did before is known. */
void listener_ask(struct listener *l);
/* Safe on a zeroed one. */
void listener_fini(struct listener *l);
