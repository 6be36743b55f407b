/* Who has no WebSocket reads an event stream, and misses nothing while it is away. */
#include <stdio.h>
#include <stdlib.h>

#include "harness/base/clock.h"
#include "harness/load/transport.h"
#include "harness/readiness/pair.h"
#include "harness/readiness/rows.h"
#include "harness/ws/close_code.h"

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

static const struct transport_events stream_events = {
	.on_open = on_open, .on_refused = on_refused, .on_message = on_octets, .on_end = on_end};

static void no_say(void *owner, struct span message, bool binary)
{
	(void)owner;
	(void)message;
	(void)binary;
}

static void no_http(void *owner, uint64_t op, const char *method, const char *target, const char *type,
		    struct span body)
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
	pair_took(&((struct sse *)owner)->pair, n->data);
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
	.say = no_say,
	.http = no_http,
	.ready = no_news,
	.subscribed = on_subscribed,
	.published = no_news,
	.message = on_data,
	.moved = no_news,
	.acked = no_ack,
	.ping = no_ping,
	.error = no_news,
	.unknown = no_message,
};

static void connect_stream(struct dialogue *d, struct sse *s)
{
	const struct site *site = d->r->site;
	struct session_request q;
	s->open = s->over = s->subscribed = false;
	int r = session_request(s->session, site_with_credential(site, &d->arena, site->target->url.target), &q);
	struct transport_options o = {
		.line = {.loop = site->loop,
			 .alarms = site->alarms,
			 .way = &site->ways[0],
			 .source = site->target->source},
		.target = r == 0 ? q.target : "/",
		.headers = &site->headers,
		.more_headers = q.headers,
		.n_more_headers = q.n_headers,
		.rng = &d->rng,
		.scratch = &s->scratch,
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
	pair_begin(d, p);
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
	pair_publish(p);
	TALK_AWAIT(d, dialogue_patience(d), pair_witnessed(p) && stream_got(s));
	if (s->transport)
		leave_stream(d, s);
	pair_publish(p);
	TALK_AWAIT(d, dialogue_patience(d), pair_witnessed(p));
	connect_stream(d, s);
	TALK_AWAIT(d, dialogue_patience(d), s->subscribed || s->over);
	pair_publish(p);
	TALK_AWAIT(d, dialogue_patience(d), pair_witnessed(p) && stream_got(s));
	if (s->over)
		dialogue_fail(d, "the event stream ended: %s", s->why);
	pair_judge(d, p, "while it was away");
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
	.check = "fallback.sse",
	.about = "reads an event stream beside a WebSocket, is cut, and comes back",
	.needs = NEEDS_SSE | NEEDS_DIALECT | NEEDS_PUBLISH,
	.state_size = sizeof(struct sse),
	.talk = talk_sse,
	.stop = stop_sse,
};
