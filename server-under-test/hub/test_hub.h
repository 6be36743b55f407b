#ifndef SERVER_TEST_HUB_H
#define SERVER_TEST_HUB_H

/*
 * What the hub's tests share: a hub on a store, and a subscriber that writes down what happens to it as words:
 *   "S5" subscribed at 5, "S5+" recovered, "S5-" not, "S!" unavailable; "7" message 7; "E3" a new epoch at 3; "X" evicted
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "server-under-test/hub/hub.h"
#include "server-under-test/hub/message.h"
#include "server-under-test/store/store.h"

struct bench {
	struct ev_loop *loop;
	struct config config;
	struct hub *hub;
};

struct subscriber {
	struct subscription subscription;
	char words[16384];
	struct bench *bench;
	/* Called after the word was written; NULL: nothing. */
	void (*then)(struct subscriber *subscriber, const char *word);
	struct subscriber *other; /* for then */
	struct message *last; /* not referenced: only its address is compared */
	char data[64]; /* of the last message */
};

/* A publish or history of which the answer is written down: "7" or "!" and "1 2 3 complete" or "1 2 cut". */
struct asker {
	struct hub_op op;
	char words[16384];
	char epoch[EPOCH_MAX + 1];
	uint64_t seq;
	struct subscriber *log; /* "P7" goes there too, to see the order. NULL: not */
};

static inline void word(struct subscriber *subscriber, const char *text)
{
	size_t len = strlen(subscriber->words);

	assert_true(len + strlen(text) + 2 < sizeof(subscriber->words));
	snprintf(subscriber->words + len, sizeof(subscriber->words) - len, "%s%s", len ? " " : "", text);
	if (subscriber->then)
		subscriber->then(subscriber, text);
}

static inline void on_subscribed(struct subscription *subscription, const struct subscribed *answer)
{
	char text[32] = "S!";

	if (answer->status == HUB_OK)
		snprintf(text, sizeof(text), "S%llu%s", (unsigned long long)answer->newest.seq,
			 !answer->has_recovered ? "" : answer->recovered ? "+" : "-");
	word((struct subscriber *)subscription, text);
}

static inline void on_message(struct subscription *subscription, struct message *message)
{
	struct subscriber *subscriber = (struct subscriber *)subscription;
	char text[32];

	assert_int_equal(subscription->delivered, message->seq);
	subscriber->last = message;
	snprintf(subscriber->data, sizeof(subscriber->data), "%.*s", (int)message->data_len, message_data(message).p);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)message->seq);
	word(subscriber, text);
}

static inline void on_epoch(struct subscription *subscription, const struct subscribed *news)
{
	char text[32];

	assert_true(news->status == HUB_OK && news->has_recovered && !news->recovered);
	assert_int_equal(subscription->delivered, news->newest.seq);
	snprintf(text, sizeof(text), "E%llu", (unsigned long long)news->newest.seq);
	word((struct subscriber *)subscription, text);
}

static inline void on_evicted(struct subscription *subscription)
{
	assert_null(subscription->channel);
	word((struct subscriber *)subscription, "X");
}

static inline void subscriber_init(struct subscriber *subscriber, struct bench *bench)
{
	static const struct subscription_ops ops = {
		.subscribed = on_subscribed,
		.message = on_message,
		.epoch = on_epoch,
		.evicted = on_evicted,
	};

	*subscriber = (struct subscriber){ .bench = bench };
	subscriber->subscription.ops = &ops;
}

static inline void subscribe(struct subscriber *subscriber, const char *channel, const char *epoch, uint64_t seq,
			     uint64_t window)
{
	struct position since = { .seq = seq };

	if (epoch)
		snprintf(since.epoch, sizeof(since.epoch), "%s", epoch);
	hub_subscribe(subscriber->bench->hub, &subscriber->subscription, text_from(channel), epoch ? &since : NULL,
		      window);
}

/* The words since the last time are these. */
static inline void expect(struct subscriber *subscriber, const char *words)
{
	assert_string_equal(subscriber->words, words);
	subscriber->words[0] = '\0';
}

static inline void on_published(struct hub_op *op, const struct published *answer)
{
	struct asker *asker = (struct asker *)op;
	char text[32] = "P!";

	if (answer->status == HUB_OK)
		snprintf(text, sizeof(text), "P%llu", (unsigned long long)answer->at.seq);
	snprintf(asker->words, sizeof(asker->words), "%s", text);
	memcpy(asker->epoch, answer->at.epoch, sizeof(asker->epoch));
	asker->seq = answer->at.seq;
	if (asker->log)
		word(asker->log, text);
}

static inline void publish(struct bench *bench, struct asker *asker, const char *channel, const char *data,
			   const char *key)
{
	struct subscriber *log = asker->log;

	*asker = (struct asker){ .log = log };
	hub_publish(bench->hub, &asker->op, text_from(channel), text_from(data), text_from(key ? key : ""),
		    on_published);
}

static inline void on_history(struct hub_op *op, const struct history *answer)
{
	struct asker *asker = (struct asker *)op;
	size_t len = 0;

	asker->words[0] = '\0';
	for (size_t i = 0; i < answer->count && len + 32 < sizeof(asker->words); i++)
		len += (size_t)snprintf(asker->words + len, sizeof(asker->words) - len, "%llu ",
					(unsigned long long)answer->messages[i]->seq);
	snprintf(asker->words + len, sizeof(asker->words) - len, "%s",
		 answer->status != HUB_OK ? "!" : answer->complete ? "complete" : "cut");
	memcpy(asker->epoch, answer->epoch, sizeof(asker->epoch));
	asker->seq = answer->newest;
}

static inline void history(struct bench *bench, struct asker *asker, const char *channel, uint64_t from, uint64_t to)
{
	*asker = (struct asker){ 0 };
	hub_history(bench->hub, &asker->op, text_from(channel), from, to, on_history);
}

static inline void bench_init(struct bench *bench, const struct store_ops *store)
{
	struct err err;

	*bench = (struct bench){
		.loop = ev_loop_new(EVFLAG_AUTO),
		.config = { .retention_messages = 5, .retention_time_s = 600, .retention_bytes = 1 << 20,
			    .session_ttl_s = 300 },
	};
	assert_non_null(bench->loop);
	bench->hub = hub_new(bench->loop, &bench->config);
	assert_int_equal(hub_start(bench->hub, store, &err), 0);
}

static inline void bench_fini(struct bench *bench)
{
	hub_free(bench->hub);
	ev_loop_destroy(bench->loop);
}

#endif
