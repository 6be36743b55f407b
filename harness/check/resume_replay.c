/* A replay of numbered messages: see resume_replay.h. */
#include "harness/check/resume_replay.h"

#include <stdio.h>

enum { SETTLE_MS = 5000 };         /* one that has not ended after this long, at the end of the history, never will */

static const char SEQUENCE[] = "resume.sequence", ZERO[] = "resume.zero", EDGE[] = "resume.edge";

void resume_replay_begin(struct check_run *run, struct track_sub *sub, struct resume_replay *r, bool zero,
			 bool promised)
{
	const struct contract *c = check_contract(run);
	const struct track_client *client = sub->client;
	bool by_session = contract_by_session(c);
	r->implicit = !sub->resumes;
	if (r->implicit && (!r->last_seq || r->last_epoch != sub->ok_epoch))
		return;
	r->on = true;
	r->zero = zero;
	r->beyond = !promised;
	r->asked = r->implicit ? r->last_seq : sub->asked_seq;
	r->next = r->asked + 1;
	r->newest = sub->ok_seq;
	r->first = by_session && !sub->ok_seq;
	/* Channels that are resumed one by one bring each its own part of the run. */
	if (r->first && client->recovered == RECOVERED_YES && c->contiguous)
		r->newest = r->next;
	r->ok_us = sub->ok_us;
	r->connection = sub->connection;
	r->epoch = sub->ok_epoch ? sub->ok_epoch : sub->asked_epoch;
	if (!r->zero && !r->first)
		check_samples(run, SEQUENCE, 1);
}

const char *resume_claim(const struct track_sub *sub)
{
	return sub->recovered == RECOVERED_YES ? "was told recovered on" : "resumed";
}

/* "channel 3" or "its session". */
static const char *what(struct check_run *run, uint32_t channel, char *text, size_t size)
{
	snprintf(text, size, "channel %u", channel);
	return contract_by_session(check_contract(run)) ? "its session" : text;
}

static void not_due(struct check_run *run, struct resume_replay *r, const struct event *e)
{
	char text[40], of[40];
	snprintf(of, sizeof(of), " of %llu", (unsigned long long)r->newest);
	r->on = false;
	check_fail(run, r->beyond ? EDGE : SEQUENCE, e, "client %u %s %s, and got number %llu where number %llu was due%s",
		   e->client, resume_claim(check_track(run)->sub), what(run, e->channel, text, sizeof(text)),
		   (unsigned long long)e->seq, (unsigned long long)r->next, r->first ? "" : of);
}

void resume_replay_number(struct check_run *run, struct resume_replay *r, const struct event *e)
{
	char text[40];
	if (r->first)
		check_samples(run, SEQUENCE, 1);
	if (e->seq <= r->asked) {
		if (!r->implicit && r->next == r->asked + 1) {
			r->on = false;
			check_fail(run, r->zero ? ZERO : SEQUENCE, e, "client %u resumed %s behind number %llu, and got number %llu",
				   e->client, what(run, e->channel, text, sizeof(text)), (unsigned long long)r->asked,
				   (unsigned long long)e->seq);
		}
		return; /* later: sequence.monotonic */
	}
	if (r->zero || r->next > r->newest) {
		r->on = false;
		return;
	}
	if (check_contract(run)->contiguous ? e->seq != r->next : e->seq < r->next) {
		not_due(run, r, e);
		return;
	}
	r->next = e->seq + 1;
	r->on = r->next <= r->newest;
}

void resume_replay_finish(struct check_run *run, struct resume_replay *r, struct track_sub *sub,
			  const struct event *at)
{
	char text[40];
	uint32_t client = sub->client->number, channel = sub->channel->number;
	if (!r || !r->on || r->first || r->connection != sub->connection || r->zero || r->next > r->newest)
		return;
	if (check_track(run)->now_us - r->ok_us < SETTLE_MS * 1000 || !check_contract(run)->contiguous)
		return;
	r->on = false;
	if (sub->client->tampered != r->connection)
		check_fail_of(run, r->beyond ? EDGE : SEQUENCE, at, client, channel,
			      "client %u %s %s, and never got number %llu of %llu", client, resume_claim(sub),
			      what(run, channel, text, sizeof(text)), (unsigned long long)r->next,
			      (unsigned long long)r->newest);
}
