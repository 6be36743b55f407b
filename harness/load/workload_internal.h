#pragma once
/* The inside of a workload: what its clients, their publishing and its pacing share. */
#include "harness/load/account.h"
#include "harness/load/client.h"
#include "harness/load/payload.h"
#include "harness/load/workload.h"

enum {
	WORKLOAD_EPOCHS_MAX = 1024,    /* epochs of one channel that are told apart */
	WORKLOAD_SCRATCH_MAX = 64 << 20, /* octets of a frame or a message while it is made */
	WORKLOAD_DOUBT_MS = 1000,      /* after the last outcome of what was on its way while somebody subscribed */
	WORKLOAD_LAG_MS = 50,          /* the loop came late by more: it is told */
	WORKLOAD_WAITED_EVERY_MS = 500, /* between two looks at how long we waited for a processor */
	WORKLOAD_WAITED_MS = 50,       /* and more of it than this is told */
};

struct workload_channel {
	char name[48];
	uint64_t *epochs;              /* hashes, in the order they came */
	uint32_t n_epochs;
};

struct workload {
	struct workload_site site;
	struct workload_options options;
	struct contract contract;
	uint32_t run;                  /* of payloads */
	struct payload_sizes sizes;
	uint32_t n_clients;
	struct client *clients;        /* number 1 is clients[0] */
	struct workload_channel *channels; /* number 1 is channels[0] */
	uint32_t n_channels, n_published; /* all; those that are published on */
	struct account *account;
	struct adapter *adapter;       /* NULL: the dialect needs none */
	struct buf frame, message;     /* scratch of transports and of publishers */
	struct workload_state state;   /* kept up to date but for what is derived */
	uint64_t doubt_until_us;       /* clock: who subscribed while publishes were on their way may still be given them */
	bool closing;

	/* pacing */
	struct alarm opening, turns;
	struct timer lag;
	uint64_t opening_from_us, turns_from_us; /* clock, of the first */
	uint64_t opened, turns_done, turn;
	uint64_t turns_left;           /* UINT64_MAX: no end */
	bool publishing;
	uint64_t lag_expected_us;
	uint64_t looked_us, waited_us; /* how long we had waited for a processor when that was last looked at */
};

/* Adds an event; at_us is set here. */
void workload_tell(struct workload *w, struct event *e);
/* The number of an epoch on a channel, from 1; 0: an empty one. All beyond WORKLOAD_EPOCHS_MAX are one. */
uint32_t workload_epoch(struct workload *w, uint32_t channel, struct span epoch);
/* The channel's number of a client's k-th subscription, and k of a channel; -1: it has none. */
uint32_t workload_subscription(const struct workload *w, const struct client *c, uint32_t k);
int workload_which(const struct workload *w, const struct client *c, uint32_t channel);
/* Of a subscriber's k-th subscription in the account. */
static inline uint32_t workload_place(const struct workload *w, const struct client *c, uint32_t k)
{
	return (c->number - 1) * (uint32_t)w->options.channels_each + k;
}

/* pace.c: opening, turns to publish, and the harness's own lag. */
void pace_open(struct workload *w);
void pace_publish(struct workload *w, uint64_t n); /* UINT64_MAX: until further notice; 0: no more */
void pace_stop(struct workload *w);
