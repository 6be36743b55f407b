/*
 * A connection whose TLS is ended here: client, socket, wire chain, TLS as a server; clear chain; TLS as a client or
 * none, socket, upstream. Everything is a stream (harness/net/stream.h), so what can be told apart there is: FIN and
 * RST. A FIN without close_notify goes on as a close_notify and a FIN.
 *
 * Callbacks only note what came; raw endings are acted on in tls_settle(), when no chain is on the stack any more.
 */
#include <stdlib.h>
#include <unistd.h>

#include "harness/net/tcp.h"
#include "harness/proxy/credentials.h"
#include "harness/proxy/wire.h"

enum {
	CLIENT = 0, SERVER = 1,
	UNSENT_HIGH = 256 << 10,   /* octets that a receiver has not taken yet, above which its sender is not read from */
};

struct end {
	struct secure *of;
	struct stream *stream;     /* NULL: gone */
	int error;                 /* negative errno that on_error told */
	bool open, eof, shut, lingers;
};

struct secure {
	struct relay relay;        /* first */
	struct end ends[2];        /* [d] is the sender of direction d */
	struct stream *wire;       /* inside the client's stream; NULL: detached */
	bool draining;             /* ended by the clear chain; the wire's FIN is awaited */
	bool ending;               /* inside tls_end(): nothing goes meanwhile */
	struct dial_addresses addresses;
};

static enum direction direction_of(const struct end *x)
{
	return x == &x->of->ends[CLIENT] ? UPSTREAM : DOWNSTREAM;
}

/* The streams' events ---------------------------------------------------------------------------------------------- */

static void close_end(struct end *x)
{
	if (x->stream && x == &x->of->ends[CLIENT] && x->of->wire)
		wire_detach(TAKE_PTR(x->of->wire));
	stream_free(TAKE_PTR(x->stream));
	x->lingers = false;
}

/* Those that only delivered, and have. */
static void reap_ends(struct secure *s)
{
	for (int i = 0; i < 2; i++) {
		struct end *x = &s->ends[i];
		bool done = x->error || (x->eof && x->stream && !stream_unsent(x->stream));
		if (x->lingers && done)
			close_end(x);
	}
	if (!s->ends[CLIENT].stream && !s->ends[SERVER].stream)
		relay_gone(&s->relay);
}

static void leave(struct end *x)
{
	if (!x->of->relay.proxy && !x->of->ending)
		reap_ends(x->of);
	relay_leave(&x->of->relay);
}

static void on_open(void *owner)
{
	struct end *x = owner;
	relay_enter(&x->of->relay);
	x->open = true;
	leave(x);
}

static void on_data(void *owner, struct span octets)
{
	struct end *x = owner;
	struct relay *r = &x->of->relay;
	relay_enter(r);
	if (r->chain && !r->silent && !r->end_wished)
		relay_data(r, direction_of(x), octets);
	leave(x);
}

static void on_eof(void *owner, bool clean)
{
	struct end *x = owner;
	struct relay *r = &x->of->relay;
	(void)clean;
	relay_enter(r);
	x->eof = true;
	if (r->chain && !r->silent && !r->end_wished)
		relay_eof(r, direction_of(x));
	leave(x);
}

static void on_error(void *owner, int error)
{
	struct end *x = owner;
	relay_enter(&x->of->relay);
	x->error = error;
	leave(x);
}

static void on_drain(void *owner)
{
	struct end *x = owner;
	relay_enter(&x->of->relay);
	leave(x);
}

static const struct stream_events stream_events = {on_open, on_data, on_eof, on_error, on_drain};

/* Opening ---------------------------------------------------------------------------------------------------------- */

static int tls_start(struct relay *r, int fd)
{
	struct secure *s = (struct secure *)r;
	struct stream *tcp = NULL, *wire = NULL;
	s->ends[CLIENT].of = s->ends[SERVER].of = s;
	int error = tcp_from_fd(r->set->loop, fd, &stream_events, &s->ends[CLIENT], &tcp);
	if (error == 0)
		error = wire_new(r, tcp, &wire);
	if (error == 0)
		error = tls_server_new(r->set->loop, r->proxy->credentials->server, wire, &stream_events, &s->ends[CLIENT],
				       &s->ends[CLIENT].stream);
	if (error < 0)
		return error;
	s->wire = wire;
	stream_pause(s->ends[CLIENT].stream, true);
	const struct tls_context *shown = chain_certificate(wire_chain(wire));
	return shown ? tls_server_show(s->ends[CLIENT].stream, shown) : 0;
}

static void tls_resolved(struct relay *r, const struct dial_addresses *addresses)
{
	struct secure *s = (struct secure *)r;
	const struct credentials *c = r->proxy->credentials;
	s->addresses = *addresses;
	struct dial_options o = {.addresses = &s->addresses, .connect_timeout_ms = r->proxy->connect_timeout_ms,
				 .tls = c->client, .server_name = c->client ? c->name : NULL};
	address_text(&addresses->list[0], r->upstream);
	if (dial(r->set->loop, &o, &stream_events, &s->ends[SERVER], &s->ends[SERVER].stream) < 0) {
		relay_end(r, STREAM_END_RST, "proxy", "error");
		return;
	}
	stream_pause(s->ends[SERVER].stream, true);
	relay_set_alarm(r, r->proxy->connect_timeout_ms); /* for the client's handshake; dial() has its own */
}

static const char *word_of(const struct relay *r, int error)
{
	if (error == -EPROTO)
		return "tls";
	if (r->chain)
		return error == -ECONNRESET ? "rst" : "error";
	return error == -ECONNREFUSED || error == -ECONNRESET ? "refused" : error == -ETIMEDOUT ? "timeout" : "unreachable";
}

