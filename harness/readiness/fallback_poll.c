/* Who has not even event streams asks again and again, and misses nothing between two polls. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/readiness/pair.h"
#include "harness/readiness/poll.h"
#include "harness/readiness/rows.h"

enum { REQUESTS_MAX = 64, AGAIN_MAX = 8 };

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

static void take_messages(struct poll *p, const json_t *answer)
{
	const struct target_poll *t = &p->dialogue->r->site->target->fallback.poll;
	const json_t *list = poll_at(answer, t->messages);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *data = poll_at(json_array_get(list, i), t->data);
		char *text = json_is_string(data) ? NULL : json_dumps(data, JSON_COMPACT | JSON_ENCODE_ANY);
		pair_took(&p->pair, span_str(text ? text : json_string_value(data)));
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
		p->position = poll_position(p->dialogue->r->site->target->fallback.poll.since, answer, &p->dialogue->arena);
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
	const char *path = poll_path(p->position ? t->next : t->first, p->pair.channel, p->position, &d->arena);
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
	pair_begin(d, &p->pair);
	TALK_AWAIT(d, dialogue_patience(d), pair_settled(&p->pair));
	if (!pair_works(d, &p->pair))
		TALK_STOP(d);
	ask(d, p);
	TALK_AWAIT(d, 2 * dialogue_patience(d), !p->pending);
	while (!p->failed && p->pair.published < 3 * PAIR_PART) {
		pair_publish(&p->pair);
		TALK_AWAIT(d, dialogue_patience(d), pair_witnessed(&p->pair));
		ask(d, p);
		TALK_AWAIT(d, 2 * dialogue_patience(d), !p->pending);
	}
	while (!p->failed && p->pair.n_got < p->pair.published && p->n_asks < AGAIN_MAX) {
		ask(d, p); /* an answer may have been cut, or made before the last message was kept */
		TALK_AWAIT(d, 2 * dialogue_patience(d), !p->pending);
	}
	if (p->failed || p->pending)
		dialogue_fail(d, "a poll was not answered: %s", p->why[0] ? p->why : "nothing came");
	else
		pair_judge(d, &p->pair, "between two polls");
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
	.check = "fallback.poll",
	.about = "polls beside a WebSocket, with messages published between two polls",
	.needs = NEEDS_POLL | NEEDS_DIALECT | NEEDS_PUBLISH,
	.state_size = sizeof(struct poll),
	.talk = talk_poll,
	.stop = stop_poll,
};
