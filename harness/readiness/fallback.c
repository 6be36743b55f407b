/* Who has no WebSocket gets the same, and misses nothing while it is away: event streams and polls. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/base/clock.h"
#include "harness/load/transport.h"
#include "harness/readiness/rows.h"
#include "harness/ws/close_code.h"

enum { PART = 3, GOT_MAX = 1 << 20, REQUESTS_MAX = 64 };

/* What both have in common: one who publishes, and one who sees it over a WebSocket. */
struct pair {
	const char *channel;
	struct link *publisher, *witness;
	unsigned published;
	struct buf got;            /* over the fall-back, as link->got */
	uint64_t n_got;
};

static void begin_pair(struct dialogue *d, struct pair *p)
{
	p->channel = dialogue_channel(d);
	p->witness = dialogue_link(d, &(struct link_options){.label = "subscribes over a WebSocket", .channel = p->channel});
	p->publisher = dialogue_link(d, &(struct link_options){.label = "publishes", .speaks = true,
		.channel = d->r->site->dialect->channel_by == DIALECT_CHANNEL_BY_URL ? p->channel : NULL});
	buf_init(&p->got, GOT_MAX);
}

static bool pair_settled(const struct pair *p)
{
	return link_subscribed(p->witness) && link_settled(p->publisher);
}

static bool pair_works(struct dialogue *d, const struct pair *p)
{
	if (p->witness->subscribed && p->publisher->ready)
		return true;
	dialogue_unknown(d, "it cannot be compared: over the WebSocket there is %s", link_how(p->witness->subscribed ? p->publisher : p->witness));
	return false;
}

static void publish_part(struct pair *p)
{
	char text[48];
	for (unsigned i = 0; i < PART; i++) {
		snprintf(text, sizeof(text), "wsquall message %u", ++p->published);
		link_publish(p->publisher, p->channel, text);
	}
}

static bool witnessed(const struct pair *p)
{
	return p->witness->n_got >= p->published;
}

static void took(struct pair *p, struct span data)
{
	p->n_got++;
	buf_append_span(&p->got, data);
	buf_append_u8(&p->got, '\n');
}

static void judge_pair(struct dialogue *d, const struct pair *p, const char *away)
{
	if (!witnessed(p))
		dialogue_unknown(d, "over the WebSocket %llu of %u messages came", (unsigned long long)p->witness->n_got, p->published);
	else if (span_eq(buf_span(&p->got), buf_span(&p->witness->got)))
		dialogue_pass(d, "%u messages, the same as over the WebSocket, %u of them published %s", p->published, (unsigned)PART, away);
	else if (p->n_got < p->published)
		dialogue_fail(d, "%llu of %u messages came; %u were published %s", (unsigned long long)p->n_got, p->published, (unsigned)PART, away);
	else
		dialogue_fail(d, "other messages came, or in another order, than over the WebSocket");
}

/* Event streams -------------------------------------------------------------------------------------------------- */

struct sse {
	struct pair pair;
	struct dialogue *dialogue;
	const struct dialect *dialect;
	struct session *session;
	struct transport *transport;
	struct buf scratch;
	bool open, subscribed, unrecovered, over;
	char why[160];
};

static void on_open(void *owner)
{
	struct sse *s = owner;
	s->open = true;
	session_open(s->session, clock_now_us());
	dialogue_note(s->dialogue, "the event stream is open");
	dialogue_step(s->dialogue);
}

static void on_refused(void *owner, int status, const char *why)
{
	struct sse *s = owner;
	s->over = true;
	snprintf(s->why, sizeof(s->why), "%s", why);
	(void)status;
	dialogue_step(s->dialogue);
}

static void on_octets(void *owner, struct span octets, bool binary)
{
	struct sse *s = owner;
	session_receive(s->session, octets, binary, clock_now_us());
	dialogue_step(s->dialogue);
}

static void on_end(void *owner, const struct transport_end *end)
{
	on_refused(owner, 0, end->note);
}

static const struct transport_events stream_events = {.on_open = on_open, .on_refused = on_refused, .on_message = on_octets, .on_end = on_end};

