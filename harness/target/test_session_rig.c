/* A session whose every word is written down: see test_session_rig.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "harness/target/test_dialect_file.h"
#include "harness/target/test_session_rig.h"

enum { ARENA_MAX = 16 << 20, HEARD_MAX = 1 << 20 };

struct buf log_;
struct session *s;
static struct arena arena;
void (*inside)(void);

static void act(void)
{
	void (*what)(void) = inside;
	inside = NULL;
	if (what)
		what();
}

static void on_say(void *owner, struct span message, bool binary)
{
	(void)owner;
	buf_printf(&log_, "say %s", binary ? "binary " : "");
	buf_append_span(&log_, message);
	buf_append_u8(&log_, '\n');
}

static void news(const char *what, const struct session_news *n)
{
	static const char *const recovered[] = {"", " recovered", " lost"};
	buf_printf(&log_, "%s %u%s%s%s", what, n->channel, n->ok ? " ok" : "", n->unsure ? " unsure" : "", recovered[n->recovered]);
	if (n->op)
		buf_printf(&log_, " op=%llu", (unsigned long long)n->op);
	if (n->seq)
		buf_printf(&log_, " seq=%llu", (unsigned long long)n->seq);
	if (n->epoch.len)
		buf_printf(&log_, " epoch=%.*s", (int)n->epoch.len, (const char *)n->epoch.p);
	if (n->data.len)
		buf_printf(&log_, " data=%.*s", (int)n->data.len, (const char *)n->data.p);
	if (n->code)
		buf_printf(&log_, " code=%s", n->code);
	if (n->reason)
		buf_printf(&log_, " reason=%s", n->reason);
	buf_printf(&log_, "%s\n", n->replay ? " replay" : "");
	act();
}

#define ON_NEWS(name) \
	static void on_##name(void *owner, const struct session_news *n) \
	{ \
		(void)owner; \
		news(#name, n); \
	}
ON_NEWS(ready)
ON_NEWS(subscribed)
ON_NEWS(published)
ON_NEWS(message)
ON_NEWS(moved)
ON_NEWS(error)

static void on_http(void *owner, uint64_t op, const char *method, const char *target, const char *type, struct span body)
{
	(void)owner;
	buf_printf(&log_, "http op=%llu %s %s %s ", (unsigned long long)op, method, target, type ? type : "-");
	buf_append_span(&log_, body);
	buf_append_u8(&log_, '\n');
}

static void on_acked(void *owner, uint32_t channel, uint64_t seq)
{
	(void)owner;
	buf_printf(&log_, "acked %u %llu\n", channel, (unsigned long long)seq);
}

static void on_ping(void *owner)
{
	(void)owner;
	buf_printf(&log_, "ping\n");
}

static void on_unknown(void *owner, struct span message)
{
	(void)owner;
	buf_printf(&log_, "unknown ");
	buf_append_span(&log_, message);
	buf_append_u8(&log_, '\n');
}

static uint64_t unix_s(void *owner)
{
	(void)owner;
	return 1353088179;
}

static const struct session_events events = {
	.say = on_say, .http = on_http, .ready = on_ready, .subscribed = on_subscribed, .published = on_published,
	.message = on_message, .moved = on_moved, .acked = on_acked, .ping = on_ping, .error = on_error,
	.unknown = on_unknown, .unix_s = unix_s,
};

static void start(const struct dialect *d)
{
	static struct opt_pair pairs[] = {{"client", "me"}};
	static const struct opt_map variables = {.items = pairs, .len = 1};
	assert_int_equal(session_new(d, &variables, &events, NULL, &s), 0);
}

void begin(const char *dialect)
{
	const struct dialect *d;
	struct err e;
	if (dialect_load(dialect, NULL, &arena, &d, &e) < 0)
		fail_msg("%s", e.text);
	start(d);
}

void begin_text(const char *text)
{
	const struct dialect *d;
	struct err e;
	if (test_dialect_load(text, &arena, &d, &e) < 0)
		fail_msg("%s", e.text);
	start(d);
}

int setup(void **state)
{
	(void)state;
	buf_init(&log_, HEARD_MAX);
	arena_init(&arena, ARENA_MAX);
	return 0;
}

int teardown(void **state)
{
	(void)state;
	session_free(s);
	s = NULL;
	buf_fini(&log_);
	arena_fini(&arena);
	return 0;
}

void expect_(const char *text, int line)
{
	if (strcmp(buf_cstr(&log_), text) != 0)
		fail_msg("line %d: it was\n%s", line, buf_cstr(&log_));
	log_.len = 0;
}

void hear(const char *text)
{
	session_receive(s, span_str(text), false, 0);
}

void request(const char *base, const char *target, bool resumes)
{
	struct session_request r;
	assert_int_equal(session_request(s, base, &r), 0);
	assert_string_equal(r.target, target);
	assert_int_equal(r.resumes, resumes);
}
