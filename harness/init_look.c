/* What one can see of any WebSocket server: its handshake, whether it echoes, how it answers a Ping and a Close. */
#include <stdio.h>
#include <string.h>

#include "harness/base/escape.h"
#include "harness/init.h"

enum {
	PONG_WAIT_MS = 2000,  /* for a Pong; what came before it was unasked */
	ECHO_WAIT_MS = 1000,  /* for an echo, after the Pong that followed the message */
	CLOSE_WAIT_MS = 3000, /* for the answer to a Close, and for the end */
};

enum stage { ASKED_PONG, ASKED_ECHO, ASKED_LAST, ASKED_CLOSE };

/* The talk of one visit. */
struct talk {
	enum stage stage;
	bool silent; /* no text is sent */
	bool echo, pong;
	unsigned unasked;
	struct buf first;
	int text_close, answer_close, early_close;
	bool answer_fin;
	char text[48];
};

const char *init_printable(struct init *in, struct span s)
{
	struct buf b CLEANUP(buf_fini) = {0};
	buf_init(&b, INIT_SHOWN_MAX * 4 + 64);
	escape_text_max(&b, s, INIT_SHOWN_MAX);
	return arena_strdup(&in->arena, buf_cstr(&b));
}

static void say_close(struct init_visit *v, struct talk *t)
{
	static const uint8_t normal[] = {1000 >> 8, 1000 & 0xff};
	t->stage = ASKED_CLOSE;
	init_visit_say(v, OPCODE_CLOSE, span_of(normal, sizeof(normal)));
	v->conn.we_closed = true;
	v->conn.our_code = 1000;
	init_visit_wait(v, CLOSE_WAIT_MS);
}

static void say_text(struct init_visit *v, struct talk *t)
{
	if (t->silent)
		return say_close(v, t);
	t->stage = ASKED_ECHO;
	init_visit_say(v, OPCODE_TEXT, span_str(t->text));
	init_visit_say(v, OPCODE_PING, span_str("2"));
	init_visit_wait(v, PONG_WAIT_MS);
}

static void on_time(struct init_visit *v)
{
	struct talk *t = v->owner;
	switch (t->stage) {
	case ASKED_PONG:
		say_text(v, t);
		return;
	case ASKED_ECHO:
	case ASKED_LAST:
		say_close(v, t);
		return;
	case ASKED_CLOSE:
		init_visit_end(v);
		return;
	}
}

static void on_pong(struct init_visit *v, struct talk *t, struct span payload)
{
	bool first = span_eq(payload, SPAN_LIT("1")), second = span_eq(payload, SPAN_LIT("2"));
	t->pong |= first || second;
	if (t->stage == ASKED_PONG && first)
		say_text(v, t);
	else if (t->stage == ASKED_ECHO && second && t->echo)
		say_close(v, t);
	else if (t->stage == ASKED_ECHO && second) {
		t->stage = ASKED_LAST;
		init_visit_wait(v, ECHO_WAIT_MS);
	}
}

static void on_message(struct init_visit *v, struct talk *t, const struct conn_event *e)
{
	if (span_eq(e->octets, span_str(t->text))) {
		t->echo = e->opcode == OPCODE_TEXT;
		if (t->stage == ASKED_LAST)
			say_close(v, t);
		return;
	}
	if (t->stage == ASKED_PONG && t->unasked++ == 0)
		buf_append_span(&t->first, span_sub(e->octets, 0, INIT_SHOWN_MAX + 1));
}

static void on_end(struct init_visit *v, struct talk *t, const struct conn_event *e)
{
	if (t->stage == ASKED_CLOSE) {
		t->answer_fin = e->kind == CONN_EOF;
		init_visit_end(v);
	} else if (t->stage == ASKED_PONG) {
		t->early_close = 1006;
	} else if (!t->text_close) {
		t->text_close = 1006;
	}
}

static void on_close(struct init_visit *v, struct talk *t, struct span payload)
{
	int code = payload.len >= 2 ? payload.p[0] << 8 | payload.p[1] : 1005;
	if (t->stage == ASKED_CLOSE)
		t->answer_close = code;
	else if (t->stage == ASKED_PONG)
		t->early_close = code;
	else
		t->text_close = code;
	if (t->stage == ASKED_CLOSE)
		init_visit_wait(v, CLOSE_WAIT_MS);
	else
		init_visit_end(v);
}

static void on_event(struct init_visit *v, const struct conn_event *e)
{
	struct talk *t = v->owner;
	switch (e->kind) {
	case CONN_REPLY:
		init_visit_say(v, OPCODE_PING, span_str("1"));
		init_visit_wait(v, PONG_WAIT_MS);
		return;
	case CONN_PING:
		init_visit_say(v, OPCODE_PONG, e->octets);
		return;
	case CONN_PONG:
		on_pong(v, t, e->octets);
		return;
	case CONN_MESSAGE:
		on_message(v, t, e);
		return;
	case CONN_CLOSE:
		on_close(v, t, e->octets);
		return;
	case CONN_EOF:
	case CONN_ERROR:
		on_end(v, t, e);
		return;
	default:
		return;
	}
}

static void talk_run(struct init *in, struct init_visit *v, struct talk *t)
{
	buf_init(&t->first, INIT_SHOWN_MAX + 1);
	snprintf(t->text, sizeof(t->text), "wsquall-init-%016llx", (unsigned long long)rng_u64(&in->rng));
	v->on_event = on_event;
	v->on_time = on_time;
	v->owner = t;
	v->target = v->target ? v->target : in->talk_target;
	v->subprotocols = in->talk_subprotocol;
	init_visit_run(in, v);
}