static void no_say(void *owner, struct span message, bool binary)
{
	(void)owner;
	(void)message;
	(void)binary;
}

static void no_http(void *owner, uint64_t op, const char *method, const char *target, const char *type, struct span body)
{
	(void)owner;
	(void)op;
	(void)method;
	(void)target;
	(void)type;
	(void)body;
}

static void no_news(void *owner, const struct session_news *n)
{
	(void)owner;
	(void)n;
}

static void on_subscribed(void *owner, const struct session_news *n)
{
	struct sse *s = owner;
	s->subscribed |= n->ok;
	s->unrecovered |= n->recovered == RECOVERED_NO;
}

static void on_data(void *owner, const struct session_news *n)
{
	took(&((struct sse *)owner)->pair, n->data);
}

static void no_ack(void *owner, uint32_t channel, uint64_t seq)
{
	(void)owner;
	(void)channel;
	(void)seq;
}

static void no_ping(void *owner)
{
	(void)owner;
}

static void no_message(void *owner, struct span message)
{
	(void)owner;
	(void)message;
}

static const struct session_events session_events = {
	.say = no_say, .http = no_http, .ready = no_news, .subscribed = on_subscribed, .published = no_news, .message = on_data,
	.moved = no_news, .acked = no_ack, .ping = no_ping, .error = no_news, .unknown = no_message,
};

static void connect_stream(struct dialogue *d, struct sse *s)
{
	const struct site *site = d->r->site;
	struct session_request q;
	s->open = s->over = s->subscribed = false;
	int r = session_request(s->session, site_with_credential(site, &d->arena, site->target->url.target), &q);
	struct transport_options o = {
		.line = {.loop = site->loop, .alarms = site->alarms, .way = &site->ways[0], .source = site->target->source},
		.target = r == 0 ? q.target : "/", .headers = &site->headers, .more_headers = q.headers, .n_more_headers = q.n_headers,
		.rng = &d->rng, .scratch = &s->scratch,
	};
	if (r == 0)
		r = transport_event_stream_new(&o, &stream_events, s, &s->transport);
	if (r < 0)
		on_refused(s, 0, strerror(-r));
}

static void leave_stream(struct dialogue *d, struct sse *s)
{
	dialogue_note(d, "the event stream is cut");
	transport_reset(s->transport);
	transport_free(TAKE_PTR(s->transport));
	session_closed(s->session, CLOSE_ABNORMAL);
}

static bool begin_stream(struct dialogue *d, struct sse *s)
{
	struct err e = {.text = "out of memory"};
	const struct target *t = d->r->site->target;
	s->dialogue = d;
	buf_init(&s->scratch, 1 << 16);
	int r = dialect_load(t->fallback.sse, t->folder, &d->arena, &s->dialect, &e);
	if (r == 0 && s->dialect->transport != DIALECT_SSE)
		r = err_set(&e, EINVAL, "`fallback.sse` names a dialect that is not one of event streams");
	if (r == 0)
		r = session_new(s->dialect, NULL, &session_events, s, &s->session);
	if (r == 0)
		r = session_subscribe(s->session, 1, s->pair.channel);
	if (r < 0)
		dialogue_unknown(d, "%s", e.text);
	return r == 0;
}

static bool stream_got(const struct sse *s)
{
	return s->over || s->pair.n_got >= s->pair.published;
}

static void talk_sse(struct dialogue *d)
{
	struct sse *s = d->state;
	struct pair *p = &s->pair;
	TALK_BEGIN(d);
	begin_pair(d, p);
	if (!begin_stream(d, s))
		goto over;
	connect_stream(d, s);
	TALK_AWAIT(d, dialogue_patience(d), pair_settled(p) && (s->subscribed || s->over));
	if (!pair_works(d, p))
		goto over;
	if (!s->subscribed) {
		dialogue_fail(d, "the event stream cannot be subscribed to: %s", s->over ? s->why : "no answer");
		goto over;
	}
	publish_part(p);
	TALK_AWAIT(d, dialogue_patience(d), witnessed(p) && stream_got(s));
	if (s->transport)
		leave_stream(d, s);
	publish_part(p);
	TALK_AWAIT(d, dialogue_patience(d), witnessed(p));
	connect_stream(d, s);
	TALK_AWAIT(d, dialogue_patience(d), s->subscribed || s->over);
	publish_part(p);
	TALK_AWAIT(d, dialogue_patience(d), witnessed(p) && stream_got(s));
	if (s->over)
		dialogue_fail(d, "the event stream ended: %s", s->why);
	judge_pair(d, p, "while it was away");
over:
	TALK_END(d);
}

