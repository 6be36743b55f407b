/* Messages that were published, as they come: whose they are, and how far they bring a client. */
#include "harness/target/session_internal.h"

struct session_channel *session_channel_heard(struct session_heard *h)
{
	const struct session *s = h->s;
	if (template_has(&h->values, NAME_CHANNEL))
		return session_channel_named(s, h->values.v[NAME_CHANNEL].text);
	if (template_has(&h->values, NAME_ID)) {
		for (size_t i = 0; i < s->n_channels; i++)
			if (s->channels[i]->asked && s->channels[i]->id == h->values.v[NAME_ID].number)
				return s->channels[i];
		return NULL;
	}
	return s->dialect->channel_by == DIALECT_CHANNEL_BY_URL && s->n_channels ? s->channels[0] : NULL;
}

static void advance(struct session *s, struct session_channel *ch, const struct template_values *values)
{
	struct session_position *p = session_position_of(s, ch);
	bool has_epoch = template_has(values, NAME_EPOCH);
	bool same = !has_epoch || (p->epoch.set && span_eq(buf_span(&p->epoch.text), values->v[NAME_EPOCH].text));
	p->not_acked++;
	if (!same)
		session_keep(&p->epoch, &values->v[NAME_EPOCH]);
	if (template_has(values, NAME_SEQ)) {
		uint64_t seq = values->v[NAME_SEQ].number;
		if (!same || !p->has_seq || seq > p->seq)
			p->seq = seq;
		p->has_seq = true;
	} else if (s->dialect->cursor == DIALECT_CURSOR_IMPLICIT) {
		p->seq++;
		p->has_seq = true;
	}
	if (template_has(values, NAME_CURSOR))
		session_keep(&p->cursor, &values->v[NAME_CURSOR]);
}

/* Resent, because its acknowledgement did not get through. */
static bool is_repeated(struct session *s, struct session_channel *ch, const struct template_values *values)
{
	const struct session_position *p = session_position_of(s, ch);
	return template_has(values, NAME_SEQ) && p->has_seq && values->v[NAME_SEQ].number <= p->seq;
}

static void deliver_one(struct session_heard *h, const struct template_values *values, struct session_channel *ch, bool replay)
{
	struct session *s = h->s;
	struct session_news n = {.channel = ch ? ch->number : 0, .replay = replay};
	struct buf json CLEANUP(buf_fini);
	const struct template_value *data = &values->v[NAME_DATA];
	uint64_t connection = s->connection;
	session_news_fill(&n, values, &h->texts);
	buf_init(&json, SESSION_UNIT_MAX);
	n.data = data->text;
	if (data->kind == VALUE_JSON && data->json && template_value_text(data, &json) == 0)
		n.data = buf_span(&json);
	bool repeated = ch && s->rules->file.cursor.repeats && is_repeated(s, ch, values);
	if (ch) {
		n.replay |= n.seq && n.seq <= ch->replay_to;
		advance(s, ch, values);
		if (n.epoch.len == 0) /* told once, with the subscription */
			n.epoch = buf_span(&session_position_of(s, ch)->epoch.text);
	}
	uint32_t number = n.channel;
	if (!repeated)
		s->events->message(s->owner, &n);
	ch = number && connection == s->connection ? session_channel_find(s, number) : NULL;
	if (ch)
		session_ack(s, ch);
}

void session_deliver_each(struct session_heard *h, uint32_t channel, bool replay)
{
	struct session *s = h->s;
	struct template_values element;
	uint64_t connection = s->connection;
	size_t n = template_each_len(h->pattern, &h->values);
	template_values_init(&element);
	for (size_t i = 0; i < n && connection == s->connection; i++) {
		struct session_channel *ch = channel ? session_channel_find(s, channel) : NULL;
		if (template_each(h->pattern, i, &h->values, &element) && template_has(&element, NAME_DATA))
			deliver_one(h, &element, ch, replay);
		else
			s->events->unknown(s->owner, SPAN_LIT("an element of a list of messages that is none"));
	}
	template_values_fini(&element);
}

bool session_on_deliver(struct session_heard *h)
{
	struct session_channel *ch = session_channel_heard(h);
	/* By the number of a subscription that is gone: not to be told from somebody else's answer. */
	if (!ch && !template_has(&h->values, NAME_CHANNEL))
		return session_too_late(h);
	if (h->pattern->each)
		session_deliver_each(h, ch ? ch->number : 0, false);
	else
		deliver_one(h, &h->values, ch, false);
	return true;
}
