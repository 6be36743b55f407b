#ifndef SERVER_TEST_STORE_KIT_H
#define SERVER_TEST_STORE_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "server-under-test/store/store.h"

/*
 * For the tests of the stores: nodes that write down what their sink was told, requests that can be waited for, and a
 * real redis-server in a folder of its own, on a unix socket.
 */

#define KIT_NODES 2
#define KIT_WAIT_S 30.0 /* after which a wait is a failure */

enum news { NEWS_MESSAGE, NEWS_EPOCH, NEWS_UP, NEWS_DOWN, NEWS_TAKEN };

/* One call of the sink. */
struct seen {
	enum news news;
	char channel[CHANNEL_NAME_MAX + 1]; /* or the session */
	char epoch[EPOCH_MAX + 1];
	uint64_t seq;
	char *text; /* message: its data; taken: by whom */
};

struct node {
	const struct store_ops *ops;
	struct store *store;
	bool up;
	struct seen *seen;
	size_t seen_count;
};

struct kit {
	struct ev_loop *loop;
	struct config config;
	const struct store_ops *ops;
	struct node nodes[KIT_NODES];
	unsigned node_count; /* memory: one, for it knows of no other */
	char folder[64];
	char address[96];
	char socket[80];
	const char *password; /* of redis_ask; NULL: none */
	int pid; /* of redis-server, 0: none */
};

int kit_setup(struct kit *kit, const struct store_ops *ops, const char *const *redis_options);
int kit_setup_alone(struct kit *kit, const struct store_ops *ops, const char *const *redis_options); /* no node yet */
void kit_teardown(struct kit *kit);
struct node *kit_node(struct kit *kit, unsigned n); /* the other one, or the same */
void kit_node_start(struct kit *kit, struct node *node);
void kit_node_stop(struct node *node);

/* Runs the loop until the condition holds. */
#define KIT_WAIT(kit, condition)                                                                                       \
	do {                                                                                                           \
		double kit_until = kit_clock_s() + KIT_WAIT_S;                                                         \
		while (!(condition)) {                                                                                 \
			kit_turn(kit);                                                                                 \
			if (kit_clock_s() > kit_until)                                                                 \
				fail_msg("waited in vain for %s", #condition);                                         \
		}                                                                                                      \
	} while (0)
double kit_clock_s(void);
void kit_turn(struct kit *kit);

void redis_begin(struct kit *kit, const char *const *options); /* and waits until it answers */
void redis_end(struct kit *kit, int signal); /* and waits until it is gone */
/* One command over a connection of its own; the answer as an integer, or the length of a text; -1: error. */
long long redis_ask(struct kit *kit, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* One request and what was answered. */
struct asked {
	struct store_op op;
	bool done;
	enum hub_status status;
	struct position newest;
	bool duplicate;
	uint64_t first;
	size_t count;
	uint64_t seqs[HISTORY_MESSAGES_MAX];
	size_t bytes; /* of their data */
	char data[64]; /* of the first */
	char key[64];
	bool resumed;
	unsigned cursors;
	struct session_cursor cursor; /* the first */
	char user[USER_MAX + 1];
};

void ask_publish(struct node *node, struct asked *asked, const char *channel, const char *data, const char *key);
struct asked publish(struct kit *kit, struct node *node, const char *channel, const char *data, const char *key);
struct asked attach(struct kit *kit, struct node *node, const char *channel);
struct asked range(struct kit *kit, struct node *node, const char *channel, uint64_t from, uint64_t to, size_t count,
		   size_t bytes);
struct asked claim(struct kit *kit, struct node *node, const char *wanted, const char *fresh, const char *user,
		   const char *conn);

/* The newest seq the sink was told of. */
uint64_t node_newest(const struct node *node, const char *channel);
size_t node_count(const struct node *node, enum news news, const char *channel); /* NULL: any */
/*
 * Checks the order: each message is one more than the last one or than the epoch news before it, the first is
 * `first`, and none comes twice.
 */
void node_check_order(const struct node *node, const char *channel, uint64_t first);

#endif
