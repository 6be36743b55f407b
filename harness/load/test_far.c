/* A server of a test, on its loop. */
#include "harness/load/test_far.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <unistd.h>

#include "harness/net/tcp.h"
#include "harness/ws/handshake.h"

const char far_good[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
			"Sec-WebSocket-Accept: $ACCEPT\r\nX-Id: abc\r\n\r\n";

void far_say(struct far *f, struct span octets)
{
	for (size_t i = 0; f->octets && i < octets.len; i++)
		stream_write(f->stream, span_sub(octets, i, 1));
	if (!f->octets)
		stream_write(f->stream, octets);
}

/* The Accept value of the request's key. */
static struct span accept_of(struct far *f, char out[HANDSHAKE_ACCEPT_LEN + 1])
{
	ptrdiff_t at = span_find(buf_span(&f->head), SPAN_LIT("Sec-WebSocket-Key: "));
	handshake_accept(at < 0 ? SPAN_LIT("") : span_sub(buf_span(&f->head), (size_t)at + 19, HANDSHAKE_KEY_LEN), out);
	return span_str(out);
}

static void reply(struct far *f)
{
	char accept[HANDSHAKE_ACCEPT_LEN + 1];
	struct span text = span_str(f->reply);
	ptrdiff_t at = span_find(text, SPAN_LIT("$ACCEPT"));
	struct buf all CLEANUP(buf_fini) = {.max = 1 << 20};
	if (at >= 0) {
		buf_append_span(&all, span_sub(text, 0, (size_t)at));
		buf_append_span(&all, accept_of(f, accept));
		text = span_sub(text, (size_t)at + 7, text.len);
	}
	buf_append_span(&all, text);
	buf_append_span(&all, f->says);
	far_say(f, buf_span(&all));
	if (f->then == FAR_FIN)
		stream_shutdown(f->stream);
	else if (f->then == FAR_RST)
		stream_reset(f->stream);
}

static void on_open(void *owner)
{
	(void)owner;
}

static void on_data(void *owner, struct span data)
{
	struct far *f = owner;
	if (f->replied) {
		buf_append_span(&f->got, data);
		if (f->then == FAR_FIN_AFTER_CLOSE && memchr(f->got.p, 0x88, f->got.len))
			stream_shutdown(f->stream);
		return;
	}
	buf_append_span(&f->head, data);
	if (span_find(buf_span(&f->head), SPAN_LIT("\r\n\r\n")) < 0)
		return;
	f->replied = true;
	if (f->reply)
		reply(f);
}

static void on_eof(void *owner, bool clean)
{
	struct far *f = owner;
	(void)clean;
	f->ended = true;
	stream_shutdown(f->stream);
}

static void on_error(void *owner, int error)
{
	struct far *f = owner;
	(void)error;
	f->ended = true;
}

static const struct stream_events events = {on_open, on_data, on_eof, on_error, NULL};

static void on_connection(uv_poll_t *poll, int status, int what)
{
	struct far *f = poll->data;
	(void)status;
	(void)what;
	int fd = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	stream_free(f->stream);
	f->replied = f->ended = false;
	f->head.len = f->got.len = 0;
	assert_int_equal(tcp_from_fd(f->loop, fd, &events, f, &f->stream), 0);
}

void far_start(struct far *f, struct loop *l)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	f->loop = l;
	buf_init(&f->head, 1 << 20);
	buf_init(&f->got, 1 << 20);
	f->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(f->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(f->listener, 16), 0);
	getsockname(f->listener, (struct sockaddr *)&address, &len);
	f->port = ntohs(address.sin_port);
	uv_poll_init(&l->uv, &f->poll, f->listener);
	f->poll.data = f;
	uv_poll_start(&f->poll, UV_READABLE, on_connection);
}

static void on_closed(uv_handle_t *handle)
{
	((struct far *)handle->data)->closing = false;
}

void far_stop(struct far *f)
{
	stream_free(f->stream);
	f->stream = NULL;
	f->closing = true;
	uv_close((uv_handle_t *)&f->poll, on_closed);
	while (f->closing)
		uv_run(&f->loop->uv, UV_RUN_NOWAIT);
	close(f->listener);
	buf_fini(&f->head);
	buf_fini(&f->got);
}
