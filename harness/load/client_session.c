/* What a session tells, as events of the history, and its subscriptions as an account keeps them. */
#include <stdio.h>

#include "harness/base/clock.h"
#include "harness/load/http.h"
#include "harness/load/publisher.h"
#include "harness/load/workload_internal.h"

enum { UNKNOWN_SHOWN = 240 }; /* octets shown of a message that the dialect does not know */

static void doom(struct client *c, const char *why)
{
	c->doomed = why;
	c->doomed_by_close = false;
}

/* To the connection: of the session, or of the adapter. */
static void send_message(void *owner, struct span message, bool binary)
{
	struct client *c = owner;
	if (c->transport && transport_send(c->transport, message, binary) == -ENOBUFS)
		doom(c, "too much is unsent");
}

static void say(void *owner, struct span message, bool binary)
{
	struct client *c = owner;
	if (!c->link)
		send_message(c, message, binary);
	else if (adapter_say(c->link, message) < 0)
		doom(c, "the adapter does not listen");
}

/* From the adapter's process, later than what it was made from. */
static void send_translated(void *owner, struct span message, bool binary)
{
	struct client *c = owner;
	send_message(c, message, binary);
	client_after(c);
}

static void heard(void *owner, struct span message)
{
	struct client *c = owner;
	session_receive(c->session, message, false, clock_now_us());
	client_after(c);
}

static void broken(void *owner, const char *why)
{
	struct client *c = owner;
	struct event e = client_event(c, EVENT_ERROR, EVENT_INFO);
	e.text = "broken protocol";
	e.note = why;
	workload_tell(c->workload, &e);
	doom(c, "the adapter says that the target broke the protocol");
	client_after(c);
}

const struct adapter_events client_adapter_events = {send_translated, heard, broken};

static void http(void *owner, uint64_t op, const char *method, const char *target, const char *type, struct span body)
{
	struct client *c = owner;
	struct http_request q = {.method = method, .target = target, .type = type, .body = body};
	publisher_http(c->publisher, op, &q);
}

/* Subscriptions ---------------------------------------------------------------------------------------------------- */

/* The invoke of a subscription; the session asks by itself. */
static void ask(struct client *c, uint32_t k)
{
	struct workload *w = c->workload;
	struct client_channel *s = &c->channels[k];
	struct event e = client_event(c, EVENT_SUBSCRIBE, EVENT_INVOKE);
	struct span epoch = {0};
	uint64_t seq = 0;
	e.channel = workload_subscription(w, c, k);
	s->asked = true;
	c->asked_us = clock_now_us();
	s->positioned = w->site.dialect->resumes && session_cursor(c->session, e.channel, &seq, &epoch);
	if (s->positioned) {
		e.resumes = true;
		e.seq = seq;
		e.epoch = workload_epoch(w, e.channel, epoch);
	}
	workload_tell(w, &e);
}

static void refused(struct client *c, const struct session_news *n)
{
	char why[TRANSPORT_WHY_MAX];
	struct event e = client_event(c, EVENT_CONNECT, EVENT_FAIL);
	snprintf(why, sizeof(why), "%s %s", n->code ? n->code : "refused", n->reason ? n->reason : "");
	e.text = why;
	e.id = c->transport->id;
	workload_tell(c->workload, &e);
	c->refused = c->doomed_by_close = true;
	c->doomed = "refused by the dialect";
}

static void ready(void *owner, const struct session_news *n)
{
	struct client *c = owner;
	if (c->was_up || c->refused)
		return;
	if (!n->ok) {
		refused(c, n);
		return;
	}
	client_ready(c, n);
	for (uint32_t k = 0; k < c->n_channels; k++)
		if (!c->channels[k].asked)
			ask(c, k);
	client_plan(c);
	if (c->publisher)
		publisher_up(c->publisher);
}

/* Nobody waits any more once every subscription that was asked for has its answer. */
static void answered(struct client *c)
{
	for (uint32_t k = 0; k < c->n_channels; k++)
		if (c->channels[k].asked && !c->channels[k].confirmed)
			return;
	c->asked_us = 0;
}

