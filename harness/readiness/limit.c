/* What is too large, takes too long or comes too often, on one connection. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/base/clock.h"
#include "harness/readiness/rows.h"

enum {
	SLACK_MS = 2000,           /* beyond a promised time, for a target that looks now and then */
	WHOLE_MAX = 4 << 20,       /* octets of a message that is sent to its end */
	AT_ONCE_MS = 1500,
	DRIPS = 6,                 /* pieces in which a promised time is filled */
};

/* A promised time, and half of it again. */
static uint64_t until(uint64_t promised_ms)
{
	return promised_ms + promised_ms / 2 + SLACK_MS;
}

static bool both_settled(struct link *const *links, size_t n)
{
	bool all = true;
	for (size_t i = 0; i < n; i++)
		all &= !links[i] || link_settled(links[i]);
	return all;
}

/* Size ----------------------------------------------------------------------------------------------------------- */

struct message {
	struct link *links[3];     /* announced at once; in two fragments; the largest one allowed */
	uint64_t sent_us;
};

static const char *const message_labels[] = {"a frame that announces too much", "fragments that are too much together",
					     "the largest message"};

static void send_messages(struct dialogue *d, struct message *m)
{
	uint64_t max = d->r->site->contract.max_message;
	size_t half = (size_t)max / 2;
	link_announce(m->links[0], max + 1, SPAN_LIT("{"));
	if (!m->links[1])
		return;
	uint8_t *blanks = arena_alloc(&d->arena, (size_t)max);
	if (!blanks)
		return;
	memset(blanks, ' ', (size_t)max);
	link_frame(m->links[1], (struct frame){.opcode = OPCODE_TEXT, .payload = {blanks, half}});
	link_frame(m->links[1], (struct frame){.fin = true,
					       .opcode = OPCODE_CONTINUATION,
					       .declare = true,
					       .form = FRAME_FORM_64,
					       .declared = max - half + 1,
					       .payload = {blanks, 1}});
	link_text(m->links[2], (struct span){blanks, (size_t)max});
	link_barrier(m->links[2]);
}

/* What came later than at once has another reason: the time of a message, or a Ping without an answer. */
static void judge_too_large(struct dialogue *d, const struct link *l, uint64_t max, uint64_t sent_us)
{
	if (!l->opened)
		dialogue_unknown(d, "it was not let in: %s", link_how(l));
	else if (l->closed && l->code == 1009)
		dialogue_pass(d, "%s is closed with 1009", l->label);
	else if (!link_ended(l) || (l->closed ? l->closed_us : l->over_us) > sent_us + AT_ONCE_MS * 1000ull)
		dialogue_fail_timed(d, "%s (more than %llu octets) is not refused before it has come; later there is %s", l->label,
				    (unsigned long long)max, link_how(l));
	else
		dialogue_warn(d, "%s is ended by %s, not by 1009", l->label, link_how(l));
}

static void judge_largest(struct dialogue *d, const struct link *l, uint64_t max)
{
	if (l->closed && l->code == 1009)
		dialogue_fail(d, "a message of exactly %llu octets, the largest that is promised, is closed with 1009",
			      (unsigned long long)max);
	else if (link_alive(l) && link_passed(l))
		dialogue_pass(d, "one of exactly %llu octets is taken", (unsigned long long)max);
	else if (l->opened)
		dialogue_note(d, "the largest message led to %s", link_how(l));
}

static void talk_message(struct dialogue *d)
{
	struct message *m = d->state;
	uint64_t max = d->r->site->contract.max_message;
	TALK_BEGIN(d);
	for (size_t i = 0; i < (max <= WHOLE_MAX ? 3 : 1); i++)
		m->links[i] = dialogue_link(d, &(struct link_options){.label = message_labels[i], .no_pongs = i < 2});
	TALK_AWAIT(d, dialogue_patience(d), both_settled(m->links, 3));
	m->sent_us = clock_now_us();
	send_messages(d, m);
	TALK_AWAIT(d, 2 * dialogue_patience(d), link_ended(m->links[0]) && (!m->links[1] || link_ended(m->links[1])) &&
		   (!m->links[2] || link_ended(m->links[2]) || link_passed(m->links[2])));
	judge_too_large(d, m->links[0], max, m->sent_us);
	if (m->links[1]) {
		judge_too_large(d, m->links[1], max, m->sent_us);
		judge_largest(d, m->links[2], max);
	}
	TALK_END(d);
}

