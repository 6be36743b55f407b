/*
 * Whether the numbers that the target gives its messages are worth something: they go up, by one, and one number is one
 * message for everybody. What a resume replays is the business of resume.c: here a spell begins with what comes first.
 *
 * Where a session has one run of numbers over all its channels, only its own client can follow it: over one connection,
 * and on to the next one when the target says that the session goes on. Nobody else's numbers mean the same.
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

/* Of a client: the run of its session. What comes before it is told whether the old session goes on is `early`. */
struct session_run {
	uint32_t connection, epoch, channel;
	uint64_t last;             /* 0: not known */
	bool recovered;            /* since `last` the session was told to go on, over this connection */
	uint32_t early_connection, early_epoch, early_channel;
	uint64_t early_first, early_last;
	uint32_t piecemeal;        /* the connection over which its channels were resumed one by one */
};

struct sequence {
	struct slots lines, runs;
	struct map channels;
	uint64_t steps, same, seams;
};

static int sequence_start(struct check_run *run, struct err *e)
{
	const struct contract *c = check_contract(run);
	(void)e;
	if (!c->numbered) {
		check_skip(run, MONOTONIC, "the contract promises no numbers");
		check_skip(run, SAME, "the contract promises no numbers");
	} else if (contract_by_session(c))
		check_skip(run, SAME, "each session has its own numbers: there is nothing to compare between subscribers");
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

/* From one number of a session to the next one, over one connection. */
static void step(struct check_run *run, const struct event *e, uint64_t *last, uint32_t *channel)
{
	struct sequence *s = check_state(run);
	s->steps++;
	if (e->seq <= *last)
		check_fail(run, MONOTONIC, e,
			   "client %u got number %llu of its session, on channel %u, after number %llu, on channel %u",
			   e->client, (unsigned long long)e->seq, e->channel, (unsigned long long)*last, *channel);
	else if (e->seq > *last + 1 && check_contract(run)->contiguous)
		check_fail(run, CONTIGUOUS, e,
			   "client %u got number %llu of its session, on channel %u, right after number %llu, on channel %u",
			   e->client, (unsigned long long)e->seq, e->channel, (unsigned long long)*last, *channel);
	if (e->seq > *last)
		*channel = e->channel;
	*last = e->seq > *last ? e->seq : *last;
}

/* From what came last to what came first after the session was told to go on; what comes again is for resume.c. */
static void seam(struct check_run *run, const struct event *e, uint64_t last, uint64_t first)
{
	struct sequence *s = check_state(run);
	s->seams++;
	if (first > last + 1 && check_contract(run)->contiguous)
		check_fail(run, CONTIGUOUS, e,
			   "client %u got number %llu of its session right after number %llu, over a connection that was told "
			   "recovered", e->client, (unsigned long long)first, (unsigned long long)last);
}

/* Over a connection that is not up yet: told later what it is. */
static void on_early(struct check_run *run, struct session_run *r, const struct event *e)
{
	if (r->early_connection == e->connection && r->early_epoch == e->epoch) {
		step(run, e, &r->early_last, &r->early_channel);
		return;
	}
	r->early_connection = e->connection;
	r->early_epoch = e->epoch;
	r->early_channel = e->channel;
	r->early_first = r->early_last = e->seq;
}

static void on_session_number(struct check_run *run, const struct event *e)
{
	struct track *t = check_track(run);
	struct sequence *s = check_state(run);
	struct session_run *r = slots_get(&s->runs, e->client, sizeof(*r));
	if (!r || e->connection < t->client->connection || r->piecemeal == e->connection)
		return; /* the session is elsewhere */
	if (t->client->tampered == e->connection) {
		r->last = 0;
	} else if (e->connection > t->client->connection) {
		on_early(run, r, e);
	} else if (r->last && r->epoch == e->epoch && r->connection == e->connection && !r->recovered) {
		step(run, e, &r->last, &r->channel);
	} else {
		if (r->last && r->epoch == e->epoch && r->recovered)
			seam(run, e, r->last, e->seq);
		r->connection = e->connection;
		r->epoch = e->epoch;
		r->channel = e->channel;
		r->last = e->seq;
		r->recovered = false;
	}
}

/* A session goes on over another connection, or another one begins. */
static void on_session(struct check_run *run, const struct event *e)
{
	struct sequence *s = check_state(run);
	struct session_run *r = slots_get(&s->runs, e->client, sizeof(*r));
	if (!r)
		return;
	const struct track_client *c = check_track(run)->client;
	bool early = r->early_connection == e->connection;
	if (c->tampered && c->tampered == c->old_connection)
		r->last = 0; /* an acknowledgement may have been changed, too */
	r->recovered = r->last && e->recovered == RECOVERED_YES;
	if (early && r->recovered && r->epoch == r->early_epoch)
		seam(run, e, r->last, r->early_first);
	if (early || !r->recovered) {
		r->last = early ? r->early_last : 0;
		r->epoch = r->early_epoch;
		r->channel = r->early_channel;
		r->recovered = false;
	}
	r->connection = e->connection;
}

/* Channels that are resumed one by one bring each its own part of the run. */
static void on_piece(struct check_run *run, const struct event *e)
{
	struct sequence *s = check_state(run);
	struct session_run *r = slots_get(&s->runs, e->client, sizeof(*r));
	if (r && e->recovered == RECOVERED_YES && check_track(run)->client->recovered != RECOVERED_YES) {
		r->piecemeal = e->connection;
		r->last = 0;
	}
}

static void session_event(struct check_run *run, const struct event *e)
{
	if (!check_track(run)->client || e->type != EVENT_OK)
		return;
	if (e->kind == EVENT_DELIVER && e->seq)
		on_session_number(run, e);
	else if (e->kind == EVENT_CONNECT)
		on_session(run, e);
	else if (e->kind == EVENT_SUBSCRIBE)
		on_piece(run, e);
}

static void sequence_event(struct check_run *run, const struct event *e)
{
	struct track *t = check_track(run);
	if (contract_by_session(check_contract(run))) {
		session_event(run, e);
		return;
	}
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
	check_samples(run, CONTIGUOUS, s->steps + s->seams);
	check_samples(run, SAME, s->same);
}

static void sequence_stop(struct check_run *run)
{
	struct sequence *s = check_state(run);
	map_fini_values(&s->channels);
	slots_fini(&s->lines);
	slots_fini(&s->runs);
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
