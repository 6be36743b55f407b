/* Clients, their connections and subscriptions; phases and faults. */
#include "harness/check/track.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/check/check.h"

/* Faults that change what a connection carries, above TCP: what is missing, twice or broken there is their doing. */
static const char *const tampering[] = {"corrupt", "frame_drop", "frame_duplicate", "malformed"};

static const struct {
	const char *name;
	enum track_phase phase;
} phases[] = {{"warm", TRACK_WARM}, {"chaos", TRACK_CHAOS}, {"heal", TRACK_HEAL}, {"end", TRACK_END}};

void track_init(struct track *t, const struct contract *contract)
{
	*t = (struct track){.contract = contract};
}

static void free_pairs(struct track_pair *p)
{
	while (p) {
		struct track_pair *next = p->next;
		ranges_fini(&p->got);
		ranges_fini(&p->here);
		free(p);
		p = next;
	}
}

static void free_subs(struct track_sub *s)
{
	while (s) {
		struct track_sub *next = s->next_of_client;
		free_pairs(s->pairs);
		free(s);
		s = next;
	}
}

static void free_channel(struct track_channel *c)
{
	while (c->streams) {
		struct track_stream *s = c->streams;
		c->streams = s->next;
		ranges_fini(&s->ok);
		ranges_fini(&s->failed);
		ranges_fini(&s->answered);
		ranges_fini(&s->repeated);
		free(s);
	}
	free(c);
}

void track_fini(struct track *t)
{
	for (size_t i = 0; i < t->n_clients; i++)
		if (t->clients[i]) {
			free_subs(t->clients[i]->subs);
			free(t->clients[i]);
		}
	for (size_t i = 0; i < t->channels.cap; i++)
		if (t->channels.slots[i].key)
			free_channel(t->channels.slots[i].value);
	free(t->clients);
	map_fini(&t->channels);
	map_fini(&t->streams);
	map_fini(&t->subs);
	map_fini(&t->pairs);
}

/* A zeroed thing of this size, in the map. */
void *track_made(struct track *t, struct map *m, uint64_t key, size_t size)
{
	void *p = calloc(1, size);
	if (p && map_put(m, key, p) == 0)
		return p;
	free(p);
	t->out_of_memory = true;
	return NULL;
}

struct track_client *track_client(const struct track *t, uint32_t number)
{
	return number < t->n_clients ? t->clients[number] : NULL;
}

static struct track_client *client_of(struct track *t, uint32_t number)
{
	if (number == 0 || number > CHECK_CLIENTS_MAX)
		return NULL;
	if (number >= t->n_clients) {
		size_t n = t->n_clients * 2 > number ? t->n_clients * 2 : (size_t)number + 64;
		struct track_client **more = realloc(t->clients, n * sizeof(struct track_client *));
		if (!more) {
			t->out_of_memory = true;
			return NULL;
		}
		memset(more + t->n_clients, 0, (n - t->n_clients) * sizeof(struct track_client *));
		t->clients = more;
		t->n_clients = n;
	}
	if (!t->clients[number]) {
		t->clients[number] = calloc(1, sizeof(struct track_client));
		if (t->clients[number])
			t->clients[number]->number = number;
		else
			t->out_of_memory = true;
	}
	return t->clients[number];
}

static struct track_channel *channel_of(struct track *t, uint32_t number)
{
	struct track_channel *c = number ? map_get(&t->channels, number) : NULL;
	if (!c && number) {
		c = track_made(t, &t->channels, number, sizeof(*c));
		if (c)
			c->number = number;
	}
	return c;
}

static struct track_sub *sub_of(struct track *t, bool make)
{
	uint64_t key = map_pair(t->client->number, t->channel->number);
	struct track_sub *s = map_get(&t->subs, key);
	if (s || !make)
		return s;
	s = track_made(t, &t->subs, key, sizeof(*s));
	if (!s)
		return NULL;
	s->slot = t->n_subs++;
	s->client = t->client;
	s->channel = t->channel;
	s->next_of_client = t->client->subs;
	t->client->subs = s;
	s->next_of_channel = t->channel->subs;
	t->channel->subs = s;
	return s;
}

