#pragma once
/*
 * A dialect: how an application protocol over WebSocket (or SSE) subscribes, publishes, delivers, acknowledges and
 * resumes. It is a YAML file, built in (suites/dialects) or of the user; dialect_table is its format. A session
 * (session.h) speaks it.
 */
#include "harness/base/opt.h"
#include "harness/target/contract.h"

enum dialect_transport {
	DIALECT_WEBSOCKET,
	DIALECT_SSE,               /* GET, an event stream; publishing by POST */
	DIALECT_ADAPTER,           /* WebSocket, and a process translates its messages: adapter.h */
};

/* Where a channel is named. */
enum dialect_channel_by {
	DIALECT_CHANNEL_BY_MESSAGE, /* in each message: one connection has many */
	DIALECT_CHANNEL_BY_URL,    /* the URL is the channel: one connection has one */
};

enum dialect_cursor {
	DIALECT_CURSOR_NONE,       /* no position: at most once */
	DIALECT_CURSOR_NUMERIC,    /* a number that goes up by one */
	DIALECT_CURSOR_GAPPY,      /* a number that goes up */
	DIALECT_CURSOR_OPAQUE,     /* a text that is given back as it came */
	DIALECT_CURSOR_IMPLICIT,   /* messages are counted; none is on the wire */
};

struct dialect {
	const char *name, *about;
	int transport;             /* enum dialect_transport */
	int channel_by;            /* enum dialect_channel_by */
	int cursor;                /* enum dialect_cursor */
	bool cursor_of_connection; /* one position for all channels of a connection */
	bool resumes;              /* a client can say where it was */
	bool sessions;             /* it comes back with a session, whose subscriptions the server restores */
	bool can_publish;          /* over the connection or by HTTP */
	bool publish_by_http;      /* then a session publishes without a connection */
	bool publish_subscribed;   /* only on channels that the session is subscribed to */
	struct opt_strings subprotocols;
	struct opt_strings adapter; /* command of DIALECT_ADAPTER, word by word; the first one is looked for beside us */
	struct contract contract;
	struct dialect_rules *rules; /* templates and patterns: dialect.c and session.c alone look into it */
};
extern const struct opt dialect_table[];

/*
 * name: of a built-in one, or a path (it holds a '/' or ends in .yaml), relative to `folder` (NULL: ours). Everything is
 * kept in the arena. -ENOENT for an unknown name, with the nearest known one; -EINVAL with file, line and column.
 */
int dialect_load(const char *name, const char *folder, struct arena *a, const struct dialect **ret_dialect,
		 struct err *e);
/*
 * Another way to speak to the same target: NAME-VARIANT of a built-in one, and PATH-VARIANT.yaml beside PATH.yaml. `base` is
 * what `name` names: one of sessions is its own variant "sessions" where there is no other. Errors as above; -ENOENT:
 * there is none.
 */
int dialect_load_variant(const char *name, const struct dialect *base, const char *variant, const char *folder,
			 struct arena *a, const struct dialect **ret_dialect, struct err *e);
/* The variables that a target file may set for this dialect, with what they are otherwise. */
const struct opt_map *dialect_variables(const struct dialect *d);
/* -EINVAL with a sentence, and the nearest known one, for a variable that the dialect does not have. */
int dialect_variables_check(const struct dialect *d, const struct opt_map *variables, struct err *e);
/* Of the built-in ones, in order; NULL past the end. */
const char *dialect_builtin_name(size_t i);
const char *dialect_builtin_text(size_t i);
