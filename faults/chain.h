#pragma once
/* Inside the chain, between toxics.c, chain.c and chain_filters.c only. */
#include "faults/toxics.h"

struct chain {
	struct toxics *set;
	struct chain *next, **link; /* in the set's list */
	const struct chain_events *events;
	void *owner;
	enum chain_layer layer;
	uint64_t connection, opened_us, now_us, wake_told_us;
	struct filter *first;
	const struct toxic *silenced_by; /* the one that ended it by silence, as long as it is there */
	unsigned depth;            /* entries on the stack */
	bool open;                 /* chain_open() was called */
	/*
	 * A filter has ended it by FIN, while what it passed before is still held behind it: it and those before it are
	 * dead, nothing comes in any more, and the end is told when both FINs have come out.
	 */
	bool ending;
	bool ended;                /* told */
	bool going;                /* chain_let_go(): no filter tells or ends anything any more */
	bool eof_in[DIRECTIONS], eof_out[DIRECTIONS], eof_told[DIRECTIONS];
	unsigned told;             /* what was so at the last on_change */
};

/* Around everything that may call a filter. */
void chain_enter(struct chain *c, uint64_t now_us);
void chain_leave(struct chain *c);
/* After each call into a filter: a FIN that waited for what was held may go now. */
void chain_settle(struct filter *f);

/* The toxic came, at the end; it went; its options or toxicity changed; its streams changed. */
void chain_toxic_added(struct chain *c, struct toxic *t, uint64_t now_us);
void chain_toxic_removed(struct chain *c, struct toxic *t, uint64_t now_us);
void chain_toxic_changed(struct chain *c, struct toxic *t, bool streams_too, uint64_t now_us);
struct chain *chain_next(struct chain *c);
/* Takes all filters off a chain that goes itself. */
void chain_drop_filters(struct chain *c);
