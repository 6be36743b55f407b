/*
 * Connections of ours, as many as a fault wants, each a small machine: waiting for its turn, connecting, shaking hands,
 * open, over. They behave like any client but for what their fault adds: Pings are answered, a Close is answered, the
 * target's rules of the handshake are not judged here.
 */
#include "faults/peer.h"

#include <assert.h>
#include <stdlib.h>

#include "harness/net/loop.h"
#include "harness/ws/close_code.h"
#include "harness/ws/handshake.h"

enum { REPLY_ARENA_MAX = 256 << 10, BURST = 64 /* opened in one turn of the loop at most */ };

struct crowd {
	struct fault_run *run;
	const struct peer_options *options;
	const struct peer_ops *ops;
	int receive_buffer;
	struct peer *peers;
	size_t n, next;            /* next: to be opened first */
	struct timer timer;
	uint64_t started_ms;
};

size_t crowd_len(const struct crowd *c)
{
	return c->n;
}

struct peer *crowd_at(struct crowd *c, size_t i)
{
	return &c->peers[i];
}

/* The end
 * ---------------------------------------------------------------------------------------------------------------- */

static void close_peer(struct peer *p, bool reset)
{
	struct stream *s = TAKE_PTR(p->stream);
	timer_stop(&p->timer);
	buf_fini(&p->head);
	p->open = false;
	if (!s)
		return;
	if (reset || stream_unsent(s))
		stream_reset(s);
	stream_free(s);
}

static void over(struct peer *p, const char *how, bool reset, bool by_target)
{
	if (p->ended)
		return;
	p->ended = true;
	p->how = how;
	close_peer(p, reset);
	peer_tell(p, "end", "how=%s code=%d came=%llu sent=%llu", how, p->close_code, (unsigned long long)p->came,
		  (unsigned long long)p->sent);
	if (by_target && p->ops->end)
		p->ops->end(p);
}

void peer_end(struct peer *p, bool reset, const char *how)
{
	over(p, how, reset, false);
}

/* Frames
 * ----------------------------------------------------------------------------------------------------------------- */

bool peer_send_raw(struct peer *p, struct span octets)
{
	if (!p->stream || p->ended || stream_unsent(p->stream) > PEER_UNSENT_MAX || stream_write(p->stream, octets) < 0)
		return false;
	p->sent += octets.len;
	return true;
}

bool peer_send(struct peer *p, struct frame f)
{
	struct buf b CLEANUP(buf_fini) = {0};
	f.masked = true;
	rng_fill(&p->rng, f.key, sizeof(f.key));
	buf_init(&b, f.payload.len + FRAME_HEAD_MAX);
	return frame_write(&b, &f) == 0 && peer_send_raw(p, buf_span(&b));
}

void peer_pause(struct peer *p, bool paused)
{
	if (p->stream)
		stream_pause(p->stream, paused);
}

static void on_frame_head(void *owner, const struct frame_head *h)
{
	struct peer *p = owner;
	p->control_len = 0;
	if (p->ops->frame)
		p->ops->frame(p, h);
	p->reader.stop |= p->ended;
}

static void on_frame_payload(void *owner, struct span part)
{
	struct peer *p = owner;
	size_t room = sizeof(p->control) - p->control_len;
	if (!opcode_is_control(p->reader.head.opcode))
		return;
	part = span_sub(part, 0, room);
	memcpy(p->control + p->control_len, part.p, part.len);
	p->control_len += part.len;
}

static void on_frame_end(void *owner)
{
	struct peer *p = owner;
	struct span payload = {p->control, p->control_len};
	if (p->reader.head.opcode == OPCODE_CLOSE)
		p->close_code = payload.len >= 2 ? payload.p[0] << 8 | payload.p[1] : CLOSE_NO_CODE;
	if (p->ops->silent)
		return;
	if (p->reader.head.opcode == OPCODE_PING)
		peer_send(p, (struct frame){.fin = true, .opcode = OPCODE_PONG, .payload = payload});
	else if (p->reader.head.opcode == OPCODE_CLOSE)
		peer_send(p, (struct frame){.fin = true, .opcode = OPCODE_CLOSE, .payload = span_sub(payload, 0, 2)});
}

