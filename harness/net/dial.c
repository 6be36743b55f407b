/*
 * From a name to an open connection. Addresses are tried one after another, each with its own deadline that covers the
 * TLS handshake too. The stream that the caller holds is made at once and stands in front of the one that finally
 * opens.
 */
#include "harness/net/dial.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/net/address.h"
#include "harness/net/tcp.h"

enum { HOST_TEXT_MAX = 256 };

struct dial {
	struct stream stream; /* first */
	struct loop *loop;
	struct stream *inner; /* NULL between two attempts */
	const struct dial_addresses *addresses;
	size_t next; /* address to try */
	struct sockaddr_storage source;
	bool has_source, open, paused, ended;
	uint32_t timeout_ms;
	const struct netns *netns;
	int receive_buffer;
	struct tls_context *tls;
	char *server_name;
	struct timer timer; /* starts the first attempt, then limits each */
	char error_text[ERR_TEXT_MAX];
};

/* "[::1]" to "::1"; false when it does not fit or the brackets hold no IPv6 literal. */
static bool host_without_brackets(const char *host, char *text)
{
	size_t len = strlen(host);
	bool bracketed = len >= 2 && host[0] == '[' && host[len - 1] == ']';
	if (bracketed) {
		host++;
		len -= 2;
	}
	if (len == 0 || len >= HOST_TEXT_MAX)
		return false;
	memcpy(text, host, len);
	text[len] = 0;
	return !bracketed || strchr(text, ':');
}

int dial_resolve(const char *host, uint16_t port, struct dial_addresses *ret_addresses, struct err *e)
{
	char name[HOST_TEXT_MAX], service[8];
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *found;
	struct dial_addresses addresses = {0};
	if (!host_without_brackets(host, name))
		return err_set(e, EHOSTUNREACH, "'%.100s' is not a host name or address", host);
	snprintf(service, sizeof(service), "%u", (unsigned)port);
	int r = getaddrinfo(name, service, &hints, &found);
	if (r != 0)
		return err_set(e, EHOSTUNREACH, "cannot resolve '%s': %s", name, r == EAI_SYSTEM ? strerror(errno) : gai_strerror(r));
	for (struct addrinfo *a = found; a && addresses.n < DIAL_ADDRESSES_MAX; a = a->ai_next)
		if (a->ai_family == AF_INET || a->ai_family == AF_INET6)
			memcpy(&addresses.list[addresses.n++], a->ai_addr, a->ai_addrlen);
	freeaddrinfo(found);
	if (addresses.n == 0)
		return err_set(e, EHOSTUNREACH, "'%s' has no IPv4 or IPv6 address", name);
	*ret_addresses = addresses;
	return 0;
}

static int parse_source(const char *text, struct sockaddr_storage *source)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST}, *found;
	char name[HOST_TEXT_MAX];
	if (!host_without_brackets(text, name) || getaddrinfo(name, NULL, &hints, &found) != 0)
		return -EINVAL;
	memcpy(source, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return 0;
}

static const struct stream_events inner_events;

/* Makes d->inner for one address. */
static int dial_start(struct dial *d, const struct sockaddr_storage *to)
{
	struct stream *tcp;
	if (d->has_source && d->source.ss_family != to->ss_family)
		return -EAFNOSUPPORT;
	struct tcp_options o = {.from = d->has_source ? &d->source : NULL, .netns = d->netns,
				.receive_buffer = d->receive_buffer};
	int r = tcp_connect_with(d->loop, to, &o, &inner_events, d, &tcp);
	if (r == 0 && d->tls)
		r = tls_client_new(d->loop, d->tls, tcp, d->server_name, &inner_events, d, &d->inner);
	else if (r == 0)
		d->inner = tcp;
	return r;
}

static void dial_on_timeout(void *owner);

/* Starts the next attempt; with no address left `error` is told, and d may be gone after. */
static void dial_next(struct dial *d, int error)
{
	while (d->next < d->addresses->n) {
		const struct sockaddr_storage *to = &d->addresses->list[d->next++];
		char text[ADDRESS_TEXT_LEN];
		error = dial_start(d, to);
		if (error == 0)
			error = timer_start(&d->timer, d->loop, d->timeout_ms, dial_on_timeout, d);
		if (error == 0) {
			stream_pause(d->inner, d->paused);
			return;
		}
		stream_free(TAKE_PTR(d->inner));
		snprintf(d->error_text, sizeof(d->error_text), "tcp -> %s: %s", address_text(to, text), strerror(-error));
	}
	timer_fini(&d->timer);
	d->ended = true;
	d->stream.events->on_error(d->stream.owner, error);
}

static void dial_on_start(void *owner)
{
	dial_next(owner, -EHOSTUNREACH);
}

