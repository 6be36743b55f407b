/*
 * Resumes: told honestly, replayed exactly, in each of the hard situations. What is asked is "everything behind this
 * position"; what is told is whether that follows. A target that does not tell is held to what its contract promises.
 * Replays of numbered messages: resume_replay.h.
 */
#include <stdlib.h>

#include "harness/check/check.h"
#include "harness/check/positions.h"
#include "harness/check/resume_due.h"
#include "harness/check/resume_refused.h"
#include "harness/check/resume_replay.h"
#include "harness/check/resume_silence.h"
#include "harness/check/slots.h"
#include "harness/check/track.h"

enum {
	FAST_MS = 100,
};

static const char SEQUENCE[] = "resume.sequence", ZERO[] = "resume.zero", TWICE[] = "resume.twice",
	FAST[] = "resume.fast", EDGE[] = "resume.edge", EPOCH[] = "resume.epoch", OTHER_NODE[] = "resume.other_node",
		  STALE[] = "resume.stale_socket";
static const char *const checks[] = {SEQUENCE, ZERO, TWICE, FAST, EDGE, EPOCH, OTHER_NODE, STALE, NULL};
/* By situation, as resume_refused.h orders them. */
static const char *const by_situation[] = {ZERO, TWICE, FAST, OTHER_NODE, STALE, ZERO, EDGE};

struct resume_options {
	uint64_t stale_ms;
};

/* Of a client: the connection that its session was taken from. */
struct takeover {
	uint32_t old_connection;
	uint64_t at_us, recoveries;
	bool told;
};

struct resume {
	struct slots replays, runs, dues, takeovers; /* by subscription; of sessions by client; by pair; by client */
	struct positions positions;
	struct resume_refused refused;
	uint64_t resumes, longest_us;
	struct resume_silence silence;
};

static int resume_start(struct check_run *run, struct err *e)
{
	(void)e;
	for (size_t i = 0; checks[i] && !check_contract(run)->resumes; i++)
		check_skip(run, checks[i], "the contract promises no resume");
	if (!check_contract(run)->tells_recovered) {
		check_skip(run, EDGE, "the target does not say whether it recovered");
		check_skip(run, EPOCH, "the target does not say whether it recovered");
	}
	return 0;
}

static struct resume_replay *replay_of(struct check_run *run, const struct track_sub *sub)
{
	struct resume *s = check_state(run);
	if (contract_by_session(check_contract(run)))
		return slots_get(&s->runs, sub->client->number, sizeof(struct resume_replay));
	return slots_get(&s->replays, sub->slot, sizeof(struct resume_replay));
}

static void on_asked(struct check_run *run)
{
	struct resume *s = check_state(run);
	struct track *t = check_track(run);
	struct resume_replay *r = replay_of(run, t->sub);
	if (r)
		r->again = positions_ask(&s->positions, t, t->sub);
}

static void count_situations(struct check_run *run, unsigned situation)
{
	for (unsigned i = 0; i < RESUME_SITUATIONS; i++)
		if (situation & 1u << i)
			check_samples(run, by_situation[i], 1);
}

/* What a position, or session, given then means may have been lost since, without a promise being broken. */
static bool may_be_lost(struct check_run *run, uint64_t placed_us)
{
	const struct lives *l = &check_track(run)->lives;
	return !lives_kept(l, check_contract(run), placed_us) || lives_broker_anew(l, placed_us);
}

