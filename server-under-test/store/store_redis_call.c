/*
 * Calls of the script. They go out as EVALSHA. When Redis does not know the script any more (SCRIPT FLUSH; a restart
 * ends the connection anyway), resending one call alone would let those behind it overtake: so calls are held back
 * until none is under way, then the script is loaded again and all of them go out in their order.
 */
#include "server-under-test/store/store_redis.h"

#include <assert.h>
#include <stdlib.h>

#include "server-under-test/store_redis_lua.h"

#define TRIES_MAX 3

struct call {
	struct link link;
	struct store *store;
	redis_reply_fn fn;
	void *arg;
	char *command; /* kept for the case that it has to be sent again */
	size_t command_len;
	bool held;
	unsigned tries;
};

static void call_finish(struct call *call, const struct redisReply *reply)
{
	redis_reply_fn fn = call->fn;
	void *arg = call->arg;

	list_remove(&call->link);
	free(call->command);
	free(call);
	fn(arg, reply);
}

static struct call *calls_first(struct store *store)
{
	return list_empty(&store->calls) ? NULL : LIST_ENTRY(store->calls.next, struct call, link);
}

static void on_answer(void *arg, const struct redisReply *reply);

static void call_send(struct call *call)
{
	call->held = false;
	call->tries++;
	call->store->in_flight++;
	redis_link_send_raw(&call->store->commands, on_answer, call, call->command, call->command_len);
}

static void on_loaded_again(void *arg, const struct redisReply *reply)
{
	(void)arg;
	(void)reply; /* if it failed, the calls behind it are answered NOSCRIPT */
}

static void calls_resend(struct store *store)
{
	if (store->in_flight || list_empty(&store->calls) || !store->commands.connected)
		return;
	redis_calls_load(store, on_loaded_again);
	for (struct link *link = store->calls.next; link != &store->calls; link = link->next)
		call_send(LIST_ENTRY(link, struct call, link));
}

/* What is held from before this call: Redis knows the script again (another node loaded it), they would come late. */
static void take_overtaken(struct call *call, struct link *ret)
{
	struct store *store = call->store;

	list_init(ret);
	while (store->calls.next != &call->link) {
		struct link *link = store->calls.next;

		assert(LIST_ENTRY(link, struct call, link)->held);
		list_remove(link);
		list_append(ret, link);
	}
	list_remove(&call->link);
}

static void on_answer(void *arg, const struct redisReply *reply)
{
	struct call *call = arg;
	struct store *store = call->store;
	struct link overtaken;
	/* A replica now, or restarted: another address may be right. */
	bool gone = redis_is_error(reply, "READONLY") || redis_is_error(reply, "LOADING") ||
		    redis_is_error(reply, "NOAUTH");

	store->in_flight--;
	if (redis_is_error(reply, "NOSCRIPT") && call->tries < TRIES_MAX) {
		call->held = true;
		calls_resend(store);
		return;
	}
	take_overtaken(call, &overtaken);
	while (!list_empty(&overtaken))
		call_finish(LIST_ENTRY(overtaken.next, struct call, link), NULL);
	call_finish(call, reply);
	if (gone)
		store_redis_fail(store);
	else
		calls_resend(store);
}

void redis_call(struct store *store, redis_reply_fn fn, void *arg, int keys, int count, const struct text *words)
{
	struct text all[REDIS_WORDS_MAX] = { text_from("EVALSHA"), text_from(store->sha), text_from(keys == 3 ? "3" : "1") };
	struct call *call = calloc(1, sizeof(*call)), *first = calls_first(store);

	assert(count + 3 <= REDIS_WORDS_MAX && (keys == 3 || keys == 1));
	if (!call)
		abort();
	memcpy(all + 3, words, (size_t)count * sizeof(*words));
	*call = (struct call){ .store = store, .fn = fn, .arg = arg };
	call->command = redis_command(count + 3, all, &call->command_len);
	list_append(&store->calls, &call->link);
	if (first && first->held)
		call->held = true;
	else
		call_send(call);
}

void redis_calls_load(struct store *store, redis_reply_fn loaded)
{
	struct text words[] = { text_from("SCRIPT"), text_from("LOAD"), text_from(store_redis_lua) };

	redis_link_send(&store->commands, loaded, store, 3, words);
}

void redis_calls_fail(struct store *store)
{
	struct call *call;

	assert(store->in_flight == 0);
	while ((call = calls_first(store)))
		call_finish(call, NULL);
}
