/* What no application expects: broken, mistyped, unknown and deeply nested messages. */
#include <jansson.h>
#include <stdio.h>

#include "harness/readiness/rows.h"

enum { BAD_MAX = 40, DEPTH = 100000, TEXT_MAX = 1 << 20, LATE_MS = 1000 };

struct bad {
	const char *what;
	struct span text;
};

struct input {
	struct link *model, *link, *canary;
	struct bad list[BAD_MAX];
	size_t n, at, answered;
	uint64_t before;
};

static void add(struct dialogue *d, struct input *in, const char *what, struct span text)
{
	if (in->n == BAD_MAX || !text.len)
		return;
	struct span copy = arena_span(&d->arena, text);
	if (copy.p)
		in->list[in->n++] = (struct bad){what, copy};
}

static struct span nested(struct dialogue *d, const char *open, uint64_t max)
{
	struct buf b CLEANUP(buf_fini) = {.max = TEXT_MAX};
	size_t len = strlen(open);
	for (size_t i = 0; i < DEPTH && (!max || b.len + len <= max); i++)
		buf_append(&b, open, len);
	return arena_span(&d->arena, buf_span(&b));
}

/* Values that are none of a text; and a text that means nothing. */
static json_t *other(unsigned i)
{
	switch (i) {
	case 0:
		return json_integer(-7);
	case 1:
		return json_pack("{s:i}", "wsquall", 1);
	case 2:
		return json_null();
	default:
		return json_string("wsquall-no-such-thing");
	}
}

/* A message of the dialect, with one member after the other changed. */
static void mistype(struct dialogue *d, struct input *in, struct span text)
{
	static const char *const kinds[] = {"a number", "an object", "null", "an unknown word"};
	json_t *message = json_loadb((const char *)text.p, text.len, 0, NULL), *value;
	const char *key;
	if (!json_is_object(message)) {
		json_decref(message);
		return;
	}
	json_object_foreach(message, key, value)
		for (unsigned i = 0; json_is_string(value) && i < ARRAY_LEN(kinds); i++) {
			json_t *copy = json_copy(message);
			json_object_set_new(copy, key, other(i));
			char *changed = json_dumps(copy, JSON_COMPACT);
			add(d, in, arena_printf(&d->arena, "%s for \"%.40s\"", kinds[i], key), span_str(changed));
			free(changed);
			json_decref(copy);
		}
	json_decref(message);
}

/* The gentlest first: the one that brings a target down hides what comes after it. */
static void make_list(struct dialogue *d, struct input *in)
{
	const struct link *model = in->model;
	uint64_t max = d->r->site->contract.max_message;
	add(d, in, "no JSON", SPAN_LIT("this is no JSON {"));
	add(d, in, "JSON that is cut", SPAN_LIT("{\"type\":\"publ"));
	add(d, in, "a list", SPAN_LIT("[1,2,3]"));
	add(d, in, "a number", SPAN_LIT("42"));
	add(d, in, "an empty object", SPAN_LIT("{}"));
	add(d, in, "an unknown type", SPAN_LIT("{\"type\":\"wsquall-no-such-thing\",\"id\":1}"));
	for (size_t i = 0; i < model->n_said; i++)
		mistype(d, in, model->said[i]);
	add(d, in, "deeply nested lists", nested(d, "[", max));
	add(d, in, "deeply nested objects", nested(d, "{\"a\":", max));
}

/* An answer that is late is one all the same: applications work at their own pace. */
static bool is_answered(const struct input *in)
{
	return in->link->received > in->before;
}

static bool promised(const struct dialogue *d)
{
	return d->r->site->contract.answers_errors;
}

static void judge_bad(struct dialogue *d, struct input *in)
{
	const struct bad *bad = &in->list[in->at];
	const struct link *l = in->link;
	in->answered += is_answered(in);
	if (l->closed && l->code == 1011)
		dialogue_fail(d, "%s ends the connection with 1011, an error of the server", bad->what);
	else if (link_ended(l) && promised(d))
		dialogue_fail(d, "%s ends the connection: %s", bad->what, link_how(l));
	else if (link_gone(l) && !l->closed)
		dialogue_warn(d, "%s ends the connection without a Close: %s", bad->what, l->error_text);
	else if (!link_ended(l) && !is_answered(in) && promised(d))
		dialogue_fail(d, "%s is not answered", bad->what);
}

static struct link *fresh(struct dialogue *d)
{
	return dialogue_link(d, &(struct link_options){.label = "says what makes no sense"});
}

static bool canary_well(const struct input *in)
{
	return link_alive(in->canary) && link_passed(in->canary);
}

static void talk_input(struct dialogue *d)
{
	struct input *in = d->state;
	TALK_BEGIN(d);
	in->canary = dialogue_link(d, &(struct link_options){.label = "somebody else"});
	in->model = dialogue_link(d, &(struct link_options){.label = "says what makes sense", .channel = dialogue_channel(d)});
	TALK_AWAIT(d, dialogue_patience(d), link_settled(in->canary) && link_subscribed(in->model));
	if (!link_alive(in->canary) || !in->model->subscribed) {
		dialogue_unknown(d, "a client that says what makes sense is not served: %s", link_how(in->model));
		TALK_STOP(d);
	}
	if (d->r->site->dialect->can_publish && !d->r->site->dialect->publish_by_http)
		link_publish(in->model, dialogue_channel(d), "wsquall");
	make_list(d, in);
	for (in->at = 0; in->at < in->n; in->at++) {
		if (!in->link || !link_alive(in->link)) {
			in->link = fresh(d);
			TALK_AWAIT(d, dialogue_patience(d), link_settled(in->link));
			if (!in->link->ready)
				break;
		}
		dialogue_note(d, "%s", in->list[in->at].what);
		in->before = in->link->received;
		link_text(in->link, in->list[in->at].text);
		link_barrier(in->link);
		TALK_AWAIT(d, dialogue_patience(d), link_passed(in->link) || link_ended(in->link));
		TALK_AWAIT(d, promised(d) ? dialogue_patience(d) : LATE_MS, is_answered(in) || link_ended(in->link) || !promised(d));
		judge_bad(d, in);
		link_barrier(in->canary);
		TALK_AWAIT(d, dialogue_patience(d), link_passed(in->canary) || link_ended(in->canary));
		if (canary_well(in))
			continue;
		dialogue_fail(d, "%s takes the connections of others with it: somebody else had %s",
			      in->list[in->at].what, link_how(in->canary));
		TALK_STOP(d);
	}
	if (in->at < in->n)
		dialogue_fail(d, "after %s nobody is let in: %s", in->at ? in->list[in->at - 1].what : "that", link_how(in->link));
	else
		dialogue_pass(d, "of %zu messages that make no sense %zu were answered at once; everybody else was served", in->n,
			      in->answered);
	TALK_END(d);
}

const struct dialogue_row dialogue_input_validation = {
	.check = "input.validation", .about = "sends messages that are broken, mistyped, unknown and deeply nested",
	.needs = NEEDS_DIALECT, .alone = true, .state_size = sizeof(struct input), .talk = talk_input,
};
