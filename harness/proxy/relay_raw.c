/*
 * A connection of two raw sockets. What one side sends is read and sent on at once, in the same turn of the loop, as
 * long as the other side takes it; while it does not, the sender is not read from, so that its TCP feels it. Where no
 * filter is on the connection and a side sends much, octets go through a pipe instead of our memory (splice(2)). A
 * connection holds no buffer while nothing is under way.
 *
 * Endings are exact: a FIN becomes a FIN behind the last octet, a RST (of whichever side, however it shows) a RST.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/base/clock.h"
#include "harness/net/address.h"
#include "harness/proxy/relay.h"
#include "harness/proxy/side.h"

enum {
	TURN_OCTETS = 1 << 20,     /* read from one side before the others have their turn */
	DRAIN_OCTETS = 16 << 20,   /* read from a dead socket: no kernel holds more of one */
	CLIENT = 0, SERVER = 1,
};

struct opening {
	struct dial_addresses addresses;
	size_t next;
	int error;                 /* of the last address tried */
	uint64_t deadline_us;      /* of the address being tried */
};

struct raw {
	struct relay relay;        /* first */
	struct side sides[2];      /* [d] is the sender of direction d */
	struct opening *opening;   /* NULL before and after */
};

static void on_poll(uv_poll_t *poll, int status, int events);

static struct side *other_of(const struct side *s)
{
	struct raw *r = s->of;
	return s == &r->sides[CLIENT] ? &r->sides[SERVER] : &r->sides[CLIENT];
}

static enum direction direction_of(const struct side *s)
{
	return s == &s->of->sides[CLIENT] ? UPSTREAM : DOWNSTREAM;
}

static bool is_reset(int error)
{
	return error == ECONNRESET || error == EPIPE;
}

/* Opening ---------------------------------------------------------------------------------------------------------- */

static const char *word_of(int error)
{
	return error == ECONNREFUSED || is_reset(error) ? "refused" : error == ETIMEDOUT ? "timeout" : "unreachable";
}

/* 0: it is under way. -EMFILE and the like: later perhaps. */
static int connect_to(struct raw *r, const struct sockaddr_storage *to)
{
	int one = 1, fd CLEANUP(cleanup_fd) = socket(to->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	if (fd < 0)
		return -errno;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one));
	if (connect(fd, (const struct sockaddr *)to, address_len(to)) < 0 && errno != EINPROGRESS)
		return -errno;
	address_text(to, r->relay.upstream);
	int error = side_open(&r->sides[SERVER], r, &r->relay.set->loop->uv, TAKE_FD(fd));
	if (error == 0)
		side_watch(&r->sides[SERVER], UV_WRITABLE, on_poll);
	return error;
}

static void connect_next(struct raw *r)
{
	struct opening *o = r->opening;
	side_close(&r->sides[SERVER], r->relay.set->pipes, false);
	while (o->next < o->addresses.n) {
		int error = connect_to(r, &o->addresses.list[o->next]);
		if (error == 0) {
			o->next++;
			relay_set_alarm(&r->relay, r->relay.proxy->connect_timeout_ms);
			return;
		}
		if ((error == -EMFILE || error == -ENFILE) && clock_now_us() < o->deadline_us) {
			proxy_listener_pause(r->relay.proxy);
			relay_set_alarm(&r->relay, ACCEPT_PAUSE_MS);
			return;
		}
		o->next++;
		o->error = -error;
	}
	bool ours = o->error == EMFILE || o->error == ENFILE || o->error == ENOMEM;
	relay_end(&r->relay, STREAM_END_RST, ours ? "proxy" : "server", ours ? "error" : word_of(o->error));
}

static void raw_resolved(struct relay *relay, const struct dial_addresses *addresses)
{
	struct raw *r = (struct raw *)relay;
	r->opening = malloc(sizeof(*r->opening));
	if (!r->opening) {
		relay_end(relay, STREAM_END_RST, "proxy", "error");
		return;
	}
	*r->opening = (struct opening){.addresses = *addresses, .error = EHOSTUNREACH};
	r->opening->deadline_us = clock_now_us() + relay->proxy->connect_timeout_ms * 1000ull;
	connect_next(r);
}

static int raw_start(struct relay *relay, int fd)
{
	struct raw *r = (struct raw *)relay;
	r->sides[SERVER] = (struct side){.of = r, .fd = -1};
	return side_open(&r->sides[CLIENT], r, &relay->set->loop->uv, fd);
}

/* A port of the ephemeral range that nobody listens on may be given to our own socket, which then connects to itself.
 */
static bool is_self(int fd)
{
	struct sockaddr_storage local = {0}, peer = {0};
	socklen_t local_len = sizeof(local), peer_len = sizeof(peer);
	return getsockname(fd, (struct sockaddr *)&local, &local_len) == 0 &&
	       getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0 && address_eq(&local, &peer);
}

