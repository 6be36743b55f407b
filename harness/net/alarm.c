/*
 * One timerfd for all alarms of a loop, armed for the earliest, and a binary heap ordered by time, then by the order
 * of setting. The timerfd is armed anew only for an alarm that is earlier than what it waits for; one that was moved
 * away or cleared costs an idle wake-up instead of a system call.
 *
 * A sleeping processor is 30 to 100 us late. So the timerfd rings EARLY_US before the time, and for what is left the
 * loop turns without sleeping, which lets everything else go on meanwhile.
 */
#include "harness/net/alarm.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "harness/base/clock.h"

enum { EARLY_US = 80 };

struct alarms {
	uv_poll_t poll;
	uv_idle_t awake;     /* runs while the next alarm is that near */
	unsigned closing;    /* of the two handles above */
	int fd;
	bool firing;
	uint64_t armed_us;   /* UINT64_MAX: not armed */
	uint64_t now_us;     /* of the turn that fires, or fired last */
	uint64_t order;      /* of the alarm set last */
	struct alarm **heap; /* from 1 */
	size_t n, size;
};

static bool before(const struct alarm *a, const struct alarm *b)
{
	return a->at_us < b->at_us || (a->at_us == b->at_us && a->order < b->order);
}

static void put(struct alarms *as, size_t place, struct alarm *a)
{
	as->heap[place] = a;
	a->place = place;
}

static void sift_up(struct alarms *as, struct alarm *a, size_t place)
{
	for (; place > 1 && before(a, as->heap[place / 2]); place /= 2)
		put(as, place, as->heap[place / 2]);
	put(as, place, a);
}

static void sift_down(struct alarms *as, struct alarm *a, size_t place)
{
	for (size_t child; (child = 2 * place) <= as->n; place = child) {
		if (child < as->n && before(as->heap[child + 1], as->heap[child]))
			child++;
		if (!before(as->heap[child], a))
			break;
		put(as, place, as->heap[child]);
	}
	put(as, place, a);
}

static void take_out(struct alarms *as, struct alarm *a)
{
	struct alarm *last = as->heap[as->n--];
	size_t place = a->place;
	a->place = 0;
	if (last == a)
		return;
	if (place > 1 && before(last, as->heap[place / 2]))
		sift_up(as, last, place);
	else
		sift_down(as, last, place);
}

static void arm(struct alarms *as, uint64_t at_us)
{
	struct itimerspec when = {0};
	uint64_t early_us = at_us > EARLY_US ? at_us - EARLY_US : 0;
	if (at_us != UINT64_MAX) {
		when.it_value.tv_sec = (time_t)(early_us / 1000000);
		when.it_value.tv_nsec = (long)(early_us % 1000000 * 1000) + (early_us == 0); /* all zero would disarm */
	}
	as->armed_us = at_us;
	timerfd_settime(as->fd, TFD_TIMER_ABSTIME, &when, NULL); /* also forgets that it fired */
}

/* The loop lives as long as an alarm is set. */
static void mind_the_loop(struct alarms *as)
{
	if (as->n > 0)
		uv_ref((uv_handle_t *)&as->poll);
	else
		uv_unref((uv_handle_t *)&as->poll);
}

static void on_awake(uv_idle_t *awake);

/* Waits for the next one, asleep or awake. */
static void wait_for_next(struct alarms *as)
{
	uint64_t at_us = as->n > 0 ? as->heap[1]->at_us : UINT64_MAX;
	bool near = at_us != UINT64_MAX && at_us <= as->now_us + EARLY_US;
	if (near)
		uv_idle_start(&as->awake, on_awake);
	else
		uv_idle_stop(&as->awake);
	if (!near || as->armed_us != UINT64_MAX)
		arm(as, near ? UINT64_MAX : at_us);
	mind_the_loop(as);
}

/* Those that are due and were set before this turn. */
static void fire(struct alarms *as)
{
	uint64_t newest = as->order;
	as->now_us = clock_now_us();
	as->firing = true;
	while (as->n > 0 && as->heap[1]->at_us <= as->now_us && as->heap[1]->order <= newest) {
		struct alarm *a = as->heap[1];
		take_out(as, a);
		a->on_fire(a->owner, as->now_us);
	}
	as->firing = false;
	wait_for_next(as);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	fire(poll->data);
}

static void on_awake(uv_idle_t *awake)
{
	struct alarms *as = awake->data;
	if (as->n > 0 && as->heap[1]->at_us > clock_now_us() && as->heap[1]->at_us <= as->now_us + EARLY_US)
		return;
	fire(as);
}

int alarms_new(struct loop *l, struct alarms **ret_alarms)
{
	struct alarms *as = calloc(1, sizeof(*as));
	if (!as)
		return -ENOMEM;
	as->armed_us = UINT64_MAX;
	as->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	int r = as->fd < 0 ? -errno : uv_poll_init(&l->uv, &as->poll, as->fd);
	if (r < 0) {
		cleanup_fd(&as->fd);
		free(as);
		return r;
	}
	prctl(PR_SET_TIMERSLACK, 1); /* of this thread, for what it waits for otherwise */
	uv_idle_init(&l->uv, &as->awake);
	uv_unref((uv_handle_t *)&as->awake);
	as->poll.data = as->awake.data = as;
	uv_poll_start(&as->poll, UV_READABLE, on_poll);
	uv_unref((uv_handle_t *)&as->poll);
	*ret_alarms = as;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct alarms *as = handle->data;
	if (--as->closing == 0)
		free(as);
}

void alarms_free(struct alarms *as)
{
	if (!as)
		return;
	assert(as->n == 0 && !as->firing);
	as->closing = 2;
	uv_close((uv_handle_t *)&as->poll, on_closed);
	uv_close((uv_handle_t *)&as->awake, on_closed);
	cleanup_fd(&as->fd);
	free(TAKE_PTR(as->heap));
}

static int grow(struct alarms *as)
{
	size_t size = as->size ? 2 * as->size : 64;
	if (as->n + 1 < as->size)
		return 0;
	struct alarm **heap = realloc(as->heap, size * sizeof(struct alarm *));
	if (!heap)
		return -ENOMEM;
	as->heap = heap;
	as->size = size;
	return 0;
}

int alarm_set(struct alarm *a, struct alarms *as, uint64_t at_us, void (*on_fire)(void *owner, uint64_t now_us),
	      void *owner)
{
	if (at_us == UINT64_MAX) {
		alarm_clear(a);
		return 0;
	}
	assert(!a->place || a->alarms == as);
	if (!a->place && grow(as) < 0)
		return -ENOMEM;
	if (a->place)
		take_out(as, a);
	a->alarms = as;
	/* One that sets itself again for a time that has passed comes after all others that are due. */
	a->at_us = at_us > as->now_us ? at_us : as->now_us;
	a->order = ++as->order;
	a->on_fire = on_fire;
	a->owner = owner;
	sift_up(as, a, ++as->n);
	if (!as->firing && as->heap[1]->at_us < as->armed_us && !uv_is_active((uv_handle_t *)&as->awake))
		arm(as, as->heap[1]->at_us);
	if (!as->firing)
		mind_the_loop(as);
	return 0;
}

void alarm_clear(struct alarm *a)
{
	if (!a->place)
		return;
	take_out(a->alarms, a);
	if (!a->alarms->firing)
		mind_the_loop(a->alarms);
}
