/*
 * The modes that one process carries: echo, fan-out, connect. A measurement begins after the warm-up, with the load
 * going on, so that neither the opening of connections nor a cold server is part of it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ci/bench-server/channel.h"
#include "ci/bench-server/fail.h"
#include "ci/bench-server/load.h"
#include "ci/bench-server/pool.h"
#include "ci/bench-server/usage.h"

#define TURN_MS 1000

struct meter {
	pid_t pid;
	double wall_s, own_cpu_s;
	struct usage usage;
};

static struct meter meter_start(const struct load *load)
{
	return (struct meter){ .pid = (pid_t)load->server_pid, .usage = usage_of((pid_t)load->server_pid),
			       .wall_s = monotonic_s(), .own_cpu_s = usage_own_cpu_s() };
}

static void meter_print(const struct meter *meter)
{
	double wall_s = monotonic_s() - meter->wall_s;
	struct usage now = usage_of(meter->pid);

	printf("\"wall_s\":%.4f,\"cpu_s\":%.3f,\"load_cpu_s\":%.3f}\n", wall_s, now.cpu_s - meter->usage.cpu_s,
	       usage_own_cpu_s() - meter->own_cpu_s);
}

static void open_all(struct pool *pool)
{
	while (pool->opened < pool->count)
		pool_turn(pool, TURN_MS);
}

struct echo {
	size_t size, arrived;
};

static void echo_message(struct pool *pool, struct peer *peer, const uint8_t *payload, size_t len)
{
	struct echo *echo = pool->arg;

	(void)payload;
	if (len != echo->size)
		fail("an echo of %zu octets instead of %zu", len, echo->size);
	echo->arrived++;
	pool_send_again(pool, peer);
}

void load_echo(const struct load *load)
{
	struct echo echo = { .size = load->size };
	char *text = malloc(load->size);
	struct meter meter;
	struct pool pool;

	if (!text)
		fail("no memory for %zu octets", load->size);
	memset(text, 'e', load->size);
	pool_init(&pool, (unsigned)load->port, load->path, (unsigned)load->connections, load->source);
	pool_prepare(&pool, text, load->size);
	free(text);
	open_all(&pool);
	pool.on_message = echo_message;
	pool.arg = &echo;
	for (unsigned i = 0; i < pool.count; i++)
		pool_send_again(&pool, &pool.peers[i]);
	while (echo.arrived < load->warm)
		pool_turn(&pool, TURN_MS);
	meter = meter_start(load);
	echo.arrived = 0;
	while (echo.arrived < load->messages)
		pool_turn(&pool, TURN_MS);
	printf("{\"messages\":%zu,", echo.arrived);
	meter_print(&meter);
	pool_fini(&pool);
}

struct fanout {
	const struct load *load;
	unsigned subscribed;
	uint32_t published, complete; /* messages */
	uint32_t *arrived; /* of each message: how many subscribers have it */
	uint64_t deliveries;
};

static void fanout_open(struct pool *pool, struct peer *peer)
{
	if (peer != pool->peers) /* the first one publishes */
		channel_subscribe(peer);
}

static void fanout_message(struct pool *pool, struct peer *peer, const uint8_t *payload, size_t len)
{
	struct fanout *fanout = pool->arg;
	uint32_t number = 0;

	switch (channel_event(payload, len, fanout->load->size, &number)) {
	case CHANNEL_SUBSCRIBED:
		fanout->subscribed += !peer->subscribed;
		peer->subscribed = true;
		break;
	case CHANNEL_MESSAGE:
		if (number != peer->seen)
			fail("message %u came instead of %u", number, peer->seen);
		peer->seen++;
		fanout->deliveries++;
		if (++fanout->arrived[number] == pool->count - 1)
			fanout->complete++;
		break;
	case CHANNEL_OTHER:
		break;
	}
}

/* Goes on until `until` messages have arrived everywhere; so many are published, and no more. */
static void fanout_run(struct pool *pool, uint32_t until, uint32_t publish)
{
	struct fanout *fanout = pool->arg;

	while (fanout->complete < until) {
		while (fanout->published < publish &&
		       fanout->published - fanout->complete < fanout->load->outstanding)
			channel_publish(pool->peers, fanout->published++, fanout->load->size);
		pool_turn(pool, TURN_MS);
	}
}

void load_fanout(const struct load *load)
{
	uint32_t warm = (uint32_t)load->warm, all = (uint32_t)(load->warm + load->messages);
	struct fanout fanout = { .load = load, .arrived = calloc(all, sizeof(*fanout.arrived)) };
	uint64_t before;
	struct meter meter;
	struct pool pool;

	if (!fanout.arrived)
		fail("no memory for %u messages", all);
	pool_init(&pool, (unsigned)load->port, load->path, (unsigned)load->connections + 1, load->source);
	pool.on_open = fanout_open;
	pool.on_message = fanout_message;
	pool.arg = &fanout;
	while (pool.opened < pool.count || fanout.subscribed < pool.count - 1)
		pool_turn(&pool, TURN_MS);
	fanout_run(&pool, warm, all);
	meter = meter_start(load);
	before = fanout.deliveries;
	fanout_run(&pool, all, all);
	printf("{\"messages\":%u,\"deliveries\":%llu,", all - warm, (unsigned long long)(fanout.deliveries - before));
	meter_print(&meter);
	pool_fini(&pool);
	free(fanout.arrived);
}

void load_connect(const struct load *load)
{
	struct meter meter = meter_start(load);
	struct pool pool;

	pool_init(&pool, (unsigned)load->port, load->path, (unsigned)load->connections, load->source);
	open_all(&pool);
	printf("{\"opened\":%u,", pool.opened);
	meter_print(&meter);
	pool_fini(&pool);
}
