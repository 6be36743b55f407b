/*
 * When things are begun: connections while the workload comes up, and turns to publish. Both are open-loop: the n-th is
 * due at the first one's time plus n intervals, so that nothing drifts, however late one of them is. Turns that are due
 * within one millisecond are taken together. What the harness itself was late for by more than PACE_BEHIND_US (it was
 * stopped, or is overloaded) is not made up for in one burst: those turns are left out.
 *
 * And the harness accuses itself: a timer that comes late by more than WORKLOAD_LAG_MS is told.
 */
#include <stdio.h>

#include "harness/base/clock.h"
#include "harness/load/publisher.h"
#include "harness/load/workload_internal.h"

enum { PACE_STEP_US = 1000, PACE_BEHIND_US = 1000000, PACE_AT_ONCE = 500, LAG_PERIOD_MS = 10 };

/* How many are due at now, of a rate a second. */
static uint64_t due(uint64_t from_us, uint64_t now_us, double rate)
{
	return now_us < from_us ? 0 : (uint64_t)((double)(now_us - from_us) / 1e6 * rate) + 1;
}

/* When number n (from 0) is due, but not before the next step. */
static uint64_t due_at(uint64_t from_us, uint64_t n, double rate, uint64_t now_us)
{
	uint64_t at_us = from_us + (uint64_t)((double)n * 1e6 / rate) + 1; /* rounded up, so that it is due then */
	return at_us > now_us + PACE_STEP_US ? at_us : now_us + PACE_STEP_US;
}

static void on_opening(void *owner, uint64_t now_us)
{
	struct workload *w = owner;
	double rate = w->options.open_rate;
	uint64_t all = rate > 0 ? due(w->opening_from_us, now_us, rate) : UINT64_MAX;
	for (unsigned n = 0; n < PACE_AT_ONCE && w->opened < all && w->opened < w->n_clients; n++)
		client_start(&w->clients[w->opened++]);
	if (w->opened == w->n_clients)
		return;
	uint64_t at_us = w->opened < all ? now_us : due_at(w->opening_from_us, w->opened, rate, now_us);
	alarm_set(&w->opening, w->site.alarms, at_us, on_opening, w);
}

/*
 * How long the main thread has waited for a processor, runnable, in all: the second number of /proc/self/schedstat, in
 * nanoseconds (Documentation/scheduler/sched-stats.rst). 0 where the kernel does not say.
 */
static uint64_t waited_us(void)
{
	unsigned long long ran, waited = 0;
	FILE *f = fopen("/proc/self/schedstat", "re");
	if (f && fscanf(f, "%llu %llu", &ran, &waited) != 2)
		waited = 0;
	if (f)
		fclose(f);
	return waited / 1000;
}

/* A machine that is too small for what runs on it slows the target down, too. */
static void look_at_waits(struct workload *w, uint64_t now_us)
{
	struct event e = {.kind = EVENT_LAG, .type = EVENT_INFO, .note = "waited for a processor"};
	if (now_us < w->looked_us + WORKLOAD_WAITED_EVERY_MS * 1000)
		return;
	uint64_t before_us = w->waited_us;
	bool first = w->looked_us == 0;
	w->looked_us = now_us;
	w->waited_us = waited_us();
	e.value = (double)(w->waited_us - before_us) / 1000;
	if (!first && w->waited_us > before_us + WORKLOAD_WAITED_MS * 1000)
		workload_tell(w, &e);
}

static void on_lag(void *owner)
{
	struct workload *w = owner;
	uint64_t now_us = clock_now_us();
	struct event e = {.kind = EVENT_LAG, .type = EVENT_OK};
	uint64_t late_us = now_us > w->lag_expected_us ? now_us - w->lag_expected_us : 0;
	uint64_t behind_us = w->adapter ? adapter_behind_us(w->adapter, now_us) : 0;
	if (late_us > WORKLOAD_LAG_MS * 1000 || behind_us > WORKLOAD_LAG_MS * 1000) {
		e.value = (double)(late_us > behind_us ? late_us : behind_us) / 1000;
		e.note = late_us > behind_us ? NULL : "the adapter is behind";
		workload_tell(w, &e);
	}
	look_at_waits(w, now_us);
	w->lag_expected_us = now_us + LAG_PERIOD_MS * 1000;
	timer_start(&w->lag, w->site.loop, LAG_PERIOD_MS, on_lag, w);
}

void pace_open(struct workload *w)
{
	w->opening_from_us = clock_now_us();
	w->lag_expected_us = w->opening_from_us + LAG_PERIOD_MS * 1000;
	timer_start(&w->lag, w->site.loop, LAG_PERIOD_MS, on_lag, w);
	alarm_set(&w->opening, w->site.alarms, w->opening_from_us, on_opening, w);
}

/* One turn goes to the next publisher; when it cannot, the turn passes. */
static void turn(struct workload *w)
{
	uint64_t publishers = w->options.publishers;
	struct client *c = &w->clients[w->options.subscribers + w->turn++ % publishers];
	if (!publisher_turn(c->publisher))
		w->state.skipped++;
	else if (w->turns_left != UINT64_MAX)
		w->turns_left--;
}

static void on_turns(void *owner, uint64_t now_us)
{
	struct workload *w = owner;
	double rate = w->options.rate;
	uint64_t all = due(w->turns_from_us, now_us, rate);
	uint64_t behind = (uint64_t)(PACE_BEHIND_US / 1e6 * rate) + 1;
	if (all > w->turns_done + behind) {
		w->state.skipped += all - behind - w->turns_done;
		w->turns_done = all - behind;
	}
	for (unsigned n = 0; n < PACE_AT_ONCE && w->turns_done < all && w->publishing && w->turns_left; n++, w->turns_done++)
		turn(w);
	if (!w->publishing || !w->turns_left)
		return;
	uint64_t at_us = w->turns_done < all ? now_us : due_at(w->turns_from_us, w->turns_done, rate, now_us);
	alarm_set(&w->turns, w->site.alarms, at_us, on_turns, w);
}

void pace_publish(struct workload *w, uint64_t n)
{
	bool on = n > 0, goes_on = w->publishing && w->turns_left > 0 && w->turns.place;
	w->turns_left = n;
	if ((on && goes_on) || on + w->publishing == 0 || !w->options.publishers || !(w->options.rate > 0))
		return;
	w->publishing = on;
	alarm_clear(&w->turns);
	if (!on)
		return;
	w->turns_from_us = clock_now_us();
	w->turns_done = 0;
	alarm_set(&w->turns, w->site.alarms, w->turns_from_us, on_turns, w);
}

void pace_stop(struct workload *w)
{
	w->publishing = false;
	alarm_clear(&w->opening);
	alarm_clear(&w->turns);
}
