/*
 * What a node does when it is told to end: its readiness falls first, then it says goodbye to everybody, and not to all
 * in the same moment. Closes with 1001 or 1012, or with what the target file says instead, are such goodbyes; they come
 * in bursts, one for each node.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/check/check.h"
#include "harness/check/restart_ready.h"
#include "harness/check/slots.h"
#include "harness/check/track.h"

enum {
	BURST_GAP_MS = 2000,       /* quiet between two bursts */
	BURST_MIN = 20,            /* fewer make no herd */
	WINDOW_MS = 100,
};

static const char DRAIN[] = "restart.drain", HERD[] = "restart.herd";
static const char *const checks[] = {DRAIN, HERD, "restart.ready_first", NULL};

struct restart_options {
	double peak;
	uint64_t within_ms;
};

enum {
	REMEMBERED = 256,          /* messages of a publisher on a channel */
	OVERTAKEN_MS = 200,        /* two publishers may be answered in another order than they published in */
};

/* Of a subscription: how far it had acknowledged when its node was last told to end. */
struct told {
	uint64_t acked, last, acked_then;
	uint64_t sent_us;          /* of what it got, the message that was published last */
};

/* Of a stream: when its last messages were published. */
struct published {
	uint64_t confirmed;        /* the highest message that was confirmed when a node was last told to end */
	uint64_t index[REMEMBERED], sent_us[REMEMBERED];
};

/* Faults that tell a process to end, and give it time. */
static const char *const ending[] = {"rolling_restart", "terminate"};

struct burst {
	uint64_t *at_us;
	size_t n, cap;
	const char *what;
};

struct restart {
	struct burst closes, returns;
	struct slots told;         /* by client: it was told to go, and has not come back */
	struct restart_ready ready;
	uint64_t told_us[EVENT_NODES_MAX]; /* by node, [0]: any: when it was told to end */
	struct slots published;    /* by stream */
	struct slots acks;         /* by subscription: struct told */
};

static bool is_ending(const char *fault)
{
	for (size_t k = 0; fault && k < ARRAY_LEN(ending); k++)
		if (strncmp(fault, ending[k], strlen(ending[k])) == 0)
			return true;
	return false;
}

static bool only_endings(const struct track *t)
{
	size_t n = 0;
	for (size_t i = 0; i < t->n_faults; i++)
		n += is_ending(t->faults[i]);
	return n && n == t->n_faults;
}

/* The largest share of a burst that lies within one window. */
static void judge_burst(struct check_run *run, struct burst *b)
{
	const struct restart_options *o = check_options(run);
	size_t most = 0, from = 0;
	if (b->n >= BURST_MIN) {
		for (size_t i = 0; i < b->n; i++) {
			while (b->at_us[i] - b->at_us[from] > WINDOW_MS * 1000)
				from++;
			most = i + 1 - from > most ? i + 1 - from : most;
		}
		check_samples(run, HERD, b->n);
		if ((double)most > o->peak * (double)b->n)
			check_fail(run, HERD, NULL, "%zu of %zu %s came within %d ms", most, b->n, b->what, WINDOW_MS);
	}
	b->n = 0;
}

static void add(struct check_run *run, struct burst *b, uint64_t at_us)
{
	if (b->n && at_us - b->at_us[b->n - 1] > BURST_GAP_MS * 1000)
		judge_burst(run, b);
	if (b->n == b->cap) {
		size_t cap = b->cap ? b->cap * 2 : 64;
		uint64_t *more = realloc(b->at_us, cap * sizeof(*more));
		if (!more)
			return;
		b->at_us = more;
		b->cap = cap;
	}
	b->at_us[b->n++] = at_us;
}

static void goodbye(struct check_run *run, const struct event *e)
{
	struct restart *s = check_state(run);
	bool first = s->closes.n == 0 || e->at_us - s->closes.at_us[s->closes.n - 1] > BURST_GAP_MS * 1000;
	bool *told = slots_get(&s->told, e->client, sizeof(*told));
	add(run, &s->closes, e->at_us);
	if (told)
		*told = true;
	if (first)
		restart_ready_goodbye(run, &s->ready, e);
}

