/*
 * The session of a connection: taken from the store before anything else is said, kept there while it lives, left there
 * when it ends. Of the connections of this process, by_session knows who holds which, so that a session that moves
 * between two of them loses no ack and closes the right one, however late the store's own word comes.
 */
#include "server-under-test/client/client.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "server-under-test/auth.h"
#include "server-under-test/base/random.h"
#include "server-under-test/defects.h"

#define FRESH_BYTES 16 /* of randomness in a session id */

/* Asked of the store, which may answer when the connection is long gone: then client is NULL. */
struct client_claim {
	struct store_op op;
	struct client *client;
	struct hub *hub;
	char wanted[SESSION_ID_MAX + 1]; /* "": none */
	char fresh[2 * FRESH_BYTES + 1];
	char user[USER_MAX + 1];
	char conn[LOG_ID_MAX];
};

static void on_up(struct hub_watch *watch, bool up);
static void on_taken_over(struct hub_watch *watch, const char *session, const char *by_conn);

static struct table by_session;
static struct hub_watch watch = { .up = on_up, .taken_over = on_taken_over };

static struct client *holder_of(const char *session)
{
	struct table_node *node = table_find(&by_session, text_from(session));

	return node ? TABLE_ENTRY(node, struct client, by_session) : NULL;
}

static void hold(struct client *client, const char *session)
{
	client->session = strdup(session);
	if (!client->session)
		abort();
	if (by_session.count == 0)
		hub_watch_add(client->server->hub, &watch);
	client->by_session.key = text_from(client->session);
	table_add(&by_session, &client->by_session);
	client->holds = true;
}

static void let_go(struct client *client)
{
	if (!client->holds)
		return;
	client->holds = false;
	table_remove(&by_session, &client->by_session);
	if (by_session.count > 0)
		return;
	hub_watch_remove(client->server->hub, &watch);
	table_fini(&by_session);
}

static void lose(struct client *client)
{
	let_go(client);
	if (!defect(resume_stale_socket_open))
		client_close(client, CLOSE_TAKEN_OVER, "session taken over");
}

/* Connection ids begin with what tells one process from another. */
static bool same_process(const char *a, const char *b)
{
	size_t len = strcspn(a, "-");

	return len == strcspn(b, "-") && memcmp(a, b, len) == 0;
}

/* Another process took it over. What this process did itself it has seen already, and perhaps more since. */
static void on_taken_over(struct hub_watch *self, const char *session, const char *by_conn)
{
	struct client *client = holder_of(session);

	(void)self;
	if (client && !same_process(wire_info(client->wire)->id, by_conn))
		lose(client);
}

static void save_again(struct table_node *node, void *arg)
{
	struct client *client = TABLE_ENTRY(node, struct client, by_session);

	(void)arg;
	if (client->changed && !client->closing)
		client_changed(client, clock_monotonic_s());
}

static void throw_out(struct table_node *node, void *arg)
{
	(void)arg;
	client_close(TABLE_ENTRY(node, struct client, by_session), CLOSE_INTERNAL, "the backplane is away");
}

static void on_up(struct hub_watch *self, bool up)
{
	(void)self;
	if (up)
		table_each(&by_session, save_again, NULL);
	else if (defect(outage_closes_clients))
		table_each(&by_session, throw_out, NULL);
}

void client_changed(struct client *client, double now_s)
{
	client->changed = true;
	if (!client->holds || client->closing || !isinf(client->save_due_s))
		return;
	if (bucket_take(&client->saves, CLIENT_SAVES, CLIENT_SAVES_BURST, now_s)) {
		client_save(client, false);
		return;
	}
	client->save_due_s = now_s + bucket_wait_s(&client->saves, CLIENT_SAVES);
	client_arm(client);
}

static void save(struct client *client, bool ended, struct store_op *op)
{
	struct session_record record = { 0 };
	unsigned max = client->sub_count < SESSION_CHANNELS_MAX ? client->sub_count : SESSION_CHANNELS_MAX;

	client->save_due_s = INFINITY;
	if (!client->holds || (!ended && !hub_up(client->server->hub))) { /* on_up comes back to it */
		if (op)
			op->done(op, &(struct store_answer){ .status = HUB_UNAVAILABLE });
		return;
	}
	snprintf(record.id, sizeof(record.id), "%s", client->session);
	snprintf(record.user, sizeof(record.user), "%s", client->identity ? client->identity->subject : "");
	record.cursors = calloc(max + 1, sizeof(*record.cursors));
	if (!record.cursors)
		abort();
	for (unsigned i = 0; i < client->sub_count && record.count < max; i++) {
		const struct client_sub *sub = client_sub_at(client, i);
		struct session_cursor *cursor = &record.cursors[record.count];

		if (!sub->cursor.epoch[0] && !sub->confirmed && sub->request)
			continue; /* a first subscribe that is not answered yet */
		snprintf(cursor->channel, sizeof(cursor->channel), "%s", sub->name);
		cursor->at = sub->cursor;
		if (defect(resume_cursor_not_kept))
			cursor->at.seq = sub->at.delivered;
		record.count++;
	}
	client->changed = false;
	hub_session_save(client->server->hub, &record, wire_info(client->wire)->id, ended, op);
	free(record.cursors);
}

void client_save(struct client *client, bool ended)
{
	save(client, ended, NULL);
}

