/*
 * Sessions in Redis. One that is in use is refreshed, so that it runs out session_ttl after its node has died. What a
 * connection wants kept while Redis is away is kept here and saved later; what Redis has lost is saved again.
 */
#include "server-under-test/store/store_redis.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "server-under-test/base/clock.h"

#define NUMBER_MAX 24
#define REFRESHES_EACH_TTL 3

/* One that a connection of this node holds, or that ended without Redis having been told. Counted: table and calls. */
struct held {
	struct table_node node; /* by id */
	struct link link;
	struct store *store;
	unsigned refs;
	bool dead;
	bool ended;
	unsigned unsaved; /* 0: Redis has the record; otherwise the number of the last change */
	double refreshed_s;
	char user[USER_MAX + 1];
	char *conn;
	char *record; /* JSON */
	char id[SESSION_ID_MAX + 1];
};

/* Not inlined: where it is called twice gcc 12 takes the second for a use after free at -O3. */
__attribute__((noinline)) static void held_unref(struct held *held)
{
	assert(held->refs);
	if (--held->refs)
		return;
	free(held->conn);
	free(held->record);
	free(held);
}

static void held_drop(struct held *held)
{
	if (held->dead)
		return;
	held->dead = true;
	list_remove(&held->link);
	table_remove(&held->store->sessions, &held->node);
	held_unref(held);
}

static struct held *held_find(struct store *store, struct text id)
{
	struct table_node *node = table_find(&store->sessions, id);

	return node ? TABLE_ENTRY(node, struct held, node) : NULL;
}

static void held_touch(struct held *held)
{
	held->refreshed_s = clock_monotonic_s();
	list_remove(&held->link);
	list_append(&held->store->held, &held->link);
}

static struct held *held_new(struct store *store, const char *id, const char *user, const char *conn, struct text record)
{
	struct held *held = calloc(1, sizeof(*held));

	if (!held)
		abort();
	held->store = store;
	held->refs = 1;
	snprintf(held->id, sizeof(held->id), "%s", id);
	snprintf(held->user, sizeof(held->user), "%s", user);
	held->conn = text_copy(text_from(conn));
	held->record = text_copy(record);
	held->node.key = text_from(held->id);
	list_init(&held->link);
	table_add(&store->sessions, &held->node);
	held_touch(held);
	return held;
}

/* Somebody else has it: he who had it here is told. */
static void held_lost(struct held *held, const char *by_conn)
{
	struct store_sink *sink = &held->store->sink;
	bool tell = !held->ended && !held->dead;

	held->refs++;
	held_drop(held);
	if (tell)
		sink->taken_over(sink->arg, held->id, by_conn);
	held_unref(held);
}

static struct text ttl_ms(const struct store *store, char place[NUMBER_MAX])
{
	double ms = store->config->session_ttl_s * 1000;

	return text_of(place, (size_t)snprintf(place, NUMBER_MAX, "%llu", (unsigned long long)(ms < 1 ? 1 : ms)));
}

/* The name of a session in Redis; free() it. */
static char *session_key(const struct store *store, const char *id)
{
	size_t room = strlen(store->config->redis_prefix) + strlen(id) + 16;
	char *key = malloc(room);

	if (!key)
		abort();
	snprintf(key, room, "%ssession:{%s}", store->config->redis_prefix, id);
	return key;
}

static void on_held(void *arg, const struct redisReply *reply);

static void held_save(struct held *held, struct store_op *op);

/* 1, or 0 and who holds it. What else came is no answer, and tried again at the next refresh. */
static bool holder_read(const struct redisReply *reply, uint64_t *ret_ours, struct text *ret_holder)
{
	*ret_holder = text_of(NULL, 0);
	return redis_is_array(reply, 1) && redis_number(reply->element[0], ret_ours) &&
	       (*ret_ours || (reply->elements >= 2 && redis_text(reply->element[1], ret_holder)));
}

static void held_taken(struct held *held, struct text holder)
{
	char *conn = text_copy(holder);

	held_lost(held, conn);
	free(conn);
}

struct saving {
	struct held *held;
	unsigned change;
	struct store_op *op; /* NULL: nobody waits */
};

