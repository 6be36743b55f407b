/*
 * Everything that happens to a client by the clock. Fifty thousand idle ones are normal, so each has one timer, set to
 * the earliest of its times, and a Pong or an ack only changes a number: a timer that went off early is set again.
 */
#include "server-under-test/client/client.h"

#include <math.h>

#include "server-under-test/defects.h"

double client_next_s(const struct client *client)
{
	const double times[] = { client->ping_due_s, client->pong_due_s, client->expires_s,
				 client->slow_due_s, client->save_due_s, client->resume_due_s };
	double next = INFINITY;

	if (client->closing)
		return INFINITY;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		if (times[i] < next)
			next = times[i];
	return next;
}

/* Sets the timer anew. */
static void arm(struct client *client, double now_s)
{
	struct ev_loop *loop = client->server->loop;
	double next_s = client_next_s(client);

	ev_timer_stop(loop, &client->timer);
	if (isinf(next_s))
		return;
	ev_timer_set(&client->timer, next_s > now_s ? next_s - now_s : 0., 0.);
	ev_timer_start(loop, &client->timer);
}

void client_arm(struct client *client)
{
	arm(client, clock_monotonic_s());
}

static void heartbeat_missed(struct client *client)
{
	log_heartbeat_timeout(client->server->log, wire_info(client->wire));
	client_abort(client, CLOSE_HEARTBEAT, "heartbeat timeout");
}

/* 0: none */
static double ping_interval_s(const struct client *client)
{
	double interval_s = client->server->config->heartbeat_interval_s;

	if (defect(heartbeat_never))
		return 0;
	return defect(heartbeat_rare) ? 4 * interval_s : interval_s;
}

static void expect_pong(struct client *client, double now_s)
{
	client->pong_due_s = now_s + client->server->config->heartbeat_timeout_s;
	client->pong_sent = wire_info(client->wire)->sent;
}

/*
 * We do not read, and it is no fault of the peer's: the store keeps us waiting, or the peer takes what is queued, if
 * slowly.
 */
static bool is_deaf(const struct client *client)
{
	if (!client->paused)
		return false;
	return client_waits_for_store(client) || !isinf(client->resume_due_s) ||
	       wire_info(client->wire)->sent != client->pong_sent;
}

static void run_heartbeat(struct client *client, double now_s)
{
	if (now_s >= client->pong_due_s && is_deaf(client))
		expect_pong(client, now_s);
	if (now_s >= client->pong_due_s) {
		heartbeat_missed(client);
	} else if (now_s >= client->ping_due_s) {
		wire_ping(client->wire);
		client->ping_due_s = now_s + ping_interval_s(client);
		if (isinf(client->pong_due_s) && !defect(heartbeat_unchecked))
			expect_pong(client, now_s);
	}
}

void client_run_timers(struct client *client, double now_s)
{
	if (!client->closing && now_s >= client->expires_s)
		client_close(client, CLOSE_TOKEN_EXPIRED, "token expired");
	if (!client->closing)
		run_heartbeat(client, now_s);
	if (!client->closing && now_s >= client->slow_due_s)
		client_watch_queue(client, now_s);
	if (!client->closing && now_s >= client->save_due_s)
		client_save(client, false);
	arm(client, now_s);
	if (!client->closing && now_s >= client->resume_due_s) {
		client->resume_due_s = INFINITY;
		client->paused = false;
		client_check_pause(client);
		arm(client, now_s);
		if (!client->paused)
			wire_pause(client->wire, false); /* the last thing: messages may come from within */
	}
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	client_run_timers(timer->data, clock_monotonic_s());
}

void client_init_timers(struct client *client)
{
	ev_timer_init(&client->timer, on_timer, 0., 0.);
	client->timer.data = client;
	client->ping_due_s = INFINITY;
	client->pong_due_s = INFINITY;
	client->expires_s = INFINITY;
	client->slow_due_s = INFINITY;
	client->save_due_s = INFINITY;
	client->resume_due_s = INFINITY;
}

void client_start_heartbeat(struct client *client, double now_s)
{
	double interval_s = ping_interval_s(client);

	if (interval_s > 0)
		client->ping_due_s = now_s + interval_s;
	client_arm(client);
}

void client_watch_queue(struct client *client, double now_s)
{
	const struct config *config = client->server->config;
	bool above = !client->window && wire_queued(client->wire) > config->slow_consumer_bytes &&
		     !defect(slow_consumer_unbounded);

	if (!above) {
		client->slow_due_s = INFINITY;
	} else if (isinf(client->slow_due_s)) {
		client->slow_due_s = clock_monotonic_s() + config->slow_consumer_grace_s;
		client_arm(client);
	} else if (now_s >= client->slow_due_s) {
		client_slow_consumer(client);
	}
}
