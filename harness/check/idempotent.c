/*
 * Publishes that are repeated with their key, because their answer was lost: stored once, delivered once, and answered
 * with the one number. Whoever repeats cannot know whether the first one arrived, so only what comes of it can tell.
 */
#include <stdlib.h>

#include "harness/check/check.h"
#include "harness/check/slots.h"
#include "harness/check/track.h"

/* Messages of a publisher on a channel whose number is known: more than may wait for an answer. */
enum { REMEMBERED = 512 };

static const char IDEMPOTENT[] = "publish.idempotent";
static const char *const checks[] = {IDEMPOTENT, NULL};

struct numbered {
	uint64_t index, seq;
	uint32_t epoch;
};

struct numbers {
	struct numbered of[REMEMBERED];
};

struct idempotent {
	struct slots streams;      /* of struct numbers * */
	uint64_t repeated;
};

static int idempotent_start(struct check_run *run, struct err *e)
{
	(void)e;
	if (!check_contract(run)->idempotent)
		check_skip(run, IDEMPOTENT, "the contract does not promise that a repeated publish is delivered once");
	return 0;
}

/* NULL: no number that others know it by. */
static struct numbered *number_of(struct check_run *run, const struct track_stream *stream, const struct event *e)
{
	if (!e->seq || contract_by_session(check_contract(run)))
		return NULL;
	struct idempotent *s = check_state(run);
	struct numbers **n = slots_get(&s->streams, stream->slot, sizeof(*n));
	if (n && !*n)
		*n = calloc(1, sizeof(**n));
	return n && *n ? &(*n)->of[e->index % REMEMBERED] : NULL;
}

/* A number that the message is told or comes with; true when it had another one. */
static bool is_another(struct numbered *known, const struct event *e, uint64_t *ret_before)
{
	if (known->index == e->index && known->epoch == e->epoch) {
		*ret_before = known->seq;
		return known->seq != e->seq;
	}
	if (known->index <= e->index)
		*known = (struct numbered){e->index, e->seq, e->epoch};
	return false;
}

static void on_answer(struct check_run *run, const struct event *e)
{
	struct idempotent *s = check_state(run);
	const struct track_stream *stream = check_track(run)->stream;
	struct numbered *known = number_of(run, stream, e);
	uint64_t before;
	bool another = known && is_another(known, e, &before);
	if (!ranges_has(&stream->repeated, e->index))
		return;
	s->repeated++;
	check_samples(run, IDEMPOTENT, 1);
	if (another)
		check_fail(run, IDEMPOTENT, e, "publisher %u repeated message %llu on channel %u and was told number %llu, though it "
			   "has number %llu", stream->publisher, (unsigned long long)e->index, e->channel, (unsigned long long)e->seq,
			   (unsigned long long)before);
}

static void on_message(struct check_run *run, const struct event *e)
{
	struct track *t = check_track(run);
	bool repeated = ranges_has(&t->stream->repeated, e->index);
	bool once = check_contract(run)->delivery != DELIVERY_AT_LEAST_ONCE;
	struct numbered *known = number_of(run, t->stream, e);
	bool shared = e->seq && !contract_by_session(check_contract(run));
	uint64_t before;
	if (t->client->tampered == e->connection)
		return;
	if (known && is_another(known, e, &before) && repeated)
		check_fail(run, IDEMPOTENT, e, "message %llu of publisher %u on channel %u was published twice with one key, and "
			   "came to client %u as number %llu, though it has number %llu", (unsigned long long)e->index,
			   e->publisher, e->channel, e->client, (unsigned long long)e->seq, (unsigned long long)before);
	else if (repeated && !shared && (t->again || (once && !t->fresh))) /* under the same number: a replay */
		check_fail(run, IDEMPOTENT, e, "message %llu of publisher %u on channel %u was published twice with one key, and "
			   "came to client %u twice", (unsigned long long)e->index, e->publisher, e->channel, e->client);
}

static void idempotent_event(struct check_run *run, const struct event *e)
{
	const struct track *t = check_track(run);
	if (!check_contract(run)->idempotent)
		return;
	if (e->kind == EVENT_DELIVER && t->pair)
		on_message(run, e);
	else if (e->kind == EVENT_PUBLISH && e->type == EVENT_OK && t->stream)
		on_answer(run, e);
}

static void idempotent_end(struct check_run *run)
{
	struct idempotent *s = check_state(run);
	check_note(run, IDEMPOTENT, "%llu publishes were repeated and answered", (unsigned long long)s->repeated);
}

static void idempotent_stop(struct check_run *run)
{
	struct idempotent *s = check_state(run);
	for (uint32_t i = 0; i < s->streams.n; i++)
		free(*(struct numbers **)slots_get(&s->streams, i, sizeof(struct numbers *)));
	slots_fini(&s->streams);
}

static const struct opt options[] = {{0}};

const struct checker checker_idempotent = {
	.name = "idempotent",
	.about = "a publish that is repeated with its key is stored, delivered and numbered once",
	.checks = checks,
	.options = options,
	.state_size = sizeof(struct idempotent),
	.start = idempotent_start,
	.event = idempotent_event,
	.end = idempotent_end,
	.stop = idempotent_stop,
};
