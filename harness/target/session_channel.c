/* The channels of a session: asked for on every connection, and where each stands. */
#include <stdlib.h>
#include <string.h>

#include "harness/target/session_internal.h"

/* FNV-1a. */
static uint32_t hash_of(struct span name)
{
	uint32_t hash = 2166136261u;
	for (size_t i = 0; i < name.len; i++)
		hash = (hash ^ name.p[i]) * 16777619u;
	return hash;
}

struct session_channel *session_channel_find(const struct session *s, uint32_t number)
{
	for (size_t i = 0; i < s->n_channels; i++)
		if (s->channels[i]->number == number)
			return s->channels[i];
	return NULL;
}

struct session_channel *session_channel_named(const struct session *s, struct span name)
{
	uint32_t hash = hash_of(name);
	for (size_t i = 0; i < s->n_channels; i++) {
		struct session_channel *ch = s->channels[i];
		if (ch->hash == hash && span_eq(span_of(ch->name, ch->name_len), name))
			return ch;
	}
	return NULL;
}

struct session_position *session_position_of(struct session *s, struct session_channel *ch)
{
	return s->dialect->cursor_of_connection ? &s->position : &ch->position;
}

void session_position_forget(struct session_position *p)
{
	p->seq = 0;
	p->has_seq = false;
	p->not_acked = 0;
	session_unkeep(&p->epoch);
	session_unkeep(&p->cursor);
}

/* Where it stands is not known any more; its epoch is the channel's, and stays until another one is told. */
static void lose_place(struct session_position *p)
{
	p->seq = 0;
	p->has_seq = false;
	p->not_acked = 0;
	session_unkeep(&p->cursor);
}

void session_begin_anew(struct session *s)
{
	if (s->dialect->cursor_of_connection && s->begun_on != s->connection)
		session_position_forget(&s->position);
	s->begun_on = s->connection;
}

void session_position_fini(struct session_position *p)
{
	buf_fini(&p->epoch.text);
	buf_fini(&p->cursor.text);
}

void session_channel_free(struct session_channel *ch)
{
	if (!ch)
		return;
	session_position_fini(&ch->position);
	free(ch->name);
	free(ch);
}

static struct session_channel *channel_new(uint32_t number, const char *name)
{
	struct session_channel *ch = calloc(1, sizeof(*ch));
	if (!ch)
		return NULL;
	ch->number = number;
	ch->name = strdup(name);
	ch->name_len = strlen(name);
	ch->hash = hash_of(span_str(name));
	buf_init(&ch->position.epoch.text, SESSION_EPOCH_MAX);
	buf_init(&ch->position.cursor.text, SESSION_CURSOR_MAX);
	if (!ch->name) {
		session_channel_free(ch);
		return NULL;
	}
	return ch;
}

static int grow(struct session *s)
{
	if (s->n_channels < s->cap_channels)
		return 0;
	size_t cap = s->cap_channels ? 2 * s->cap_channels : 4;
	struct session_channel **grown = realloc(s->channels, cap * sizeof(struct session_channel *));
	if (!grown)
		return -ENOMEM;
	s->channels = grown;
	s->cap_channels = cap;
	return 0;
}

int session_subscribe(struct session *s, uint32_t channel, const char *name)
{
	bool by_url = s->dialect->channel_by == DIALECT_CHANNEL_BY_URL;
	struct session_channel *ch = session_channel_find(s, channel);
	if (!ch) {
		if (by_url && s->n_channels)
			return -ENOTSUP;
		if (s->n_channels == SESSION_CHANNELS_MAX || strlen(name) > SESSION_NAME_MAX)
			return -ENOBUFS;
		int r = grow(s);
		ch = r == 0 ? channel_new(channel, name) : NULL;
		if (!ch)
			return -ENOMEM;
		s->channels[s->n_channels++] = ch;
	}
	if (s->state == SESSION_READY)
		session_channel_ask(s, ch);
	return 0;
}

void session_unsubscribe(struct session *s, uint32_t channel)
{
	struct session_channel *ch = session_channel_find(s, channel);
	struct template_values values;
	if (!ch)
		return;
	for (size_t i = 0; i < s->n_channels; i++)
		if (s->channels[i] == ch)
			s->channels[i] = s->channels[--s->n_channels];
	if (s->state == SESSION_READY && ch->asked && s->rules->say[SAY_UNSUBSCRIBE]) {
		session_values(s, ch, &values);
		/* What some protocols name a subscription by is the request that began it. */
		template_set_number(&values, NAME_ID, s->rules->hears[HEAR_UNSUBSCRIBE_OK] ? ++s->last_id : ch->id);
		session_say(s, SAY_UNSUBSCRIBE, &values);
	}
	session_channel_free(ch);
}

/* The session goes on: nothing is asked for, and the channel is there, or the server says so. */
static void restore(struct session *s, struct session_channel *ch)
{
	struct session_news n = {.channel = ch->number, .ok = true, .recovered = RECOVERED_YES};
	ch->asked = true;
	ch->restoring = s->rules->hears[HEAR_RESTORED];
	if (!ch->restoring)
		session_channel_confirm(s, ch, &n, NULL);
}

