/* Each pair of a subscription and a stream has a range that is due; it is over when all of it is there. */
#include "harness/check/resume_due.h"

/* Of a pair: what was confirmed before the resume was asked for, and has to come first. */
struct due {
	struct range range;
	uint32_t connection;
};

void resume_due_begin(struct check_run *run, struct slots *dues, const char *id, struct track_sub *sub)
{
	for (struct track_stream *stream = sub->channel->streams; stream; stream = stream->next) {
		struct track_pair *p = track_pair(check_track(run), sub, stream);
		struct due *due = p ? slots_get(dues, p->slot, sizeof(*due)) : NULL;
		const struct range *answered = ranges_at(&stream->answered);
		uint64_t known = stream->answered.n && answered[0].first == 1 ? answered[0].last : 0;
		if (!due)
			continue;
		*due = (struct due){{(p->top > p->from ? p->top : p->from) + 1, known}, sub->connection};
		if (known >= due->range.first || track_came_ahead(p))
			check_samples(run, id, 1);
	}
}

void resume_due_deliver(struct check_run *run, struct slots *dues, const char *id, const char *claim,
			const struct event *e)
{
	struct track *t = check_track(run);
	struct due *due = t->pair->slot < dues->n ? slots_get(dues, t->pair->slot, sizeof(*due)) : NULL;
	struct range gap;
	if (!due || due->connection != e->connection || e->index <= due->range.last)
		return;
	uint64_t from = due->range.first;
	for (; from <= due->range.last && ranges_gap(&t->pair->got, from, due->range.last, &gap); from = gap.last + 1)
		for (uint64_t i = gap.first; i <= gap.last; i++)
			if (ranges_has(&t->stream->ok, i)) {
				check_fail(run, id, e,
					   "client %u %s channel %u, and got message %llu of publisher %u before message %llu, which "
					   "it had missed", e->client, claim, e->channel,
					   (unsigned long long)e->index, e->publisher, (unsigned long long)i);
				due->range.last = 0;
				return;
			}
	due->range.last = 0; /* all is there */
}
