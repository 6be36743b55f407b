/*
 * The window of messages that may be in flight: never more than it allows without an acknowledgement, and an
 * acknowledgement opens it. What the target knows of our acknowledgements is never more than what we sent, so that
 * nothing is blamed on one that is still on its way.
 */
#include "harness/check/check.h"
#include "harness/check/slots.h"
#include "harness/check/track.h"

enum { DEAF_MS = 3000 }; /* nothing for this long after an acknowledgement, though there is something: it is shut */

static const char WINDOW[] = "flow.window";
static const char *const checks[] = {WINDOW, NULL};

/* Of a subscription, on one connection. */
struct flow {
	uint32_t turn;
	uint64_t acked, last;      /* numbers, or counts where there are none */
	uint64_t ack_us, got_us;
	uint64_t got, acks;        /* messages; acknowledgements */
	bool told, filled;
};

struct window {
	struct slots flows;
	uint64_t most;
};

static int window_start(struct check_run *run, struct err *e)
{
	(void)e;
	if (!check_contract(run)->window)
		check_skip(run, WINDOW, "the contract promises no window");
	else if (contract_by_session(check_contract(run)))
		check_skip(run, WINDOW, "numbers and acknowledgements are of a session, and the window of a channel");
	return 0;
}

static struct flow *flow_of(struct check_run *run, const struct track_sub *s)
{
	struct window *w = check_state(run);
	struct flow *f = slots_get(&w->flows, s->slot, sizeof(*f));
	if (!f || f->turn == s->turn)
		return f;
	/* Where it really begins the first message tells. */
	*f = (struct flow){.turn = s->turn, .acked = UINT64_MAX, .last = UINT64_MAX};
	return f;
}

static void on_message(struct check_run *run, const struct event *e)
{
	struct window *w = check_state(run);
	const struct track *t = check_track(run);
	struct flow *f = flow_of(run, t->sub);
	uint64_t window = check_contract(run)->window;
	if (!f || t->client->tampered == e->connection)
		return;
	if (f->acked == UINT64_MAX)
		f->acked = f->last = e->seq ? e->seq - 1 : 0;
	f->got++;
	f->got_us = e->at_us;
	f->last = e->seq > f->last ? e->seq : e->seq ? f->last : f->last + 1;
	uint64_t open = f->last - f->acked;
	w->most = open > w->most ? open : w->most;
	if (open > window && !f->told) {
		f->told = true;
		check_fail(run, WINDOW, e,
			   "client %u got number %llu of channel %u, and had acknowledged %llu: %llu in flight, %llu are allowed",
			   e->client, (unsigned long long)f->last, e->channel, (unsigned long long)f->acked,
			   (unsigned long long)open, (unsigned long long)window);
	}
	if (f->got > window && !f->filled) { /* it held, or was opened */
		f->filled = true;
		check_samples(run, WINDOW, 1);
	}
}

static void on_ack(struct check_run *run, const struct event *e)
{
	struct flow *f = flow_of(run, check_track(run)->sub);
	if (!f || f->acked == UINT64_MAX)
		return;
	f->acked = e->seq ? (e->seq > f->acked ? e->seq : f->acked) : f->last;
	f->ack_us = e->at_us;
	f->acks++;
}

/* Something was confirmed to its publisher behind what the subscription has. */
static bool is_owed(struct check_run *run, struct track_sub *s)
{
	for (const struct track_stream *stream = s->channel->streams; stream; stream = stream->next) {
		const struct track_pair *p = track_pair(check_track(run), s, (struct track_stream *)stream);
		if (p && ranges_top(&stream->ok) > (p->top > p->from ? p->top : p->from))
			return true;
	}
	return false;
}

/* The client says goodbye: a window that is shut though everything was acknowledged never opened. */
static void judge_shut(struct check_run *run, struct track_sub *s, const struct event *at)
{
	struct flow *f = flow_of(run, s);
	uint64_t window = check_contract(run)->window, now_us = check_track(run)->now_us;
	uint64_t since_us = f && f->ack_us > f->got_us ? f->ack_us : f ? f->got_us : 0;
	/* Where it was opened by more than the acknowledgements are many, they work, and what is missing is lost elsewhere. */
	if (!f || f->told || f->got < window || f->got > window + f->acks || !f->ack_us || f->acked == UINT64_MAX ||
	    f->last - f->acked >= window || now_us < since_us + DEAF_MS * 1000 || !check_contract(run)->ordered ||
	    !is_owed(run, s))
		return;
	check_fail_of(run, WINDOW, at, s->client->number, s->channel->number,
		      "client %u acknowledged number %llu of channel %u, and got nothing behind number %llu for %.1f s, "
		      "though there was more: its window of %llu stayed shut", s->client->number,
		      (unsigned long long)f->acked, s->channel->number,
		      (unsigned long long)f->last, (double)(now_us - since_us) / 1e6, (unsigned long long)window);
}

static void window_event(struct check_run *run, const struct event *e)
{
	const struct track *t = check_track(run);
	if (!check_contract(run)->window || contract_by_session(check_contract(run)))
		return;
	if (e->kind == EVENT_DELIVER && t->pair && track_live(t->sub))
		on_message(run, e);
	else if (e->kind == EVENT_ACK && t->sub && track_live(t->sub))
		on_ack(run, e);
	else if (e->kind == EVENT_PHASE && t->phase == TRACK_END)
		for (size_t i = 0; i < t->n_clients; i++)
			for (struct track_sub *s = t->clients[i] ? t->clients[i]->subs : NULL; s; s = s->next_of_client)
				if (track_live(s))
					judge_shut(run, s, e);
}

static void window_end(struct check_run *run)
{
	struct window *w = check_state(run);
	check_note(run, WINDOW, "at most %llu in flight", (unsigned long long)w->most);
}

static void window_stop(struct check_run *run)
{
	struct window *w = check_state(run);
	slots_fini(&w->flows);
}

static const struct opt options[] = {{0}};

const struct checker checker_window = {
	.name = "window",
	.about = "never more in flight than the window allows, and acknowledgements open it",
	.checks = checks,
	.options = options,
	.state_size = sizeof(struct window),
	.start = window_start,
	.event = window_event,
	.end = window_end,
	.stop = window_stop,
};