/* Of the answer's fields, those whose names say that they name the connection or the request. */
static const char *find_id(struct init *in, const struct handshake_reply *reply, const char *known,
			   const char **ret_value)
{
	static const char *const words[] = {"conn",  "request-id", "requestid", "correlation",
					    "trace", "session-id", "cf-ray"};
	for (size_t i = 0; i < reply->n_fields; i++) {
		char *name = arena_printf(&in->arena, "%.*s", (int)reply->fields[i].name.len,
					  (const char *)reply->fields[i].name.p);
		bool is = name && strcasecmp(name, "Connection") != 0 && handshake_is_token(span_str(name));
		bool hit = known && is && strcasecmp(name, known) == 0;
		for (size_t k = 0; is && !known && k < ARRAY_LEN(words); k++)
			hit |= strcasestr(name, words[k]) != NULL;
		if (!hit)
			continue;
		*ret_value = init_printable(in, reply->fields[i].value);
		return name;
	}
	return NULL;
}

/* A second connection shows whether the field changes, and how a Close is answered that nothing came before. */
static void look_twice(struct init *in, const char *id, const char *value)
{
	struct init_visit v = {.timer = {0}};
	struct talk t = {.silent = true};
	const char *other = NULL;
	talk_run(in, &v, &t);
	if (v.status == 101 && id && value && find_id(in, &v.conn.reply, id, &other) && other &&
	    strcmp(value, other) != 0)
		in->found.id_header = id;
	in->found.answer_close = t.answer_close;
	in->found.answer_fin = t.answer_fin;
	in->found.early_close = t.early_close;
	buf_fini(&t.first);
	init_visit_fini(&v);
}

/* Some servers have their echo beside the service. */
static void look_for_echo(struct init *in)
{
	struct init_visit v = {.target = "/echo"};
	struct talk t = {.stage = ASKED_PONG};
	init_tell(in, "for an echo at %s", v.target);
	talk_run(in, &v, &t);
	in->found.echo = v.status == 101 && t.echo;
	if (in->found.echo)
		in->found.echo_url = "/echo";
	buf_fini(&t.first);
	init_visit_fini(&v);
}

static int refuse(struct init *in, const struct init_visit *v, struct err *e)
{
	const char *url = in->target.url.text;
	if (!v->status)
		return err_set(e, EHOSTUNREACH, "%.200s: %s", url, v->why);
	in->found.bare_status = v->status;
	return err_set(e, EPROTO, "%.200s answers the opening handshake with HTTP %d, not 101", url, v->status);
}

static void keep(struct init *in, struct init_visit *v, const struct talk *t)
{
	struct init_found *f = &in->found;
	const char *value = NULL, *id = find_id(in, &v->conn.reply, NULL, &value);
	struct span server;
	if (handshake_reply_count(&v->conn.reply, "Server", &server))
		f->server = init_printable(in, server);
	f->echo = t->echo;
	f->echo_url = t->echo ? in->target.url.target : NULL;
	f->pong = t->pong;
	f->unasked = t->unasked;
	f->first = t->unasked ? init_printable(in, buf_span(&t->first)) : NULL;
	f->text_close = t->text_close;
	look_twice(in, id, value);
}

int init_look_plain(struct init *in, struct err *e)
{
	struct init_visit v = {.timer = {0}};
	struct talk t = {.stage = ASKED_PONG};
	talk_run(in, &v, &t);
	int r = v.status == 101 ? 0 : refuse(in, &v, e);
	if (r == 0)
		keep(in, &v, &t);
	buf_fini(&t.first);
	init_visit_fini(&v);
	if (r == 0 && !in->found.echo)
		look_for_echo(in);
	return r;
}

void init_look_again(struct init *in)
{
	int early = in->found.early_close;
	if (early && in->found.n_subprotocols)
		in->talk_subprotocol = in->found.subprotocols[0];
	if (!in->talk_subprotocol && !in->talk_target)
		return;
	init_tell(in, "at the handshake once more, as it wants it");
	init_look_plain(in, NULL);
	in->found.early_close = early;
}

void init_look_refusals(struct init *in)
{
	struct init_visit absent = {.target = "/wsquall-init-no-such-path"},
			  origin = {.origin = "https://wsquall-init.invalid"};
	struct init_visit echo = {.origin = origin.origin},
			  deflate = {.extensions = "permessage-deflate; client_max_window_bits"};
	struct span answer;
	origin.target = deflate.target = in->talk_target;
	origin.subprotocols = deflate.subprotocols = in->talk_subprotocol;
	init_visit_run(in, &absent);
	in->found.absent_status = absent.status;
	init_visit_run(in, &origin);
	in->found.origin_status = origin.status;
	/* Cases go to the echo, which may have another policy. */
	in->found.origin_status_echo = origin.status;
	if (in->found.echo && strcmp(in->found.echo_url, in->target.url.target) != 0) {
		echo.target = in->found.echo_url;
		init_visit_run(in, &echo);
		in->found.origin_status_echo = echo.status;
		init_visit_fini(&echo);
	}
	init_visit_run(in, &deflate);
	if (deflate.status == 101 && handshake_reply_count(&deflate.conn.reply, "Sec-WebSocket-Extensions", &answer))
		in->found.deflate = init_printable(in, answer);
	init_visit_fini(&absent);
	init_visit_fini(&origin);
	init_visit_fini(&deflate);
}
