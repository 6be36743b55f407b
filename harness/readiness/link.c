/* A connection that does what it is told: over the client of the conformance cases, which can send every octet. */
#include "harness/readiness/link.h"

#include <stdio.h>
#include <stdlib.h>

#include "harness/base/clock.h"
#include "harness/readiness/dialogue.h"
#include "harness/ws/close_code.h"

enum { LINK_REQUEST_MAX = 64 << 10 };

/* Saying --------------------------------------------------------------------------------------------------------- */

bool link_octets(struct link *l, struct span octets)
{
	if (!l->connected || l->cut || conn_write(&l->conn, octets) < 0)
		return false;
	transcript_octets(&l->transcript, clock_now_us(), true, octets);
	return true;
}

bool link_frame(struct link *l, struct frame f)
{
	struct buf b CLEANUP(buf_fini) = {0};
	struct frame_head head;
	if (!l->opened || link_gone(l))
		return false;
	f.masked = true;
	rng_fill(&l->rng, f.key, sizeof(f.key));
	buf_init(&b, f.payload.len + FRAME_HEAD_MAX);
	if (frame_write(&b, &f) < 0 || conn_write(&l->conn, buf_span(&b)) < 0)
		return false;
	frame_head_parse(buf_span(&b), &head);
	transcript_frame(&l->transcript, clock_now_us(), true, &head, f.payload, f.payload.len);
	l->sent += f.fin && !opcode_is_control(f.opcode);
	return true;
}

bool link_text(struct link *l, struct span text)
{
	return link_frame(l, (struct frame){.fin = true, .opcode = OPCODE_TEXT, .payload = text});
}

bool link_announce(struct link *l, uint64_t len, struct span first)
{
	return link_frame(l, (struct frame){.fin = true, .opcode = OPCODE_TEXT, .declare = true, .declared = len,
					    .form = FRAME_FORM_64, .payload = first});
}

void link_barrier(struct link *l)
{
	char text[32];
	snprintf(text, sizeof(text), "wsquall-%u", ++l->barriers);
	link_frame(l, (struct frame){.fin = true, .opcode = OPCODE_PING, .payload = span_str(text)});
}

bool link_passed(const struct link *l)
{
	return l->passed == l->barriers;
}

void link_close(struct link *l, int code, const char *reason)
{
	uint8_t body[2 + CLOSE_REASON_MAX] = {(uint8_t)(code >> 8), (uint8_t)code};
	struct span text = span_sub(span_str(reason), 0, CLOSE_REASON_MAX);
	if (text.len)
		memcpy(body + 2, text.p, text.len);
	if (!link_frame(l, (struct frame){.fin = true, .opcode = OPCODE_CLOSE,
					  .payload = span_of(body, code == CLOSE_NO_CODE ? 0 : 2 + text.len)}))
		return;
	l->we_closed = l->conn.we_closed = true;
	l->our_code = l->conn.our_code = code;
}

void link_fin(struct link *l)
{
	conn_fin(&l->conn);
}

void link_reset(struct link *l)
{
	conn_reset(&l->conn);
	if (!l->over_us)
		l->over_us = clock_now_us();
	l->cut = true;
}

/* Hearing -------------------------------------------------------------------------------------------------------- */

static void on_reply(struct link *l)
{
	const struct handshake_reply *reply = &l->conn.reply;
	const char *header = l->dialogue->r->site->target->id_header;
	struct span id;
	l->status = reply->status;
	l->retry_after = handshake_reply_count(reply, "Retry-After", NULL) > 0;
	if (header && handshake_reply_count(reply, header, &id) > 0)
		snprintf(l->id, sizeof(l->id), "%.*s", (int)(id.len < LINK_ID_MAX ? id.len : LINK_ID_MAX - 1), (const char *)id.p);
	if (!l->conn.upgraded) {
		l->refused = true;
		return;
	}
	l->opened = true;
	l->opened_us = clock_now_us();
	if (l->brief)
		link_close(l, 1000, "");
	else if (l->session)
		session_open(l->session, l->opened_us);
}

static void on_close(struct link *l, struct span body)
{
	struct span reason = span_sub(body, 2, CLOSE_REASON_MAX);
	if (l->closed)
		return;
	l->closed = true;
	l->closed_us = clock_now_us();
	l->code = body.len >= 2 ? body.p[0] << 8 | body.p[1] : CLOSE_NO_CODE;
	if (reason.len)
		memcpy(l->reason, reason.p, reason.len);
	if (!l->we_closed && !l->no_closes)
		link_close(l, l->code, "");
}