static void stop_sse(struct dialogue *d)
{
	struct sse *s = d->state;
	transport_free(s->transport);
	session_free(s->session);
	buf_fini(&s->scratch);
	buf_fini(&s->pair.got);
}

const struct dialogue_row dialogue_fallback_sse = {
	.check = "fallback.sse", .about = "reads an event stream beside a WebSocket, is cut, and comes back",
	.needs = NEEDS_SSE | NEEDS_DIALECT | NEEDS_PUBLISH, .state_size = sizeof(struct sse), .talk = talk_sse, .stop = stop_sse,
};

/* Polls ---------------------------------------------------------------------------------------------------------- */

struct poll {
	struct pair pair;
	struct dialogue *dialogue;
	struct http_place place;
	struct http_ask *asks[REQUESTS_MAX];
	size_t n_asks;
	bool pending, failed;
	const char *position;      /* NULL: none yet */
	char why[160];
};

/* RFC 6901, without its escapes but ~0 and ~1. */
static const json_t *json_at(const json_t *v, const char *pointer)
{
	char step[128];
	while (v && *pointer == '/') {
		size_t n = 0;
		for (pointer++; *pointer && *pointer != '/'; pointer++) {
			bool escape = pointer[0] == '~' && (pointer[1] == '0' || pointer[1] == '1');
			char c = escape ? (*++pointer == '0' ? '~' : '/') : *pointer;
			if (n < sizeof(step) - 1)
				step[n++] = c;
		}
		step[n] = 0;
		v = json_is_array(v) ? json_array_get(v, strtoul(step, NULL, 10)) : json_object_get(v, step);
	}
	return v;
}

/* A scalar as it stands in a URL. */
static void append_value(struct buf *b, const json_t *v)
{
	if (json_is_string(v))
		buf_printf(b, "%s", json_string_value(v));
	else if (json_is_integer(v))
		buf_printf(b, "%lld", (long long)json_integer_value(v));
}

/* "{/epoch}:{/seq}" with what the answer holds there. */
static const char *position_of(struct dialogue *d, const json_t *answer)
{
	struct buf b CLEANUP(buf_fini) = {.max = 4096};
	char pointer[256];
	for (const char *at = d->r->site->target->fallback.poll.since; *at;) {
		const char *end = *at == '{' ? strchr(at, '}') : NULL;
		if (!end) {
			buf_append_u8(&b, (uint8_t)*at++);
			continue;
		}
		snprintf(pointer, sizeof(pointer), "%.*s", (int)(end - at - 1), at + 1);
		append_value(&b, json_at(answer, pointer));
		at = end + 1;
	}
	return arena_strdup(&d->arena, buf_cstr(&b));
}

/* The path with its words filled in. */
static const char *fill(struct dialogue *d, const char *path, const char *channel, const char *since)
{
	struct buf b CLEANUP(buf_fini) = {.max = 16 << 10};
	while (*path) {
		bool is_channel = strncmp(path, "{channel}", 9) == 0, is_since = strncmp(path, "{since}", 7) == 0;
		if (is_channel || is_since) {
			buf_printf(&b, "%s", is_channel ? channel : since);
			path += is_channel ? 9 : 7;
		} else {
			buf_append_u8(&b, (uint8_t)*path++);
		}
	}
	return arena_strdup(&d->arena, buf_cstr(&b));
}

static void take_messages(struct poll *p, const json_t *answer)
{
	const struct target_poll *t = &p->dialogue->r->site->target->fallback.poll;
	const json_t *list = json_at(answer, t->messages);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *data = json_at(json_array_get(list, i), t->data);
		char *text = json_is_string(data) ? NULL : json_dumps(data, JSON_COMPACT | JSON_ENCODE_ANY);
		took(&p->pair, span_str(text ? text : json_string_value(data)));
		free(text);
	}
}

