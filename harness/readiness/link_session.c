/* The dialect on a link: what the session says is sent, what it tells is counted. */
#include <stdio.h>
#include <stdlib.h>

#include "harness/base/clock.h"
#include "harness/readiness/dialogue.h"

/* A publish by HTTP that waits for its answer. */
struct link_ask {
	struct link *link;
	struct http_ask *ask;
	uint64_t op;
};

static void on_say(void *owner, struct span message, bool binary)
{
	struct link *l = owner;
	if (l->no_pongs && l->ready && !l->publishing)
		return; /* an answer to a heartbeat of the dialect's own */
	if (l->n_said < LINK_SAID_MAX)
		l->said[l->n_said++] = arena_span(&l->arena, message);
	link_frame(l, (struct frame){.fin = true, .opcode = binary ? OPCODE_BINARY : OPCODE_TEXT, .payload = message});
}

static void on_answer(void *owner, const struct http_got *got)
{
	struct link_ask *a = owner;
	struct link *l = a->link;
	session_http_done(l->session, a->op, got->error ? 0 : got->status, got->body);
	dialogue_step(l->dialogue);
}

static void on_http(void *owner, uint64_t op, const char *method, const char *target, const char *type,
		    struct span body)
{
	struct link *l = owner;
	const struct site *s = l->dialogue->r->site;
	struct handshake_field fields[32];
	struct http_question q = {.place = &l->place, .target = target, .method = method, .type = type, .body = body,
				  .fields = fields, .tls = s->tls, .server_name = s->ways[0].server_name};
	for (size_t i = 0; i < s->headers.len && q.n_fields < ARRAY_LEN(fields); i++)
		fields[q.n_fields++] = (struct handshake_field){.name = span_str(s->headers.items[i].key),
								.value = span_str(s->headers.items[i].value)};
	if (l->n_asks == LINK_ASKS_MAX)
		return;
	q.target = site_with_credential(s, &l->arena, target);
	struct link_ask *a = &l->asks[l->n_asks++];
	*a = (struct link_ask){.link = l, .op = op};
	http_ask_new(s->loop, &q, on_answer, a, &a->ask);
}

static void on_ready(void *owner, const struct session_news *n)
{
	struct link *l = owner;
	l->ready |= n->ok;
	l->denied |= !n->ok;
}

static void on_subscribed(void *owner, const struct session_news *n)
{
	struct link *l = owner;
	l->subscribed |= n->ok;
	l->unsubscribable |= !n->ok;
}

static void on_published(void *owner, const struct session_news *n)
{
	struct link *l = owner;
	l->accepted += n->ok;
	l->declined += !n->ok;
	l->answered_us = clock_now_us();
}

static void on_message(void *owner, const struct session_news *n)
{
	struct link *l = owner;
	l->n_got++;
	buf_append_span(&l->got, n->data);
	buf_append_u8(&l->got, '\n');
}

static void on_error(void *owner, const struct session_news *n)
{
	(void)n;
	((struct link *)owner)->errors++;
}

static void on_ping(void *owner)
{
	struct link *l = owner;
	if (!l->pings++)
		l->pinged_us = clock_now_us();
}

static void ignore_news(void *owner, const struct session_news *n)
{
	(void)owner;
	(void)n;
}

static void ignore_ack(void *owner, uint32_t channel, uint64_t seq)
{
	(void)owner;
	(void)channel;
	(void)seq;
}

static void ignore_message(void *owner, struct span message)
{
	(void)owner;
	(void)message;
}

static const struct session_events events = {
	.say = on_say, .http = on_http, .ready = on_ready, .subscribed = on_subscribed, .published = on_published,
	.message = on_message, .moved = ignore_news, .acked = ignore_ack, .ping = on_ping, .error = on_error,
	.unknown = ignore_message,
};

/* The site's variables, with another credential, or none, in place of the valid one, which is the last of them. */
static int variables_of(struct link *l, const char *credential, struct opt_map *ret)
{
	const struct site *s = l->dialogue->r->site;
	const struct target_credentials *c = &s->target->credentials;
	*ret = s->variables;
	if (!c->variable || !credential)
		return 0;
	struct opt_pair *items = arena_alloc(&l->arena, (s->variables.len + 1) * sizeof(*items));
	char *copy = arena_strdup(&l->arena, credential);
	if (!items || !copy)
		return -ENOMEM;
	ret->items = items;
	ret->len = s->variables.len - (c->valid ? 1 : 0);
	for (size_t i = 0; i < ret->len; i++)
		items[i] = s->variables.items[i];
	if (*credential)
		items[ret->len++] = (struct opt_pair){c->variable, copy};
	return 0;
}

int link_session_new(struct link *l, const struct link_options *o, const char *base, struct session_request *ret)
{
	const struct site *s = l->dialogue->r->site;
	struct opt_map variables;
	const char *channel = o->channel;
	if (!channel && s->dialect->channel_by == DIALECT_CHANNEL_BY_URL)
		channel = dialogue_channel(l->dialogue);
	l->asks = arena_alloc(&l->arena, LINK_ASKS_MAX * sizeof(*l->asks));
	l->place = (struct http_place){.url = s->target->url, .addresses = s->door};
	int r = l->asks ? variables_of(l, o->credential, &variables) : -ENOMEM;
	if (r == 0)
		r = session_new(s->dialect, &variables, &events, l, &l->session);
	if (r == 0 && channel)
		r = session_subscribe(l->session, 1, channel);
	return r == 0 ? session_request(l->session, base, ret) : r;
}

void link_session_free(struct link *l)
{
	for (size_t i = 0; i < l->n_asks; i++)
		http_ask_free(l->asks[i].ask);
	session_free(l->session);
}

bool link_publish(struct link *l, const char *channel, const char *data)
{
	l->asked++;
	l->publishing = true;
	int r = 0;
	if (l->dialogue->r->site->dialect->publish_subscribed)
		r = session_subscribe(l->session, 1, channel);
	if (r == 0)
		r = session_publish(l->session, 1, channel, span_str(data), NULL, l->asked);
	l->publishing = false;
	return r == 0;
}

void link_tick(struct link *l)
{
	uint64_t now_us = clock_now_us();
	if (l->session && link_alive(l) && !l->no_pongs && session_wake_at(l->session) <= now_us)
		session_wake(l->session, now_us);
}
