/*
 * The hub against a simulated backplane on a random course: answers, the live feed and its outages come in any order
 * that a backplane may choose, subscribers come, go, acknowledge and restart, also from within callbacks. Each run is
 * replayed by its seed. What must hold at every message: contiguous, no repetition, nothing above the window, nothing
 * of another epoch; and in the end everybody who is live has everything.
 */
#include "server-under-test/hub/test_hub_sim.h"

#include <stdlib.h>

#define SEEDS 300
#define STEPS 600
#define SUBSCRIBERS 12
#define PUBLISHERS 8

struct actor {
	struct subscription subscription;
	bool alive; /* it asked, and was neither refused nor evicted, nor did it leave */
	unsigned answers; /* still to come */
	bool windowed;
	uint64_t next; /* the seq it must get next; when live */
	char epoch[EPOCH_MAX + 1];
	uint64_t since_seq; /* the last since it asked with */
	char since_epoch[EPOCH_MAX + 1];
};

struct publisher {
	struct hub_op op;
	bool busy;
};

static struct actor actors[SUBSCRIBERS];
static struct publisher publishers[PUBLISHERS];
static unsigned handed, recovered, lost, evicted;

static void leave(struct actor *actor)
{
	hub_unsubscribe(&actor->subscription);
	actor->alive = false;
	actor->answers = 0;
}

static void ask_subscribe(struct actor *actor)
{
	struct position since = sim_newest(roll(8) ? sim.epoch : sim.epoch - 1, 0);
	bool has_since = roll(3) > 0;

	since.seq = sim.newest + 2 > roll(RETENTION + 4) ? sim.newest + 2 - roll((uint32_t)RETENTION + 2) : 0;
	if (since.seq > sim.newest + 2)
		since.seq = 0;
	if (!actor->alive)
		actor->windowed = roll(2);
	actor->alive = true;
	actor->answers++;
	if (has_since) {
		actor->since_seq = since.seq;
		memcpy(actor->since_epoch, since.epoch, sizeof(since.epoch));
	}
	hub_subscribe(bench.hub, &actor->subscription, text_from("c"), has_since ? &since : NULL,
		      actor->windowed ? 3 : 0);
}

/* Sometimes a callback does something to somebody, itself included. */
static void meddle(void)
{
	struct actor *actor = &actors[roll(SUBSCRIBERS)];

	switch (roll(24)) {
	case 0:
		leave(actor);
		break;
	case 1:
		ask_subscribe(actor);
		break;
	case 2:
		if (actor->alive && actor->subscription.live)
			hub_set_limit(&actor->subscription, actor->subscription.delivered + roll(4));
		break;
	default:
		break;
	}
}

static void on_subscribed_actor(struct subscription *subscription, const struct subscribed *answer)
{
	struct actor *actor = (struct actor *)subscription;

	assert_true(actor->alive && actor->answers > 0);
	actor->answers--;
	if (answer->status != HUB_OK) {
		assert_false(subscription->live);
		actor->alive = actor->answers > 0;
		return;
	}
	assert_true(subscription->live);
	memcpy(actor->epoch, answer->newest.epoch, sizeof(actor->epoch));
	actor->next = subscription->delivered + 1;
	if (answer->has_recovered) {
		assert_true(!answer->recovered || subscription->delivered <= answer->newest.seq);
		assert_true(answer->recovered || subscription->delivered == answer->newest.seq);
		recovered += answer->recovered;
		lost += !answer->recovered;
		/* What is kept and in reach may not be called lost. */
		if (!answer->recovered && strcmp(actor->since_epoch, answer->newest.epoch) == 0 && actor->answers == 0 &&
		    actor->since_seq <= answer->newest.seq && sim.fed_epoch == sim.epoch)
			assert_true(actor->since_seq + RETENTION < sim.newest);
	}
	meddle();
}

static void on_message_actor(struct subscription *subscription, struct message *message)
{
	struct actor *actor = (struct actor *)subscription;
	char expected[40 + EPOCH_MAX];

	assert_true(actor->alive && subscription->live);
	assert_int_equal(message->seq, actor->next);
	assert_true(message->seq <= subscription->limit);
	snprintf(expected, sizeof(expected), "\"%s:%llu\"", actor->epoch, (unsigned long long)actor->next);
	assert_int_equal(message->data_len, strlen(expected));
	assert_memory_equal(message_data(message).p, expected, strlen(expected));
	actor->next++;
	handed++;
	meddle();
}

