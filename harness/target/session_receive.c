/*
 * What a session hears: each unit of a message is compared with the dialect's patterns, in their order, until one takes
 * it. An answer takes a unit only when something waits for it, so that patterns may overlap.
 */
#include <string.h>

#include "harness/target/session_internal.h"

static const char *copy_text(char *to, const struct template_value *value)
{
	struct buf b CLEANUP(buf_fini);
	buf_init(&b, 2 << 20);
	template_value_text(value, &b);
	size_t len = b.len < SESSION_TEXT_MAX - 1 ? b.len : SESSION_TEXT_MAX - 1;
	memcpy(to, len ? (const char *)b.p : "", len);
	to[len] = 0;
	return to;
}

void session_news_fill(struct session_news *n, const struct template_values *values, struct session_texts *texts)
{
	if (template_has(values, NAME_SEQ))
		n->seq = values->v[NAME_SEQ].number;
	else if (template_has(values, NAME_NEWEST))
		n->seq = values->v[NAME_NEWEST].number;
	if (template_has(values, NAME_EPOCH))
		n->epoch = values->v[NAME_EPOCH].text;
	if (template_has(values, NAME_RECOVERED))
		n->recovered = values->v[NAME_RECOVERED].number ? RECOVERED_YES : RECOVERED_NO;
	if (template_has(values, NAME_CODE))
		n->code = copy_text(texts->code, &values->v[NAME_CODE]);
	if (template_has(values, NAME_REASON))
		n->reason = copy_text(texts->reason, &values->v[NAME_REASON]);
}

bool session_too_late(struct session_heard *h)
{
	h->late |= !template_has(&h->values, NAME_ID) || h->values.v[NAME_ID].number <= h->s->last_id;
	return false;
}

/* What the server wants to have back: its session, and variables. */
static void keep(struct session_heard *h)
{
	struct session *s = h->s;
	for (size_t name = 0; name < NAMES_KNOWN + s->rules->names.n; name++) {
		bool kept = name == NAME_SESSION || name >= NAMES_KNOWN;
		if (kept && template_has(&h->values, name) && !s->kept[name].given)
			session_keep(&s->kept[name], &h->values.v[name]);
	}
}

/* Which of the channels that wait an answer is for. */
static struct session_channel *waiting(struct session_heard *h)
{
	const struct session *s = h->s;
	struct session_channel *oldest = NULL;
	bool has_id = template_has(&h->values, NAME_ID), has_name = template_has(&h->values, NAME_CHANNEL);
	for (size_t i = 0; i < s->n_channels; i++) {
		struct session_channel *ch = s->channels[i];
		if (!ch->asked || ch->active || ch->restoring)
			continue;
		if (has_id && ch->id != h->values.v[NAME_ID].number)
			continue;
		if (has_name && !span_eq(span_of(ch->name, ch->name_len), h->values.v[NAME_CHANNEL].text))
			continue;
		if (!oldest || ch->id < oldest->id)
			oldest = ch;
	}
	return oldest;
}

/* Everything the pattern speaks of that was known before is still the same. */
static bool is_same(const struct session *s, const struct template_values *values)
{
	for (size_t name = 0; name < NAMES_KNOWN + s->rules->names.n; name++) {
		struct buf text CLEANUP(buf_fini);
		buf_init(&text, SESSION_REQUEST_MAX);
		if (!template_has(values, name) || (name != NAME_SESSION && name < NAMES_KNOWN))
			continue;
		if (template_value_text(&values->v[name], &text) < 0 ||
		    !s->kept[name].set || !span_eq(buf_span(&s->kept[name].text), buf_span(&text)))
			return false;
	}
	return true;
}

/* What the answer to a resume says about it. */
static enum recovered read_recovered(struct session_heard *h)
{
	const struct dialect_rules *d = h->s->rules;
	struct template_values values;
	enum recovered recovered = h->news.recovered;
	if (recovered != RECOVERED_UNTOLD)
		return recovered;
	template_values_init(&values);
	values.given = &h->s->given;
	if (d->resumed && template_match(d->resumed, h->in, &values) && is_same(h->s, &values))
		recovered = RECOVERED_YES;
	else if (d->lost ? template_match(d->lost, h->in, &values) : d->resumed != NULL)
		recovered = RECOVERED_NO;
	template_values_fini(&values);
	return recovered;
}

