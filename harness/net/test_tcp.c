/* TCP against a scripted kernel socket: what was sent before an ending arrives before it, FIN and RST are never
 * mistaken for each other. */
#include <netinet/in.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "harness/net/address.h"
#include "harness/net/tcp.h"
#include "harness/net/test_client.h"

struct tcp_row {
	const char *name;
	const char *expected;
	struct peer_step peer[12];
	struct client_act acts[CLIENT_ACTS_MAX];
};

/* PEER_TELL: what the peer did before lies in our kernel already. */
#define ON_OPEN_PAUSE {"open", CLIENT_PAUSE}

static const struct tcp_row rows[] = {
	{"echo and FIN", "open data:hello eof:clean",
	 {{PEER_EXPECT, "hi"}, {PEER_SEND, "hello"}, {PEER_FIN}, {PEER_EXPECT_FIN}},
	 {{"open", CLIENT_WRITE, "hi"}, {"eof", CLIENT_SHUTDOWN}}},
	{"nothing, then FIN", "open eof:clean", {{PEER_FIN}}, {{0}}},
	{"nothing, then RST", "open error:ECONNRESET", {{PEER_RST}}, {{0}}},
	{"data, then RST, read at once", "open data:abc error:ECONNRESET", {{PEER_SEND, "abc"}, {PEER_RST}}, {{0}}},
	{"data and RST wait together", "open told1 data:abc error:ECONNRESET",
	 {{PEER_EXPECT, "!"}, {PEER_SEND, "abc"}, {PEER_RST}, {PEER_TELL}},
	 {ON_OPEN_PAUSE, {"open", CLIENT_WRITE, "!"}, {"told1", CLIENT_RESUME}}},
	{"a write into the RST hides nothing", "open told1 data:abc error:ECONNRESET",
	 {{PEER_EXPECT, "!"}, {PEER_SEND, "abc"}, {PEER_RST}, {PEER_TELL}},
	 {ON_OPEN_PAUSE, {"open", CLIENT_WRITE, "!"}, {"told1", CLIENT_WRITE_EACH, "xyz"}, {"told1", CLIENT_RESUME}}},
	{"shutdown into the RST", "open told1 data:abc error:ECONNRESET",
	 {{PEER_EXPECT, "!"}, {PEER_SEND, "abc"}, {PEER_RST}, {PEER_TELL}},
	 {ON_OPEN_PAUSE, {"open", CLIENT_WRITE, "!"}, {"told1", CLIENT_SHUTDOWN}, {"told1", CLIENT_RESUME}}},
	{"write, shutdown into the RST", "open told1 data:abc error:ECONNRESET",
	 {{PEER_EXPECT, "!"}, {PEER_SEND, "abc"}, {PEER_RST}, {PEER_TELL}},
	 {ON_OPEN_PAUSE, {"open", CLIENT_WRITE, "!"}, {"told1", CLIENT_WRITE, "x"}, {"told1", CLIENT_SHUTDOWN},
	  {"told1", CLIENT_RESUME}}},
	{"data, FIN and RST wait together", "open told1 data:abc eof:clean error:ECONNRESET",
	 {{PEER_EXPECT, "!"}, {PEER_SEND, "abc"}, {PEER_FIN}, {PEER_RST}, {PEER_TELL}},
	 {ON_OPEN_PAUSE, {"open", CLIENT_WRITE, "!"}, {"told1", CLIENT_RESUME}}},
	{"a write into FIN and RST", "open told1 data:abc eof:clean error:ECONNRESET",
	 {{PEER_EXPECT, "!"}, {PEER_SEND, "abc"}, {PEER_FIN}, {PEER_RST}, {PEER_TELL}},
	 {ON_OPEN_PAUSE, {"open", CLIENT_WRITE, "!"}, {"told1", CLIENT_WRITE_EACH, "xy"}, {"told1", CLIENT_RESUME}}},
	{"RST after the FIN was told", "open data:abc eof:clean error:ECONNRESET",
	 {{PEER_SEND, "abc"}, {PEER_FIN}, {PEER_EXPECT, "bye"}, {PEER_RST}},
	 {{"eof", CLIENT_WRITE, "bye"}}},
	{"a closed peer answers a write with RST", "open data:abc eof:clean error:ECONNRESET",
	 {{PEER_SEND, "abc"}, {PEER_DONE}},
	 {{"eof", CLIENT_WRITE, "x"}}},
	{"reading goes on after our FIN", "open data:onetwo eof:clean",
	 {{PEER_EXPECT, "bye"}, {PEER_EXPECT_FIN}, {PEER_SEND, "one"}, {PEER_SEND, "two"}, {PEER_FIN}},
	 {{"open", CLIENT_WRITE, "bye"}, {"open", CLIENT_SHUTDOWN}}},
	{"RST after our FIN", "open data:one error:ECONNRESET",
	 {{PEER_EXPECT_FIN}, {PEER_SEND, "one"}, {PEER_RST}},
	 {{"open", CLIENT_SHUTDOWN}}},
	{"writing goes on after the peer's FIN", "open eof:clean",
	 {{PEER_FIN}, {PEER_EXPECT, "one"}, {PEER_EXPECT, "two"}, {PEER_EXPECT_FIN}},
	 {{"eof", CLIENT_WRITE, "one"}, {"eof", CLIENT_WRITE, "two"}, {"eof", CLIENT_SHUTDOWN}}},
	{"one octet, one segment", "open told1 eof:clean", /* nine: below the initial congestion window of ten */
	 {{PEER_EXPECT, "!"}, {PEER_TELL}, {PEER_EXPECT, "abcdefgh"}, {PEER_EXPECT_SEGMENTS, "!abcdefgh"}, {PEER_FIN}},
	 {{"open", CLIENT_WRITE, "!"}, {"told1", CLIENT_WRITE_EACH, "abcdefgh"}}},
	{"reset is a RST", "open", {{PEER_EXPECT_RST}}, {{"open", CLIENT_RESET}}},
	{"reset overtakes nothing read", "open told1",
	 {{PEER_EXPECT, "!"}, {PEER_SEND, "abc"}, {PEER_TELL}, {PEER_EXPECT_RST}},
	 {ON_OPEN_PAUSE, {"open", CLIENT_WRITE, "!"}, {"told1", CLIENT_RESET}}},
	{"free is a FIN", "open", {{PEER_EXPECT, "x"}, {PEER_EXPECT_FIN}},
	 {{"open", CLIENT_WRITE, "x"}, {"open", CLIENT_FREE}}},
	{"free in on_data", "open data:abc", {{PEER_SEND, "abc"}, {PEER_EXPECT_FIN}}, {{"data", CLIENT_FREE}}},
	{"reset in on_data", "open data:abc", {{PEER_SEND, "abc"}, {PEER_EXPECT_RST}}, {{"data", CLIENT_RESET}}},
	{"free in on_eof", "open eof:clean", {{PEER_FIN}, {PEER_EXPECT_FIN}}, {{"eof", CLIENT_FREE}}},
	{"reset in on_eof", "open eof:clean", {{PEER_FIN}, {PEER_EXPECT_RST}}, {{"eof", CLIENT_RESET}}},
	{"free in on_error", "open error:ECONNRESET", {{PEER_RST}}, {{"error", CLIENT_FREE}}},
	{"write and shutdown after on_error do nothing", "open error:ECONNRESET", {{PEER_RST}},
	 {{"error", CLIENT_WRITE, "x"}, {"error", CLIENT_SHUTDOWN}, {"error", CLIENT_RESET}}},
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct tcp_row *row = &rows[i];
		struct client c;
		struct peer p;
		assert_int_equal(peer_listen(&p, "127.0.0.1"), 0);
		p.steps = row->peer;
		client_init(&c, &p, row->acts);
		peer_start(&p);
		assert_int_equal(tcp_connect(&c.loop, &p.address, NULL, &client_events, &c, &c.stream), 0);
		const char *log = client_run(&c, row->expected);
		peer_join(&p);
		if (strcmp(log, row->expected) != 0 || p.failure[0])
			fail_msg("%s: got '%s', want '%s'; peer: %s", row->name, log, row->expected, p.failure);
		if (!client_is_idle(&c))
			fail_msg("%s: the loop spins", row->name);
		client_fini(&c);
	}
}

