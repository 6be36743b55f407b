/*
 * A connection without sockets: two ends in one block of memory, a queue of writes for each, and one timer that
 * delivers on the loop's next turn. Tests of everything above a stream use it; it keeps write boundaries so that a test
 * sees what a filter did with them.
 */
#include "harness/net/pair.h"

#include <assert.h>
#include <stdlib.h>

struct chunk {
	struct chunk *next;
	size_t len; /* at most STREAM_READ_CHUNK */
	uint8_t data[];
};

struct pair;

struct end {
	struct stream stream; /* first */
	struct pair *pair;
	struct end *other;
	struct chunk *head, **tail; /* written by the other end, not given to this one */
	size_t queued;
	bool opened, paused, shut, eof_told;
	bool reset_came; /* the other end was reset, or freed before a write */
	bool ended, freed;
};

struct pair {
	struct end ends[2];
	struct loop *loop;
	struct timer timer;
	unsigned busy;
};

static void pair_on_turn(void *owner);

static int pair_kick(struct pair *p)
{
	return timer_start(&p->timer, p->loop, 0, pair_on_turn, p);
}

static void drop_chunks(struct chunk *head)
{
	while (head) {
		struct chunk *next = head->next;
		free(head);
		head = next;
	}
}

static void drop_queue(struct end *e)
{
	drop_chunks(e->head);
	e->head = NULL;
	e->tail = &e->head;
	e->queued = 0;
}

static void pair_leave(struct pair *p)
{
	if (--p->busy > 0 || !p->ends[0].freed || !p->ends[1].freed)
		return;
	timer_fini(&p->timer);
	drop_queue(&p->ends[0]);
	drop_queue(&p->ends[1]);
	free(p);
}

static void end_give(struct end *e)
{
	struct chunk *c = e->head;
	e->head = c->next;
	if (!e->head)
		e->tail = &e->head;
	e->queued -= c->len;
	e->stream.events->on_data(e->stream.owner, span_of(c->data, c->len));
	free(c);
}

/* One step of one end; false when it has nothing to do now. */
static bool end_step(struct end *e)
{
	if (e->ended || !e->stream.events)
		return false;
	if (!e->opened) {
		e->opened = true;
		e->stream.events->on_open(e->stream.owner);
	} else if (e->paused) {
		return false;
	} else if (e->head) {
		end_give(e);
	} else if (e->other->shut && !e->eof_told) {
		e->eof_told = true;
		e->stream.events->on_eof(e->stream.owner, true);
	} else if (e->reset_came) {
		e->ended = true;
		e->stream.events->on_error(e->stream.owner, -ECONNRESET);
	} else {
		return false;
	}
	return true;
}

static void pair_on_turn(void *owner)
{
	struct pair *p = owner;
	p->busy++;
	bool first = end_step(&p->ends[0]), second = end_step(&p->ends[1]);
	if (first || second)
		pair_kick(p);
	pair_leave(p);
}

static struct chunk *chunk_new(struct span data)
{
	struct chunk *c = malloc(sizeof(*c) + data.len);
	if (c) {
		c->next = NULL;
		c->len = data.len;
		memcpy(c->data, data.p, data.len);
	}
	return c;
}

static int end_write(struct stream *s, struct span data)
{
	struct end *e = (struct end *)s, *other = e->other;
	if (e->ended || e->shut)
		return -EPIPE;
	if (data.len > STREAM_UNSENT_MAX - other->queued)
		return -ENOBUFS;
	if (data.len == 0 || e->reset_came)
		return 0;
	if (other->ended) {
		e->reset_came = true;
		return pair_kick(e->pair);
	}
	struct chunk *head = NULL, **tail = &head;
	for (size_t at = 0; at < data.len; at += STREAM_READ_CHUNK) {
		*tail = chunk_new(span_sub(data, at, STREAM_READ_CHUNK));
		if (!*tail) {
			drop_chunks(head);
			return -ENOMEM;
		}
		tail = &(*tail)->next;
	}
	*other->tail = head;
	other->tail = tail;
	other->queued += data.len;
	return pair_kick(e->pair);
}

static int end_shutdown(struct stream *s)
{
	struct end *e = (struct end *)s;
	if (e->ended)
		return -EPIPE;
	e->shut = true;
	return pair_kick(e->pair);
}

static void end_reset(struct stream *s)
{
	struct end *e = (struct end *)s;
	if (e->ended)
		return;
	e->ended = true;
	drop_queue(e);
	drop_queue(e->other);
	e->other->reset_came = true;
	pair_kick(e->pair);
}

static void end_pause(struct stream *s, bool paused)
{
	struct end *e = (struct end *)s;
	e->paused = paused;
	if (!paused && !e->ended)
		pair_kick(e->pair);
}

static size_t end_unsent(const struct stream *s)
{
	return ((const struct end *)s)->other->queued;
}

static const char *end_error_text(const struct stream *s)
{
	return ((const struct end *)s)->reset_came ? "Connection reset by peer" : "no error";
}

static const char *end_describe(const struct stream *s)
{
	(void)s;
	return "pair in memory";
}

static void end_free(struct stream *s)
{
	struct end *e = (struct end *)s;
	assert(!e->freed);
	e->pair->busy++;
	if (!e->ended)
		end_shutdown(s);
	e->ended = e->freed = true;
	drop_queue(e);
	pair_leave(e->pair);
}

static const struct stream_ops pair_ops = {
	.name = "pair",
	.write = end_write,
	.shutdown = end_shutdown,
	.reset = end_reset,
	.pause = end_pause,
	.unsent = end_unsent,
	.error_text = end_error_text,
	.describe = end_describe,
	.free = end_free,
};

int stream_pair(struct loop *l, struct stream *ret_ends[2])
{
	struct pair *p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->loop = l;
	for (int i = 0; i < 2; i++) {
		struct end *e = &p->ends[i];
		*e = (struct end){.stream = {.ops = &pair_ops}, .pair = p, .other = &p->ends[1 - i], .tail = &e->head};
	}
	int r = pair_kick(p);
	if (r < 0) {
		free(p);
		return r;
	}
	ret_ends[0] = &p->ends[0].stream;
	ret_ends[1] = &p->ends[1].stream;
	return 0;
}
