/* Sockets, the event log as text, and turning the loop until something is so. */
#include "harness/proxy/test_bed.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness/base/clock.h"
#include "harness/net/address.h"

enum { HANG_US = 60000000, EVENTS_MAX = 1 << 20 };

static void on_event(void *owner, struct proxy *p, const struct fault_event *event)
{
	struct bed *b = owner;
	(void)p;
	buf_printf(&b->events, "%s%s%s", event->fault ? event->fault : "", event->fault ? " " : "", event->what);
	if (event->connection)
		buf_printf(&b->events, " %" PRIu64, event->connection);
	if (event->fault)
		buf_printf(&b->events, " %s at=%" PRIu64, event->stream, event->at);
	buf_printf(&b->events, "%s%s\n", event->detail ? " " : "", event->detail ? event->detail : "");
}

void bed_init(struct bed *b, uint64_t seed)
{
	struct err e = {""};
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(b->upstream_address);
	*b = (struct bed){.deadline_us = clock_now_us() + HANG_US};
	buf_init(&b->events, EVENTS_MAX);
	assert_int_equal(loop_init(&b->loop), 0);
	struct proxies_options o = {.loop = &b->loop, .seed = seed, .on_event = on_event, .owner = b};
	assert_int_equal(proxies_new(&o, &b->set, &e), 0);
	b->upstream = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(b->upstream, (struct sockaddr *)&any, sizeof(any)), 0);
	assert_int_equal(listen(b->upstream, 128), 0);
	getsockname(b->upstream, (struct sockaddr *)&b->upstream_address, &len);
}

void bed_fini(struct bed *b)
{
	proxies_free(b->set);
	loop_fini(&b->loop);
	bed_close(&b->upstream);
	buf_fini(&b->events);
}

void bed_proxy(struct bed *b, const struct proxy_tls *tls)
{
	struct err e = {""};
	char text[ADDRESS_TEXT_LEN];
	struct proxy_options o = {.name = "p", .listen = "127.0.0.1:0", .enabled = true, .tls = tls,
				  .upstream = address_text(&b->upstream_address, text)};
	if (proxy_new(b->set, &o, &b->proxy, &e) < 0)
		fail_msg("%s", e.text);
}

void bed_turn(struct bed *b)
{
	uv_run(&b->loop.uv, UV_RUN_NOWAIT);
	if (clock_now_us() > b->deadline_us)
		fail_msg("hangs; events so far:\n%s", buf_cstr(&b->events));
}

int bed_connect(struct bed *b)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	to.sin_port = htons((uint16_t)atoi(strrchr(proxy_listen(b->proxy), ':') + 1));
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

int bed_accept(struct bed *b)
{
	int fd;
	while ((fd = accept4(b->upstream, NULL, NULL, SOCK_NONBLOCK)) < 0)
		bed_turn(b);
	return fd;
}

void bed_pair(struct bed *b, int *ret_client, int *ret_server)
{
	*ret_client = bed_connect(b);
	*ret_server = bed_accept(b);
}

void bed_send(struct bed *b, int fd, const void *octets, size_t len)
{
	for (const uint8_t *p = octets; len;) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			fail_msg("send: %s", strerror(errno));
		p += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
		bed_turn(b);
	}
}

void bed_expect(struct bed *b, int fd, const char *text, const char *ending)
{
	char got[4096] = "";
	size_t len = 0;
	const char *end = NULL;
	while (!end && (*ending || len < strlen(text))) {
		ssize_t n = recv(fd, got + len, sizeof(got) - 1 - len, 0);
		if (n > 0)
			len += (size_t)n;
		else if (n == 0)
			end = "fin";
		else if (errno != EAGAIN)
			end = errno == ECONNRESET || errno == EPIPE ? "rst" : strerror(errno);
		bed_turn(b);
	}
	got[len] = '\0';
	if (strcmp(got, text) != 0 || strcmp(end ? end : "", ending) != 0)
		fail_msg("got '%s' %s, want '%s' %s; events:\n%s", got, end ? end : "", text, ending, buf_cstr(&b->events));
}

void bed_fin(int fd)
{
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
}

void bed_rst(int *fd)
{
	struct linger now = {.l_onoff = 1};
	setsockopt(*fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	bed_close(fd);
}

void bed_close(int *fd)
{
	cleanup_fd(fd);
	*fd = -1;
}

void bed_expect_event(struct bed *b, const char *line)
{
	char wanted[256];
	snprintf(wanted, sizeof(wanted), "%s\n", line);
	while (!strstr(buf_cstr(&b->events), wanted))
		bed_turn(b);
}

static int fill(const void *from, const struct fault *f, void *options, struct arena *a, struct err *e)
{
	char *words = arena_strdup(a, from), *at = NULL;
	for (char *word = strtok_r(words, " ", &at); word; word = strtok_r(NULL, " ", &at)) {
		char *equals = strchr(word, '=');
		assert_non_null(equals);
		*equals = '\0';
		const struct opt *row = opt_find(f->options, word, OPT_IN_FILE);
		int r = row ? opt_set(row, options, equals + 1, a, e) : err_set(e, EINVAL, "no option %s", word);
		if (r < 0)
			return r;
	}
	return 0;
}

struct toxic *bed_toxic(struct bed *b, const char *fault, const char *options, unsigned streams, uint64_t duration_ms)
{
	struct err e = {""};
	struct toxic *toxic = NULL;
	struct toxic_spec spec = {.fault = fault_find(fault), .streams = streams, .toxicity = 1, .duration_ms = duration_ms,
				  .fill = fill, .from = options};
	assert_non_null(spec.fault);
	if (proxy_toxic_add(b->proxy, &spec, &toxic, &e) < 0)
		fail_msg("%s", e.text);
	return toxic;
}

static void count(void *owner, const struct proxy_connection *c)
{
	(void)c;
	++*(size_t *)owner;
}

size_t bed_count(struct bed *b)
{
	size_t n = 0;
	proxy_connections(b->proxy, count, &n);
	return n;
}

void bed_play(struct bed *b, int *client, int *server, const char *script)
{
	char text[256], *at = NULL;
	snprintf(text, sizeof(text), "%s", script);
	for (char *step = strtok_r(text, " ", &at); step; step = strtok_r(NULL, " ", &at)) {
		int *fd = step[0] == 'c' ? client : server;
		size_t len = strlen(step);
		char ending = step[len - 1];
		if (step[1] == '>') {
			bed_send(b, *fd, step + 2, len - 2);
		} else if (step[1] == '<') {
			bool ends = ending == '|' || ending == '!';
			step[ends ? len - 1 : len] = '\0';
			bed_expect(b, *fd, step + 2, ends ? (ending == '|' ? "fin" : "rst") : "");
		} else if (step[1] == '|') {
			bed_fin(*fd);
		} else if (step[1] == '!') {
			bed_rst(fd);
		} else {
			bed_close(fd);
		}
	}
}

void bed_none(struct bed *b)
{
	bed_toxic(b, "none", "", STREAM_BOTH, 0);
}

void bed_pattern(uint8_t *p, size_t len, uint64_t at, uint64_t which)
{
	for (size_t i = 0; i < len; i++) {
		uint64_t x = (at + i) / 8 * 0x9e3779b97f4a7c15 + which;
		p[i] = (uint8_t)(x >> (at + i) % 8 * 8) ^ (uint8_t)(x >> 29);
	}
}