/* A node is told to end: from here on its goodbyes are due, and what was confirmed so far comes before them. */
static void on_told(struct check_run *run, const struct event *e)
{
	struct restart *s = check_state(run);
	struct track *t = check_track(run);
	s->told_us[0] = e->at_us;
	if (e->node < EVENT_NODES_MAX)
		s->told_us[e->node] = e->at_us;
	for (size_t i = 0; i < t->channels.cap; i++) {
		const struct track_channel *channel = t->channels.slots[i].key ? t->channels.slots[i].value : NULL;
		for (const struct track_stream *stream = channel ? channel->streams : NULL; stream; stream = stream->next) {
			struct published *p = slots_get(&s->published, stream->slot, sizeof(*p));
			if (p)
				p->confirmed = ranges_top(&stream->ok);
		}
	}
	for (uint32_t i = 0; i < s->acks.n; i++) {
		struct told *told = slots_get(&s->acks, i, sizeof(*told));
		told->acked_then = told->acked;
	}
}

/* When the node of the client was told to end; 0: it was not, as far as is known. */
static uint64_t told_us(struct check_run *run, const struct track_client *c)
{
	const struct restart *s = check_state(run);
	return c->node && c->node < EVENT_NODES_MAX ? s->told_us[c->node] : s->told_us[0];
}

/*
 * What was confirmed before its node was told to end was on its way to the client, and comes before the goodbye. Not so
 * what the window held back; and what was missing before, when others that were published later came, did not wait.
 */
static void judge_queue(struct check_run *run, const struct track_sub *sub, uint64_t told, const struct event *e)
{
	struct restart *s = check_state(run);
	uint64_t window = check_contract(run)->window;
	bool by_session = contract_by_session(check_contract(run));
	struct told *acks = slots_get(&s->acks, sub->slot, sizeof(*acks));
	if (!sub->on || sub->connection != e->connection || sub->ok_us >= told || !acks || !check_contract(run)->ordered ||
	    (window && (by_session || !acks->last || acks->last + 1 > acks->acked_then + window)))
		return;
	for (struct track_pair *p = sub->pairs; p; p = p->next) {
		const struct published *known = slots_get(&s->published, p->stream->slot, sizeof(*known));
		uint64_t top = p->top > p->from ? p->top : p->from;
		check_samples(run, DRAIN, 1);
		if (!known || known->confirmed <= top || !ranges_has(&p->stream->ok, top + 1) ||
		    known->index[(top + 1) % REMEMBERED] != top + 1 ||
		    known->sent_us[(top + 1) % REMEMBERED] + OVERTAKEN_MS * 1000 < acks->sent_us)
			continue;
		check_fail_of(run, DRAIN, e, sub->client->number, sub->channel->number,
			      "client %u was told goodbye (%d), and not given message %llu of publisher %u, which was confirmed before its "
			      "node was told to end", sub->client->number, e->code, (unsigned long long)top + 1, p->stream->publisher);
		return;
	}
}

static void judge_goodbye(struct check_run *run, const struct event *e)
{
	const struct restart_options *o = check_options(run);
	const struct track_client *c = check_track(run)->client;
	uint64_t told = told_us(run, c), within_ms = o->within_ms ? o->within_ms : check_contract(run)->drain_ms;
	if (!told || c->up_us >= told)
		return;
	if (within_ms && e->at_us > told + within_ms * 1000)
		check_fail(run, DRAIN, e, "client %u was told goodbye %.1f s after its node was told to end, and not within %.1f s",
			   e->client, (double)(e->at_us - told) / 1e6, (double)within_ms / 1000);
	for (const struct track_sub *sub = c->subs; sub && c->tampered != e->connection; sub = sub->next_of_client)
		judge_queue(run, sub, told, e);
}

static const struct opt_strings *goodbyes(struct check_run *run)
{
	static const char *usual[] = {"1001", "1012"}; /* going away, service restart */
	static const struct opt_strings usually = {.items = usual, .len = ARRAY_LEN(usual)};
	const struct opt_strings *stated = &check_contract(run)->goodbyes;
	return stated->len ? stated : &usually;
}

static bool is_goodbye(struct check_run *run, uint32_t code)
{
	const struct opt_strings *codes = goodbyes(run);
	for (size_t i = 0; i < codes->len; i++)
		if (strtoul(codes->items[i], NULL, 10) == code)
			return true;
	return false;
}

/* "1001 or 1012" */
static const char *goodbyes_text(struct check_run *run, char *text, size_t size)
{
	const struct opt_strings *codes = goodbyes(run);
	size_t len = 0;
	text[0] = '\0';
	for (size_t i = 0; i < codes->len && len < size; i++)
		len += (size_t)snprintf(text + len, size - len, "%s%s", i ? " or " : "", codes->items[i]);
	return text;
}