static void feed(struct peer *p, struct span octets)
{
	while (octets.len && !p->ended) {
		size_t used = frame_reader_feed(&p->reader, octets);
		octets = span_sub(octets, used, octets.len);
	}
}

/* The handshake
 * ---------------------------------------------------------------------------------------------------------- */

static void say(struct peer *p)
{
	const struct opt_strings *list = &p->crowd->options->say;
	for (size_t i = 0; i < list->len && !p->ended; i++)
		peer_send(p, (struct frame){.fin = true, .opcode = OPCODE_TEXT, .payload = span_str(list->items[i])});
}

static void send_request(struct peer *p)
{
	const struct fault_peers *to = p->run->site->peers;
	struct handshake_request q;
	struct buf b CLEANUP(buf_fini) = {0};
	char key[HANDSHAKE_KEY_LEN + 1];
	uint8_t nonce[16];
	rng_fill(&p->rng, nonce, sizeof(nonce));
	handshake_key(nonce, key);
	handshake_request_init(&q, span_str(to->path), span_str(to->host), span_str(key));
	for (size_t i = 0; to->headers && i < to->headers->len; i++)
		handshake_request_set(&q, to->headers->items[i].key, span_str(to->headers->items[i].value));
	if (to->subprotocol)
		handshake_request_set(&q, "Sec-WebSocket-Protocol", span_str(to->subprotocol));
	if (p->ops->request)
		p->ops->request(p, &q);
	buf_init(&b, HANDSHAKE_REPLY_MAX);
	if (handshake_request_write(&q, &b) < 0 || !peer_send_raw(p, buf_span(&b)))
		over(p, "no-request", true, true);
}

/* Octets before the end of the reply's head. */
static void on_reply(struct peer *p, struct span octets)
{
	struct handshake_reply reply = {0};
	struct arena a;
	if (buf_append_span(&p->head, octets) < 0) {
		over(p, "endless-reply", true, true);
		return;
	}
	arena_init(&a, REPLY_ARENA_MAX);
	int whole = handshake_reply_parse(buf_span(&p->head), &a, &reply);
	struct span behind = span_sub(buf_span(&p->head), reply.size, p->head.len);
	if (whole > 0 && reply.status != 101) {
		peer_tell(p, "refused", "status=%d", reply.status);
		over(p, "refused", false, true);
	} else if (whole > 0) {
		struct buf rest = p->head;
		p->head = (struct buf){0};
		p->open = p->was_open = true;
		p->deflate = handshake_reply_has_token(&reply, "Sec-WebSocket-Extensions", "permessage-deflate");
		peer_tell(p, "open", NULL);
		say(p);
		if (p->ops->open && !p->ended)
			p->ops->open(p);
		feed(p, behind);
		buf_fini(&rest);
	} else if (whole < 0) {
		over(p, "no-memory", true, true);
	}
	arena_fini(&a);
}

/* The stream
 * ------------------------------------------------------------------------------------------------------------- */

static void on_open(void *owner)
{
	struct peer *p = owner;
	buf_init(&p->head, HANDSHAKE_REPLY_MAX + STREAM_READ_CHUNK);
	frame_reader_init(&p->reader, p);
	p->reader.on_head = on_frame_head;
	p->reader.on_payload = on_frame_payload;
	p->reader.on_end = on_frame_end;
	if (p->ops->connected)
		p->ops->connected(p);
	if (!p->ops->raw && !p->ended)
		send_request(p);
}

static void on_data(void *owner, struct span data)
{
	struct peer *p = owner;
	p->came += data.len;
	if (p->open)
		feed(p, data);
	else if (!p->ops->raw)
		on_reply(p, data);
	if (!p->ended && p->ops->data)
		p->ops->data(p, data.len);
}

static void on_eof(void *owner, bool clean)
{
	(void)clean;
	over(owner, "fin", false, true);
}