static void test_refused(void **state)
{
	(void)state;
	struct sockaddr_storage nobody;
	struct client c;
	int fd = peer_refusing(&nobody);
	client_init(&c, NULL, NULL);
	assert_int_equal(tcp_connect(&c.loop, &nobody, NULL, &client_events, &c, &c.stream), 0);
	assert_int_equal(stream_write(c.stream, SPAN_LIT("x")), -ENOTCONN);
	assert_int_equal(stream_shutdown(c.stream), -ENOTCONN);
	assert_string_equal(client_run(&c, "error:ECONNREFUSED"), "error:ECONNREFUSED");
	assert_non_null(strstr(c.error_text, "Connection refused"));
	assert_non_null(strstr(c.error_text, "127.0.0.1:"));
	client_fini(&c);
	close(fd);
}

static void test_description(void **state)
{
	(void)state;
	struct sockaddr_storage a = {0};
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&a;
	char text[ADDRESS_TEXT_LEN];
	*in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT, .sin6_port = htons(80)};
	assert_string_equal(address_text(&a, text), "[::1]:80");
	struct sockaddr_in *in = (struct sockaddr_in *)&a;
	*in = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000002), .sin_port = htons(8080)};
	assert_string_equal(address_text(&a, text), "127.0.0.2:8080");
}

/* The peer does not read: the kernel fills, then our queue, then a write is refused whole and the queue stays as it
 * was. */