static void connected(struct raw *r)
{
	struct side *server = &r->sides[SERVER];
	int error = 0;
	socklen_t len = sizeof(error);
	getsockopt(server->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error && !is_reset(error)) {
		r->opening->error = error;
		connect_next(r);
		return;
	}
	if (!error && is_self(server->fd)) {
		r->opening->error = ECONNREFUSED;
		connect_next(r);
		return;
	}
	if (error) /* it was open, and is gone already; what came in between is read first */
		server->send_error = -error;
	free(TAKE_PTR(r->opening));
	if (relay_opened(&r->relay) < 0)
		relay_end(&r->relay, STREAM_END_RST, "proxy", "error");
}

/* Reading ---------------------------------------------------------------------------------------------------------- */

/* recv() into the set's chunk: octets, 0 FIN, negative errno. */
static ssize_t read_chunk(struct side *s)
{
	ssize_t n;
	do
		n = recv(s->fd, s->of->relay.set->chunk, CHUNK, 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static void take_eof(struct side *s)
{
	s->eof = true;
	relay_eof(&s->of->relay, direction_of(s));
}

/* A toxic wants this error of s not to be told yet. */
static bool is_kept(const struct side *s, int error)
{
	return is_reset(error) && chain_keeps_reset(s->of->relay.chain, direction_of(s));
}

/* s is dead. What its kernel still holds goes on first, its FIN too if there was one. */
static void broken(struct side *s)
{
	struct raw *r = s->of;
	ssize_t n = s->eof || r->relay.silent ? -ECONNRESET : 1;
	for (size_t left = DRAIN_OCTETS; n > 0 && left && !r->relay.end_wished; left -= (size_t)n < left ? (size_t)n : left) {
		n = read_chunk(s);
		if (n > 0)
			relay_data(&r->relay, direction_of(s), span_of(r->relay.set->chunk, (size_t)n));
	}
	if (n == 0 && s->send_error != -ECONNRESET && !r->relay.end_wished)
		take_eof(s);
	if (r->relay.end_wished)
		return;
	int error = s->send_error ? -s->send_error : n < 0 && n != -EAGAIN ? (int)-n : ECONNRESET;
	if (r->relay.silent || is_kept(s, error))
		side_fail(s, ECONNRESET); /* raw_settle() comes back to it */
	else
		relay_end(&r->relay, STREAM_END_RST, relay_blame(direction_of(s), error), is_reset(error) ? "rst" : "error");
}

/* Its octets may be taken: the receiver and the filters have room. */
static bool may_read(const struct side *s)
{
	const struct relay *r = &s->of->relay;
	const struct side *to = other_of(s);
	return !s->eof && !s->send_error && !r->silent && !r->end_wished && r->chain &&
	       (!side_pending(to) || chain_ignores(r->chain, direction_of(to))) && !chain_full(r->chain, direction_of(s));
}

/* One piece: octets, 0 FIN, negative errno. */
static ssize_t pass_on(struct side *s)
{
	struct relay *relay = &s->of->relay;
	struct side *to = other_of(s);
	ssize_t n = -EOPNOTSUPP;
	if (s->bulk && chain_idle(relay->chain) && !to->shut) {
		n = side_splice(s, to, relay->set->pipes);
		if (n > 0)
			relay_passed(relay, direction_of(s), (size_t)n);
	}
	if (n == -EOPNOTSUPP) {
		n = read_chunk(s);
		if (n > 0)
			relay_data(relay, direction_of(s), span_of(relay->set->chunk, (size_t)n));
	}
	return n;
}

static void read_side(struct side *s)
{
	size_t left = TURN_OCTETS;
	s->unwatched = false;
	while (left && may_read(s)) {
		ssize_t n = pass_on(s);
		if (n == 0)
			take_eof(s);
		else if (n == -EAGAIN || n == -EWOULDBLOCK)
			s->bulk = false;
		else if (n < 0)
			broken(s);
		if (n <= 0)
			return;
		bool much = n >= CHUNK;
		if (!much && !s->bulk)
			return; /* that was all */
		s->bulk = much;
		left -= (size_t)n < left ? (size_t)n : left;
	}
}

/* The loop's events ------------------------------------------------------------------------------------------------ */

static int wanted(const struct side *s)
{
	const struct relay *relay = &s->of->relay;
	int events = side_pending(s) ? UV_WRITABLE : 0;
	if (s->lingers)
		return events | (s->eof ? 0 : UV_READABLE);
	if (s->send_error || chain_ignores(relay->chain, direction_of(s)))
		return 0;
	if (relay->silent) /* what was passed before goes out */
		return events;
	if (may_read(s))
		return events | UV_READABLE;
	/* Nothing is to be read now, or ever; a RST still shows as POLLERR. */
	return events | (s->unwatched || (s->eof && s->fin_sent) ? 0 : UV_PRIORITIZED);
}

static void raw_settle(struct relay *relay)
{
	struct raw *r = (struct raw *)relay;
	struct side *client = &r->sides[CLIENT], *server = &r->sides[SERVER];
	if (!relay->chain)
		return;
	for (int i = 0; i < 2 && !relay->silent; i++)
		if (r->sides[i].send_error && !is_kept(&r->sides[i], -r->sides[i].send_error)) {
			broken(&r->sides[i]);
			return;
		}
	if (client->eof && server->eof && client->fin_sent && server->fin_sent) {
		relay_end(relay, STREAM_END_FIN, relay->first_fin == UPSTREAM ? "client" : "server", "fin");
		return;
	}
	side_watch(client, wanted(client), on_poll);
	side_watch(server, wanted(server), on_poll);
}

/* An ended side: octets and FIN go out, what comes is thrown away until its FIN. */
static void linger(struct side *s, int status)
{
	struct raw *r = s->of;
	ssize_t n = 1;
	side_flush(s, r->relay.set->pipes);
	for (size_t left = TURN_OCTETS; n > 0 && left && !s->eof; left -= (size_t)n < left ? (size_t)n : left)
		n = recv(s->fd, NULL, CHUNK, MSG_TRUNC);
	if (n == 0)
		s->eof = true;
	bool dead = s->send_error || status < 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
	if (dead || (s->eof && s->fin_sent))
		side_close(s, r->relay.set->pipes, false);
	else
		side_watch(s, wanted(s), on_poll);
	if (!r->sides[CLIENT].poll && !r->sides[SERVER].poll)
		relay_gone(&r->relay);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct side *s = poll->data;
	struct raw *r = s->of;
	relay_enter(&r->relay);
	if (status < 0)
		s->watched = 0; /* POLLERR: libuv has stopped the handle */
	if (s->lingers) {
		linger(s, status);
	} else if (!r->relay.chain) {
		connected(r);
	} else {
		bool room = (events & UV_WRITABLE) && side_flush(s, r->relay.set->pipes);
		if (status < 0)
			broken(s);
		else if (events & UV_READABLE)
			read_side(s);
		else if (events & UV_PRIORITIZED)
			s->unwatched = true;
		if (room && other_of(s)->bulk && r->relay.chain && may_read(other_of(s)))
			read_side(other_of(s));
	}
	relay_leave(&r->relay);
}

/* What relay.c asks for -------------------------------------------------------------------------------------------- */

static void raw_out(struct relay *relay, enum direction d, struct span octets)
{
	side_write(&((struct raw *)relay)->sides[!d], octets);
}

static void raw_out_eof(struct relay *relay, enum direction d)
{
	side_shut(&((struct raw *)relay)->sides[!d]);
}

static void end_side(struct side *s, enum stream_end how, bool open)
{
	if (how == STREAM_END_RST || !s->poll || !open) {
		side_close(s, s->of->relay.set->pipes, how == STREAM_END_RST);
		return;
	}
	s->lingers = true;
	side_shut(s);
	if (s->eof && s->fin_sent)
		side_close(s, s->of->relay.set->pipes, false);
	else
		side_watch(s, wanted(s), on_poll);
}

static void raw_end(struct relay *relay, enum stream_end how)
{
	struct raw *r = (struct raw *)relay;
	end_side(&r->sides[CLIENT], how, true);
	end_side(&r->sides[SERVER], how, !r->opening);
	if (!r->sides[CLIENT].poll && !r->sides[SERVER].poll)
		relay_gone(relay);
	else if (how == STREAM_END_FIN)
		relay_set_alarm(relay, PROXY_LINGER_MS);
}

/* Its time is over: where octets were not taken, a RST says that they are lost. */
static void cut_side(struct side *s)
{
	side_close(s, s->of->relay.set->pipes, side_pending(s) > 0);
}

static void raw_abort(struct relay *relay)
{
	struct raw *r = (struct raw *)relay;
	cut_side(&r->sides[CLIENT]);
	cut_side(&r->sides[SERVER]);
	relay_gone(relay);
}

static void raw_on_alarm(struct relay *relay)
{
	struct raw *r = (struct raw *)relay;
	if (!relay->proxy) {
		raw_abort(relay);
	} else if (r->opening) {
		if (r->sides[SERVER].poll)
			r->opening->error = ETIMEDOUT;
		connect_next(r);
	}
}

static void raw_fini(struct relay *relay)
{
	free(((struct raw *)relay)->opening);
}

const struct relay_ops relay_raw = {
	.size = sizeof(struct raw),
	.start = raw_start,
	.resolved = raw_resolved,
	.out = raw_out,
	.out_eof = raw_out_eof,
	.settle = raw_settle,
	.end = raw_end,
	.abort = raw_abort,
	.on_alarm = raw_on_alarm,
	.fini = raw_fini,
};
