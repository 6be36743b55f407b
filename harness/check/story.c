/* The notation of story.h, and what runs tables of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/check/story.h"

#define FULL "delivery=at-least-once ordered total_order numbered contiguous resumes tells_recovered " \
	     "resume_window=10s resume_messages=100"
enum { CLIENTS = 1000, WORD = 200 };

/* What a verb does: events of one kind, one after the other. */
static const struct verb {
	const char *word;
	enum event_kind kind;
	enum event_type types[2];
	int n;
	bool open_type;            /* a word may say another type */
} verbs[] = {
	{"dials", EVENT_CONNECT, {EVENT_INVOKE}, 1, false},
	{"up", EVENT_CONNECT, {EVENT_OK}, 1, false},
	{"refused", EVENT_CONNECT, {EVENT_FAIL}, 1, false},
	{"sub", EVENT_SUBSCRIBE, {EVENT_OK}, 1, true},
	{"subs", EVENT_SUBSCRIBE, {EVENT_INVOKE, EVENT_OK}, 2, false},
	{"publish", EVENT_PUBLISH, {EVENT_OK}, 1, true},
	{"says", EVENT_PUBLISH, {EVENT_INVOKE, EVENT_OK}, 2, false},
	{"gets", EVENT_DELIVER, {EVENT_OK}, 1, false},
	{"ack", EVENT_ACK, {EVENT_OK}, 1, false},
	{"ping", EVENT_PING, {EVENT_OK}, 1, false},
	{"answer", EVENT_ANSWER, {EVENT_OK}, 1, true},
	{"end", EVENT_END, {EVENT_OK}, 1, false},
	{"log", EVENT_LOG, {EVENT_OK}, 1, false},
	{"metric", EVENT_METRIC, {EVENT_OK}, 1, false},
	{"node", EVENT_NODE, {EVENT_OK}, 1, false},
	{"lag", EVENT_LAG, {EVENT_OK}, 1, true},
	{"error", EVENT_ERROR, {EVENT_INFO}, 1, false},
	{"phase", EVENT_PHASE, {EVENT_OK}, 1, false},
	{"fault", EVENT_FAULT, {EVENT_INVOKE}, 1, false},
	{"hit", EVENT_FAULT, {EVENT_INFO}, 1, false},
	{"healed", EVENT_FAULT, {EVENT_OK}, 1, false},
};
static const char *const flags[] = {"clean", "corrupt", "replay", "resumes"};

struct teller {
	void (*on_event)(void *owner, const struct event *e);
	void *owner;
	uint64_t now_us, number;
	uint32_t connections[CLIENTS];
	const char *statement;
};

/* What one statement says: its event as JSON, and what is repeated. */
struct said {
	const struct verb *verb;
	json_t *o;
	uint64_t first, last, seq;
	int type;                  /* -1: the verb's own */
	uint32_t client;
};

static void set_number(struct said *s, const char *key, const char *text)
{
	json_object_set_new(s->o, key, json_integer(strtoll(text, NULL, 10)));
}

static bool is_numbered(const char *word, const char *prefix)
{
	size_t len = strlen(prefix);
	return strncmp(word, prefix, len) == 0 && word[len] >= '0' && word[len] <= '9';
}

/* cN, pN, chN, nN, @N, #N-M, =N/E. */
static bool number_word(struct said *s, const char *word)
{
	char *rest = NULL;
	if (is_numbered(word, "ch")) {
		set_number(s, "channel", word + 2);
	} else if (is_numbered(word, "c")) {
		s->client = (uint32_t)strtoul(word + 1, NULL, 10);
		set_number(s, "client", word + 1);
	} else if (is_numbered(word, "p")) {
		set_number(s, "publisher", word + 1);
		if (!s->verb) { /* who speaks */
			s->client = (uint32_t)strtoul(word + 1, NULL, 10);
			set_number(s, "client", word + 1);
		}
	} else if (is_numbered(word, "n")) {
		set_number(s, "node", word + 1);
	} else if (is_numbered(word, "@")) {
		set_number(s, "connection", word + 1);
	} else if (is_numbered(word, "#")) {
		s->first = strtoull(word + 1, &rest, 10);
		s->last = *rest == '-' ? strtoull(rest + 1, NULL, 10) : s->first;
	} else if (is_numbered(word, "=")) {
		s->seq = strtoull(word + 1, &rest, 10);
		if (*rest == '/')
			set_number(s, "epoch", rest + 1);
	} else {
		return false;
	}
	return true;
}