static void on_saved(void *arg, const struct redisReply *reply)
{
	struct saving *saving = arg;
	struct held *held = saving->held;
	struct store_op *op = saving->op;
	struct text holder;
	uint64_t ours = 0;

	if (!held->dead && holder_read(reply, &ours, &holder)) {
		if (!ours)
			held_taken(held, holder); /* or it had ended: then nobody is told */
		else if (held->unsaved == saving->change)
			held->unsaved = 0;
		if (!held->dead && !held->unsaved && held->ended)
			held_drop(held);
	}
	held_unref(held);
	free(saving);
	if (op && ours)
		op->done(op, &(struct store_answer){ .status = HUB_OK });
	else if (op)
		store_redis_unavailable(op);
}

static void held_save(struct held *held, struct store_op *op)
{
	struct store *store = held->store;
	struct saving *saving = malloc(sizeof(*saving));
	char *key = session_key(store, held->id), ttl[NUMBER_MAX];
	struct text words[] = {
		text_from(key), text_from("save"), text_from(held->user), text_from(held->conn), ttl_ms(store, ttl),
		text_from(held->record), text_from(held->ended ? "1" : "0"), text_from("0"),
	};

	if (!saving)
		abort();
	*saving = (struct saving){ held, held->unsaved, op };
	held->refs++;
	held_touch(held);
	redis_call(store, on_saved, saving, 1, 8, words);
	free(key);
}

static void on_held(void *arg, const struct redisReply *reply)
{
	struct held *held = arg;
	struct text holder;
	uint64_t ours;

	if (!held->dead && holder_read(reply, &ours, &holder) && !ours) {
		if (holder.len) {
			held_taken(held, holder);
		} else if (held->store->commands.connected) {
			held->unsaved++;
			held_save(held, NULL); /* Redis has lost it */
		}
	}
	held_unref(held);
}

static void held_refresh(struct held *held)
{
	struct store *store = held->store;
	char *key = session_key(store, held->id), ttl[NUMBER_MAX];
	struct text words[] = { text_from(key), text_from("hold"), text_from(held->conn), ttl_ms(store, ttl) };

	held->refs++;
	held_touch(held);
	redis_call(store, on_held, held, 1, 4, words);
	free(key);
}

void redis_sessions_init(struct store *store)
{
	list_init(&store->held);
}

void redis_sessions_fini(struct store *store)
{
	struct table_node *node;

	while ((node = table_any(&store->sessions)))
		held_drop(TABLE_ENTRY(node, struct held, node));
	table_fini(&store->sessions);
}

void redis_sessions_resync(struct store *store)
{
	for (size_t i = store->sessions.count; i > 0; i--) {
		struct held *held = LIST_ENTRY(store->held.next, struct held, link);

		if (held->unsaved)
			held_save(held, NULL); /* either moves it to the end of the list */
		else
			held_refresh(held);
	}
}

void redis_sessions_tick(struct store *store)
{
	double now = clock_monotonic_s(), ttl = store->config->session_ttl_s;

	for (size_t i = store->sessions.count; i > 0; i--) {
		struct held *held = LIST_ENTRY(store->held.next, struct held, link);

		if (now - held->refreshed_s < (held->ended ? ttl : ttl / REFRESHES_EACH_TTL))
			return;
		if (held->ended && store->state != REDIS_UP)
			held_drop(held); /* its time has run out while Redis was away */
		else if (store->state != REDIS_UP)
			return;
		else if (held->unsaved)
			held_save(held, NULL);
		else
			held_refresh(held);
	}
}

/* <length of who held it> <length of by> <who held it><by><id> */
void redis_session_event(struct store *store, struct text payload)
{
	struct text before_len, by_len, by;
	uint64_t before, len;
	struct held *held;

	if (!text_word(&payload, &before_len) || !text_word(&payload, &by_len) || !text_number(before_len, &before) ||
	    !text_number(by_len, &len) || before > payload.len || len > payload.len - before)
		return;
	by = text_of(payload.p + before, len);
	held = held_find(store, text_of(by.p + len, payload.len - before - len));
	if (held && text_equal(text_of(payload.p, before), held->conn))
		held_taken(held, by);
}

/* A claim under way: first of the wanted session, then perhaps of a new one. */
struct claim {
	struct store *store;
	struct store_op *op;
	char fresh[SESSION_ID_MAX + 1];
	char wanted[SESSION_ID_MAX + 1];
	char user[USER_MAX + 1];
	char *conn;
};