static void on_end(struct check_run *run, const struct event *e)
{
	char text[100];
	bool polite = e->by == END_BY_SERVER && is_goodbye(run, e->code);
	if (polite)
		goodbye(run, e);
	if (polite && e->clean)
		judge_goodbye(run, e);
	if (e->by == END_BY_CLIENT || !only_endings(check_track(run)))
		return;
	check_samples(run, DRAIN, 1);
	if (e->by == END_BY_NETWORK)
		check_fail(run, DRAIN, e, "client %u was cut off without a Close", e->client);
	else if (!polite)
		check_fail(run, DRAIN, e, "client %u was closed with %d instead of %s", e->client, e->code,
			   goodbyes_text(run, text, sizeof(text)));
}

static void note_progress(struct check_run *run, const struct event *e)
{
	struct restart *s = check_state(run);
	struct told *told = slots_get(&s->acks, check_track(run)->sub->slot, sizeof(*told));
	if (!told)
		return;
	if (e->kind == EVENT_ACK)
		told->acked = e->seq;
	else
		told->last = e->seq;
	if (e->kind == EVENT_DELIVER && e->sent_us > told->sent_us)
		told->sent_us = e->sent_us;
}

static bool is_told(const struct event *e)
{
	return e->kind == EVENT_FAULT && e->type == EVENT_INFO && is_ending(e->text) && e->note &&
	       strncmp(e->note, "node.signal", strlen("node.signal")) == 0;
}

static void restart_event(struct check_run *run, const struct event *e)
{
	struct restart *s = check_state(run);
	struct track *t = check_track(run);
	restart_ready_event(run, &s->ready, e);
	if (is_told(e)) {
		on_told(run, e);
	} else if ((e->kind == EVENT_ACK || e->kind == EVENT_DELIVER) && t->sub) {
		note_progress(run, e);
	} else if (e->kind == EVENT_PUBLISH && e->type == EVENT_INVOKE && t->stream) {
		struct published *p = slots_get(&s->published, t->stream->slot, sizeof(*p));
		if (p) {
			p->index[e->index % REMEMBERED] = e->index;
			p->sent_us[e->index % REMEMBERED] = e->sent_us ? e->sent_us : e->at_us;
		}
	} else if (e->kind == EVENT_END && t->ended) {
		on_end(run, e);
	} else if (e->kind == EVENT_CONNECT && e->type == EVENT_INVOKE && e->client < s->told.n) {
		bool *told = slots_get(&s->told, e->client, sizeof(*told));
		if (*told)
			add(run, &s->returns, e->at_us);
		*told = false;
	}
}

static int restart_start(struct check_run *run, struct err *e)
{
	struct restart *s = check_state(run);
	(void)e;
	s->closes.what = "closes of a drain";
	s->returns.what = "reconnects after a drain";
	return 0;
}

static void restart_end(struct check_run *run)
{
	struct restart *s = check_state(run);
	judge_burst(run, &s->closes);
	judge_burst(run, &s->returns);
	restart_ready_end(run, &s->ready);
}

static void restart_stop(struct check_run *run)
{
	struct restart *s = check_state(run);
	free(s->closes.at_us);
	free(s->returns.at_us);
	slots_fini(&s->told);
	slots_fini(&s->published);
	slots_fini(&s->acks);
	restart_ready_fini(&s->ready);
}

static const struct opt options[] = {
	{.name = "peak", .type = OPT_PERCENT, .offset = offsetof(struct restart_options, peak), .def = "50%",
	 .help = "largest share of a drain's closes, and of the reconnects after it, that may come within 100 ms"},
	{.name = "within", .type = OPT_DURATION, .offset = offsetof(struct restart_options, within_ms), .max = INT64_MAX,
	 .help = "everybody was told goodbye this long after the node was told to end; default: the contract's drain"},
	{0},
};

const struct checker checker_restart = {
	.name = "restart",
	.about = "a node that ends says so first, says goodbye to everybody, and spreads it",
	.checks = checks,
	.options = options,
	.options_size = sizeof(struct restart_options),
	.state_size = sizeof(struct restart),
	.start = restart_start,
	.event = restart_event,
	.end = restart_end,
	.stop = restart_stop,
};
