#pragma once
/*
 * Timers in microseconds: libuv's count whole milliseconds. All alarms of a loop share one timerfd and one heap; the
 * process's timer slack is set to 1 ns (PR_SET_TIMERSLACK), so that a delay of 1 ms is 1 ms. Source: timerfd_create(2).
 */
#include <stdint.h>

#include "harness/net/loop.h"

struct alarms;                     /* of one loop */

/* Negative errno. */
int alarms_new(struct loop *l, struct alarms **ret_alarms);
/* No alarm may be set any more. NULL is fine. */
void alarms_free(struct alarms *a);

/* For the caller's struct; zero it first. */
struct alarm {
	struct alarms *alarms;
	uint64_t at_us;
	void (*on_fire)(void *owner, uint64_t now_us);
	void *owner;
	size_t place;              /* in the heap, from 1; 0: not set */
	uint64_t order;            /* of setting */
};

/*
 * At a time of clock_now_us(); setting again moves it, UINT64_MAX clears it. A time that has passed fires on the loop's
 * next turn, never from inside. Equal times fire in the order of setting. -ENOMEM.
 */
int alarm_set(struct alarm *a, struct alarms *alarms, uint64_t at_us, void (*on_fire)(void *owner, uint64_t now_us),
	      void *owner);
/* Safe on a zeroed one, also from inside on_fire. */
void alarm_clear(struct alarm *a);