/* within: the contract's time and number of messages. placed: when the position, or session, was given. */
static void judge_claim(struct check_run *run, unsigned situation, bool recovered, bool within, const struct event *e,
			uint64_t placed_us, uint64_t away_us, uint64_t missed)
{
	struct resume *s = check_state(run);
	const struct lives *l = &check_track(run)->lives;
	bool lost = may_be_lost(run, placed_us), broker = lives_broker_anew(l, placed_us), promised = within && !lost;
	if (lives_nodes_anew(l, placed_us))
		situation |= RESUME_ANEW;
	s->silence.lost_nodes += within && lost && !recovered && !broker;
	s->silence.lost_broker += within && lost && !recovered && broker;
	s->resumes++;
	s->longest_us = away_us > s->longest_us ? away_us : s->longest_us;
	if (recovered)
		resume_recovered(&s->refused, situation);
	else if (promised)
		resume_refuse(run, &s->refused, situation, e, away_us, missed);
	if (recovered || promised)
		count_situations(run, situation);
}

/* A confirmation with the promise's edge in sight: more than half of what is promised, or beyond it. */
static bool near_edge(const struct contract *c, const struct track_sub *sub, uint64_t missed)
{
	uint64_t away_us = sub->asked_us - sub->old_heard_us;
	if (contract_by_session(c) && !missed)
		missed = track_session_missed(sub->client);
	return (c->resume_messages && missed * 2 > c->resume_messages) ||
	       (c->resume_window_ms && away_us > c->resume_window_ms * 500);
}

static unsigned situation_of(struct check_run *run, const struct track_sub *sub, const struct resume_replay *r)
{
	unsigned situation = 0;
	bool moved = sub->old_connection != sub->connection;
	if (track_is_nowhere(check_track(run), sub->client))
		situation |= RESUME_EMPTY;
	if (sub->resumes && sub->ok_seq == sub->asked_seq && (sub->ok_seq || sub->ok_epoch) && check_contract(run)->numbered &&
	    sub->ok_epoch == sub->asked_epoch)
		situation |= RESUME_ZERO;
	if (r->recoveries || (sub->resumes && r->again))
		situation |= RESUME_TWICE;
	if (moved && sub->old_end_us && sub->asked_us - sub->old_end_us <= FAST_MS * 1000)
		situation |= RESUME_FAST;
	if (moved && sub->old_node && sub->client->node && sub->old_node != sub->client->node)
		situation |= RESUME_OTHER_NODE;
	return situation;
}

static void begin_replay(struct check_run *run, struct track_sub *sub, struct resume_replay *r, unsigned situation,
			 bool promised)
{
	struct resume *s = check_state(run);
	if (!check_contract(run)->numbered) {
		if (check_contract(run)->ordered)
			resume_due_begin(run, &s->dues, SEQUENCE, sub);
	} else {
		resume_replay_begin(run, sub, r, situation & RESUME_ZERO, promised);
	}
}

static void on_confirmed(struct check_run *run, const struct event *e)
{
	struct track *t = check_track(run);
	const struct contract *c = check_contract(run);
	struct track_sub *sub = t->sub;
	struct resume_replay *r = replay_of(run, sub);
	if (!r)
		return;
	bool by_session = contract_by_session(c), first = !by_session || r->connection != sub->connection;
	r->on = r->on && !first;
	if (first && sub->recovered == RECOVERED_NO)
		r->last_seq = 0;
	if (t->first_spell || (!sub->resumes && sub->recovered == RECOVERED_UNTOLD))
		return;
	if (!sub->resumes && sub->old_connection == sub->connection)
		return; /* told unasked: a new epoch */
	bool promised = track_promised(t, sub);
	uint64_t away_us = sub->asked_us - sub->old_heard_us;
	bool claims = sub->recovered == RECOVERED_YES ||
		      (sub->recovered == RECOVERED_UNTOLD && !c->tells_recovered && promised);
	/* A session that was refused, or goes on with its one run of numbers, was judged with its connection. */
	bool with_it = sub->client->recovered == sub->recovered && (by_session || sub->recovered == RECOVERED_NO) &&
		       sub->recovered != RECOVERED_UNTOLD;
	if (sub->resumes && sub->asked_epoch && sub->ok_epoch && sub->asked_epoch != sub->ok_epoch) {
		check_samples(run, EPOCH, 1);
		if (sub->recovered == RECOVERED_YES)
			check_fail(run, EPOCH, e, "client %u resumed channel %u in epoch %u, is in epoch %u, and was told recovered",
				   e->client, e->channel, sub->asked_epoch, sub->ok_epoch);
		else if (e->recovered == RECOVERED_NO && !with_it)
			judge_claim(run, situation_of(run, sub, r), false, track_within(t, sub), e, sub->old_placed_us, away_us, 0);
		return;
	}
	if (!claims && sub->recovered != RECOVERED_NO)
		return;
	unsigned situation = situation_of(run, sub, r);
	uint64_t missed = sub->ok_seq > sub->asked_seq && sub->resumes ? sub->ok_seq - sub->asked_seq : 0;
	if ((e->recovered != RECOVERED_UNTOLD || !c->tells_recovered) && !with_it)
		judge_claim(run, situation, claims, track_within(t, sub), e, sub->old_placed_us, away_us, missed);
	if (with_it && first && claims && situation & RESUME_ZERO)
		count_situations(run, RESUME_ZERO);
	if (near_edge(c, sub, missed) && (claims || !may_be_lost(run, sub->old_placed_us)))
		check_samples(run, EDGE, 1);
	if (!claims || !first)
		return;
	r->recoveries++;
	begin_replay(run, sub, r, situation, promised);
}