/*
 * Is what was published before owed to a subscription? Where the target says so itself, as it says; where it does not,
 * as the contract promises to one who comes back in time and has not missed too much.
 */
static bool is_afresh(const struct client *c, const struct client_channel *s, uint32_t place, enum recovered recovered)
{
	const struct contract *promise = &c->workload->contract;
	if (!s->before || recovered == RECOVERED_NO)
		return true;
	if (recovered == RECOVERED_YES)
		return false;
	if (!promise->resumes || !s->positioned)
		return true;
	if (clock_now_us() - s->left_us >= promise->resume_window_ms * 1000)
		return true;
	return promise->resume_messages &&
	       account_missing_of(c->workload->account, place) >= promise->resume_messages;
}

static void confirm(struct client *c, uint32_t k, enum recovered recovered)
{
	struct workload *w = c->workload;
	struct client_channel *s = &c->channels[k];
	if (!s->confirmed) {
		s->confirmed = true;
		c->n_confirmed++;
		w->state.subscribed += !c->publisher;
	}
	if (!c->publisher) {
		uint32_t place = workload_place(w, c, k);
		bool afresh = is_afresh(c, s, place, recovered);
		if (!account_subscribe(w->account, place, afresh) && afresh)
			w->doubt_until_us = UINT64_MAX; /* until those have an outcome, and a moment longer */
	}
	s->before = true;
	answered(c);
}

static void withdraw(struct client *c, uint32_t k)
{
	struct client_channel *s = &c->channels[k];
	s->asked = false;
	if (!s->confirmed)
		return;
	s->confirmed = false;
	s->left_us = clock_now_us();
	c->n_confirmed--;
	if (c->publisher)
		return;
	c->workload->state.subscribed--;
	account_leave(c->workload->account, workload_place(c->workload, c, k));
}

void client_unsubscribed(struct client *c)
{
	for (uint32_t k = 0; k < c->n_channels; k++)
		withdraw(c, k);
	c->asked_us = c->again_us = 0;
}

/* The target does not have it: asks again in a while. */
static void refuse(struct client *c, uint32_t k)
{
	withdraw(c, k);
	answered(c);
	if (!c->again_us)
		c->again_us = clock_now_us() + CLIENT_SUBSCRIBE_AGAIN_MS * 1000;
	if (c->phase == CLIENT_UP)
		client_plan(c);
}

/* An event about a subscription from what the session told. */
static struct event subscription_event(struct client *c, const struct session_news *n)
{
	struct event e = client_event(c, EVENT_SUBSCRIBE, n->ok ? EVENT_OK : EVENT_FAIL);
	e.channel = n->channel;
	e.seq = n->seq;
	e.epoch = workload_epoch(c->workload, n->channel, n->epoch);
	e.recovered = n->recovered;
	e.text = n->code;
	e.note = n->reason;
	return e;
}

static void subscribed(void *owner, const struct session_news *n)
{
	struct client *c = owner;
	int k = workload_which(c->workload, c, n->channel);
	if (k < 0)
		return;
	if (!c->channels[k].asked)
		ask(c, (uint32_t)k);
	struct event e = subscription_event(c, n);
	workload_tell(c->workload, &e);
	if (n->ok)
		confirm(c, (uint32_t)k, n->recovered);
	else
		refuse(c, (uint32_t)k);
}

static void moved(void *owner, const struct session_news *n)
{
	struct client *c = owner;
	int k = workload_which(c->workload, c, n->channel);
	if (k < 0)
		return;
	struct event e = subscription_event(c, n);
	if (!e.note)
		e.note = "unasked";
	workload_tell(c->workload, &e);
	if (n->ok)
		confirm(c, (uint32_t)k, n->recovered);
	else
		refuse(c, (uint32_t)k);
}

