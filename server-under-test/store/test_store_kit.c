/* Nodes, requests and a Redis for the tests of the stores. */
#include "server-under-test/store/test_store_kit.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

double kit_clock_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void on_guard(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)timer;
	(void)events;
}

/* One turn of the loop, which also ends when nothing happens at all: then the wait can be given up. */
void kit_turn(struct kit *kit)
{
	ev_timer guard;

	ev_timer_init(&guard, on_guard, 1., 0.);
	ev_timer_start(kit->loop, &guard);
	ev_run(kit->loop, EVRUN_ONCE);
	ev_timer_stop(kit->loop, &guard);
}

static struct seen *node_add(struct node *node, enum news news, const char *channel)
{
	struct seen *seen;

	node->seen = realloc(node->seen, (node->seen_count + 1) * sizeof(*node->seen));
	if (!node->seen)
		abort();
	seen = &node->seen[node->seen_count++];
	*seen = (struct seen){ .news = news };
	snprintf(seen->channel, sizeof(seen->channel), "%s", channel);
	return seen;
}

static void on_message(void *arg, const char *channel, const char *epoch, const struct stored *message)
{
	struct seen *seen = node_add(arg, NEWS_MESSAGE, channel);

	snprintf(seen->epoch, sizeof(seen->epoch), "%s", epoch);
	seen->seq = message->seq;
	seen->text = strndup(message->data.p, message->data.len);
}

static void on_epoch(void *arg, const char *channel, const struct position *newest)
{
	struct seen *seen = node_add(arg, NEWS_EPOCH, channel);

	snprintf(seen->epoch, sizeof(seen->epoch), "%s", newest->epoch);
	seen->seq = newest->seq;
}

static void on_up(void *arg, bool up)
{
	struct node *node = arg;

	assert_int_not_equal(node->up, up);
	node->up = up;
	node_add(node, up ? NEWS_UP : NEWS_DOWN, "");
}

static void on_taken(void *arg, const char *session, const char *by_conn)
{
	node_add(arg, NEWS_TAKEN, session)->text = strdup(by_conn);
}

void kit_node_start(struct kit *kit, struct node *node)
{
	struct store_sink sink = { node, on_message, on_epoch, on_up, on_taken };
	struct err err = { 0 };

	*node = (struct node){ .ops = kit->ops };
	if (kit->ops->start(&node->store, kit->loop, &kit->config, &sink, &err) < 0)
		fail_msg("%s", err.text);
	KIT_WAIT(kit, node->up);
}

void kit_node_stop(struct node *node)
{
	if (node->store)
		node->ops->stop(node->store);
	for (size_t i = 0; i < node->seen_count; i++)
		free(node->seen[i].text);
	free(node->seen);
	*node = (struct node){ 0 };
}

struct node *kit_node(struct kit *kit, unsigned n)
{
	return &kit->nodes[n % kit->node_count];
}

int kit_setup_alone(struct kit *kit, const struct store_ops *ops, const char *const *redis_options)
{
	*kit = (struct kit){ .ops = ops, .loop = ev_loop_new(EVFLAG_AUTO), .node_count = redis_options ? KIT_NODES : 1 };
	snprintf(kit->folder, sizeof(kit->folder), "/tmp/wsquall-store-XXXXXX");
	if (!mkdtemp(kit->folder))
		abort();
	snprintf(kit->socket, sizeof(kit->socket), "%s/redis.sock", kit->folder);
	snprintf(kit->address, sizeof(kit->address), "unix:%s", kit->socket);
	kit->config = (struct config){
		.redis_address = kit->address, .redis_prefix = "test:", .redis_timeout_s = 1, .retention_messages = 100,
		.retention_time_s = 600, .retention_bytes = 64u << 20, .session_ttl_s = 300, .node = "a",
	};
	if (redis_options)
		redis_begin(kit, redis_options);
	return 0;
}

int kit_setup(struct kit *kit, const struct store_ops *ops, const char *const *redis_options)
{
	kit_setup_alone(kit, ops, redis_options);
	for (unsigned i = 0; i < kit->node_count; i++)
		kit_node_start(kit, &kit->nodes[i]);
	return 0;
}

void kit_teardown(struct kit *kit)
{
	char command[128];

	for (unsigned i = 0; i < kit->node_count; i++)
		kit_node_stop(&kit->nodes[i]);
	if (kit->pid)
		redis_end(kit, SIGKILL);
	ev_loop_destroy(kit->loop);
	snprintf(command, sizeof(command), "rm -rf '%s'", kit->folder);
	if (system(command) != 0)
		abort();
}

static bool redis_answers(const struct kit *kit)
{
	redisContext *context = redisConnectUnix(kit->socket);
	redisReply *reply = context && !context->err ? redisCommand(context, "PING") : NULL;
	bool yes = reply && (reply->type == REDIS_REPLY_STATUS || strncmp(reply->str, "NOAUTH", 6) == 0);

	if (reply)
		freeReplyObject(reply);
	if (context)
		redisFree(context);
	return yes;
}

