/*
 * Whether the numbers that the target gives its messages are worth something: they go up, by one, and one number is one
 * message for everybody. What a resume replays is the business of resume.c: here a spell begins with what comes first.
 */
#include <stdlib.h>

#include "harness/check/check.h"
#include "harness/check/slots.h"
#include "harness/check/track.h"

enum { SAME_WINDOW = 1024 }; /* numbers of a channel that are remembered, and messages */

static const char MONOTONIC[] = "sequence.monotonic", CONTIGUOUS[] = "sequence.contiguous", SAME[] = "sequence.same";
static const char *const checks[] = {MONOTONIC, CONTIGUOUS, SAME, NULL};

/* Of a subscription. */
struct line {
	uint32_t turn, epoch, connection;
	uint64_t last;
};

struct numbered {
	uint64_t seq, index;
	uint32_t epoch, publisher;
};

/* Of a channel: what each of the last numbers was, and the number of each of the last messages. */
struct numbers {
	struct numbered by_seq[SAME_WINDOW], by_message[SAME_WINDOW];
};

struct sequence {
	struct slots lines;
	struct map channels;
	uint64_t steps, same;
};

static int sequence_start(struct check_run *run, struct err *e)
{
	const struct contract *c = check_contract(run);
	(void)e;
	if (!c->numbered) {
		check_skip(run, MONOTONIC, "the contract promises no numbers");
		check_skip(run, SAME, "the contract promises no numbers");
	}
	if (!c->contiguous)
		check_skip(run, CONTIGUOUS, "the contract does not promise numbers without gaps");
	return 0;
}

/* A publisher may be told its number without the epoch. */
static bool may_be_same_epoch(uint32_t a, uint32_t b)
{
	return a == b || !a || !b;
}

/* The same number was another message, or the same message had another number. */
static void compare(struct check_run *run, struct numbers *n, const struct event *e, uint32_t publisher)
{
	struct sequence *s = check_state(run);
	struct numbered now = {e->seq, e->index, e->epoch, publisher};
	struct numbered *a = &n->by_seq[e->seq % SAME_WINDOW];
	struct numbered *b = &n->by_message[map_hash(map_pair(publisher, 0) ^ e->index) % SAME_WINDOW];
	bool comparable = e->kind == EVENT_DELIVER || e->epoch || !a->epoch;
	s->same++;
	if (comparable && a->seq == now.seq && a->epoch == now.epoch && (a->index != now.index || a->publisher != publisher))
		check_fail(run, SAME, e,
			   "number %llu of channel %u is message %llu of publisher %u, and was message %llu of publisher %u",
			   (unsigned long long)e->seq, e->channel, (unsigned long long)e->index, publisher,
			   (unsigned long long)a->index, a->publisher);
	else if (b->index == now.index && b->publisher == publisher && may_be_same_epoch(b->epoch, now.epoch) &&
		 b->seq != now.seq)
		check_fail(run, SAME, e, "message %llu of publisher %u on channel %u has the number %llu, and had %llu",
			   (unsigned long long)e->index, publisher, e->channel, (unsigned long long)e->seq,
			   (unsigned long long)b->seq);
	if (a->epoch < now.epoch || (a->epoch == now.epoch && a->seq < now.seq))
		*a = now;
	if (now.epoch || !b->epoch || b->index != now.index || b->publisher != publisher)
		*b = now;
}

/* `publish ok` says a number too; without its epoch only its message tells which one is meant. */
static void see_number(struct check_run *run, const struct event *e)
{
	struct track *t = check_track(run);
	struct sequence *s = check_state(run);
	uint32_t publisher = e->kind == EVENT_PUBLISH ? t->stream->publisher : e->publisher;
	if (ranges_has(&t->stream->repeated, e->index))
		return; /* it may have been taken twice: that is for publish.idempotent */
	struct numbers *n = map_get(&s->channels, e->channel);
	if (!n)
		n = track_made(t, &s->channels, e->channel, sizeof(*n));
	if (n)
		compare(run, n, e, publisher);
}

static void on_deliver(struct check_run *run, const struct event *e)
{
	struct track *t = check_track(run);
	struct sequence *s = check_state(run);
	struct line *l = slots_get(&s->lines, t->sub->slot, sizeof(*l));
	if (!l || t->client->tampered == e->connection)
		return;
	if (l->turn != t->sub->turn || l->connection != e->connection || l->epoch != e->epoch) {
		*l = (struct line){t->sub->turn, e->epoch, e->connection, e->seq};
		return;
	}
	s->steps++;
	if (e->seq <= l->last && check_contract(run)->numbered)
		check_fail(run, MONOTONIC, e, "client %u got number %llu of channel %u after number %llu", e->client,
			   (unsigned long long)e->seq, e->channel, (unsigned long long)l->last);
	else if (e->seq > l->last + 1 && check_contract(run)->contiguous)
		check_fail(run, CONTIGUOUS, e, "client %u got number %llu of channel %u right after number %llu", e->client,
			   (unsigned long long)e->seq, e->channel, (unsigned long long)l->last);
	l->last = e->seq > l->last ? e->seq : l->last;
}

static void sequence_event(struct check_run *run, const struct event *e)
{
	struct track *t = check_track(run);
	if (!e->seq || !check_contract(run)->numbered)
		return;
	if (e->kind == EVENT_DELIVER && t->sub && t->stream) {
		on_deliver(run, e);
		see_number(run, e);
	} else if (e->kind == EVENT_PUBLISH && e->type == EVENT_OK && t->stream) {
		see_number(run, e);
	}
}

static void sequence_end(struct check_run *run)
{
	struct sequence *s = check_state(run);
	check_samples(run, MONOTONIC, s->steps);
	check_samples(run, CONTIGUOUS, s->steps);
	check_samples(run, SAME, s->same);
}

static void sequence_stop(struct check_run *run)
{
	struct sequence *s = check_state(run);
	map_fini_values(&s->channels);
	slots_fini(&s->lines);
}

static const struct opt options[] = {{0}};

const struct checker checker_sequence = {
	.name = "sequence",
	.about = "the target's numbers go up by one, and one number is one message",
	.checks = checks,
	.options = options,
	.state_size = sizeof(struct sequence),
	.start = sequence_start,
	.event = sequence_event,
	.end = sequence_end,
	.stop = sequence_stop,
};