/* Nobody is told that a session has a channel before the store has it: he could come back through another node. */
struct client_saving {
	struct store_op op;
	struct link link; /* of client->savings; in no list when the client is gone */
	struct client *client;
};

static void on_kept(struct store_op *op, const struct store_answer *answer)
{
	struct client_saving *saving = (struct client_saving *)(void *)((char *)op - offsetof(struct client_saving, op));
	struct client *client = saving->client;

	(void)answer; /* a store that is away keeps it later */
	list_remove(&saving->link);
	free(saving);
	if (!client)
		return;
	client->awaiting--;
	if (list_empty(&client->savings))
		wire_hold(client->wire, false);
	client_check_pause(client);
}

/* Input waits meanwhile: each writes the whole record, which is thousands of times what asks for it. */
void client_changed_for_good(struct client *client)
{
	struct client_saving *saving = calloc(1, sizeof(*saving));

	if (!saving)
		abort();
	saving->op.done = on_kept;
	saving->client = client;
	list_append(&client->savings, &saving->link);
	client->awaiting++;
	client->changed = true;
	wire_hold(client->wire, true);
	save(client, false, &saving->op);
	client_check_pause(client);
}

void client_forget_savings(struct client *client)
{
	while (!list_empty(&client->savings)) {
		struct client_saving *saving = LIST_ENTRY(client->savings.next, struct client_saving, link);

		list_remove(&saving->link);
		saving->client = NULL;
	}
}

static void log_connected(struct client *client)
{
	struct conn_info *info = wire_info(client->wire);

	client->logged = true;
	if (client->session)
		conn_info_set(&info->session, text_from(client->session));
	if (client->identity)
		conn_info_set(&info->user, text_from(client->identity->subject));
	log_connect(client->server->log, info);
}

static void welcome(struct client *client, bool resumed)
{
	const struct config *config = client->server->config;
	const struct welcome words = {
		.session = client->session,
		.resumed = resumed,
		.node = config->node,
		.heartbeat_ms = (uint64_t)(config->heartbeat_interval_s * 1000 + 0.5),
		.max_message = config->message_max,
		.window = client->window,
	};

	client_send(client, messages_welcome(&words), MESSAGE_TYPE_welcome);
}

/* Nobody is there any more: the session is left as it was found, and its time runs. */
static void leave_at_once(const struct client_claim *claim, const struct store_answer *answer)
{
	struct session_record record = { 0 };

	if (answer->resumed)
		record = *answer->session;
	else
		memcpy(record.id, claim->fresh, sizeof(claim->fresh));
	memcpy(record.user, claim->user, sizeof(record.user));
	hub_session_save(claim->hub, &record, claim->conn, true, NULL);
}

static void on_claimed(struct store_op *op, const struct store_answer *answer)
{
	struct client_claim *claim = (struct client_claim *)(void *)((char *)op - offsetof(struct client_claim, op));
	struct client *client = claim->client, *before = NULL;
	const char *session = answer->resumed ? answer->session->id : claim->fresh;

	if (answer->status == HUB_OK)
		before = holder_of(session);
	if (before)
		lose(before);
	if (!client) {
		if (answer->status == HUB_OK)
			leave_at_once(claim, answer);
		free(claim);
		return;
	}
	client->claim = NULL;
	client->awaiting--;
	if (answer->status != HUB_OK) {
		log_connected(client);
		client_close(client, CLOSE_INTERNAL, "the backplane is away");
	} else {
		hold(client, session);
		log_connected(client);
		welcome(client, answer->resumed);
		client_start_heartbeat(client, clock_monotonic_s());
		if (answer->resumed)
			client_restore(client, answer->session);
	}
	free(claim);
	client_check_pause(client);
}

/* A session a client may name: what it was given once. Anything else is as good as unknown. */
static bool session_id_ok(struct text id)
{
	for (size_t i = 0; i < id.len; i++) {
		char c = text_lower(id.p[i]);

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_')
			return false;
	}
	return id.len > 0 && id.len <= SESSION_ID_MAX;
}

void client_claim_session(struct client *client, const struct wire_opening *opening)
{
	struct client_claim *claim = calloc(1, sizeof(*claim));
	char buffer[LOG_TEXT_MAX];
	struct client *holder;
	struct text wanted;

	if (!claim)
		abort();
	*claim = (struct client_claim){ .op.done = on_claimed, .client = client, .hub = client->server->hub };
	if ((query_value(opening->query, "session", buffer, sizeof(buffer), &wanted) ||
	     cookie_value(opening->cookie, "wsquall_session", &wanted)) &&
	    session_id_ok(wanted))
		memcpy(claim->wanted, wanted.p, wanted.len);
	random_hex(claim->fresh, FRESH_BYTES);
	snprintf(claim->user, sizeof(claim->user), "%s", client->identity ? client->identity->subject : "");
	snprintf(claim->conn, sizeof(claim->conn), "%s", wire_info(client->wire)->id);
	holder = holder_of(claim->wanted);
	if (holder && holder->changed)
		client_save(holder, false);
	client->claim = claim;
	hub_session_claim(claim->hub, claim->wanted[0] ? claim->wanted : NULL, claim->fresh, claim->user, claim->conn,
			  &claim->op);
}

void client_end_session(struct client *client)
{
	if (client->claim)
		client->claim->client = NULL;
	if (!client->logged)
		log_connected(client);
	client_save(client, true);
	let_go(client);
	free(client->session);
}
