/*
 * What a target says to a session: whatever comes, in each built-in dialect, it ends, stays in its limits, and what it
 * says back is a message. The seed chooses the dialect and where the octets are cut into messages and connections.
 */
#include <stdlib.h>

#include "harness/fuzz/fuzz.h"
#include "harness/target/session.h"

enum { ARENA_MAX = 8 << 20, CUTS_MAX = 64, TEXT_MAX = 256 };

static struct session *session;
static volatile unsigned sum;

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* A sanitizer sees what is not there any more. */
static void touch(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		sum += s.p[i];
}

static void on_say(void *owner, struct span message, bool binary)
{
	(void)owner;
	(void)binary;
	touch(message);
}

static void on_http(void *owner, uint64_t op, const char *method, const char *target, const char *type,
		    struct span body)
{
	(void)owner;
	(void)type;
	require(op && method && *target && body.len);
}

static void on_news(void *owner, const struct session_news *n)
{
	(void)owner;
	require(n->epoch.len <= SESSION_EPOCH_MAX && n->channel <= 2);
	touch(n->data);
	require((!n->code || strlen(n->code) < SESSION_CURSOR_MAX) && (!n->reason || strlen(n->reason) < SESSION_CURSOR_MAX));
}

static void on_acked(void *owner, uint32_t channel, uint64_t seq)
{
	(void)owner;
	(void)seq;
	require(channel == 1 || channel == 2);
}

static void on_ping(void *owner)
{
	(void)owner;
}

static void on_unknown(void *owner, struct span message)
{
	(void)owner;
	touch(message);
}

static const struct session_events events = {
	.say = on_say, .http = on_http, .ready = on_news, .subscribed = on_news, .published = on_news,
	.message = on_news, .moved = on_news, .acked = on_acked, .ping = on_ping, .error = on_news,
	.unknown = on_unknown,
};

static void connect(void)
{
	struct session_request request;
	if (session_request(session, "/p?q=1", &request) < 0)
		return;
	require(request.target[0] == '/' && !strpbrk(request.target, " \r\n"));
	for (size_t i = 0; i < request.n_headers; i++)
		require(!strpbrk(request.headers[i].value, "\r\n"));
	session_open(session, 0);
}

static void converse(struct span text, struct rng *rng)
{
	uint64_t op = 0, seq;
	struct span epoch;
	session_subscribe(session, 1, "c");
	session_subscribe(session, 2, "d");
	connect();
	for (int cuts = 0; text.len && cuts < CUTS_MAX; cuts++) {
		/* 0x01 ends a message, 0x02 a connection. */
		size_t len = 0;
		while (len < text.len && text.p[len] > 2)
			len++;
		session_receive(session, span_sub(text, 0, len), false, 0);
		if (len < text.len && text.p[len] == 2) {
			session_closed(session, 1000 + (int)rng_below(rng, 4000));
			connect();
		}
		text = span_sub(text, len + 1, text.len);
		session_publish(session, 1, "c", SPAN_LIT("x"), NULL, ++op);
		session_http_done(session, op, 200, text);
		session_wake(session, session_wake_at(session) == UINT64_MAX ? 0 : session_wake_at(session));
		if (session_cursor(session, 1, &seq, &epoch))
			require(epoch.len <= SESSION_EPOCH_MAX);
	}
	session_closed(session, 1006);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rng rng;
	struct span text = fuzz_input(data, size, &rng);
	const struct dialect *d;
	struct arena a;
	struct err e;
	size_t n = 0;
	while (dialect_builtin_name(n))
		n++;
	arena_init(&a, ARENA_MAX);
	/* The first octet names the dialect, so that a corpus says which it is for. */
	size_t which = size ? data[0] % n : 0;
	require(dialect_load(dialect_builtin_name(which), NULL, &a, &d, &e) == 0);
	require(session_new(d, NULL, &events, NULL, &session) == 0);
	converse(text, &rng);
	session_free(session);
	arena_fini(&a);
	return 0;
}