static void test_unsent_limit(void **state)
{
	(void)state;
	static uint8_t megabyte[1 << 20];
	static const struct peer_step steps[] = {{PEER_EXPECT_FROM, "127.0.0.1"}, {PEER_EXPECT, "!"}, {PEER_DONE}};
	struct client c;
	struct peer p;
	int r = 0, writes = 0;
	assert_int_equal(peer_listen(&p, "127.0.0.1"), 0);
	p.steps = steps;
	client_init(&c, &p, NULL);
	assert_int_equal(tcp_connect(&c.loop, &p.address, NULL, &client_events, &c, &c.stream), 0);
	assert_string_equal(client_run(&c, "open"), "open");
	assert_int_equal(stream_write(c.stream, SPAN_LIT("!")), 0);
	assert_int_equal(stream_unsent(c.stream), 0);
	while ((r = stream_write(c.stream, span_of(megabyte, sizeof(megabyte)))) == 0 && writes < 1000)
		writes++;
	assert_int_equal(r, -ENOBUFS);
	size_t unsent = stream_unsent(c.stream);
	assert_true(unsent <= STREAM_UNSENT_MAX && unsent > STREAM_UNSENT_MAX - sizeof(megabyte));
	assert_int_equal(stream_write(c.stream, span_of(megabyte, STREAM_UNSENT_MAX - unsent)), 0);
	assert_int_equal(stream_unsent(c.stream), STREAM_UNSENT_MAX);
	assert_int_equal(stream_write(c.stream, SPAN_LIT("x")), -ENOBUFS);
	/* Now the peer comes, takes one octet and closes with the rest unread: the RST ends it, nothing is left queued.
	 */
	peer_start(&p);
	assert_string_equal(client_run(&c, "open error:ECONNRESET"), "open error:ECONNRESET");
	assert_int_equal(stream_unsent(c.stream), 0);
	assert_int_equal(stream_write(c.stream, SPAN_LIT("x")), -EPIPE);
	peer_join(&p);
	assert_string_equal(p.failure, "");
	client_fini(&c);
}

static void *read_all(void *arg)
{
	static const size_t chunk_len = 1 << 16;
	struct peer *p = arg;
	uint8_t chunk[1 << 16];
	uint64_t at = 0;
	ssize_t n;
	p->fd = accept(p->listener, NULL, NULL);
	while ((n = recv(p->fd, chunk, chunk_len, 0)) > 0)
		for (ssize_t i = 0; i < n; i++, at++)
			if (chunk[i] != (uint8_t)(at % 251))
				snprintf(p->failure, sizeof(p->failure), "octet %llu is wrong", (unsigned long long)at);
	if (at != 3000 * 1000 * 3)
		snprintf(p->failure, sizeof(p->failure), "%llu octets", (unsigned long long)at);
	close(p->fd);
	return NULL;
}

/* More than the kernel takes at once: order and completeness across partial sends, then the FIN behind it. */
static void test_large(void **state)
{
	(void)state;
	struct client c;
	struct peer p;
	static uint8_t data[3000 * 1000];
	assert_int_equal(peer_listen(&p, "127.0.0.1"), 0);
	client_init(&c, &p, NULL);
	assert_int_equal(tcp_connect(&c.loop, &p.address, NULL, &client_events, &c, &c.stream), 0);
	assert_string_equal(client_run(&c, "open"), "open");
	for (size_t part = 0; part < 3; part++) {
		for (size_t i = 0; i < sizeof(data); i++)
			data[i] = (uint8_t)((part * sizeof(data) + i) % 251);
		assert_int_equal(stream_write(c.stream, span_of(data, sizeof(data))), 0);
	}
	assert_true(stream_unsent(c.stream) > 0);
	assert_int_equal(stream_shutdown(c.stream), 0);
	assert_int_equal(stream_write(c.stream, SPAN_LIT("x")), -EPIPE);
	p.running = pthread_create(&p.thread, NULL, read_all, &p) == 0;
	assert_string_equal(client_run(&c, "open eof:clean"), "open eof:clean");
	peer_join(&p);
	assert_string_equal(p.failure, "");
	client_fini(&c);
}

static void on_count_open(void *owner)
{
	++*(int *)owner;
}

static void on_no_data(void *owner, struct span data)
{
	(void)owner;
	(void)data;
}

static void on_no_eof(void *owner, bool clean)
{
	(void)owner;
	(void)clean;
}

static void on_no_error(void *owner, int error)
{
	(void)error;
	*(int *)owner = -100000;
}

static const struct stream_events counting = {on_count_open, on_no_data, on_no_eof, on_no_error};

/* Hundreds at once in one loop, freed all together. */
static void test_many(void **state)
{
	(void)state;
	enum { MANY = 600 };
	static struct stream *streams[MANY];
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_storage to = {0};
	socklen_t len = sizeof(to);
	struct loop l;
	int open = 0, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(listener, MANY), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&to, &len), 0);
	assert_int_equal(loop_init(&l), 0);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(tcp_connect(&l, &to, NULL, &counting, &open, &streams[i]), 0);
	while (open >= 0 && open < MANY)
		uv_run(&l.uv, UV_RUN_ONCE);
	assert_int_equal(open, MANY);
	for (int i = 0; i < MANY; i++)
		stream_free(streams[i]);
	loop_fini(&l);
	close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),   cmocka_unit_test(test_refused), cmocka_unit_test(test_description),
		cmocka_unit_test(test_unsent_limit), cmocka_unit_test(test_large),   cmocka_unit_test(test_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
