/* The same messages over two ways, compared. */
#include "harness/readiness/pair.h"

#include <stdio.h>

enum { GOT_MAX = 1 << 20 };

void pair_begin(struct dialogue *d, struct pair *p)
{
	p->channel = dialogue_channel(d);
	p->witness = dialogue_link(d, &(struct link_options){.label = "subscribes over a WebSocket", .channel = p->channel});
	p->publisher = dialogue_link(
		d, &(struct link_options){.label = "publishes", .channel = dialogue_url_channel(d, p->channel)});
	buf_init(&p->got, GOT_MAX);
}

bool pair_settled(const struct pair *p)
{
	return link_subscribed(p->witness) && link_settled(p->publisher);
}

bool pair_works(struct dialogue *d, const struct pair *p)
{
	if (p->witness->subscribed && p->publisher->ready)
		return true;
	dialogue_unknown(d, "it cannot be compared: over the WebSocket there is %s",
			 link_how(p->witness->subscribed ? p->publisher : p->witness));
	return false;
}

void pair_publish(struct pair *p)
{
	char text[48];
	for (unsigned i = 0; i < PAIR_PART; i++) {
		snprintf(text, sizeof(text), "wsquall message %u", ++p->published);
		link_publish(p->publisher, p->channel, text);
	}
}

bool pair_witnessed(const struct pair *p)
{
	return p->witness->n_got >= p->published;
}

void pair_took(struct pair *p, struct span data)
{
	p->n_got++;
	buf_append_span(&p->got, data);
	buf_append_u8(&p->got, '\n');
}

void pair_judge(struct dialogue *d, const struct pair *p, const char *away)
{
	if (!pair_witnessed(p))
		dialogue_unknown(d, "over the WebSocket %llu of %u messages came",
				 (unsigned long long)p->witness->n_got, p->published);
	else if (span_eq(buf_span(&p->got), buf_span(&p->witness->got)))
		dialogue_pass(d, "%u messages, the same as over the WebSocket, %u of them published %s", p->published,
			      (unsigned)PAIR_PART, away);
	else if (p->n_got < p->published)
		dialogue_fail(d, "%llu of %u messages came; %u were published %s", (unsigned long long)p->n_got,
			      p->published, (unsigned)PAIR_PART, away);
	else
		dialogue_fail(d, "other messages came, or in another order, than over the WebSocket");
}