static void on_polled(void *owner, const struct http_got *got)
{
	struct poll *p = owner;
	json_t *answer = got->status == 200 ? json_loadb((const char *)got->body.p, got->body.len, 0, NULL) : NULL;
	p->pending = false;
	p->failed = !answer;
	if (answer) {
		uint64_t before = p->pair.n_got;
		take_messages(p, answer);
		p->position = position_of(p->dialogue, answer);
		dialogue_note(p->dialogue, "a poll brought %llu messages; now at %s", (unsigned long long)(p->pair.n_got - before),
			      p->position ? p->position : "?");
	} else if (got->error || got->status != 200) {
		snprintf(p->why, sizeof(p->why), "%s (%d)", got->why && *got->why ? got->why : "HTTP", got->status);
	} else {
		snprintf(p->why, sizeof(p->why), "the answer is not JSON");
	}
	json_decref(answer);
	dialogue_step(p->dialogue);
}

static void ask(struct dialogue *d, struct poll *p)
{
	const struct site *s = d->r->site;
	const struct target_poll *t = &s->target->fallback.poll;
	const char *path = fill(d, p->position ? t->next : t->first, p->pair.channel, p->position);
	struct handshake_field fields[32];
	struct http_question q = {.place = &p->place, .fields = fields, .tls = s->tls, .server_name = s->ways[0].server_name};
	for (size_t i = 0; i < s->headers.len && q.n_fields < ARRAY_LEN(fields); i++)
		fields[q.n_fields++] = (struct handshake_field){.name = span_str(s->headers.items[i].key),
								.value = span_str(s->headers.items[i].value)};
	q.target = path ? site_with_credential(s, &d->arena, path) : NULL;
	p->pending = p->n_asks < REQUESTS_MAX && q.target && http_ask_new(s->loop, &q, on_polled, p, &p->asks[p->n_asks]) == 0;
	p->n_asks += p->pending;
	p->failed |= !p->pending;
}

static void talk_poll(struct dialogue *d)
{
	struct poll *p = d->state;
	TALK_BEGIN(d);
	p->dialogue = d;
	p->place = (struct http_place){.url = d->r->site->target->url, .addresses = d->r->site->door};
	begin_pair(d, &p->pair);
	TALK_AWAIT(d, dialogue_patience(d), pair_settled(&p->pair));
	if (!pair_works(d, &p->pair))
		TALK_STOP(d);
	ask(d, p);
	TALK_AWAIT(d, 2 * dialogue_patience(d), !p->pending);
	while (!p->failed && p->pair.published < 3 * PART) {
		publish_part(&p->pair);
		TALK_AWAIT(d, dialogue_patience(d), witnessed(&p->pair));
		ask(d, p);
		TALK_AWAIT(d, 2 * dialogue_patience(d), !p->pending);
	}
	while (!p->failed && p->pair.n_got < p->pair.published && p->n_asks < 8) {
		ask(d, p); /* an answer may have been cut, or made before the last message was kept */
		TALK_AWAIT(d, 2 * dialogue_patience(d), !p->pending);
	}
	if (p->failed || p->pending)
		dialogue_fail(d, "a poll was not answered: %s", p->why[0] ? p->why : "nothing came");
	else
		judge_pair(d, &p->pair, "between two polls");
	TALK_END(d);
}

static void stop_poll(struct dialogue *d)
{
	struct poll *p = d->state;
	for (size_t i = 0; i < p->n_asks; i++)
		http_ask_free(p->asks[i]);
	buf_fini(&p->pair.got);
}

const struct dialogue_row dialogue_fallback_poll = {
	.check = "fallback.poll", .about = "polls beside a WebSocket, with messages published between two polls",
	.needs = NEEDS_POLL | NEEDS_DIALECT | NEEDS_PUBLISH, .state_size = sizeof(struct poll), .talk = talk_poll, .stop = stop_poll,
};