static void on_epoch_actor(struct subscription *subscription, const struct subscribed *news)
{
	struct actor *actor = (struct actor *)subscription;

	assert_true(actor->alive && subscription->live);
	memcpy(actor->epoch, news->newest.epoch, sizeof(actor->epoch));
	actor->next = news->newest.seq + 1;
}

static void on_evicted_actor(struct subscription *subscription)
{
	struct actor *actor = (struct actor *)subscription;

	assert_true(actor->alive && actor->windowed);
	evicted++;
	actor->alive = false;
	actor->answers = 0;
}

static void on_published_actor(struct hub_op *op, const struct published *answer)
{
	struct publisher *publisher = (struct publisher *)op;

	assert_true(publisher->busy);
	publisher->busy = false;
	if (answer->status != HUB_OK || !sim.up)
		return;
	for (unsigned i = 0; i < SUBSCRIBERS; i++) /* who is live and has room has it, or is past its epoch */
		if (actors[i].subscription.live && !actors[i].windowed &&
		    strcmp(actors[i].epoch, answer->at.epoch) == 0)
			assert_true(actors[i].next > answer->at.seq);
}

static void step(void)
{
	struct actor *actor = &actors[roll(SUBSCRIBERS)];
	struct publisher *publisher = &publishers[roll(PUBLISHERS)];

	switch (roll(14)) {
	case 0:
	case 1:
		if (actor->answers < 3)
			ask_subscribe(actor);
		break;
	case 2:
		leave(actor);
		break;
	case 3:
	case 4:
		if (actor->subscription.live)
			hub_set_limit(&actor->subscription, actor->subscription.delivered + roll(5));
		break;
	case 5:
	case 6:
		if (publisher->busy && roll(2)) {
			hub_op_cancel(&publisher->op);
			publisher->busy = false;
		}
		if (publisher->busy)
			break;
		publisher->busy = true;
		hub_publish(bench.hub, &publisher->op, text_from("c"), text_from("1"), (struct text){ 0 },
			    on_published_actor);
		break;
	case 7:
		sim.newest += sim.up; /* another node publishes */
		break;
	case 8:
		if (roll(20) == 0)
			sim_set_up(!sim.up);
		else if (roll(40) == 0 && sim.up) {
			sim.epoch++;
			sim.newest = roll(4);
		}
		break;
	case 9:
	case 10:
		sim_answer_one();
		break;
	default:
		if (sim.up)
			sim_feed_one();
	}
}

static void settle(void)
{
	sim_set_up(true);
	for (unsigned i = 0; sim_busy(); i++) {
		assert_true(i < 10000); /* the hub may not ask for ever */
		sim_answer_one();
		sim_feed_one();
	}
}

static void run(uint32_t number)
{
	static const struct subscription_ops ops = { on_subscribed_actor, on_message_actor, on_epoch_actor,
						     on_evicted_actor };

	seed = number;
	bench_init(&bench, &store_sim);
	bench.config.retention_messages = RETENTION;
	memset(actors, 0, sizeof(actors));
	memset(publishers, 0, sizeof(publishers));
	for (unsigned i = 0; i < SUBSCRIBERS; i++)
		actors[i].subscription.ops = &ops;
	sim.epoch = 1;
	sim_set_up(true);
	for (unsigned i = 0; i < STEPS; i++)
		step();
	settle();
	for (unsigned i = 0; i < SUBSCRIBERS; i++) {
		const struct actor *actor = &actors[i];

		if (actor->answers || actor->subscription.pending)
			fail_msg("seed %u: a subscription was never answered", number);
		if (actor->alive != actor->subscription.live || actor->alive != !!actor->subscription.channel)
			fail_msg("seed %u: live and not, at once", number);
		if (actor->alive && actor->next <= sim.newest && actor->next <= actor->subscription.limit)
			fail_msg("seed %u: a message was never handed over", number);
	}
	for (unsigned i = 0; i < PUBLISHERS; i++)
		if (publishers[i].busy)
			fail_msg("seed %u: a publish was never answered", number);
	for (unsigned i = 0; i < SUBSCRIBERS; i++)
		leave(&actors[i]);
	bench_fini(&bench);
}

static void test_seeds(void **state)
{
	const char *only = getenv("HUB_SEED");

	(void)state;
	if (only) {
		run((uint32_t)strtoul(only, NULL, 10));
		return;
	}
	for (uint32_t number = 1; number <= SEEDS; number++)
		run(number);
	print_message("%u messages, %u recovered, %u lost, %u evicted, %u answers of the store\n", handed, recovered, lost,
		      evicted, replies);
	assert_true(handed > SEEDS * 100 && recovered > SEEDS && lost > SEEDS / 4 && evicted > SEEDS / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seeds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