/* An end has failed. */
static void failed(struct end *x)
{
	struct relay *r = &x->of->relay;
	bool client = x == &x->of->ends[CLIENT];
	const char *how = client && !r->chain && x->error != -EPROTO ? "rst" : word_of(r, x->error);
	relay_end(r, STREAM_END_RST, relay_blame(direction_of(x), -x->error), how);
}

/* A toxic wants its error not to be told yet. */
static bool is_kept(const struct end *x)
{
	return x->open && x->error == -ECONNRESET && chain_keeps_reset(wire_chain(x->of->wire), direction_of(x));
}

/* What relay.c asks for -------------------------------------------------------------------------------------------- */

static bool may_read(struct secure *s, enum direction d)
{
	const struct relay *r = &s->relay;
	const struct chain *wire = wire_chain(s->wire);
	return r->chain && !r->silent && !chain_full(r->chain, d) && !(d == DOWNSTREAM && chain_full(wire, d)) &&
	       (stream_unsent(s->ends[!d].stream) < UNSENT_HIGH || chain_ignores(wire, !d));
}

static bool delivered(const struct end *x)
{
	bool held = x == &x->of->ends[CLIENT] && !wire_fin_sent(x->of->wire);
	return x->shut && !held && stream_unsent(x->stream) == 0;
}

static void tls_settle(struct relay *r)
{
	struct secure *s = (struct secure *)r;
	struct end *client = &s->ends[CLIENT], *server = &s->ends[SERVER];
	if (r->silent)
		chain_silence(wire_chain(s->wire));
	for (int i = 0; i < 2 && !r->silent; i++)
		if (s->ends[i].error && !is_kept(&s->ends[i])) {
			failed(&s->ends[i]);
			return;
		}
	if (!r->chain && !r->silent && client->open && server->open && relay_opened(r) < 0) {
		relay_end(r, STREAM_END_RST, "proxy", "error");
		return;
	}
	if (s->draining && wire_fin_sent(s->wire)) {
		relay_end(r, STREAM_END_FIN, "toxic", "fin");
		return;
	}
	if (!r->silent && client->eof && server->eof && delivered(client) && delivered(server)) {
		relay_end(r, STREAM_END_FIN, r->first_fin == UPSTREAM ? "client" : "server", "fin");
		return;
	}
	for (enum direction d = 0; d < DIRECTIONS; d++)
		if (s->ends[d].stream && s->ends[!d].stream)
			stream_pause(s->ends[d].stream, !may_read(s, d));
}

static void tls_out(struct relay *r, enum direction d, struct span octets)
{
	struct end *to = &((struct secure *)r)->ends[!d];
	while (octets.len && to->stream && !to->shut && !to->error) {
		struct span piece = span_sub(octets, 0, STREAM_READ_CHUNK);
		int error = stream_write(to->stream, piece);
		octets = span_sub(octets, piece.len, octets.len);
		if (error < 0 && error != -EPIPE)
			to->error = error;
		if (error < 0)
			return;
	}
}

static void tls_out_eof(struct relay *r, enum direction d)
{
	struct end *to = &((struct secure *)r)->ends[!d];
	if (!to->stream)
		return;
	to->shut = true;
	stream_shutdown(to->stream);
}

static bool tls_drain(struct relay *r)
{
	struct secure *s = (struct secure *)r;
	tls_out_eof(r, UPSTREAM);
	tls_out_eof(r, DOWNSTREAM);
	return s->draining = !wire_fin_sent(s->wire);
}

static void end_end(struct end *x, enum stream_end how)
{
	if (!x->stream)
		return;
	if (how == STREAM_END_RST && x->error != -EPROTO) /* an alert is on its way there, which a RST would overtake */
		stream_reset(x->stream);
	else if (!x->error && x->open && (stream_shutdown(x->stream) == 0 || x->shut))
		x->lingers = true;
	if (x->lingers)
		stream_pause(x->stream, false);
	else
		close_end(x);
}

static void tls_end(struct relay *r, enum stream_end how)
{
	struct secure *s = (struct secure *)r;
	s->ending = true;
	end_end(&s->ends[CLIENT], how);
	end_end(&s->ends[SERVER], how);
	if (s->wire) /* behind the close_notify that it was given */
		wire_detach(TAKE_PTR(s->wire));
	s->ending = false;
	if (how == STREAM_END_FIN)
		relay_set_alarm(r, PROXY_LINGER_MS);
	reap_ends(s);
}

/* Its time is over: where octets were not taken, a RST says that they are lost. */
static void cut_end(struct end *x)
{
	if (x->stream && stream_unsent(x->stream))
		stream_reset(x->stream);
	close_end(x);
}

static void tls_abort(struct relay *r)
{
	struct secure *s = (struct secure *)r;
	cut_end(&s->ends[CLIENT]);
	cut_end(&s->ends[SERVER]);
	relay_gone(r);
}

static void tls_on_alarm(struct relay *r)
{
	struct secure *s = (struct secure *)r;
	if (!r->proxy)
		tls_abort(r);
	else if (!r->silent)
		relay_end(r, STREAM_END_RST, s->ends[CLIENT].open ? "server" : "client", "timeout");
}

const struct relay_ops relay_tls = {
	.size = sizeof(struct secure),
	.start = tls_start,
	.resolved = tls_resolved,
	.out = tls_out,
	.out_eof = tls_out_eof,
	.drain = tls_drain,
	.settle = tls_settle,
	.end = tls_end,
	.abort = tls_abort,
	.on_alarm = tls_on_alarm,
};
