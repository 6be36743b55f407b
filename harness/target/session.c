/*
 * A session's life: what the next connection asks for, when it may be used, what its end means. A client that loses its
 * position in one of these steps loses messages and blames the server; so what is kept and what is forgotten is decided
 * here alone.
 */
#include "harness/target/session.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "harness/target/session_internal.h"

void session_unkeep(struct session_kept *kept)
{
	kept->text.len = 0;
	kept->set = false;
}

void session_keep_text(struct session_kept *kept, struct span text)
{
	kept->text.len = 0;
	kept->json = false;
	kept->set = buf_append_span(&kept->text, text) == 0;
}

void session_keep(struct session_kept *kept, const struct template_value *value)
{
	kept->text.len = 0;
	kept->set = template_value_text(value, &kept->text) == 0;
	kept->json = value->kind != VALUE_TEXT;
}

static void set_kept(struct template_values *values, size_t name, const struct session_kept *kept)
{
	if (!kept->set)
		return;
	template_set_text(values, name, buf_span(&kept->text));
	if (kept->json)
		values->v[name].kind = VALUE_JSON;
	values->v[name].plain = kept->given;
}

static void set_position(struct template_values *values, const struct session_position *p)
{
	if (p->has_seq)
		template_set_number(values, NAME_SEQ, p->seq);
	set_kept(values, NAME_EPOCH, &p->epoch);
	set_kept(values, NAME_CURSOR, &p->cursor);
}

void session_values(const struct session *s, const struct session_channel *ch, struct template_values *ret)
{
	size_t names = NAMES_KNOWN + s->rules->names.n;
	template_values_init(ret);
	for (size_t name = 0; name < names; name++)
		set_kept(ret, name, &s->kept[name]);
	if (ch)
		template_set_text(ret, NAME_CHANNEL, span_of(ch->name, ch->name_len));
	if (s->dialect->cursor_of_connection)
		set_position(ret, &s->position);
	else if (ch)
		set_position(ret, &ch->position);
}

int session_say(struct session *s, enum dialect_say what, const struct template_values *values)
{
	struct buf b CLEANUP(buf_fini);
	const struct template *t = s->rules->say[what];
	buf_init(&b, SESSION_MESSAGE_MAX);
	int r = template_say(t, values, TEMPLATE_INTO_TEXT, &b);
	if (r == 0 && s->rules->file.framing == DIALECT_FRAMING_RECORD_SEPARATOR)
		r = buf_append_u8(&b, 0x1e);
	if (r == 0)
		s->events->say(s->owner, buf_span(&b), false);
	return r;
}

static void init_kept(struct session_kept *kept)
{
	buf_init(&kept->text, SESSION_CURSOR_MAX);
}

static void give(struct session *s, const char *name, const char *value)
{
	for (size_t i = 0; i < NAMES_KNOWN + s->rules->names.n; i++)
		if (strcmp(template_name_text(&s->rules->names, i), name) == 0) {
			s->kept[i].text.max = SESSION_REQUEST_MAX;
			session_keep_text(&s->kept[i], span_str(value));
			s->kept[i].given = true;
		}
}

/* A name that no other client has, when the owner gave none. */
static void name_client(struct session *s)
{
	uint64_t random[2] = {0};
	char name[40];
	if (s->kept[NAME_CLIENT].set || getrandom(random, sizeof(random), 0) < 0)
		return;
	snprintf(name, sizeof(name), "wsq%016llx%08llx", (unsigned long long)random[0],
		 (unsigned long long)(random[1] >> 32));
	session_keep_text(&s->kept[NAME_CLIENT], span_str(name));
	s->kept[NAME_CLIENT].given = true;
}

int session_new(const struct dialect *d, const struct opt_map *variables, const struct session_events *events,
		void *owner, struct session **ret_session)
{
	struct session *s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->dialect = d;
	s->rules = d->rules;
	s->events = events;
	s->owner = owner;
	s->acks = true;
	for (size_t i = 0; i < TEMPLATE_NAMES_MAX; i++)
		init_kept(&s->kept[i]);
	init_kept(&s->position.epoch);
	init_kept(&s->position.cursor);
	arena_init(&s->request, SESSION_REQUEST_MAX);
	session_stream_init(&s->stream);
	const struct opt_map *own = &d->rules->file.variables;
	for (size_t i = 0; i < own->len; i++)
		give(s, own->items[i].key, own->items[i].value);
	for (size_t i = 0; variables && i < variables->len; i++)
		give(s, variables->items[i].key, variables->items[i].value);
	name_client(s);
	template_values_init(&s->given);
	for (size_t i = NAMES_KNOWN; i < TEMPLATE_NAMES_MAX; i++)
		if (s->kept[i].given)
			set_kept(&s->given, i, &s->kept[i]);
	*ret_session = s;
	return 0;
}

