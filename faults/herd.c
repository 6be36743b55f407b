/*
 * A thundering herd: everybody is cut off in one moment and comes back in the next. Without jitter the reconnects
 * are what takes the server down a second time; with jitter they spread, and the server has to live through both.
 */
#include "faults/peer.h"
#include "harness/base/clock.h"

struct herd_options {
	struct peer_options peers;
	uint64_t hold_ms, backoff_ms, jitter_ms;
	int64_t times;
	bool reset;
};

static const struct opt herd_options[] = {
	PEER_OPTIONS(struct herd_options, peers, "100"),
	{.name = "hold", .type = OPT_DURATION, .offset = offsetof(struct herd_options, hold_ms), .def = "1s",
	 .max = FAULT_TIME_MAX_MS,
	 .help = "how long all are connected before all are dropped"},
	{.name = "reset", .type = OPT_FLAG, .offset = offsetof(struct herd_options, reset), .def = "true",
	 .help = "drop by RST, or else by FIN"},
	{.name = "backoff", .type = OPT_DURATION, .offset = offsetof(struct herd_options, backoff_ms), .def = "0s",
	 .max = FAULT_TIME_MAX_MS,
	 .help = "before each comes back"},
	{.name = "jitter", .type = OPT_DURATION, .offset = offsetof(struct herd_options, jitter_ms), .def = "0s",
	 .max = FAULT_TIME_MAX_MS,
	 .help = "a random part on top, up to this"},
	{.name = "times", .type = OPT_INT, .offset = offsetof(struct herd_options, times), .def = "1", .min = 1, .max = 1000,
	 .help = "how often all are dropped"},
	{0},
};

struct herd {
	struct crowd *crowd;
	struct timer hold;
	size_t open;               /* how many are open now */
	int64_t left;              /* drops to come */
	uint64_t dropped_us;
	bool holding;
};

static uint64_t wait_ms(struct peer *p, const struct herd_options *o)
{
	return o->backoff_ms + (o->jitter_ms ? rng_below(&p->rng, o->jitter_ms + 1) : 0);
}

static void on_drop(void *owner)
{
	struct fault_run *run = owner;
	const struct herd_options *o = run->options;
	struct herd *h = run->state;
	h->holding = false;
	h->left--;
	h->open = 0;
	h->dropped_us = clock_now_us();
	fault_tell(run, "hit", NULL, 0, "dropped=%zu", crowd_len(h->crowd));
	for (size_t i = 0; i < crowd_len(h->crowd); i++) {
		struct peer *p = crowd_at(h->crowd, i);
		if (p->ended)
			continue;
		peer_end(p, o->reset, "dropped");
		peer_again(p, wait_ms(p, o));
	}
}

static void on_all_back(void *owner)
{
	fault_done(owner, 0);
}

static void on_open(struct peer *p)
{
	struct herd *h = p->run->state;
	const struct herd_options *o = p->run->options;
	if (++h->open < crowd_len(h->crowd) || h->holding)
		return;
	if (h->dropped_us)
		fault_tell(p->run, "back", NULL, 0, "all=%zu", h->open);
	h->holding = true;
	/* Its owner may stop the fault when it is done: not from inside a callback of one of its connections. */
	timer_start(&h->hold, p->run->site->loop, h->left > 0 ? o->hold_ms : 0, h->left > 0 ? on_drop : on_all_back, p->run);
}

/* Refused or cut off by the target: it comes again as it would after a drop. */
static void on_end(struct peer *p)
{
	struct herd *h = p->run->state;
	const struct herd_options *o = p->run->options;
	if (p->was_open && h->open)
		h->open--;
	peer_again(p, wait_ms(p, o) + 100);
}

static const struct peer_ops ops = {.open = on_open, .end = on_end};

static int start(struct fault_run *run, struct err *e)
{
	const struct herd_options *o = run->options;
	struct herd *h = run->state;
	h->left = o->times;
	return crowd_start(run, &o->peers, &ops, 0, &h->crowd, e);
}

static void stop(struct fault_run *run)
{
	struct herd *h = run->state;
	timer_fini(&h->hold);
	crowd_stop(h->crowd);
}

static const struct fault_action herd_peer = {.state_size = sizeof(struct herd), .start = start, .stop = stop};

const struct fault fault_herd = {
	.name = "herd",
	.about = "many clients are cut off in one moment and come back together",
	.known_as = "thundering herd, reconnect storms",
	.options = herd_options,
	.options_size = sizeof(struct herd_options),
	.peer = &herd_peer,
};