struct track_pair *track_pair(struct track *t, struct track_sub *s, struct track_stream *stream)
{
	uint64_t key = map_pair(s->slot + 1, stream->slot);
	struct track_pair *p = map_get(&t->pairs, key);
	if (p)
		return p;
	p = track_made(t, &t->pairs, key, sizeof(*p));
	if (!p)
		return NULL;
	p->slot = t->n_pairs++;
	p->sub = s;
	p->stream = stream;
	/* Whoever was confirmed before a stream began has no pair with it until now, and is owed all of it. */
	p->from = s->spells ? 0 : stream->invoked;
	p->next = s->pairs;
	s->pairs = p;
	return p;
}

/* The client is on another connection from now on, or on none: what its subscriptions knew of the old one is kept. */
static void leave(struct track_client *c, uint64_t end_us)
{
	for (struct track_sub *s = c->subs; s; s = s->next_of_client) {
		if (s->connection != c->connection || !s->on)
			continue;
		s->left_heard_us = c->heard_us;
		s->left_end_us = end_us;
		s->left_node = c->node;
		s->turn++;
	}
}

static void on_connect(struct track *t, const struct event *e)
{
	struct track_client *c = t->client;
	if (!c || e->type != EVENT_OK)
		return;
	if (c->up)
		leave(c, 0);
	c->old_connection = c->connection;
	c->old_node = c->node;
	c->old_end_us = c->up ? 0 : c->end_us;
	c->old_heard_us = c->heard_us;
	c->old_up_us = c->up_us;
	c->connection = e->connection;
	c->node = e->node;
	c->connections++;
	c->up = true;
	c->closes = false;
	c->recovered = e->recovered;
	c->up_us = c->heard_us = e->at_us;
}

static void on_end(struct track *t, const struct event *e)
{
	struct track_client *c = t->client;
	if (!c)
		return;
	if (e->connection == c->old_connection && c->old_end_us == 0)
		c->old_end_us = e->at_us;
	if (e->connection != c->connection || !c->up) {
		for (struct track_sub *s = c->subs; s; s = s->next_of_client) { /* one that was left open */
			if (s->connection == e->connection && s->left_end_us == 0)
				s->left_end_us = e->at_us;
			if (s->old_connection == e->connection && s->old_end_us == 0)
				s->old_end_us = e->at_us;
		}
		return;
	}
	t->ended = true;
	c->up = false;
	c->ended_by = e->by;
	c->closes = e->by == END_BY_CLIENT && t->phase == TRACK_END;
	c->end_us = e->at_us;
	leave(c, e->at_us);
}

static void confirm(struct track *t, struct track_sub *s, const struct event *e)
{
	t->first_spell = s->spells == 0;
	if (t->first_spell)
		for (struct track_stream *stream = s->channel->streams; stream; stream = stream->next) {
			struct track_pair *p = track_pair(t, s, stream);
			if (p)
				p->from = stream->invoked;
		}
	bool same = s->connection == e->connection;
	s->old_connection = s->connection;
	s->old_heard_us = same ? s->client->heard_us : s->left_heard_us;
	s->old_end_us = same ? 0 : s->left_end_us;
	s->old_node = same ? s->client->node : s->left_node;
	s->old_published = s->got_published;
	s->old_placed_us = s->placed_us;
	if (s->asking) {
		s->placed_us = s->asked_us;
	} else {
		s->resumes = false;
		s->asked_us = e->at_us;
	}
	s->asking = false;
	s->on = true;
	s->spells++;
	s->turn++;
	s->connection = e->connection;
	s->left_end_us = 0;
	s->ok_us = e->at_us;
	s->ok_seq = e->seq;
	s->ok_epoch = e->epoch;
	s->recovered = e->recovered != RECOVERED_UNTOLD || same ? e->recovered : s->client->recovered;
	s->got_published = s->channel->published;
}

static void on_subscribe(struct track *t, const struct event *e)
{
	if (!t->client || !t->channel)
		return;
	struct track_sub *s = t->sub = sub_of(t, true);
	if (!s)
		return;
	if (e->type == EVENT_INVOKE) {
		s->asking = true;
		s->resumes = e->resumes || e->seq || e->epoch;
		s->asked_us = e->at_us;
		s->asked_seq = e->seq;
		s->asked_epoch = e->epoch;
		s->turn++;
	} else if (e->type == EVENT_OK) {
		confirm(t, s, e);
	} else {
		if (e->type == EVENT_FAIL && !s->asking) /* the server ended it, unasked */
			s->on = false;
		s->asking = false;
	}
}