void redis_begin(struct kit *kit, const char *const *options)
{
	const char *argv[32] = { "redis-server", "--port", "0", "--unixsocket", kit->socket, "--dir", kit->folder,
				 "--logfile", "redis.log" };
	double until = kit_clock_s() + KIT_WAIT_S;
	int n = 9;

	while (*options && n < 31)
		argv[n++] = *options++;
	kit->pid = fork();
	if (kit->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execvp(argv[0], (char **)(uintptr_t)argv);
		_exit(127);
	}
	while (!redis_answers(kit)) {
		if (waitpid(kit->pid, NULL, WNOHANG) || kit_clock_s() > until)
			fail_msg("redis-server does not start; see %s", kit->folder);
		usleep(5000);
	}
}

void redis_end(struct kit *kit, int signal)
{
	kill(kit->pid, signal);
	waitpid(kit->pid, NULL, 0);
	kit->pid = 0;
}

long long redis_ask(struct kit *kit, const char *format, ...)
{
	redisContext *context = redisConnectUnix(kit->socket);
	redisReply *reply;
	long long answer = -1;
	va_list args;

	if (kit->password) {
		reply = redisCommand(context, "AUTH %s", kit->password);
		freeReplyObject(reply);
	}
	va_start(args, format);
	reply = redisvCommand(context, format, args);
	va_end(args);
	if (reply && reply->type == REDIS_REPLY_INTEGER)
		answer = reply->integer;
	else if (reply && reply->type != REDIS_REPLY_ERROR)
		answer = (long long)(reply->len + reply->elements);
	if (reply)
		freeReplyObject(reply);
	redisFree(context);
	return answer;
}

static void on_done(struct store_op *op, const struct store_answer *answer)
{
	struct asked *asked = (struct asked *)(void *)((char *)op - offsetof(struct asked, op));

	assert_false(asked->done);
	asked->done = true;
	asked->status = answer->status;
	asked->newest = answer->newest;
	asked->duplicate = answer->duplicate;
	asked->first = answer->first;
	asked->count = answer->count;
	asked->resumed = answer->resumed;
	for (size_t i = 0; i < answer->count && i < HISTORY_MESSAGES_MAX; i++) {
		asked->seqs[i] = answer->messages[i].seq;
		asked->bytes += answer->messages[i].data.len;
	}
	if (answer->count) {
		const struct stored *first = &answer->messages[0];

		snprintf(asked->data, sizeof(asked->data), "%.*s", (int)first->data.len, first->data.p);
		snprintf(asked->key, sizeof(asked->key), "%.*s", (int)first->key.len, first->key.len ? first->key.p : "");
		assert_true(first->at_s > 1e9);
	}
	if (answer->session) {
		asked->cursors = answer->session->count;
		if (asked->cursors)
			asked->cursor = answer->session->cursors[0];
		snprintf(asked->user, sizeof(asked->user), "%s", answer->session->user);
	}
}

void ask_publish(struct node *node, struct asked *asked, const char *channel, const char *data, const char *key)
{
	*asked = (struct asked){ .op.done = on_done };
	node->ops->publish(node->store, text_from(channel), text_from(data), text_from(key ? key : ""), &asked->op);
}

struct asked publish(struct kit *kit, struct node *node, const char *channel, const char *data, const char *key)
{
	struct asked asked;

	ask_publish(node, &asked, channel, data, key);
	KIT_WAIT(kit, asked.done);
	return asked;
}

struct asked attach(struct kit *kit, struct node *node, const char *channel)
{
	struct asked asked = { .op.done = on_done };

	node->ops->attach(node->store, channel, &asked.op);
	KIT_WAIT(kit, asked.done);
	return asked;
}

struct asked range(struct kit *kit, struct node *node, const char *channel, uint64_t from, uint64_t to, size_t count,
		   size_t bytes)
{
	struct asked asked = { .op.done = on_done };

	node->ops->range(node->store, channel, from, to, count, bytes, &asked.op);
	KIT_WAIT(kit, asked.done);
	return asked;
}

struct asked claim(struct kit *kit, struct node *node, const char *wanted, const char *fresh, const char *user,
		   const char *conn)
{
	struct asked asked = { .op.done = on_done };

	node->ops->session_claim(node->store, wanted, fresh, user, conn, &asked.op);
	KIT_WAIT(kit, asked.done);
	return asked;
}

uint64_t node_newest(const struct node *node, const char *channel)
{
	for (size_t i = node->seen_count; i > 0; i--)
		if (node->seen[i - 1].news <= NEWS_EPOCH && strcmp(node->seen[i - 1].channel, channel) == 0)
			return node->seen[i - 1].seq;
	return 0;
}

size_t node_count(const struct node *node, enum news news, const char *channel)
{
	size_t count = 0;

	for (size_t i = 0; i < node->seen_count; i++)
		count += node->seen[i].news == news && (!channel || strcmp(node->seen[i].channel, channel) == 0);
	return count;
}

void node_check_order(const struct node *node, const char *channel, uint64_t first)
{
	const char *epoch = "";
	uint64_t next = first;

	for (size_t i = 0; i < node->seen_count; i++) {
		const struct seen *seen = &node->seen[i];

		if (seen->news > NEWS_EPOCH || strcmp(seen->channel, channel) != 0)
			continue;
		if (seen->news == NEWS_EPOCH) {
			next = seen->seq + 1;
		} else {
			assert_int_equal(seen->seq, next++);
			if (*epoch)
				assert_string_equal(seen->epoch, epoch);
		}
		epoch = seen->epoch;
	}
}