static void on_error(void *owner, int error)
{
	struct peer *p = owner;
	over(p, error == -ECONNREFUSED ? "connection-refused" : error == -ECONNRESET ? "reset" : "error", true, true);
}

static const struct stream_events events = {on_open, on_data, on_eof, on_error};

static void connect_peer(struct peer *p)
{
	const struct fault_peers *to = p->run->site->peers;
	struct dial_options o = {.addresses = to->addresses, .tls = to->tls, .server_name = to->server_name,
				 .receive_buffer = p->crowd->receive_buffer};
	p->waiting = p->ended = p->open = p->was_open = p->deflate = false;
	p->close_code = CLOSE_ABNORMAL;
	p->came = p->sent = 0;
	memset(p->state, 0, p->ops->state_size);
	if (dial(p->run->site->loop, &o, &events, p, &p->stream) < 0)
		over(p, "cannot-connect", true, true);
}

static void on_wake(void *owner)
{
	struct peer *p = owner;
	if (p->waiting)
		connect_peer(p);
	else if (!p->ended && p->ops->wake)
		p->ops->wake(p);
}

void peer_wake_in(struct peer *p, uint64_t ms)
{
	timer_start(&p->timer, p->run->site->loop, ms, on_wake, p);
}

void peer_again(struct peer *p, uint64_t after_ms)
{
	assert(p->ended);
	p->waiting = true;
	peer_wake_in(p, after_ms);
}

/* The crowd
 * -------------------------------------------------------------------------------------------------------------- */

static void on_turn(void *owner)
{
	struct crowd *c = owner;
	double rate = c->options->open_rate;
	uint64_t ms = uv_now(&c->run->site->loop->uv) - c->started_ms;
	double due = rate > 0 ? rate * (double)ms / 1000 + 1 : (double)c->n;
	for (unsigned i = 0; i < BURST && c->next < c->n && (double)c->next < due; i++)
		connect_peer(&c->peers[c->next++]);
	if (c->next < c->n)
		timer_start(&c->timer, c->run->site->loop, 1, on_turn, c);
}

static void init_peer(struct crowd *c, size_t i)
{
	struct peer *p = &c->peers[i];
	char name[160];
	*p = (struct peer){.run = c->run, .crowd = c, .number = i + 1, .ops = c->ops, .ended = true};
	snprintf(name, sizeof(name), "%s/%zu", c->run->name, i + 1);
	rng_init(&p->rng, c->run->site->seed, name);
}

int crowd_start(struct fault_run *run, const struct peer_options *o, const struct peer_ops *ops, int receive_buffer,
		struct crowd **ret_crowd, struct err *e)
{
	if (!run->site->peers)
		return err_set(e, EINVAL, "%s needs a target to connect to: give its URL", run->fault->name);
	struct crowd *c = calloc(1, sizeof(*c));
	struct peer *peers = calloc(o->connections, sizeof(*peers));
	size_t n = 0;
	if (!c || !peers)
		goto no_memory;
	*c = (struct crowd){.run = run, .options = o, .ops = ops, .receive_buffer = receive_buffer, .peers = peers,
			    .n = o->connections, .started_ms = uv_now(&run->site->loop->uv)};
	for (; n < c->n; n++) {
		init_peer(c, n);
		if (!(peers[n].state = calloc(1, ops->state_size + 1)))
			goto no_memory;
	}
	if (timer_start(&c->timer, run->site->loop, 0, on_turn, c) < 0)
		goto no_memory;
	*ret_crowd = c;
	return 0;
no_memory:
	for (size_t i = 0; peers && i < n; i++)
		free(peers[i].state);
	free(peers);
	free(c);
	return err_set(e, ENOMEM, "out of memory");
}

void crowd_stop(struct crowd *c)
{
	if (!c)
		return;
	timer_fini(&c->timer);
	for (size_t i = 0; i < c->n; i++) {
		struct peer *p = &c->peers[i];
		over(p, "healed", false, false);
		timer_fini(&p->timer);
		free(p->state);
	}
	free(c->peers);
	free(c);
}

void crowd_heal(struct fault_run *run)
{
	crowd_stop(*(struct crowd **)run->state);
}