const struct dialogue_row dialogue_limit_message = {
	.check = "limit.message",
	.about = "announces a message that is too large, at once and in fragments, and sends the largest one",
	.needs = NEEDS_MAX_MESSAGE,
	.state_size = sizeof(struct message),
	.talk = talk_message,
};

/* Time ----------------------------------------------------------------------------------------------------------- */

struct drip {
	struct link *links[2];     /* begins and stops; goes on, a little at a time */
	uint64_t until_us;
};

/* Ended, or refused while it was still a handshake. */
static bool given_up(const struct link *l)
{
	return link_ended(l) || (!l->opened && l->status);
}

static void judge_time(struct dialogue *d, const struct link *l, uint64_t since_us, uint64_t promised_ms,
		       const char *what)
{
	if (!l->connected)
		dialogue_unknown(d, "it could not connect: %s", l->error_text);
	else if (!given_up(l))
		dialogue_fail_timed(d, "%s is still open after %llu ms, where %llu ms are promised", what,
				    (unsigned long long)dialogue_since_ms(since_us), (unsigned long long)promised_ms);
	else
		dialogue_pass(d, "%s is ended after %.1f s: %s", what,
			      (double)((l->closed ? l->closed_us : l->over_us ? l->over_us : clock_now_us()) - since_us) / 1e6,
			      link_how(l));
}

static void talk_fragment_time(struct dialogue *d)
{
	struct drip *t = d->state;
	uint64_t promised_ms = d->r->site->contract.fragment_timeout_ms;
	TALK_BEGIN(d);
	t->links[0] = dialogue_link(d, &(struct link_options){.label = "a first fragment and no more"});
	t->links[1] = dialogue_link(d, &(struct link_options){.label = "one fragment after another, without an end"});
	TALK_AWAIT(d, dialogue_patience(d), both_settled(t->links, 2));
	for (size_t i = 0; i < 2; i++)
		link_frame(t->links[i], (struct frame){.opcode = OPCODE_TEXT, .payload = SPAN_LIT("{")});
	t->until_us = clock_now_us() + until(promised_ms) * 1000;
	while (clock_now_us() < t->until_us && !(link_ended(t->links[0]) && link_ended(t->links[1]))) {
		TALK_AWAIT(d, promised_ms / DRIPS + 1, link_ended(t->links[0]) && link_ended(t->links[1]));
		if (link_alive(t->links[1]))
			link_frame(t->links[1], (struct frame){.opcode = OPCODE_CONTINUATION, .payload = SPAN_LIT(" ")});
	}
	for (size_t i = 0; i < 2; i++)
		judge_time(d, t->links[i], t->links[i]->opened_us, promised_ms, t->links[i]->label);
	TALK_END(d);
}

const struct dialogue_row dialogue_limit_fragment_time = {
	.check = "limit.fragment_time", .about = "begins a message and never ends it",
	.needs = NEEDS_FRAGMENT_TIMEOUT, .state_size = sizeof(struct drip), .talk = talk_fragment_time,
};

/* The request without its empty line, so that it is not whole. */
static void begin_request(struct link *l)
{
	struct span all = buf_span(&l->request_octets);
	link_octets(l, span_sub(all, 0, all.len - 2));
}

static void talk_handshake_time(struct dialogue *d)
{
	struct drip *t = d->state;
	uint64_t promised_ms = d->r->site->contract.handshake_timeout_ms;
	TALK_BEGIN(d);
	t->links[0] = dialogue_link(
		d, &(struct link_options){.label = "half a request and no more", .raw = true, .hidden = true});
	t->links[1] = dialogue_link(
		d, &(struct link_options){.label = "one header line after another", .raw = true, .hidden = true});
	TALK_AWAIT(d, dialogue_patience(d), (t->links[0]->connected || t->links[0]->refused) &&
		   (t->links[1]->connected || t->links[1]->refused));
	for (size_t i = 0; i < 2; i++)
		begin_request(t->links[i]);
	t->until_us = clock_now_us() + until(promised_ms) * 1000;
	while (clock_now_us() < t->until_us && !(given_up(t->links[0]) && given_up(t->links[1]))) {
		TALK_AWAIT(d, promised_ms / DRIPS + 1, given_up(t->links[0]) && given_up(t->links[1]));
		if (!given_up(t->links[1]))
			link_octets(t->links[1], SPAN_LIT("X-Wsquall: still here\r\n"));
	}
	for (size_t i = 0; i < 2; i++)
		judge_time(d, t->links[i], t->links[i]->began_us, promised_ms, t->links[i]->label);
	TALK_END(d);
}