static void on_phase(struct track *t, const struct event *e)
{
	for (size_t i = 0; e->note && i < ARRAY_LEN(phases); i++)
		if (strcmp(e->note, phases[i].name) == 0)
			t->phase = phases[i].phase;
	t->phase_us = e->at_us;
	t->lag_us = 0;
}

static void fault_ends(struct track *t, const char *name, uint64_t at_us)
{
	snprintf(t->healed, sizeof(t->healed), "%s", name);
	t->healed_us = at_us;
	for (size_t i = 0; i < t->n_faults; i++)
		if (strcmp(t->faults[i], name) == 0) {
			memmove(t->faults[i], t->faults[i + 1], (t->n_faults - i - 1) * TRACK_NAME_MAX);
			t->n_faults--;
			break;
		}
}

static void on_fault(struct track *t, const struct event *e)
{
	char name[TRACK_NAME_MAX];
	snprintf(name, sizeof(name), "%s", e->text ? e->text : "");
	if (e->type == EVENT_INVOKE && t->n_faults < TRACK_FAULTS_MAX)
		memcpy(t->faults[t->n_faults++], name, sizeof(name));
	else if (e->type == EVENT_OK || e->type == EVENT_FAIL)
		fault_ends(t, name, e->at_us);
	t->calm_us = t->n_faults ? UINT64_MAX : e->at_us;
	if (e->type != EVENT_INFO || !t->client)
		return;
	uint32_t connection = e->connection ? e->connection : t->client->connection;
	t->client->hit = connection;
	for (size_t i = 0; i < ARRAY_LEN(tampering); i++)
		if (strncmp(name, tampering[i], strlen(tampering[i])) == 0) /* a second one is told apart behind its name */
			t->client->tampered = connection;
}

/* It came from the target over the client's newest connection: the target is there. */
static bool is_heard(const struct track_client *c, const struct event *e)
{
	static const bool heard[EVENT_KINDS] = {[EVENT_SUBSCRIBE] = true, [EVENT_PUBLISH] = true, [EVENT_DELIVER] = true,
						[EVENT_PING] = true, [EVENT_ANSWER] = true, [EVENT_ERROR] = true};
	return heard[e->kind] && e->type != EVENT_INVOKE && (e->type != EVENT_INFO || e->kind == EVENT_ERROR) &&
	       e->connection == c->connection;
}

void track_event(struct track *t, const struct event *e)
{
	t->now_us = e->at_us;
	t->client = client_of(t, e->client);
	t->channel = channel_of(t, e->channel);
	t->stream = NULL;
	t->sub = t->client && t->channel ? sub_of(t, false) : NULL;
	t->pair = NULL;
	t->fresh = t->again = t->first_spell = t->ended = false;
	t->dropped = (struct range){0};
	if (t->client && is_heard(t->client, e))
		t->client->heard_us = e->at_us;
	lives_event(&t->lives, e);
	switch (e->kind) {
	case EVENT_CONNECT:
		on_connect(t, e);
		break;
	case EVENT_END:
		on_end(t, e);
		break;
	case EVENT_SUBSCRIBE:
		on_subscribe(t, e);
		break;
	case EVENT_PUBLISH:
		track_publish(t, e);
		break;
	case EVENT_DELIVER:
		track_deliver(t, e);
		break;
	case EVENT_PHASE:
		on_phase(t, e);
		break;
	case EVENT_FAULT:
		on_fault(t, e);
		break;
	case EVENT_NODE:
		if (e->value == 0)
			t->down_us = e->at_us;
		break;
	case EVENT_LAG:
		if (e->type == EVENT_OK && e->value * 1000 > (double)t->lag_us)
			t->lag_us = (uint64_t)(e->value * 1000);
		break;
	default:
		break;
	}
}

bool track_is_nowhere(const struct track *t, const struct track_client *c)
{
	if (t->contract->numbered && !contract_by_session(t->contract))
		return false;
	for (const struct track_sub *s = c->subs; s; s = s->next_of_client)
		for (const struct track_pair *p = s->pairs; p; p = p->next)
			if (p->top)
				return false;
	return true;
}