static void on_connected(struct check_run *run, const struct event *e)
{
	struct track *t = check_track(run);
	struct resume *s = check_state(run);
	struct track_client *c = t->client;
	struct takeover *k = slots_get(&s->takeovers, e->client, sizeof(*k));
	if (!k || c->connections < 2 || e->recovered == RECOVERED_UNTOLD)
		return;
	unsigned situation = (k->recoveries ? RESUME_TWICE : 0) | (track_is_nowhere(t, c) ? RESUME_EMPTY : 0);
	const struct contract *contract = check_contract(run);
	uint64_t away_us = e->at_us - c->old_heard_us, window_ms = contract->resume_window_ms;
	/* Not where each channel has its own numbers: it tells on its own whether all of it is there. */
	bool kept = !contract_by_session(contract) || !contract->resume_messages ||
		    track_session_missed(c) <= contract->resume_messages / 2;
	if (!c->old_end_us)
		situation |= RESUME_STALE;
	else if (e->at_us - c->old_end_us <= FAST_MS * 1000)
		situation |= RESUME_FAST;
	if (c->old_node && c->node && c->old_node != c->node)
		situation |= RESUME_OTHER_NODE;
	bool yes = e->recovered == RECOVERED_YES;
	judge_claim(run, situation, yes, window_ms && kept && away_us <= window_ms * 1000, e, c->old_up_us, away_us, 0);
	k->recoveries += yes;
	if (yes && !c->old_end_us)
		*k = (struct takeover){c->old_connection, e->at_us, k->recoveries, false};
}

static void on_deliver(struct check_run *run, const struct event *e)
{
	struct track *t = check_track(run);
	struct resume *s = check_state(run);
	struct takeover *k = e->client < s->takeovers.n ? slots_get(&s->takeovers, e->client, sizeof(*k)) : NULL;
	if (k && k->at_us && e->connection == k->old_connection && e->sent_us > k->at_us && !k->told) {
		k->told = true;
		check_fail(run, STALE, e,
			"client %u got over its old connection what was published after its session went on elsewhere",
			   e->client);
	}
	struct resume_replay *r = replay_of(run, t->sub);
	if (r && r->on && e->connection == r->connection && e->seq && e->epoch == r->epoch &&
	    t->client->tampered != e->connection)
		resume_replay_number(run, r, e);
	if (r && e->seq && (r->last_epoch != e->epoch || e->seq > r->last_seq)) {
		r->last_epoch = e->epoch;
		r->last_seq = e->seq;
	}
	if (t->pair && t->fresh && t->client->tampered != e->connection)
		resume_due_deliver(run, &s->dues, SEQUENCE, resume_claim(t->sub), e);
}