static void on_pong(struct link *l, struct span payload)
{
	char text[32];
	l->pongs++;
	for (uint32_t i = l->passed + 1; i <= l->barriers; i++) {
		snprintf(text, sizeof(text), "wsquall-%u", i);
		if (span_eq(payload, span_str(text)))
			l->passed = i;
	}
}

static void on_over(struct link *l, int error)
{
	l->over_us = clock_now_us();
	l->fin = error == 0;
	l->cut = error != 0;
	l->error = error;
	l->refused |= !l->opened;
	snprintf(l->error_text, sizeof(l->error_text), "%s",
		 error == 0 ? "FIN" : error == -ECONNRESET ? "RST" : stream_error_text(l->conn.stream));
	if (error == 0)
		conn_fin(&l->conn);
}

static void on_event(void *owner, const struct conn_event *e)
{
	struct link *l = owner;
	switch (e->kind) {
	case CONN_OPEN:
		l->connected = true;
		if (!l->raw)
			conn_write(&l->conn, buf_span(&l->request_octets));
		if (l->hidden)
			transcript_note(&l->transcript, clock_now_us(), "the request, which is not shown");
		else if (!l->raw)
			transcript_octets(&l->transcript, clock_now_us(), true, buf_span(&l->request_octets));
		break;
	case CONN_REPLY:
		on_reply(l);
		break;
	case CONN_MESSAGE:
		l->received++;
		if (l->session)
			session_receive(l->session, e->octets, e->opcode == OPCODE_BINARY, clock_now_us());
		break;
	case CONN_PING:
		if (!l->pings++)
			l->pinged_us = clock_now_us();
		if (!l->no_pongs)
			link_frame(l, (struct frame){.fin = true, .opcode = OPCODE_PONG, .payload = e->octets});
		break;
	case CONN_PONG:
		on_pong(l, e->octets);
		break;
	case CONN_CLOSE:
		on_close(l, e->octets);
		break;
	case CONN_EOF:
		on_over(l, 0);
		break;
	case CONN_ERROR:
		on_over(l, e->error);
		break;
	case CONN_ENDLESS:
		on_over(l, -EFBIG);
		break;
	case CONN_FRAME:
		break;
	}
	dialogue_step(l->dialogue);
}

/* The beginning -------------------------------------------------------------------------------------------------- */

static int set_fields(struct link *l, const struct opt_pair *fields, size_t n)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = handshake_request_set(&l->request, arena_strdup(&l->arena, fields[i].key),
					  span_str(arena_strdup(&l->arena, fields[i].value)));
	return r;
}

/* Path and query with the credential where that is its place. */
static const char *base_of(struct link *l, const struct link_options *o, const char *credential)
{
	const struct target *t = l->dialogue->r->site->target;
	const char *target = o->echo ? t->echo.target : t->url.target;
	if (!t->credentials.query || !credential || !*credential)
		return target;
	return arena_printf(&l->arena, "%s%c%s=%s", target, strchr(target, '?') ? '&' : '?', t->credentials.query, credential);
}

static int offer(struct link *l, const struct opt_strings *names)
{
	struct buf text CLEANUP(buf_fini) = {.max = LINK_REQUEST_MAX};
	for (size_t i = 0; i < names->len; i++)
		buf_printf(&text, "%s%s", i ? ", " : "", names->items[i]);
	return text.len ? handshake_request_set(&l->request, "Sec-WebSocket-Protocol",
						arena_span(&l->arena, buf_span(&text))) : 0;
}

