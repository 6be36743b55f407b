#ifndef SERVER_TEST_HUB_FAKE_H
#define SERVER_TEST_HUB_FAKE_H

/* A store that answers only when the test says so, and a hub on it: bench, the subscribers a and b, the askers p and q. */
#include "server-under-test/hub/test_hub.h"

enum ask {
	ASK_PUBLISH,
	ASK_ATTACH,
	ASK_RANGE,
};

#define ASKED_MAX 64

static struct bench bench;
static struct subscriber a, b;
static struct asker p, q;

/* What the hub asked and the test has not answered yet, oldest first. */
static struct {
	struct store_sink sink;
	struct asked {
		enum ask ask;
		struct store_op *op;
		uint64_t from, to;
	} asked[ASKED_MAX];
	unsigned count;
	unsigned attaches, detaches, ranges;
} fake;

static inline void fake_ask(enum ask ask, uint64_t from, uint64_t to, struct store_op *op)
{
	assert_true(fake.count < ASKED_MAX);
	fake.asked[fake.count++] = (struct asked){ ask, op, from, to };
}

static inline int fake_start(struct store **ret, struct ev_loop *loop, const struct config *config,
		      const struct store_sink *sink, struct err *err)
{
	(void)loop;
	(void)config;
	(void)err;
	memset(&fake, 0, sizeof(fake));
	fake.sink = *sink;
	*ret = (struct store *)&fake;
	return 0;
}

static inline void fake_stop(struct store *store)
{
	(void)store;
}

static inline void fake_publish(struct store *store, struct text channel, struct text data, struct text key,
			 struct store_op *op)
{
	(void)store;
	(void)channel;
	(void)data;
	(void)key;
	fake_ask(ASK_PUBLISH, 0, 0, op);
}

static inline void fake_attach(struct store *store, const char *channel, struct store_op *op)
{
	(void)store;
	(void)channel;
	fake.attaches++;
	fake_ask(ASK_ATTACH, 0, 0, op);
}

static inline void fake_detach(struct store *store, const char *channel)
{
	(void)store;
	(void)channel;
	fake.detaches++;
}

static inline void fake_range(struct store *store, const char *channel, uint64_t from, uint64_t to, size_t max_count,
		       size_t max_bytes, struct store_op *op)
{
	(void)store;
	(void)channel;
	assert_true(max_count > 0 && max_bytes > 0);
	fake.ranges++;
	fake_ask(ASK_RANGE, from, to, op);
}

static const struct store_ops store_fake = {
	.name = "fake",
	.start = fake_start,
	.stop = fake_stop,
	.publish = fake_publish,
	.attach = fake_attach,
	.detach = fake_detach,
	.range = fake_range,
};

/* Takes the oldest question of this kind. */
static inline struct asked take(enum ask ask)
{
	for (unsigned i = 0; i < fake.count; i++) {
		struct asked asked = fake.asked[i];

		if (asked.ask != ask)
			continue;
		fake.count--;
		memmove(&fake.asked[i], &fake.asked[i + 1], (fake.count - i) * sizeof(asked));
		return asked;
	}
	fail_msg("the store was not asked");
	return (struct asked){ 0 };
}

static inline struct position at(const char *epoch, uint64_t seq)
{
	struct position position = { .seq = seq };

	snprintf(position.epoch, sizeof(position.epoch), "%s", epoch);
	return position;
}

static inline void answer_at(enum ask ask, const char *epoch, uint64_t seq)
{
	const struct store_answer answer = { .status = HUB_OK, .newest = at(epoch, seq) };
	struct asked asked = take(ask);

	asked.op->done(asked.op, &answer);
}

static inline void answer_away(enum ask ask)
{
	const struct store_answer answer = { .status = HUB_UNAVAILABLE };
	struct asked asked = take(ask);

	asked.op->done(asked.op, &answer);
}

/* Expects a question for from..to and answers it with messages first_given..last_given (none: last below first). */
static inline void answer_range(uint64_t from, uint64_t to, uint64_t kept, uint64_t given, uint64_t last, const char *epoch,
			 uint64_t newest)
{
	struct asked asked = take(ASK_RANGE);
	struct stored stored[16];
	struct store_answer answer = { .status = HUB_OK, .newest = at(epoch, newest), .first = kept,
				       .messages = stored };

	assert_int_equal(asked.from, from);
	assert_int_equal(asked.to, to);
	for (uint64_t seq = given; seq <= last; seq++)
		stored[answer.count++] = (struct stored){ .seq = seq, .at_s = ev_now(bench.loop),
							  .data = text_from("{}") };
	asked.op->done(asked.op, &answer);
}

static inline void feed(const char *epoch, uint64_t seq)
{
	const struct stored stored = { .seq = seq, .at_s = ev_now(bench.loop), .data = text_from("{}") };

	fake.sink.message(fake.sink.arg, "c", epoch, &stored);
}

static inline void feed_epoch(const char *epoch, uint64_t seq)
{
	const struct position newest = at(epoch, seq);

	fake.sink.epoch(fake.sink.arg, "c", &newest);
}

static inline void up(bool is_up)
{
	fake.sink.up(fake.sink.arg, is_up);
}

static inline int setup(void **state)
{
	(void)state;
	bench_init(&bench, &store_fake);
	bench.config.retention_messages = 50;
	subscriber_init(&a, &bench);
	subscriber_init(&b, &bench);
	p = (struct asker){ 0 };
	q = (struct asker){ 0 };
	up(true);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	hub_unsubscribe(&a.subscription);
	hub_unsubscribe(&b.subscription);
	bench_fini(&bench);
	return 0;
}

/* a live on "c" at this place. */
static inline void live_at(const char *epoch, uint64_t seq)
{
	subscribe(&a, "c", NULL, 0, 0);
	answer_at(ASK_ATTACH, epoch, seq);
	a.words[0] = '\0';
}

#endif
