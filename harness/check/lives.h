#pragma once
/*
 * Whose memory was lost: which processes of the target began anew, and when, as far as faults told. A process that
 * ended by itself is not known of. The target's nodes are those that any event named.
 */
#include <stdbool.h>
#include <stdint.h>

#include "harness/history/event.h"
#include "harness/target/contract.h"

/* Zeroed it is empty. */
struct lives {
	uint64_t known;            /* nodes, one bit each */
	uint64_t anew_us[EVENT_NODES_MAX]; /* when a node's process last ended or began; 0: never */
	uint64_t broker_us;        /* the same of the broker's */
};

void lives_event(struct lives *l, const struct event *e);
/* Every node's process began anew after that, so that nothing is left which was in their memory alone. */
bool lives_nodes_anew(const struct lives *l, uint64_t since_us);
/* The broker's did, and may have come back empty. */
bool lives_broker_anew(const struct lives *l, uint64_t since_us);
/* What the contract promises to keep is kept, as far as the nodes are concerned. */
bool lives_kept(const struct lives *l, const struct contract *c, uint64_t since_us);