static bool on_published(struct session_heard *h, bool ok, bool unsure)
{
	struct session *s = h->s;
	struct session_pending *p = template_has(&h->values, NAME_ID)
					    ? session_pending_find(s, h->values.v[NAME_ID].number)
					    : session_pending_oldest(s);
	if (!p)
		return session_too_late(h);
	h->news.ok = ok;
	h->news.unsure = unsure;
	h->news.op = p->op;
	h->news.channel = p->channel;
	session_pending_done(s, p);
	s->events->published(s->owner, &h->news);
	return true;
}

static bool on_publish_ok(struct session_heard *h)
{
	return on_published(h, true, false);
}

static bool on_publish_unsure(struct session_heard *h)
{
	return on_published(h, false, true);
}

static bool on_publish_fail(struct session_heard *h)
{
	return on_published(h, false, false);
}

static bool on_subscribe_ok(struct session_heard *h)
{
	struct session *s = h->s;
	struct session_channel *ch = waiting(h);
	uint64_t connection = s->connection;
	if (!ch)
		return session_too_late(h);
	uint32_t number = ch->number;
	h->news.channel = number;
	h->news.ok = true;
	h->news.recovered = ch->resuming ? read_recovered(h) : h->news.recovered;
	session_channel_confirm(s, ch, &h->news, &h->values);
	if (h->pattern->each && connection == s->connection)
		session_deliver_each(h, number, true);
	return true;
}

static bool on_subscribe_fail(struct session_heard *h)
{
	struct session_channel *ch = waiting(h);
	if (!ch)
		return session_too_late(h);
	h->news.channel = ch->number;
	h->s->events->subscribed(h->s->owner, &h->news);
	return true;
}

static bool on_unsubscribe_ok(struct session_heard *h)
{
	return session_too_late(h);
}

static bool on_connect_after(struct session_heard *h)
{
	if (h->s->state != SESSION_AFTER)
		return false;
	keep(h);
	session_say_connect(h->s);
	return true;
}

/* The session that is told is not the one that was known. */
static bool is_other_session(const struct session *s, const struct template_values *values)
{
	struct buf text CLEANUP(buf_fini);
	buf_init(&text, SESSION_CURSOR_MAX);
	return template_has(values, NAME_SESSION) && s->kept[NAME_SESSION].set &&
	       template_value_text(&values->v[NAME_SESSION], &text) == 0 &&
	       !span_eq(buf_span(&s->kept[NAME_SESSION].text), buf_span(&text));
}

static bool on_connect_ok(struct session_heard *h)
{
	struct session *s = h->s;
	if (s->state != SESSION_OPENING)
		return false;
	s->recovered = h->news.recovered = s->resuming ? read_recovered(h) : RECOVERED_UNTOLD;
	if (s->resuming && (s->recovered == RECOVERED_NO ||
			    (s->recovered == RECOVERED_UNTOLD && is_other_session(s, &h->values))))
		session_begin_anew(s);
	keep(h);
	h->news.ok = true;
	session_ready(s, &h->news);
	return true;
}

static bool on_connect_fail(struct session_heard *h)
{
	if (h->s->state != SESSION_OPENING)
		return false;
	session_ready(h->s, &h->news);
	return true;
}

static bool on_restored(struct session_heard *h)
{
	struct session_channel *ch = session_channel_heard(h);
	if (!ch || !ch->restoring)
		return false;
	h->news.channel = ch->number;
	h->news.ok = true;
	session_channel_confirm(h->s, ch, &h->news, &h->values);
	return true;
}

static bool on_heartbeat(struct session_heard *h)
{
	struct session *s = h->s;
	struct template_values values;
	uint64_t connection = s->connection;
	if (s->rules->say[SAY_ANSWER]) {
		session_values(s, NULL, &values);
		values.v[NAME_ID] = h->values.v[NAME_ID];
		values.v[NAME_CURSOR] = h->values.v[NAME_CURSOR];
		values.set |= h->values.set & (BIT(ID) | BIT(CURSOR));
		session_say(s, SAY_ANSWER, &values);
	}
	if (connection == s->connection)
		s->events->ping(s->owner);
	return true;
}