/* Anything that comes over the old connection long after the takeover: it is still open, and served. */
static void on_stale(struct check_run *run, const struct event *e)
{
	const struct resume_options *o = check_options(run);
	struct resume *s = check_state(run);
	struct takeover *k = e->client < s->takeovers.n ? slots_get(&s->takeovers, e->client, sizeof(*k)) : NULL;
	if (!k || !k->at_us || e->connection != k->old_connection || k->told || e->at_us - k->at_us <= o->stale_ms * 1000)
		return;
	k->told = true;
	check_fail(run, STALE, e, "client %u's old connection is still open %.1f s after its session went on elsewhere",
		e->client, (double)(e->at_us - k->at_us) / 1e6);
}

static void resume_event(struct check_run *run, const struct event *e)
{
	struct track *t = check_track(run);
	resume_silence_event(&((struct resume *)check_state(run))->silence, e);
	if (!check_contract(run)->resumes)
		return;
	if (e->kind == EVENT_DELIVER && t->sub)
		on_deliver(run, e);
	else if (e->kind == EVENT_CONNECT && e->type == EVENT_OK && t->client)
		on_connected(run, e);
	else if (e->kind == EVENT_SUBSCRIBE && e->type == EVENT_INVOKE && t->sub && (e->seq || e->epoch))
		on_asked(run);
	else if (e->kind == EVENT_SUBSCRIBE && e->type == EVENT_OK && t->sub)
		on_confirmed(run, e);
	else if (e->kind == EVENT_PING || e->kind == EVENT_ANSWER)
		on_stale(run, e);
	else if (e->kind == EVENT_END && t->ended && t->client->closes)
		for (struct track_sub *sub = t->client->subs; sub; sub = sub->next_of_client)
			resume_replay_finish(run, replay_of(run, sub), sub, e);
}

static void resume_end(struct check_run *run)
{
	struct resume *s = check_state(run);
	struct track *t = check_track(run);
	for (size_t i = 0; i < t->n_clients; i++)
		for (struct track_sub *sub = t->clients[i] ? t->clients[i]->subs : NULL; sub; sub = sub->next_of_client)
			if (track_live(sub))
				resume_replay_finish(run, replay_of(run, sub), sub, NULL);
	if (contract_by_session(check_contract(run)) && s->resumes && !check_sampled(run, ZERO))
		check_skip(run, ZERO, "a session's numbers do not say when nothing was missed: the target tells no newest number");
	resume_blame(run, &s->refused, by_situation, EDGE);
	resume_silence_tell(run, &s->silence, EDGE, EPOCH, ZERO, OTHER_NODE);
	if (s->resumes)
		check_note(run, SEQUENCE, "%llu resumes, the longest after %.1f s", (unsigned long long)s->resumes,
			   (double)s->longest_us / 1e6);
}

static void resume_stop(struct check_run *run)
{
	struct resume *s = check_state(run);
	positions_fini(&s->positions);
	slots_fini(&s->replays);
	slots_fini(&s->runs);
	slots_fini(&s->dues);
	slots_fini(&s->takeovers);
	resume_refused_fini(run, &s->refused);
}

static const struct opt options[] = {
	{.name = "stale", .type = OPT_DURATION, .offset = offsetof(struct resume_options, stale_ms), .def = "5s",
		.max = INT64_MAX, .help = "how long an old connection may stay open after its session went on elsewhere"},
	{0},
};

const struct checker checker_resume = {
	.name = "resume",
	.about = "who comes back gets exactly what was missed, or is told honestly",
	.checks = checks,
	.options = options,
	.options_size = sizeof(struct resume_options),
	.state_size = sizeof(struct resume),
	.start = resume_start,
	.event = resume_event,
	.end = resume_end,
	.stop = resume_stop,
};
