/* Retention, for the hub's cache and for the memory store alike: so that both forget the same messages. */
#include "server-under-test/hub/ring.h"

#include "server-under-test/hub/message.h"

#include <assert.h>
#include <stdlib.h>

#define RING_SIZE_MIN 8
#define RING_AGE_STEP_S 1.0 /* a busy channel is looked at this often, not once for each of its messages */

static struct message **slot(const struct ring *ring, size_t index)
{
	return &ring->slots[(ring->head + index) & (ring->size - 1)];
}

static void drop_oldest(struct ring *ring)
{
	struct message *message = *slot(ring, 0);

	if (ring->gone)
		ring->gone(ring, message);
	ring->head = (ring->head + 1) & (ring->size - 1);
	ring->count--;
	ring->bytes -= message_size(message);
	message_unref(message);
}

static double expires_in(const struct ring *ring)
{
	return (*slot(ring, 0))->at_s + ring->config->retention_time_s - ev_now(ring->loop);
}

static void age_start(struct ring *ring, double at_least_s)
{
	double after_s = expires_in(ring);

	ev_timer_stop(ring->loop, &ring->age);
	ev_timer_set(&ring->age, after_s > at_least_s ? after_s : at_least_s, 0.0);
	ev_timer_start(ring->loop, &ring->age);
}

static void on_age(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct ring *ring = timer->data;
	bool any = false;

	(void)loop;
	(void)events;
	while (ring->count && expires_in(ring) <= 0) {
		drop_oldest(ring);
		any = true;
	}
	if (ring->count)
		age_start(ring, RING_AGE_STEP_S);
	if (any && ring->aged)
		ring->aged(ring);
}

void ring_init(struct ring *ring, struct ev_loop *loop, const struct config *config)
{
	*ring = (struct ring){ .loop = loop, .config = config };
	ev_timer_init(&ring->age, on_age, 0.0, 0.0);
	ring->age.data = ring;
}

void ring_fini(struct ring *ring)
{
	ring->gone = NULL;
	ring_clear(ring);
	free(ring->slots);
	ring->slots = NULL;
	ring->size = 0;
}

void ring_clear(struct ring *ring)
{
	while (ring->count)
		drop_oldest(ring);
	ev_timer_stop(ring->loop, &ring->age);
}

static void ring_reserve(struct ring *ring, size_t more)
{
	size_t size = ring->size ? ring->size : RING_SIZE_MIN;
	struct message **slots;

	while (size < ring->count + more)
		size *= 2;
	if (size == ring->size)
		return;
	slots = calloc(size, sizeof(struct message *));
	if (!slots)
		abort();
	for (size_t i = 0; i < ring->count; i++)
		slots[i] = *slot(ring, i);
	free(ring->slots);
	ring->slots = slots;
	ring->size = size;
	ring->head = 0;
}

void ring_push(struct ring *ring, struct message *message)
{
	const struct config *config = ring->config;

	assert(ring->count == 0 || message->seq == ring_first(ring) + ring->count);
	ring_reserve(ring, 1);
	*slot(ring, ring->count) = message_ref(message);
	ring->count++;
	ring->bytes += message_size(message);
	while (ring->count > 1 && (ring->count > config->retention_messages || ring->bytes > config->retention_bytes))
		drop_oldest(ring);
	if (!ev_is_active(&ring->age))
		age_start(ring, 0.0);
}

void ring_prepend(struct ring *ring, struct message **messages, size_t count)
{
	if (count == 0)
		return;
	assert(ring->count == 0 || messages[count - 1]->seq + 1 == ring_first(ring));
	ring_reserve(ring, count);
	ring->head = (ring->head - count) & (ring->size - 1);
	ring->count += count;
	for (size_t i = 0; i < count; i++) {
		*slot(ring, i) = message_ref(messages[i]);
		ring->bytes += message_size(messages[i]);
	}
	age_start(ring, RING_AGE_STEP_S);
}

struct message *ring_get(const struct ring *ring, uint64_t seq)
{
	if (ring->count == 0 || seq < ring_first(ring) || seq - ring_first(ring) >= ring->count)
		return NULL;
	return *slot(ring, (size_t)(seq - ring_first(ring)));
}
