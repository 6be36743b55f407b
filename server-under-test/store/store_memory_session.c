/*
 * Sessions of the memory store. One that is held is bounded by the connections there are; one that ended is kept for
 * session_ttl, and there are never more of them than MEMORY_ENDED_MAX: whoever makes sessions to no end only pushes out
 * the oldest. Too old ones are let go of when the next is claimed or saved.
 */
#include "server-under-test/store/store_memory.h"

#include "server-under-test/defects.h"

#include <assert.h>
#include <stdlib.h>

struct kept_session {
	struct table_node node; /* by record.id */
	struct session_record record;
	char *conn; /* who holds it; NULL: nobody, it ended */
	double ended_s;
	struct link ended; /* in sessions->ended when nobody holds it */
};

void memory_sessions_init(struct memory_sessions *sessions, struct store *store)
{
	*sessions = (struct memory_sessions){ .config = store->config, .loop = store->loop, .sink = &store->sink };
	list_init(&sessions->ended);
}

static struct kept_session *session_find(const struct memory_sessions *sessions, const char *id)
{
	struct table_node *node = id ? table_find(&sessions->table, text_from(id)) : NULL;

	return node ? TABLE_ENTRY(node, struct kept_session, node) : NULL;
}

/* Nobody's any more, or somebody's again. */
static void session_hold(struct memory_sessions *sessions, struct kept_session *session, const char *conn)
{
	if (!session->conn) {
		list_remove(&session->ended);
		sessions->ended_count--;
		sessions->ended_cursors -= session->record.count;
	}
	free(session->conn);
	session->conn = conn ? strdup(conn) : NULL;
	if (conn && !session->conn)
		abort();
	if (conn)
		return;
	session->ended_s = ev_now(sessions->loop);
	list_append(&sessions->ended, &session->ended);
	sessions->ended_count++;
	sessions->ended_cursors += session->record.count;
}

static void session_forget(struct memory_sessions *sessions, struct kept_session *session)
{
	if (!session->conn) {
		list_remove(&session->ended);
		sessions->ended_count--;
		sessions->ended_cursors -= session->record.count;
	}
	table_remove(&sessions->table, &session->node);
	free(session->record.cursors);
	free(session->conn);
	free(session);
}

static void trim(struct memory_sessions *sessions)
{
	double now_s = ev_now(sessions->loop);

	while (!list_empty(&sessions->ended)) {
		struct kept_session *oldest = LIST_ENTRY(sessions->ended.next, struct kept_session, ended);

		if (sessions->ended_count <= MEMORY_ENDED_MAX && sessions->ended_cursors <= MEMORY_ENDED_CURSORS_MAX &&
		    oldest->ended_s + sessions->config->session_ttl_s > now_s)
			break;
		session_forget(sessions, oldest);
	}
}

void memory_sessions_fini(struct memory_sessions *sessions)
{
	struct table_node *node;

	while ((node = table_any(&sessions->table)))
		session_forget(sessions, TABLE_ENTRY(node, struct kept_session, node));
	table_fini(&sessions->table);
}

static void set_text(char *to, size_t room, const char *from)
{
	size_t len = strlen(from);

	assert(len < room);
	memcpy(to, from, len + 1);
}

static void session_new(struct memory_sessions *sessions, const char *id, const char *user, const char *conn)
{
	struct kept_session *session = session_find(sessions, id);

	if (session)
		session_forget(sessions, session);
	session = calloc(1, sizeof(*session));
	if (!session)
		abort();
	set_text(session->record.id, sizeof(session->record.id), id);
	set_text(session->record.user, sizeof(session->record.user), user);
	session->conn = strdup(conn);
	if (!session->conn)
		abort();
	list_init(&session->ended);
	session->node.key = text_from(session->record.id);
	table_add(&sessions->table, &session->node);
}

/* A copy, for whoever reads the record may save the session meanwhile. */
static struct session_cursor *cursors_copy(const struct session_record *record)
{
	struct session_cursor *cursors = calloc(record->count + 1, sizeof(*cursors));

	if (!cursors)
		abort();
	if (record->count)
		memcpy(cursors, record->cursors, record->count * sizeof(*cursors));
	return cursors;
}

/* The session when it is known and this user's. */
static struct kept_session *session_of(const struct memory_sessions *sessions, const char *id, const char *user)
{
	struct kept_session *session = session_find(sessions, id);

	return session && strcmp(session->record.user, user) == 0 ? session : NULL;
}

void memory_session_claim(struct store *store, const char *wanted, const char *fresh, const char *user,
			  const char *conn, struct store_op *op)
{
	struct memory_sessions *sessions = &store->sessions;
	struct store_answer answer = { .status = HUB_OK };
	struct session_record record = { 0 };
	struct kept_session *session;

	trim(sessions);
	session = session_of(sessions, wanted, user);
	if (defect(resume_refused_while_open) && session && session->conn)
		session = NULL;
	if (session && session->conn && strcmp(session->conn, conn) != 0) {
		sessions->sink->taken_over(sessions->sink->arg, session->record.id, conn);
		session = session_of(sessions, wanted, user); /* whoever held it may just have saved it a last time */
	}
	if (session) {
		session_hold(sessions, session, conn);
		record = session->record;
		record.cursors = cursors_copy(&record);
		answer.resumed = true;
		answer.session = &record;
	} else {
		session_new(sessions, fresh, user, conn);
	}
	op->done(op, &answer);
	free(record.cursors);
}

static void session_save(struct memory_sessions *sessions, const struct session_record *record, const char *conn, bool ended)
{
	struct kept_session *session = session_find(sessions, record->id);
	struct session_cursor *cursors;

	if (!session || !session->conn || strcmp(session->conn, conn) != 0)
		return;
	assert(record->count <= SESSION_CHANNELS_MAX);
	cursors = cursors_copy(record);
	free(session->record.cursors);
	session->record.cursors = cursors;
	session->record.count = record->count;
	if (ended)
		session_hold(sessions, session, NULL);
	trim(sessions);
}

void memory_session_save(struct store *store, const struct session_record *record, const char *conn, bool ended,
			 struct store_op *op)
{
	const struct store_answer kept = { .status = HUB_OK };

	session_save(&store->sessions, record, conn, ended);
	if (op)
		op->done(op, &kept);
}
