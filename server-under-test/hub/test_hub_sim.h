#ifndef SERVER_TEST_HUB_SIM_H
#define SERVER_TEST_HUB_SIM_H

/*
 * A simulated backplane with one channel "c": it stores and counts at once, but its answers and its live feed come when
 * the test takes a step, and it may go away or begin a new epoch at any time. Its whims come from a seed.
 */
#include "server-under-test/hub/test_hub.h"

#define ASKED_MAX 4096
#define RETENTION 12 /* messages */

enum ask {
	ASK_ATTACH,
	ASK_RANGE,
	ASK_PUBLISH,
};

/* The backplane: one channel "c" of which the hub is one node. */
static struct {
	struct store_sink sink;
	bool up;
	bool attached;
	unsigned epoch; /* its number */
	uint64_t newest;
	unsigned fed_epoch; /* how far the live feed got */
	uint64_t fed;
	struct asked {
		enum ask ask;
		struct store_op *op;
		uint64_t from, to;
		size_t max;
	} asked[ASKED_MAX];
	size_t count;
} sim;

static struct bench bench;
static uint32_t seed;
static unsigned replies;

static uint32_t roll(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)(seed >> 8) * below >> 24);
}

static void epoch_name(char name[EPOCH_MAX + 1], unsigned number)
{
	snprintf(name, EPOCH_MAX + 1, "E%u", number);
}

static struct position sim_newest(unsigned epoch, uint64_t seq)
{
	struct position position = { .seq = seq };

	epoch_name(position.epoch, epoch);
	return position;
}

static void sim_ask(enum ask ask, uint64_t from, uint64_t to, size_t max, struct store_op *op)
{
	assert_true(sim.count < ASKED_MAX);
	sim.asked[sim.count++] = (struct asked){ ask, op, from, to, max };
}

static int sim_start(struct store **ret, struct ev_loop *loop, const struct config *config,
		     const struct store_sink *sink, struct err *err)
{
	(void)loop;
	(void)config;
	(void)err;
	memset(&sim, 0, sizeof(sim));
	sim.sink = *sink;
	*ret = (struct store *)&sim;
	return 0;
}

static void sim_stop(struct store *store)
{
	(void)store;
}

static void sim_publish(struct store *store, struct text channel, struct text data, struct text key,
			struct store_op *op)
{
	(void)store;
	(void)channel;
	(void)data;
	(void)key;
	sim_ask(ASK_PUBLISH, 0, 0, 0, op);
}

static void sim_attach(struct store *store, const char *channel, struct store_op *op)
{
	(void)store;
	(void)channel;
	assert_false(sim.attached);
	sim_ask(ASK_ATTACH, 0, 0, 0, op);
}

static void sim_detach(struct store *store, const char *channel)
{
	(void)store;
	(void)channel;
	assert_true(sim.attached);
	sim.attached = false;
}

static void sim_range(struct store *store, const char *channel, uint64_t from, uint64_t to, size_t max_count,
		      size_t max_bytes, struct store_op *op)
{
	(void)store;
	(void)channel;
	(void)max_bytes;
	sim_ask(ASK_RANGE, from, to, max_count, op);
}

static const struct store_ops store_sim = {
	.name = "sim", .start = sim_start, .stop = sim_stop, .publish = sim_publish, .attach = sim_attach,
	.detach = sim_detach, .range = sim_range,
};

/* Data tells which message it is, so that a mix-up would show. */
static struct stored stored_of(unsigned epoch, uint64_t seq, char data[40])
{
	snprintf(data, 40, "\"E%u:%llu\"", epoch, (unsigned long long)seq);
	return (struct stored){ .seq = seq, .at_s = ev_now(bench.loop), .data = text_from(data) };
}

static void answer_range(const struct asked *asked)
{
	struct stored stored[RETENTION];
	char data[RETENTION][40];
	struct store_answer answer = { .status = HUB_OK, .newest = sim_newest(sim.epoch, sim.newest),
				       .messages = stored };
	uint64_t seq;

	answer.first = sim.newest > RETENTION ? sim.newest - RETENTION + 1 : 1;
	seq = asked->from > answer.first ? asked->from : answer.first;
	for (; seq <= asked->to && seq <= sim.newest && answer.count < asked->max && answer.count < 1 + roll(5); seq++) {
		stored[answer.count] = stored_of(sim.epoch, seq, data[answer.count]);
		answer.count++;
	}
	asked->op->done(asked->op, &answer);
}

static void sim_answer_one(void)
{
	const struct store_answer away = { .status = HUB_UNAVAILABLE };
	struct store_answer answer = { .status = HUB_OK };
	struct asked asked;

	if (!sim.count)
		return;
	asked = sim.asked[0];
	sim.count--;
	memmove(&sim.asked[0], &sim.asked[1], sim.count * sizeof(asked));
	replies++;
	if (!sim.up) {
		asked.op->done(asked.op, &away);
	} else if (asked.ask == ASK_RANGE) {
		answer_range(&asked);
	} else if (asked.ask == ASK_PUBLISH) {
		answer.newest = sim_newest(sim.epoch, ++sim.newest);
		asked.op->done(asked.op, &answer);
	} else {
		sim.attached = true;
		sim.fed_epoch = sim.epoch;
		sim.fed = sim.newest;
		answer.newest = sim_newest(sim.epoch, sim.newest);
		asked.op->done(asked.op, &answer);
	}
}

/* One step of the live feed. */
static void sim_feed_one(void)
{
	char name[EPOCH_MAX + 1], data[40];
	struct stored stored;

	if (!sim.attached)
		return;
	if (sim.fed_epoch != sim.epoch) {
		struct position start = sim_newest(sim.epoch, roll((uint32_t)sim.newest + 1));

		sim.fed_epoch = sim.epoch;
		sim.fed = start.seq;
		sim.sink.epoch(sim.sink.arg, "c", &start);
	} else if (sim.fed < sim.newest) {
		stored = stored_of(sim.epoch, ++sim.fed, data);
		epoch_name(name, sim.epoch);
		sim.sink.message(sim.sink.arg, "c", name, &stored);
	}
}

static bool sim_busy(void)
{
	return sim.count || (sim.attached && (sim.fed_epoch != sim.epoch || sim.fed < sim.newest));
}

static void sim_set_up(bool up)
{
	if (sim.up == up)
		return;
	sim.up = up;
	if (!up) {
		while (sim.count)
			sim_answer_one();
	} else {
		while (sim.attached && (sim.fed_epoch != sim.epoch || sim.fed < sim.newest))
			sim_feed_one();
	}
	sim.sink.up(sim.sink.arg, up);
}

#endif