/* The path or the target is stuck: gives the connection up. */
static void nobody_answers(struct client *c)
{
	for (uint32_t k = 0; k < c->n_channels; k++) {
		struct event e = client_event(c, EVENT_SUBSCRIBE, EVENT_INFO);
		if (c->channels[k].confirmed || !c->channels[k].asked)
			continue;
		e.channel = workload_subscription(c->workload, c, k);
		e.text = "no answer in time";
		workload_tell(c->workload, &e);
	}
	c->asked_us = 0;
	doom(c, "no answer to a subscribe");
}

void client_subscriptions_due(struct client *c, uint64_t now_us)
{
	if (c->asked_us && now_us >= c->asked_us + c->workload->options.answer_ms * 1000)
		nobody_answers(c);
	if (!c->again_us || now_us < c->again_us || c->doomed)
		return;
	c->again_us = 0;
	for (uint32_t k = 0; k < c->n_channels; k++) {
		uint32_t channel = workload_subscription(c->workload, c, k);
		if (c->channels[k].asked)
			continue;
		ask(c, k);
		session_subscribe(c->session, channel, c->workload->channels[channel - 1].name);
	}
}

/* Messages --------------------------------------------------------------------------------------------------------- */

/* What of a message the account is to know. */
static void account_for(struct client *c, uint32_t k, const struct payload *p, uint64_t seq)
{
	struct workload *w = c->workload;
	if (p->publisher <= w->options.subscribers || p->publisher > w->n_clients)
		return;
	uint32_t publisher = p->publisher - (uint32_t)w->options.subscribers;
	if (account_deliver(w->account, workload_place(w, c, k), publisher, p->index) == ACCOUNT_EARLY)
		publisher_seen(w->clients[p->publisher - 1].publisher, p->channel, p->index, seq);
}

static void message(void *owner, const struct session_news *n)
{
	struct client *c = owner;
	struct workload *w = c->workload;
	int k = workload_which(w, c, n->channel);
	struct payload p = {0};
	struct event e = client_event(c, EVENT_DELIVER, EVENT_OK);
	e.corrupt = payload_read(n->data, &p) != PAYLOAD_WHOLE;
	if (p.run != w->run) {
		e.corrupt = true; /* of another run, or nobody knows which one it was */
		p = (struct payload){0};
	}
	e.channel = n->channel;
	e.publisher = p.publisher;
	e.index = p.index;
	e.sent_us = p.sent_us;
	e.said_channel = p.channel;
	e.replay = n->replay;
	e.seq = n->seq;
	e.epoch = workload_epoch(w, n->channel, n->epoch);
	w->state.delivered++;
	workload_tell(w, &e);
	if (k >= 0 && !c->publisher && p.channel == n->channel)
		account_for(c, (uint32_t)k, &p, n->seq);
}

static void published(void *owner, const struct session_news *n)
{
	struct client *c = owner;
	if (c->publisher)
		publisher_answer(c->publisher, n);
}

static void acked(void *owner, uint32_t channel, uint64_t seq)
{
	struct client *c = owner;
	struct event e = client_event(c, EVENT_ACK, EVENT_OK);
	e.channel = channel;
	e.seq = seq;
	workload_tell(c->workload, &e);
}

static void ping(void *owner)
{
	struct client *c = owner;
	struct event e = client_event(c, EVENT_PING, EVENT_OK);
	workload_tell(c->workload, &e);
}

static void error(void *owner, const struct session_news *n)
{
	struct client *c = owner;
	struct event e = client_event(c, EVENT_ERROR, EVENT_INFO);
	e.channel = n->channel;
	e.text = n->code;
	e.note = n->reason;
	workload_tell(c->workload, &e);
}

static void unknown(void *owner, struct span octets)
{
	struct client *c = owner;
	struct event e = client_event(c, EVENT_ERROR, EVENT_INFO);
	char text[UNKNOWN_SHOWN + 1];
	snprintf(text, sizeof(text), "%.*s", (int)(octets.len < UNKNOWN_SHOWN ? octets.len : UNKNOWN_SHOWN),
		 (const char *)octets.p);
	e.text = "a message that the dialect does not know";
	e.note = text;
	workload_tell(c->workload, &e);
}

const struct session_events client_session_events = {say,   http,  ready, subscribed, published, message,
						     moved, acked, ping,  error,      unknown};
