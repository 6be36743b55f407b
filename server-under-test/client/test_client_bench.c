/* The fake wire, and all it takes to have a client on it: see test_client.h. */
#include "server-under-test/client/test_client.h"

#include <jwt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "server-under-test/auth.h"

#define KEY "a secret of thirty-two bytes or so"
#define LINES_MAX 4096

struct wire {
	struct server *server;
	struct conn_info info;
	void *user;
	bool open, paused, held, closing;
	size_t queued;
	char *lines[LINES_MAX];
	unsigned said, heard;
	char *inbox[64];
	unsigned inbox_first, inbox_end;
};

struct config bench_config;
struct server bench_server;
static struct wire wires[WIRES_MAX + 1];
static struct log bench_log;

void wire_set_user(struct wire *wire, void *user)
{
	wire->user = user;
}

void *wire_user(const struct wire *wire)
{
	return wire->user;
}

struct server *wire_server(const struct wire *wire)
{
	return wire->server;
}

struct conn_info *wire_info(struct wire *wire)
{
	return &wire->info;
}

static void add_line(struct wire *wire, const char *line, size_t len)
{
	assert_true(wire->said < LINES_MAX);
	wire->lines[wire->said++] = strndup(line, len);
}

__attribute__((format(printf, 2, 3)))
static void add_event(struct wire *wire, const char *format, ...)
{
	char line[256];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	add_line(wire, line, strlen(line));
}

void wire_send(struct wire *wire, struct frame *frame)
{
	assert_true(wire->open);
	if (!wire->closing)
		add_line(wire, frame_payload(frame), frame_payload_len(frame));
}

void wire_ping(struct wire *wire)
{
	add_event(wire, "ping");
}

size_t wire_queued(const struct wire *wire)
{
	return wire->queued;
}

/* The worst a wire may do: what was held back comes from within the call. */
static void deliver(struct wire *wire)
{
	while (wire->open && !wire->paused && wire->inbox_first < wire->inbox_end) {
		char *message = wire->inbox[wire->inbox_first++];

		service_ws.message(wire, false, (const uint8_t *)message, strlen(message));
		free(message);
	}
}

void wire_hold(struct wire *wire, bool hold)
{
	wire->held = hold;
}

void wire_pause(struct wire *wire, bool pause)
{
	wire->paused = pause;
	deliver(wire);
}

bool wire_close(struct wire *wire, unsigned code, const char *reason)
{
	assert_true(strlen(reason) <= LOG_REASON_MAX);
	if (wire->closing)
		return false;
	wire->closing = true;
	add_event(wire, "close %u", code);
	return true;
}

void wire_abort(struct wire *wire, unsigned code, const char *reason)
{
	assert_true(strlen(reason) <= LOG_REASON_MAX);
	wire->closing = true;
	add_event(wire, "abort %u", code);
}

void wire_open(unsigned n, const char *query, const char *cookie, const char *token)
{
	struct wire *wire = &wires[n];
	struct wire_opening opening = { .query = text_from(query), .cookie = text_from(cookie) };
	const char *why = "";

	assert_false(wire->open);
	*wire = (struct wire){ .server = &bench_server, .open = true };
	conn_info_init(&wire->info, &bench_log, "127.0.0.1");
	if (token)
		opening.identity = auth_check(bench_server.auth, text_from(token), clock_unix_s(), &why);
	if (token && !opening.identity)
		fail_msg("%s", why);
	service_ws.opened(wire, &opening);
}

void wire_drop(unsigned n)
{
	struct wire *wire = &wires[n];
	struct conn_end end = { .code = 1006 };

	service_ws.closed(wire, &end);
	wire->open = false;
	while (wire->inbox_first < wire->inbox_end)
		free(wire->inbox[wire->inbox_first++]);
	wire_forget(n);
	conn_info_fini(&wire->info);
}

void wire_say(unsigned n, const char *message)
{
	struct wire *wire = &wires[n];

	assert_true(wire->inbox_end < sizeof(wire->inbox) / sizeof(wire->inbox[0]));
	if (wire->inbox_first == wire->inbox_end)
		wire->inbox_first = wire->inbox_end = 0;
	wire->inbox[wire->inbox_end++] = strdup(message);
	deliver(wire);
	bench_pump();
}

void wire_say_octets(unsigned n, bool binary, const void *octets, size_t len)
{
	assert_false(wires[n].paused);
	service_ws.message(&wires[n], binary, octets, len);
	bench_pump();
}

void wire_pong(unsigned n)
{
	service_ws.pong(&wires[n]);
}