static bool key_word(struct said *s, const char *word)
{
	char key[WORD];
	const char *equals = strchr(word, '=');
	if (!equals || equals == word)
		return false;
	snprintf(key, sizeof(key), "%.*s", (int)(equals - word), word);
	char *rest;
	double real = strtod(equals + 1, &rest);
	bool text = *rest || !equals[1] || strcmp(key, "text") == 0 || strcmp(key, "note") == 0 || strcmp(key, "id") == 0;
	json_t *value = text ? json_string(equals + 1) :
			strcmp(key, "value") == 0 || strcmp(key, "sent") == 0 ? json_real(real) : json_integer((json_int_t)real);
	json_object_set_new(s->o, key, value);
	return true;
}

static bool plain_word(struct said *s, const char *word)
{
	for (size_t i = 0; !s->verb && i < ARRAY_LEN(verbs); i++)
		if (strcmp(word, verbs[i].word) == 0) {
			s->verb = &verbs[i];
			return true;
		}
	for (int i = 0; i < EVENT_TYPES; i++)
		if (s->verb && s->verb->open_type && strcmp(word, event_type_name((enum event_type)i)) == 0) {
			s->type = i;
			return true;
		}
	if (s->verb && s->verb->kind == EVENT_FAULT && !strchr(word, '='))
		return json_object_set_new(s->o, "text", json_string(word)) == 0;
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (strcmp(word, flags[i]) == 0)
			return json_object_set_new(s->o, word, json_true()) == 0;
	if (strcmp(word, "yes") == 0 || strcmp(word, "no") == 0)
		return json_object_set_new(s->o, "recovered", json_string(word)) == 0;
	if (s->verb && s->verb->kind == EVENT_PHASE)
		return json_object_set_new(s->o, "note", json_string(word)) == 0;
	return false;
}

static void tell_one(struct teller *t, struct said *s, enum event_type type)
{
	struct event e;
	struct err err;
	json_object_set_new(s->o, "event", json_string(event_kind_name(s->verb->kind)));
	json_object_set_new(s->o, "type", json_string(event_type_name(type)));
	if (event_from_json(s->o, &e, &err) < 0)
		fail_msg("%s: %s", t->statement, err.text);
	e.at_us = t->now_us;
	if (e.kind == EVENT_CONNECT && !e.connection && s->client)
		e.connection = t->connections[s->client] + 1;
	if (e.kind == EVENT_CONNECT && e.type == EVENT_OK)
		t->connections[s->client] = e.connection;
	if (!e.connection && s->client && e.kind != EVENT_LOG)
		e.connection = t->connections[s->client];
	if (e.kind == EVENT_DELIVER && !e.said_channel)
		e.said_channel = e.channel;
	bool asked = e.kind == EVENT_SUBSCRIBE && s->verb->n == 2 && e.type == EVENT_INVOKE;
	for (e.index = s->first; e.index <= s->last; e.index++) {
		e.seq = asked ? 0 : s->seq ? s->seq + (e.index - s->first) : 0;
		if (asked)
			e.epoch = 0;
		if (e.kind == EVENT_DELIVER && !e.sent_us)
			e.sent_us = e.at_us;
		e.number = ++t->number;
		t->on_event(t->owner, &e);
	}
}

static void tell_statement(struct teller *t, char *statement)
{
	struct said s = {.o = json_object(), .type = -1};
	uint64_t wait_ms = 1;
	char *save = NULL;
	for (char *word = strtok_r(statement, " \t", &save); word; word = strtok_r(NULL, " \t", &save)) {
		if (is_numbered(word, "+"))
			wait_ms = strtoull(word + 1, NULL, 10);
		else if (!number_word(&s, word) && !plain_word(&s, word) && !key_word(&s, word))
			fail_msg("%s: %s is no word", t->statement, word);
	}
	t->now_us += wait_ms * 1000;
	if (!s.verb || s.client >= CLIENTS)
		fail_msg("%s: no verb, or no client", t->statement);
	for (int i = 0; s.verb && i < s.verb->n; i++)
		tell_one(t, &s, s.type >= 0 ? (enum event_type)s.type : s.verb->types[i]);
	json_decref(s.o);
}