static void dial_on_timeout(void *owner)
{
	struct dial *d = owner;
	char text[ADDRESS_TEXT_LEN];
	snprintf(d->error_text, sizeof(d->error_text), "%s -> %s: not open within %u ms", d->tls ? "tls over tcp" : "tcp",
		 address_text(&d->addresses->list[d->next - 1], text), (unsigned)d->timeout_ms);
	stream_free(TAKE_PTR(d->inner));
	dial_next(d, -ETIMEDOUT);
}

static void inner_on_open(void *owner)
{
	struct dial *d = owner;
	timer_fini(&d->timer);
	d->open = true;
	d->stream.events->on_open(d->stream.owner);
}

static void inner_on_data(void *owner, struct span data)
{
	struct dial *d = owner;
	d->stream.events->on_data(d->stream.owner, data);
}

static void inner_on_eof(void *owner, bool clean)
{
	struct dial *d = owner;
	d->stream.events->on_eof(d->stream.owner, clean);
}

static void inner_on_error(void *owner, int error)
{
	struct dial *d = owner;
	snprintf(d->error_text, sizeof(d->error_text), "%s", stream_error_text(d->inner));
	if (!d->open && error == -EPROTO)
		d->next = d->addresses->n;
	if (!d->open) {
		stream_free(TAKE_PTR(d->inner));
		dial_next(d, error);
		return;
	}
	d->ended = true;
	d->stream.events->on_error(d->stream.owner, error);
}

static void inner_on_drain(void *owner)
{
	struct dial *d = owner;
	if (d->open && d->stream.events->on_drain)
		d->stream.events->on_drain(d->stream.owner);
}

static const struct stream_events inner_events = {inner_on_open, inner_on_data, inner_on_eof, inner_on_error,
						  inner_on_drain};

static int dial_ready(const struct dial *d)
{
	return d->ended ? -EPIPE : d->open ? 0 : -ENOTCONN;
}

static int dial_write(struct stream *s, struct span data)
{
	struct dial *d = (struct dial *)s;
	int r = dial_ready(d);
	return r < 0 ? r : stream_write(d->inner, data);
}

static int dial_shutdown(struct stream *s)
{
	struct dial *d = (struct dial *)s;
	int r = dial_ready(d);
	return r < 0 ? r : stream_shutdown(d->inner);
}

static void dial_reset(struct stream *s)
{
	struct dial *d = (struct dial *)s;
	timer_fini(&d->timer);
	d->ended = true;
	if (d->inner)
		stream_reset(d->inner);
}

static void dial_pause(struct stream *s, bool paused)
{
	struct dial *d = (struct dial *)s;
	d->paused = paused;
	if (d->inner)
		stream_pause(d->inner, paused);
}

static size_t dial_unsent(const struct stream *s)
{
	const struct dial *d = (const struct dial *)s;
	return d->inner ? stream_unsent(d->inner) : 0;
}

static const char *dial_error_text(const struct stream *s)
{
	return ((const struct dial *)s)->error_text;
}

static const char *dial_describe(const struct stream *s)
{
	const struct dial *d = (const struct dial *)s;
	return d->inner ? stream_describe(d->inner) : "not connected";
}

static void dial_free(struct stream *s)
{
	struct dial *d = (struct dial *)s;
	timer_fini(&d->timer);
	stream_free(d->inner);
	free(d->server_name);
	free(d);
}

static const struct stream_ops dial_ops = {
	.name = "dial",
	.write = dial_write,
	.shutdown = dial_shutdown,
	.reset = dial_reset,
	.pause = dial_pause,
	.unsent = dial_unsent,
	.error_text = dial_error_text,
	.describe = dial_describe,
	.free = dial_free,
};

int dial(struct loop *l, const struct dial_options *o, const struct stream_events *events, void *owner,
	 struct stream **ret_stream)
{
	struct dial *d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	*d = (struct dial){.stream = {&dial_ops, events, owner}, .loop = l, .addresses = o->addresses, .tls = o->tls,
			   .netns = o->netns, .receive_buffer = o->receive_buffer,
			   .timeout_ms = o->connect_timeout_ms ? o->connect_timeout_ms : CONNECT_TIMEOUT_MS};
	snprintf(d->error_text, sizeof(d->error_text), "no error");
	int r = o->addresses->n ? 0 : -EINVAL;
	if (r == 0 && o->source) {
		d->has_source = true;
		r = parse_source(o->source, &d->source);
	}
	if (r == 0 && o->server_name && !(d->server_name = strdup(o->server_name)))
		r = -ENOMEM;
	if (r == 0)
		r = timer_start(&d->timer, l, 0, dial_on_start, d);
	if (r < 0) {
		dial_free(&d->stream);
		return r;
	}
	*ret_stream = &d->stream;
	return 0;
}