const struct dialogue_row dialogue_limit_handshake_time = {
	.check = "limit.handshake_time", .about = "begins an opening handshake and never ends it",
	.needs = NEEDS_HANDSHAKE_TIMEOUT, .state_size = sizeof(struct drip), .talk = talk_handshake_time,
};

/* Rate ----------------------------------------------------------------------------------------------------------- */

enum { ROUNDS = 6, OVER = 15 };   /* more than is allowed: few, so that a target that closes after some says so first */

struct rate {
	struct link *link;
	const char *channel;
	unsigned round;
	uint64_t began_us, round_us;
};

/* So many that some are above the rate whatever time has passed. */
static void publish_round(struct dialogue *d, struct rate *t)
{
	const struct contract *c = &d->r->site->contract;
	uint64_t now_us = clock_now_us(), before_us = t->round++ ? t->round_us : now_us;
	uint64_t n = OVER + (uint64_t)ceil(c->message_rate * (double)(now_us - before_us) / 1e6);
	if (t->round == 1)
		n += c->message_burst ? c->message_burst : (uint64_t)ceil(c->message_rate);
	t->round_us = now_us;
	for (uint64_t i = 0; i < n; i++)
		if (!link_publish(t->link, t->channel, "wsquall"))
			break;
	link_barrier(t->link);
}

static bool told(const struct link *l)
{
	return l->declined || l->errors || link_ended(l);
}

static bool answered(const struct link *l)
{
	return l->accepted + l->declined >= l->asked;
}

static void judge_rate(struct dialogue *d, const struct rate *t)
{
	const struct contract *c = &d->r->site->contract;
	const struct link *l = t->link;
	double seconds = (double)(clock_now_us() - t->began_us) / 1e6;
	double allowed = c->message_rate * seconds +
			 (c->message_burst ? (double)c->message_burst : ceil(c->message_rate));
	unsigned long long missing = l->asked - l->accepted - l->declined, refused = l->declined + l->errors;
	if (told(l))
		dialogue_pass(d, "of %llu messages %llu were taken and %llu refused%s%s", (unsigned long long)l->asked,
			      (unsigned long long)l->accepted, refused,
			      link_ended(l) ? "; then " : "", link_ended(l) ? link_how(l) : "");
	else if (missing)
		dialogue_fail(d, "%llu of %llu messages were dropped without a word", missing, (unsigned long long)l->asked);
	else if ((double)l->accepted > allowed + 2 * OVER)
		dialogue_fail(d, "%llu messages were taken in %.2f s, where %.0f are allowed",
			      (unsigned long long)l->accepted, seconds, allowed);
	else
		dialogue_unknown(d, "%llu messages in %.2f s are not more than is allowed", (unsigned long long)l->asked, seconds);
}

static void talk_rate(struct dialogue *d)
{
	struct rate *t = d->state;
	TALK_BEGIN(d);
	t->channel = dialogue_channel(d);
	t->link = dialogue_link(d, &(struct link_options){.label = "publishes above the rate"});
	TALK_AWAIT(d, dialogue_patience(d), link_settled(t->link));
	if (!t->link->ready) {
		dialogue_unknown(d, "it was not let in: %s", link_how(t->link));
		TALK_STOP(d);
	}
	t->began_us = clock_now_us();
	while (t->round < ROUNDS && !told(t->link)) {
		publish_round(d, t);
		TALK_AWAIT(d, dialogue_patience(d), told(t->link) || (link_passed(t->link) && answered(t->link)));
		if (d->late)
			break;
	}
	judge_rate(d, t);
	TALK_END(d);
}

/* By HTTP it is not the connection that publishes; and who gets no answers cannot tell what was dropped. */
static const char *rate_lacks(const struct site *s)
{
	return s->dialect->publish_by_http ? "its dialect does not publish over the connection" : NULL;
}

const struct dialogue_row dialogue_limit_rate = {
	.check = "limit.rate", .about = "publishes more than the rate, a little at a time",
	.needs = NEEDS_MESSAGE_RATE | NEEDS_DIALECT | NEEDS_PUBLISH, .state_size = sizeof(struct rate), .talk = talk_rate,
	.lacks = rate_lacks,
};