void story_tell(const char *story, void (*on_event)(void *owner, const struct event *e), void *owner)
{
	struct teller *t = calloc(1, sizeof(*t));
	char *copy = strdup(story), *save = NULL;
	t->on_event = on_event;
	t->owner = owner;
	for (char *line = strtok_r(copy, ";\n", &save); line; line = strtok_r(NULL, ";\n", &save)) {
		char whole[1024];
		line += strspn(line, " \t");
		if (!*line)
			continue;
		snprintf(whole, sizeof(whole), "%s", line);
		t->statement = whole;
		tell_statement(t, line);
	}
	free(copy);
	free(t);
}

/* Cases -------------------------------------------------------------------------------------------------------- */

/* "ordered resume_window=10s" into the struct of the table. */
static void read_words(const char *words, const struct opt *table, void *to, struct arena *a)
{
	char *copy = strdup(words), *save = NULL;
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		struct err e;
		char *equals = strchr(word, '=');
		if (equals)
			*equals = 0;
		const struct opt *o = opt_find(table, word, OPT_IN_FILE);
		if (!o || opt_set(o, to, equals ? equals + 1 : "true", a, &e) < 0)
			fail_msg("%s: no key, or no value of it", word);
		else
			opt_mark_seen(o, to);
	}
	free(copy);
}

/* How often `id` stands in a list such as "a b:3"; 1 without a number, 0: not in it. */
static uint64_t listed(const char *list, const char *id)
{
	size_t len = strlen(id);
	for (const char *at = list; at && (at = strstr(at, id)); at += len) {
		if ((at != list && at[-1] != ' ') || (at[len] && at[len] != ' ' && at[len] != ':'))
			continue;
		return at[len] == ':' ? strtoull(at + len + 1, NULL, 10) : 1;
	}
	return 0;
}

static int wrong; /* expectations of this table that were not met */

static void expect(bool met, const struct story_case *c, const struct check_result *r, const char *what)
{
	if (met)
		return;
	const char *seen = r->n_findings ? r->findings[0].seen : r->note ? r->note : "";
	print_error("%s: %s %s: outcome %d, %llu violations, %llu samples: %s\n", c->name, r->row->id, what, r->outcome,
		    (unsigned long long)r->violations, (unsigned long long)r->samples, seen);
	wrong++;
}

static void judge(const struct story_case *c, const struct check_result *r)
{
	const char *id = r->row->id, *seen = r->n_findings ? r->findings[0].seen : r->note ? r->note : "";
	uint64_t wanted = listed(c->fails, id);
	expect(r->violations == wanted, c, r, "has the wrong number of violations");
	bool open = !c->fails && (listed(c->open, id) || listed(c->skips, id));
	expect((!wanted && !open) || !c->seen || strstr(seen, c->seen), c, r, "says something else");
	expect(!listed(c->passes, id) || (r->outcome == CHECK_PASS && r->samples), c, r, "does not pass");
	expect(!listed(c->open, id) || r->outcome == CHECK_INCONCLUSIVE, c, r, "is not inconclusive");
	expect(!listed(c->skips, id) || r->outcome == CHECK_SKIP, c, r, "is not skipped");
}

static void feed(void *owner, const struct event *e)
{
	check_set_event(owner, e);
}

static void run_case(const struct checker *checker, const struct story_case *c)
{
	struct contract contract = {0};
	struct check_set *set = NULL;
	const struct check_result *results;
	struct arena a;
	struct err e;
	size_t n;
	arena_init(&a, 1 << 20);
	assert_int_equal(opt_defaults(contract_table, &contract, &a), 0);
	read_words(c->contract ? c->contract : FULL, contract_table, &contract, &a);
	contract.numbered_by_session = c->by_session;
	void *options = arena_alloc(&a, checker->options_size + 1);
	assert_int_equal(opt_defaults(checker->options, options, &a), 0);
	read_words(c->options ? c->options : "", checker->options, options, &a);
	assert_int_equal(check_set_new(&contract, &set, &e), 0);
	if (c->no_reasons)
		check_set_no_reasons(set);
	if (c->no_log)
		check_set_no_log(set);
	if (check_set_add(set, checker, options, &e) < 0)
		fail_msg("%s: %s", c->name, e.text);
	story_tell(c->story, feed, set);
	check_set_end(set, &results, &n);
	assert_true(n > 0);
	for (size_t i = 0; i < n; i++)
		judge(c, &results[i]);
	check_set_free(set);
	arena_fini(&a);
}

void story_run(const char *checker, const struct story_case *cases, size_t n)
{
	wrong = 0;
	for (size_t i = 0; i < n; i++)
		run_case(checker_find(checker), &cases[i]);
	assert_int_equal(wrong, 0);
}
