/* Publishes of a session, and what waits for an answer. */
#include <stdlib.h>

#include "harness/base/clock.h"
#include "harness/target/session_internal.h"
#include "harness/target/sign.h"

static struct session_pending *at(struct session *s, size_t i)
{
	return &s->pending[(s->pending_head + i) & (s->cap_pending - 1)];
}

/* Twice the room, the oldest first. */
static int grow(struct session *s)
{
	size_t cap = s->cap_pending ? 2 * s->cap_pending : 16;
	if (s->n_pending < s->cap_pending)
		return 0;
	if (cap > SESSION_PENDING_MAX)
		return -ENOBUFS;
	struct session_pending *grown = calloc(cap, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_pending; i++)
		grown[i] = *at(s, i);
	free(s->pending);
	s->pending = grown;
	s->pending_head = 0;
	s->cap_pending = cap;
	return 0;
}

static int add(struct session *s, const struct session_pending *p)
{
	int r = grow(s);
	if (r < 0)
		return r;
	*at(s, s->n_pending++) = *p;
	return 0;
}

struct session_pending *session_pending_find(struct session *s, uint64_t id)
{
	size_t low = 0, high = s->n_pending;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (at(s, middle)->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	struct session_pending *p = low < s->n_pending ? at(s, low) : NULL;
	return p && p->id == id && !p->done && !p->http ? p : NULL;
}

struct session_pending *session_pending_oldest(struct session *s)
{
	for (size_t i = 0; i < s->n_pending; i++)
		if (!at(s, i)->done && !at(s, i)->http)
			return at(s, i);
	return NULL;
}

static struct session_pending *find_op(struct session *s, uint64_t op)
{
	for (size_t i = 0; i < s->n_pending; i++)
		if (!at(s, i)->done && at(s, i)->op == op)
			return at(s, i);
	return NULL;
}

void session_pending_done(struct session *s, struct session_pending *p)
{
	p->done = true;
	while (s->n_pending && at(s, 0)->done) {
		s->pending_head = (s->pending_head + 1) & (s->cap_pending - 1);
		s->n_pending--;
	}
}

void session_pending_drop(struct session *s)
{
	size_t kept = 0;
	for (size_t i = 0; i < s->n_pending; i++)
		if (at(s, i)->http && !at(s, i)->done)
			*at(s, kept++) = *at(s, i);
	s->n_pending = kept;
}

void session_give_up(struct session *s, uint64_t op)
{
	struct session_pending *p = find_op(s, op);
	if (p)
		session_pending_done(s, p);
}

/* As the dialect wants its requests signed. */
static int sign(struct session *s, const struct template_values *values, struct span body, struct buf *target)
{
	const struct dialect_http *http = &s->rules->file.publish.http;
	struct buf key CLEANUP(buf_fini), secret CLEANUP(buf_fini);
	buf_init(&key, SESSION_REQUEST_MAX);
	buf_init(&secret, SESSION_REQUEST_MAX);
	if (http->sign == SIGN_NOTHING)
		return 0;
	int r = template_say(s->rules->say[LINE_HTTP_KEY], values, TEMPLATE_INTO_URL, &key);
	if (r == 0)
		r = template_say(s->rules->say[LINE_HTTP_SECRET], values, TEMPLATE_INTO_TEXT, &secret);
	if (r < 0)
		return r;
	struct sign_request q = {.method = http->method, .body = body, .key = buf_span(&key), .secret = buf_span(&secret),
				 .unix_s = s->events->unix_s ? s->events->unix_s(s->owner) : clock_unix_s()};
	return sign_pusher(&q, target);
}

static int by_http(struct session *s, const struct template_values *values, uint64_t op)
{
	const struct dialect_http *http = &s->rules->file.publish.http;
	struct buf target CLEANUP(buf_fini), body CLEANUP(buf_fini);
	buf_init(&target, SESSION_REQUEST_MAX);
	buf_init(&body, SESSION_MESSAGE_MAX);
	int r = template_say(s->rules->say[LINE_HTTP_TARGET], values, TEMPLATE_INTO_URL, &target);
	if (r == 0)
		r = template_say(s->rules->say[SAY_HTTP_BODY], values, TEMPLATE_INTO_TEXT, &body);
	if (r == 0)
		r = sign(s, values, buf_span(&body), &target);
	if (r == 0)
		s->events->http(s->owner, op, http->method, buf_cstr(&target), http->type, buf_span(&body));
	return r;
}

static int by_message(struct session *s, const struct session_pending *p, const struct template_values *values)
{
	struct session_news n = {.channel = p->channel, .op = p->op, .ok = true};
	uint64_t connection = s->connection;
	int r = session_say(s, SAY_PUBLISH, values);
	bool answered = s->rules->hears[HEAR_PUBLISH_OK];
	struct session_pending *waits = connection == s->connection && !answered ? find_op(s, p->op) : NULL;
	if (r == 0 && waits) {
		session_pending_done(s, waits);
		s->events->published(s->owner, &n);
	}
	return r;
}

int session_publish(struct session *s, uint32_t channel, const char *name, struct span data, const char *key,
		    uint64_t op)
{
	struct template_values values;
	bool http = s->dialect->publish_by_http;
	if (!s->dialect->can_publish)
		return -ENOTSUP;
	struct session_channel *ch = s->dialect->publish_subscribed ? session_channel_find(s, channel) : NULL;
	if (s->dialect->publish_subscribed && !ch)
		return -ENOTSUP;
	if (!http && s->state != SESSION_READY)
		return -EAGAIN;
	if (ch)
		session_channel_ask(s, ch); /* the server reads it first */
	if (!http && s->state != SESSION_READY) /* ended by what was told meanwhile */
		return -EAGAIN;
	session_values(s, NULL, &values);
	struct session_pending p = {.id = ++s->last_id, .op = op, .channel = channel, .http = http};
	template_set_number(&values, NAME_ID, p.id);
	template_set_text(&values, NAME_CHANNEL, span_str(name));
	template_set_text(&values, NAME_DATA, data);
	if (key)
		template_set_text(&values, NAME_KEY, span_str(key));
	int r = add(s, &p);
	if (r < 0)
		return r;
	r = http ? by_http(s, &values, op) : by_message(s, &p, &values);
	if (r < 0)
		session_give_up(s, op);
	return r;
}

void session_http_done(struct session *s, uint64_t op, int status, struct span body)
{
	struct session_pending *p = find_op(s, op);
	struct template_input in;
	struct template_values values;
	struct session_texts texts;
	if (!p || !p->http)
		return;
	struct session_news n = {.channel = p->channel, .op = op, .ok = status >= 200 && status < 300};
	const struct template *t = n.ok ? s->rules->http_ok : s->rules->http_fail;
	/* Refused for good is 4xx; behind anything else it may have been done. */
	n.unsure = !n.ok && (status < 400 || status >= 500 || status == 408);
	template_input_init(&in, span_sub(body, 0, SESSION_UNIT_MAX));
	template_values_init(&values);
	values.given = &s->given;
	if (t && template_match(t, &in, &values))
		session_news_fill(&n, &values, &texts);
	session_pending_done(s, p);
	s->events->published(s->owner, &n);
	template_values_fini(&values);
	template_input_fini(&in);
}