void session_free(struct session *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n_channels; i++)
		session_channel_free(s->channels[i]);
	for (size_t i = 0; i < TEMPLATE_NAMES_MAX; i++)
		buf_fini(&s->kept[i].text);
	session_position_fini(&s->position);
	session_stream_fini(&s->stream);
	arena_fini(&s->request);
	free(s->channels);
	free(s->pending);
	free(s);
}

/* The channel that a connection is for. */
static const struct session_channel *own_channel(const struct session *s)
{
	bool by_url = s->dialect->channel_by == DIALECT_CHANNEL_BY_URL;
	return by_url && s->n_channels ? s->channels[0] : NULL;
}

static bool all_set(const struct template *t, const struct template_values *values)
{
	return t && (t->needs & ~values->set) == 0;
}

/* What is needed to ask for an older session is known. */
static bool may_resume(const struct session *s, const struct template_values *values)
{
	const struct dialect_rules *d = s->rules;
	switch ((enum dialect_resume)d->file.resume.by) {
	case RESUME_BY_CONNECT:
		return all_set(d->say[SAY_RESUME], values);
	case RESUME_BY_QUERY:
		return all_set(d->say[LINE_RESUME_QUERY], values);
	case RESUME_BY_HEADER:
		for (size_t i = 0; i < d->n_resume_headers; i++)
			if (!all_set(d->resume_headers[i].value, values))
				return false;
		return true;
	case RESUME_BY_NOTHING:
	case RESUME_BY_SUBSCRIBE:
		break;
	}
	return false;
}

/* A template as a text of the request. */
static int request_text(struct session *s, const struct template *t, const struct template_values *values,
			enum template_into into, const char **ret)
{
	struct buf b CLEANUP(buf_fini);
	buf_init(&b, SESSION_REQUEST_MAX);
	int r = template_say(t, values, into, &b);
	if (r < 0)
		return r;
	*ret = (const char *)arena_span(&s->request, buf_span(&b)).p;
	return *ret ? 0 : -ENOBUFS;
}

static int add_query(struct session *s, enum dialect_say what, const struct template_values *values, const char **target)
{
	const char *query;
	if (!s->rules->say[what])
		return 0;
	int r = request_text(s, s->rules->say[what], values, TEMPLATE_INTO_URL, &query);
	if (r < 0)
		return r;
	*target = arena_printf(&s->request, "%s%c%s", *target, strchr(*target, '?') ? '&' : '?', query);
	return *target ? 0 : -ENOBUFS;
}

/* The path of `url` with the query of the base. */
static int add_url(struct session *s, const char *base, const struct template_values *values, const char **target)
{
	const char *query = strchr(base, '?');
	*target = base;
	if (!s->rules->say[LINE_URL])
		return 0;
	int r = request_text(s, s->rules->say[LINE_URL], values, TEMPLATE_INTO_URL, target);
	if (r == 0)
		*target = arena_printf(&s->request, "%s%s", *target, query ? query : "");
	return r < 0 ? r : *target ? 0 : -ENOBUFS;
}

static int add_headers(struct session *s, const struct dialect_header *headers, size_t n,
		       const struct template_values *values, struct opt_pair *to, size_t *n_to)
{
	for (size_t i = 0; i < n; i++) {
		const char *value;
		int r = request_text(s, headers[i].value, values, TEMPLATE_INTO_HEADER, &value);
		if (r == -EILSEQ) /* the server's own words do not fit into a header: then without them */
			continue;
		if (r < 0)
			return r;
		to[(*n_to)++] = (struct opt_pair){headers[i].name, value};
	}
	return 0;
}

int session_request(struct session *s, const char *base, struct session_request *ret)
{
	const struct dialect_rules *d = s->rules;
	const struct session_channel *ch = own_channel(s);
	struct template_values values;
	const char *target;
	arena_fini(&s->request);
	arena_init(&s->request, SESSION_REQUEST_MAX);
	if (s->dialect->channel_by == DIALECT_CHANNEL_BY_URL && !ch)
		return -ENOTSUP;
	struct opt_pair *headers = arena_alloc(&s->request, 2 * DIALECT_HEADERS_MAX * sizeof(*headers));
	size_t n = 0;
	if (!headers)
		return -ENOBUFS;
	session_values(s, ch, &values);
	s->resuming = may_resume(s, &values);
	int r = add_url(s, base, &values, &target);
	if (r == 0)
		r = add_query(s, LINE_CONNECT_QUERY, &values, &target);
	if (r == 0 && s->resuming)
		r = add_query(s, LINE_RESUME_QUERY, &values, &target);
	if (r == 0)
		r = add_headers(s, d->connect_headers, d->n_connect_headers, &values, headers, &n);
	if (r == 0 && s->resuming)
		r = add_headers(s, d->resume_headers, d->n_resume_headers, &values, headers, &n);
	if (r < 0)
		return r;
	*ret = (struct session_request){.target = target, .headers = headers, .n_headers = n, .resumes = s->resuming};
	return 0;
}

