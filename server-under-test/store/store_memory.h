#ifndef SERVER_STORE_MEMORY_H
#define SERVER_STORE_MEMORY_H

#include "server-under-test/base/list.h"
#include "server-under-test/hub/ring.h"
#include "server-under-test/store/store.h"
#include "server-under-test/base/table.h"

/* The inside of the memory store, for store_memory*.c alone. */

#define MEMORY_CHANNELS_MAX 65536 /* with those attached; above it the least recently used of the others goes */
#define MEMORY_ENDED_MAX 65536 /* sessions nobody holds; the one that ended first goes first */
#define MEMORY_ENDED_CURSORS_MAX 262144 /* of all of them */

/* Sessions of a store (store_memory_session.c). */
struct memory_sessions {
	const struct config *config;
	struct ev_loop *loop;
	const struct store_sink *sink;
	struct table table;
	struct link ended; /* oldest first */
	size_t ended_count, ended_cursors;
};

struct store {
	struct ev_loop *loop;
	const struct config *config;
	struct store_sink sink;
	struct table channels;
	struct link unused; /* channels not attached, the least recently used first */
	struct memory_sessions sessions;
};

void memory_sessions_init(struct memory_sessions *sessions, struct store *store);
void memory_sessions_fini(struct memory_sessions *sessions);
void memory_session_claim(struct store *store, const char *wanted, const char *fresh, const char *user,
			  const char *conn, struct store_op *op);
void memory_session_save(struct store *store, const struct session_record *record, const char *conn, bool ended,
			 struct store_op *op);

#endif