static void claim_end(struct claim *claim, const struct session_record *record, bool ok)
{
	struct store_answer answer = { .status = HUB_OK, .resumed = record != NULL, .session = record };
	struct store_op *op = claim->op;

	free(claim->conn);
	free(claim);
	if (ok)
		op->done(op, &answer);
	else
		store_redis_unavailable(op);
}

/* It is his now; who held it here is told, if the notice was not here first. */
static void claim_hold(struct claim *claim, const char *id, struct text record)
{
	struct held *held = held_find(claim->store, text_from(id));

	if (held && strcmp(held->conn, claim->conn) != 0)
		held_lost(held, claim->conn);
	else if (held)
		held_drop(held);
	held_new(claim->store, id, claim->user, claim->conn, record);
}

static void on_made(void *arg, const struct redisReply *reply)
{
	struct claim *claim = arg;
	uint64_t made = 0;
	bool ok = redis_is_array(reply, 1) && redis_number(reply->element[0], &made) && made == 1;

	if (ok)
		claim_hold(claim, claim->fresh, text_from("[]"));
	claim_end(claim, NULL, ok);
}

static void claim_make(struct claim *claim)
{
	char *key = session_key(claim->store, claim->fresh), ttl[NUMBER_MAX];
	struct text words[] = {
		text_from(key), text_from("save"), text_from(claim->user), text_from(claim->conn),
		ttl_ms(claim->store, ttl), text_from("[]"), text_from("0"), text_from("1"),
	};

	redis_call(claim->store, on_made, claim, 1, 8, words);
	free(key);
}

static void on_taken(void *arg, const struct redisReply *reply)
{
	struct claim *claim = arg;
	struct session_record record = { 0 };
	struct text json;
	uint64_t taken;

	if (!redis_is_array(reply, 1) || !redis_number(reply->element[0], &taken)) {
		claim_end(claim, NULL, false);
	} else if (taken && (reply->elements < 3 || !redis_text(reply->element[1], &json) || !redis_record_read(&record, json))) {
		claim_end(claim, NULL, false);
	} else if (!taken && !claim->store->commands.connected) {
		claim_end(claim, NULL, false);
	} else if (!taken) {
		claim_make(claim);
	} else {
		snprintf(record.id, sizeof(record.id), "%s", claim->wanted);
		snprintf(record.user, sizeof(record.user), "%s", claim->user);
		claim_hold(claim, claim->wanted, json);
		claim_end(claim, &record, true);
		free(record.cursors);
	}
}

void redis_session_claim(struct store *store, const char *wanted, const char *fresh, const char *user,
			 const char *conn, struct store_op *op)
{
	struct claim *claim;
	char *key, ttl[NUMBER_MAX];

	if (store->state != REDIS_UP) {
		store_redis_unavailable(op);
		return;
	}
	claim = calloc(1, sizeof(*claim));
	if (!claim)
		abort();
	claim->store = store;
	claim->op = op;
	claim->conn = text_copy(text_from(conn));
	snprintf(claim->fresh, sizeof(claim->fresh), "%s", fresh);
	snprintf(claim->user, sizeof(claim->user), "%s", user);
	if (!wanted || !wanted[0] || strlen(wanted) > SESSION_ID_MAX) {
		claim_make(claim);
		return;
	}
	snprintf(claim->wanted, sizeof(claim->wanted), "%s", wanted);
	key = session_key(store, wanted);
	redis_call(store, on_taken, claim, 1, 7,
		   (struct text[]){ text_from(key), text_from("take"), text_from(user), text_from(conn),
				    ttl_ms(store, ttl), text_from(store->takeovers), text_from(wanted) });
	free(key);
}

void redis_session_save(struct store *store, const struct session_record *record, const char *conn, bool ended,
			struct store_op *op)
{
	struct held *held = held_find(store, text_from(record->id));

	if (!held || held->ended || strcmp(held->conn, conn) != 0) { /* it is another's by now */
		if (op)
			store_redis_unavailable(op);
		return;
	}
	free(held->record);
	held->record = redis_record_write(record);
	held->ended = ended;
	if (++held->unsaved == 0)
		held->unsaved = 1;
	if (store->state == REDIS_UP)
		held_save(held, op);
	else if (op)
		store_redis_unavailable(op);
}