void session_say_connect(struct session *s)
{
	struct template_values values;
	bool resume = s->resuming && s->rules->file.resume.by == RESUME_BY_CONNECT;
	enum dialect_say what = resume ? SAY_RESUME : SAY_CONNECT;
	uint64_t connection = s->connection;
	s->state = SESSION_OPENING;
	if (s->rules->say[what]) {
		session_values(s, own_channel(s), &values);
		template_set_number(&values, NAME_ID, ++s->last_id);
		session_say(s, what, &values);
	}
	if (connection == s->connection && !s->rules->hears[HEAR_CONNECT_OK])
		session_ready(s, &(struct session_news){.ok = true});
}

void session_open(struct session *s, uint64_t now_us)
{
	assert(s->state == SESSION_CLOSED);
	s->connection++;
	s->now_us = now_us;
	s->recovered = RECOVERED_UNTOLD;
	session_stream_reset(&s->stream);
	if (!s->resuming && s->rules->file.resume.by != RESUME_BY_SUBSCRIBE)
		session_begin_anew(s);
	if (s->resuming && s->rules->file.resume.at_once) {
		s->recovered = RECOVERED_YES;
		session_ready(s, &(struct session_news){.ok = true, .recovered = RECOVERED_YES});
	} else if (s->rules->hears[HEAR_CONNECT_AFTER]) {
		s->state = SESSION_AFTER;
	} else {
		session_say_connect(s);
	}
}

void session_ready(struct session *s, struct session_news *n)
{
	uint64_t connection = s->connection;
	if (n->ok) {
		s->state = SESSION_READY;
		s->heartbeat_us = s->rules->file.heartbeat.every_ms
					  ? s->now_us + s->rules->file.heartbeat.every_ms * 1000
					  : UINT64_MAX;
	}
	s->events->ready(s->owner, n);
	for (size_t i = 0; n->ok && connection == s->connection && i < s->n_channels; i++)
		session_channel_ask(s, s->channels[i]);
}

enum session_then session_closed(struct session *s, int code)
{
	const struct dialect_code *codes = s->rules->file.codes.items;
	enum session_then then = SESSION_RECONNECT;
	s->connection++;
	s->state = SESSION_CLOSED;
	s->resuming = false;
	for (size_t i = 0; i < s->n_channels; i++) {
		struct session_channel *ch = s->channels[i];
		ch->asked = ch->active = ch->restoring = ch->resuming = false;
		ch->replay_to = 0;
	}
	session_pending_drop(s);
	for (size_t i = 0; i < s->rules->file.codes.len; i++) {
		uint64_t to = codes[i].to ? codes[i].to : codes[i].from;
		if ((uint64_t)code < codes[i].from || (uint64_t)code > to)
			continue;
		then = (enum session_then)codes[i].then;
		break;
	}
	if (then == SESSION_AFRESH)
		session_forget(s);
	return then;
}

void session_forget(struct session *s)
{
	for (size_t i = 0; i < TEMPLATE_NAMES_MAX; i++)
		if (!s->kept[i].given)
			session_unkeep(&s->kept[i]);
	session_position_forget(&s->position);
	for (size_t i = 0; i < s->n_channels; i++) {
		s->channels[i]->was = false;
		session_position_forget(&s->channels[i]->position);
	}
}

uint64_t session_wake_at(const struct session *s)
{
	return s->state == SESSION_READY ? s->heartbeat_us : UINT64_MAX;
}

void session_wake(struct session *s, uint64_t now_us)
{
	struct template_values values;
	s->now_us = now_us;
	if (now_us < session_wake_at(s) || !s->rules->say[SAY_HEARTBEAT] || s->state != SESSION_READY)
		return;
	s->heartbeat_us = now_us + s->rules->file.heartbeat.every_ms * 1000;
	session_values(s, NULL, &values);
	template_set_number(&values, NAME_ID, ++s->last_id);
	session_say(s, SAY_HEARTBEAT, &values);
}