void wire_set_queued(unsigned n, size_t octets)
{
	bool drained = wires[n].queued > WIRE_LOW && octets <= WIRE_LOW;

	wires[n].queued = octets;
	if (drained)
		service_ws.drained(&wires[n]);
	bench_pump();
}

struct client *wire_client(unsigned n)
{
	return wires[n].user;
}

bool wire_is_paused(unsigned n)
{
	return wires[n].paused;
}

const char *wire_session(unsigned n)
{
	return wires[n].info.session;
}

void wire_forget(unsigned n)
{
	for (unsigned i = 0; i < wires[n].said; i++)
		free(wires[n].lines[i]);
	wires[n].said = 0;
	wires[n].heard = 0;
}

const char *wire_last(unsigned n)
{
	assert_true(wires[n].said > 0);
	return wires[n].lines[wires[n].said - 1];
}

static bool matches(const char *pattern, const char *line)
{
	for (; *pattern; pattern++, line++) {
		if (*pattern == '*') {
			do {
				if (matches(pattern + 1, line))
					return true;
			} while (*line++);
			return false;
		}
		if (*pattern != *line)
			return false;
	}
	return *line == '\0';
}

void wire_expect(unsigned n, const char *pattern)
{
	struct wire *wire = &wires[n];
	const char *line = wire->heard < wire->said ? wire->lines[wire->heard++] : NULL;

	if (!pattern && line)
		fail_msg("%u heard more: %s", n, line);
	if (pattern && !line)
		fail_msg("%u did not hear %s", n, pattern);
	if (pattern && line && !matches(pattern, line))
		fail_msg("%u heard\n%s instead of\n%s", n, line, pattern);
}

void bench_dialog(const char *const *lines)
{
	for (; *lines; lines++) {
		unsigned n = (unsigned)(**lines - '0');

		assert_true(n >= 1 && n <= WIRES_MAX);
		if ((*lines)[1] == '>')
			wire_say(n, *lines + 2);
		else
			wire_expect(n, *lines + 2);
	}
	for (unsigned n = 1; n <= WIRES_MAX; n++)
		wire_expect(n, NULL);
}

void bench_open(bool slow)
{
	char program[] = "wsquall-server";
	char *argv[] = { program, NULL };
	enum config_command command;
	struct err err;

	assert_int_equal(config_parse(&bench_config, 1, argv, &command, &err), 0);
	assert_int_equal(log_open(&bench_log, "/dev/null", "a", &err), 0);
	memset(wires, 0, sizeof(wires));
	*metrics = (struct metrics){ 0 };
	store_slow_reset();
	bench_server = (struct server){ .loop = ev_loop_new(EVFLAG_AUTO), .config = &bench_config, .log = &bench_log };
	bench_server.hub = hub_new(bench_server.loop, &bench_config);
	assert_int_equal(hub_start(bench_server.hub, slow ? &store_slow : &store_memory, &err), 0);
}

void bench_close(void)
{
	for (unsigned n = 1; n <= WIRES_MAX; n++)
		if (wires[n].open)
			wire_drop(n);
	bench_answer_all();
	hub_free(bench_server.hub);
	auth_close(bench_server.auth);
	ev_loop_destroy(bench_server.loop);
	log_close(&bench_log);
	config_fini(&bench_config);
}

void bench_pump(void)
{
	for (unsigned i = 0; i < 3; i++)
		ev_run(bench_server.loop, EVRUN_NOWAIT);
}

void bench_key(void)
{
	char path[] = "/tmp/wsquall-test-key-XXXXXX";
	int fd = mkstemp(path);
	struct err err;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, KEY, sizeof(KEY) - 1), sizeof(KEY) - 1);
	close(fd);
	bench_config.auth_key = path;
	assert_int_equal(auth_open(&bench_server.auth, &bench_config, &err), 0);
	bench_config.auth_key = NULL;
	unlink(path);
}

void bench_token(char token[1024], const char *subject, const char *channels, long expires_in_s)
{
	jwt_t *jwt = NULL;
	char *text;

	assert_int_equal(jwt_new(&jwt), 0);
	assert_int_equal(jwt_set_alg(jwt, JWT_ALG_HS256, (const unsigned char *)KEY, sizeof(KEY) - 1), 0);
	assert_int_equal(jwt_add_grant(jwt, "sub", subject), 0);
	assert_int_equal(jwt_add_grant_int(jwt, "exp", (long)clock_unix_s() + expires_in_s), 0);
	if (channels)
		assert_int_equal(jwt_add_grants_json(jwt, channels), 0);
	text = jwt_encode_str(jwt);
	snprintf(token, 1024, "%s", text);
	free(text);
	jwt_free(jwt);
}
