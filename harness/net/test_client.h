#pragma once
/* For the tests of this folder: a stream whose events become a line of text ("open data:abc eof:clean
 * error:ECONNRESET"), and a table of what to do at which event. Data events in a row are one word. PEER_TELL is
 * "told1", "told2" ... */
#include "harness/base/buf.h"
#include "harness/net/loop.h"
#include "harness/net/stream.h"
#include "harness/net/test_peer.h"

enum client_do {
	CLIENT_NOTHING,
	CLIENT_WRITE,
	CLIENT_WRITE_EACH, /* every octet of text by a write of its own */
	CLIENT_SHUTDOWN,
	CLIENT_RESET,
	CLIENT_PAUSE,
	CLIENT_RESUME,
	CLIENT_FREE,
};

struct client_act {
	const char *on; /* "open" "data" "eof" "error" "told1" ... */
	enum client_do what;
	const char *text;
};

enum { CLIENT_ACTS_MAX = 8 };

struct client {
	struct loop loop;
	struct stream *stream;
	const struct client_act *acts; /* CLIENT_ACTS_MAX of them, ended by CLIENT_NOTHING */
	struct buf log;
	bool in_data, timed_out;
	uv_async_t told;
	struct peer *peer;
	int told_seen;
	struct timer guard;
	char error_text[512], description[256];
};

extern const struct stream_events client_events;

/* peer may be NULL. */
void client_init(struct client *c, struct peer *peer, const struct client_act *acts);
/* Runs the loop until the log reads `expected` (and a few turns more, for what should not come), at most ten seconds.
 * Returns the log. */
const char *client_run(struct client *c, const char *expected);
/* With the peer gone: nothing is left for the loop to do, so that an ended connection costs no CPU. */
bool client_is_idle(struct client *c);
void client_fini(struct client *c);