static bool on_moved(struct session_heard *h)
{
	struct session *s = h->s;
	struct session_channel *ch = session_channel_heard(h);
	if (!ch)
		return false;
	struct session_position *p = session_position_of(s, ch);
	if (template_has(&h->values, NAME_EPOCH))
		session_keep(&p->epoch, &h->values.v[NAME_EPOCH]);
	if (template_has(&h->values, NAME_NEWEST))
		p->seq = h->values.v[NAME_NEWEST].number;
	p->has_seq |= template_has(&h->values, NAME_NEWEST);
	ch->replay_to = 0;
	h->news.channel = ch->number;
	h->news.ok = true;
	s->events->moved(s->owner, &h->news);
	return true;
}

static bool on_ended(struct session_heard *h)
{
	struct session_channel *ch = session_channel_heard(h);
	if (!ch || !ch->asked)
		return false;
	ch->asked = ch->active = false;
	h->news.channel = ch->number;
	h->s->events->moved(h->s->owner, &h->news);
	return true;
}

static bool on_error(struct session_heard *h)
{
	h->s->events->error(h->s->owner, &h->news);
	return true;
}

static bool on_ignore(struct session_heard *h)
{
	keep(h);
	return true;
}

static bool (*const takers[DIALECT_HEARS])(struct session_heard *h) = {
	[HEAR_DELIVER] = session_on_deliver,
	[HEAR_PUBLISH_OK] = on_publish_ok,
	[HEAR_PUBLISH_UNSURE] = on_publish_unsure,
	[HEAR_PUBLISH_FAIL] = on_publish_fail,
	[HEAR_SUBSCRIBE_OK] = on_subscribe_ok,
	[HEAR_SUBSCRIBE_FAIL] = on_subscribe_fail,
	[HEAR_UNSUBSCRIBE_OK] = on_unsubscribe_ok,
	[HEAR_CONNECT_AFTER] = on_connect_after,
	[HEAR_CONNECT_OK] = on_connect_ok,
	[HEAR_CONNECT_FAIL] = on_connect_fail,
	[HEAR_RESTORED] = on_restored,
	[HEAR_HEARTBEAT] = on_heartbeat,
	[HEAR_MOVED] = on_moved,
	[HEAR_ENDED] = on_ended,
	[HEAR_ERROR] = on_error,
	[HEAR_IGNORE] = on_ignore,
};

static bool take(struct session_heard *h, const struct dialect_rule *rule)
{
	h->pattern = rule->pattern;
	if (!template_match(rule->pattern, h->in, &h->values))
		return false;
	h->news = (struct session_news){0};
	session_news_fill(&h->news, &h->values, &h->texts);
	return takers[rule->kind](h);
}

void session_unit(struct session *s, struct span unit)
{
	struct template_input in;
	struct session_heard h = {.s = s, .in = &in};
	bool taken = false;
	template_input_init(&in, unit);
	template_values_init(&h.values);
	h.values.given = &s->given;
	for (size_t i = 0; !taken && i < s->rules->n_rules; i++)
		taken = take(&h, &s->rules->rules[i]);
	if (!taken && !h.late)
		s->events->unknown(s->owner, unit);
	template_values_fini(&h.values);
	template_input_fini(&in);
}

static void receive_units(struct session *s, struct span message, uint8_t end)
{
	uint64_t connection = s->connection;
	while (message.len && connection == s->connection) {
		const uint8_t *found = memchr(message.p, end, message.len);
		size_t len = found ? (size_t)(found - message.p) : message.len;
		if (len)
			session_unit(s, span_sub(message, 0, len));
		message = span_sub(message, len + (found != NULL), message.len);
	}
}

void session_receive(struct session *s, struct span message, bool binary, uint64_t now_us)
{
	(void)binary;
	s->now_us = now_us;
	if (s->dialect->transport == DIALECT_SSE)
		session_stream_data(s, message);
	else if (message.len > SESSION_UNIT_MAX)
		s->events->unknown(s->owner, span_sub(message, 0, SESSION_TEXT_MAX));
	else if (s->rules->file.framing == DIALECT_FRAMING_MESSAGE)
		session_unit(s, message);
	else
		receive_units(s, message, s->rules->file.framing == DIALECT_FRAMING_LINES ? '\n' : 0x1e);
}