void session_channel_ask(struct session *s, struct session_channel *ch)
{
	const struct dialect_rules *d = s->rules;
	struct template_values values;
	uint64_t connection = s->connection;
	uint32_t number = ch->number;
	if (ch->asked)
		return;
	if (s->recovered == RECOVERED_YES && d->file.resume.restores && ch->was) {
		restore(s, ch);
		return;
	}
	session_values(s, ch, &values);
	ch->asked = true;
	ch->id = ++s->last_id;
	template_set_number(&values, NAME_ID, ch->id);
	ch->resuming = d->file.resume.by == RESUME_BY_SUBSCRIBE && ch->was &&
		       (d->say[SAY_RESUME]->needs & ~values.set) == 0;
	enum dialect_say what = ch->resuming ? SAY_RESUME : SAY_SUBSCRIBE;
	bool goes_on = ch->resuming || (s->resuming && ch->was && s->recovered != RECOVERED_NO);
	bool says_where = d->say[what] && d->say[what]->names & (BIT(SEQ) | BIT(CURSOR));
	if (!goes_on && !says_where && !s->dialect->cursor_of_connection)
		lose_place(&ch->position);
	if (d->say[what])
		session_say(s, what, &values);
	if (connection == s->connection && d->say[SAY_THEN])
		session_say(s, SAY_THEN, &values);
	ch = connection == s->connection ? session_channel_find(s, number) : NULL;
	if (ch && ch->asked && !ch->active && !d->hears[HEAR_SUBSCRIBE_OK])
		session_channel_confirm(s, ch, &(struct session_news){.channel = number, .ok = true}, NULL);
}

static bool is_other_epoch(const struct session_position *p, const struct template_values *values)
{
	return template_has(values, NAME_EPOCH) && p->epoch.set &&
	       !span_eq(buf_span(&p->epoch.text), values->v[NAME_EPOCH].text);
}

/*
 * Behind which message it stands now, when it was not gone on with: the one that is told, or, told lost or in another
 * epoch, nowhere. What other channels of a session brought since it began is not taken back.
 */
static void begin_at(struct session *s, struct session_position *p, bool lost, const struct template_values *values)
{
	bool shared = s->dialect->cursor_of_connection, newest = template_has(values, NAME_NEWEST);
	if (shared && lost)
		session_begin_anew(s);
	if (is_other_epoch(p, values) || (lost && !shared))
		lose_place(p);
	if (template_has(values, NAME_EPOCH))
		session_keep(&p->epoch, &values->v[NAME_EPOCH]);
	if (template_has(values, NAME_CURSOR))
		session_keep(&p->cursor, &values->v[NAME_CURSOR]);
	if (newest && (!shared || !p->has_seq || p->seq < values->v[NAME_NEWEST].number))
		p->seq = values->v[NAME_NEWEST].number;
	p->has_seq |= newest;
}

/* n: what the answer said; values: of the answer, NULL when there was none. */
void session_channel_confirm(struct session *s, struct session_channel *ch, struct session_news *n,
			     const struct template_values *values)
{
	struct session_position *p = session_position_of(s, ch);
	bool goes_on = ch->resuming || (s->resuming && ch->was);
	if (n->recovered == RECOVERED_UNTOLD && s->resuming && ch->was)
		n->recovered = s->recovered;
	bool lost = goes_on && n->recovered == RECOVERED_NO;
	if (values && (!goes_on || lost || is_other_epoch(p, values)))
		begin_at(s, p, lost, values);
	ch->replay_to = 0;
	if (goes_on && n->recovered == RECOVERED_YES && values && template_has(values, NAME_NEWEST))
		ch->replay_to = values->v[NAME_NEWEST].number;
	ch->active = ch->was = true;
	ch->restoring = false;
	s->events->subscribed(s->owner, n);
}

/* ch: whose message came last. */
void session_ack(struct session *s, struct session_channel *ch)
{
	struct session_position *p = session_position_of(s, ch);
	struct template_values values;
	if (!s->acks || !s->rules->say[SAY_ACK] || p->not_acked < s->rules->file.ack.every)
		return;
	session_values(s, ch, &values);
	template_set_number(&values, NAME_ID, ++s->last_id);
	p->not_acked = 0;
	uint32_t channel = ch->number;
	uint64_t seq = p->has_seq ? p->seq : 0;
	if (session_say(s, SAY_ACK, &values) == 0)
		s->events->acked(s->owner, channel, seq);
}

void session_set_acks(struct session *s, bool on)
{
	s->acks = on;
	for (size_t i = 0; on && s->state == SESSION_READY && i < s->n_channels; i++)
		if (s->channels[i]->active)
			session_ack(s, s->channels[i]);
}

bool session_cursor(const struct session *s, uint32_t channel, uint64_t *ret_seq, struct span *ret_epoch)
{
	const struct session_channel *ch = session_channel_find(s, channel);
	if (!ch)
		return false;
	const struct session_position *p = s->dialect->cursor_of_connection ? &s->position : &ch->position;
	if (s->dialect->cursor == DIALECT_CURSOR_NONE || (!p->has_seq && !p->cursor.set))
		return false;
	*ret_seq = p->seq;
	*ret_epoch = buf_span(&p->epoch.text);
	return true;
}