static int make_request(struct link *l, const struct link_options *o)
{
	const struct site *s = l->dialogue->r->site;
	const struct target *t = s->target;
	const struct target_credentials *c = &t->credentials;
	const char *credential = o->credential ? o->credential : c->valid;
	struct session_request of_dialect = {.target = base_of(l, o, credential)};
	char *key = arena_alloc(&l->arena, HANDSHAKE_KEY_LEN + 1);
	uint8_t nonce[16];
	int r = o->echo || !dialogue_speaks(l->dialogue) ? 0 : link_session_new(l, o, of_dialect.target, &of_dialect);
	if (r < 0 || !key)
		return r < 0 ? r : -ENOMEM;
	rng_fill(&l->rng, nonce, sizeof(nonce));
	handshake_key(nonce, key);
	handshake_request_init(&l->request, span_str(arena_strdup(&l->arena, of_dialect.target)),
			       span_str(o->echo ? t->echo.host_field : t->url.host_field), span_str(key));
	r = offer(l, s->dialect && s->dialect->subprotocols.len ? &s->dialect->subprotocols : &t->subprotocols);
	if (r == 0)
		r = set_fields(l, t->headers.items, t->headers.len);
	if (r == 0 && credential && *credential && !c->query && !c->variable)
		r = set_fields(l, &(struct opt_pair){c->header ? c->header : "Authorization", credential}, 1);
	if (r == 0)
		r = set_fields(l, of_dialect.headers, of_dialect.n_headers);
	if (r == 0)
		r = set_fields(l, o->fields, o->n_fields);
	return r == 0 ? handshake_request_write(&l->request, &l->request_octets) : r;
}

static int begin(struct link *l, const struct link_options *o)
{
	struct readiness *readiness = l->dialogue->r;
	const struct site *s = readiness->site;
	const struct target *t = s->target;
	const struct url *url = o->echo ? &t->echo : &t->url;
	struct dial_options d = {.addresses = o->echo ? &readiness->echo : &s->door,
				 .source = o->source ? o->source : t->source,
				 .connect_timeout_ms = (uint32_t)dialogue_patience(l->dialogue)};
	if (url->tls) {
		d.tls = o->tls ? o->tls : s->tls;
		d.server_name = t->tls.server_name ? t->tls.server_name : url->host;
	}
	int r = make_request(l, o);
	if (r == 0)
		r = conn_dial(&l->conn, s->loop, &d, &l->arena, &l->transcript, on_event, l);
	l->conn.request = &l->request;
	return r;
}

struct link *link_new(struct dialogue *d, uint32_t number, const struct link_options *o)
{
	char name[96];
	struct link *l = calloc(1, sizeof(*l));
	if (!l)
		abort();
	*l = (struct link){.dialogue = d, .number = number, .raw = o->raw, .hidden = o->hidden, .brief = o->brief,
			   .no_pongs = o->no_pongs, .no_closes = o->no_closes, .began_us = clock_now_us()};
	arena_init(&l->arena, LINK_ARENA_MAX);
	transcript_init(&l->transcript, &l->arena, d->started_us);
	l->transcript.secrets = d->r->secrets;
	l->label = o->label ? arena_strdup(&l->arena, o->label) : "as any client";
	snprintf(name, sizeof(name), "%s/%u", d->row->check, number);
	rng_init(&l->rng, d->r->site->seed, name);
	buf_init(&l->request_octets, LINK_REQUEST_MAX);
	buf_init(&l->got, LINK_GOT_MAX);
	int r = begin(l, o);
	if (r < 0) {
		l->refused = l->cut = true;
		snprintf(l->error_text, sizeof(l->error_text), "%s", strerror(-r));
	}
	return l;
}

void link_free(struct link *l)
{
	if (!l)
		return;
	conn_fini(&l->conn);
	link_session_free(l);
	buf_fini(&l->request_octets);
	buf_fini(&l->got);
	arena_fini(&l->arena);
	free(l);
}

/* How it stands -------------------------------------------------------------------------------------------------- */

bool link_settled(const struct link *l)
{
	return l->refused || (l->opened && (!l->session || l->ready || l->denied || link_ended(l)));
}

bool link_subscribed(const struct link *l)
{
	return l->subscribed || l->unsubscribable || l->refused || l->denied || link_ended(l);
}

bool link_ended(const struct link *l)
{
	return l->closed || link_gone(l);
}

bool link_gone(const struct link *l)
{
	return l->fin || l->cut;
}

bool link_alive(const struct link *l)
{
	return l->opened && !link_ended(l);
}

const char *link_how(const struct link *l)
{
	struct arena *a = &l->dialogue->arena;
	const char *text = NULL;
	if (l->closed)
		text = l->code == CLOSE_NO_CODE ? "a Close without a code" : arena_printf(a, "Close %d", l->code);
	else if (l->refused && l->status)
		text = arena_printf(a, "HTTP %d", l->status);
	else if (l->denied)
		text = "a refusal by the application";
	else if (link_gone(l))
		text = arena_printf(a, "%s%s", l->opened ? "no Close, and " : "no answer, and ", l->error_text);
	else
		text = l->opened ? "an open connection" : "no answer";
	return text ? text : "?";
}
