#pragma once
/* The faults of one scenario while it runs: they come and go as the phase says, and the history is told all of it. */
#include "faults/toxics.h"
#include "harness/scenario/site.h"

struct weather;

/*
 * where: which client and connection a connection's number is (workload.h); 0, 0 for none. now_us: of the history. Both
 * get `owner`. -ENOMEM.
 */
struct weather_owner {
	struct history_log *history;
	uint64_t (*now_us)(void *owner);
	void (*where)(void *owner, bool publishers, uint64_t number, uint32_t *ret_client, uint32_t *ret_connection);
	/* Every fault of the phase has come to an end of its own: the phase may end early. */
	void (*on_spent)(void *owner);
	void *owner;
};
int weather_new(struct site *site, const struct scenario *scenario, const struct weather_owner *o,
		struct weather **ret_weather);
/* For the workload: the toxics of subscribers and of publishers. */
struct toxics *weather_toxics(struct weather *w, bool publishers);
/* Arms the faults of a phase; those of the one before are healed. */
void weather_begin(struct weather *w, const struct scenario_phase *phase);
/* Heals everything at once. */
void weather_end(struct weather *w);
/* How many are in force; the i-th one's name for a live view. */
size_t weather_in_force(const struct weather *w);
const char *weather_name(const struct weather *w, size_t i);
/* The first fault that could not be started or did not go as asked: a sentence; NULL: none. */
const char *weather_failed(const struct weather *w);
/* After the workload is gone. NULL is fine. */
void weather_free(struct weather *w);
