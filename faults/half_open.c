/*
 * A peer vanishes: its battery, its cable, its tunnel. Nothing of it comes any more, neither FIN nor RST, and whoever
 * is left talks to a ghost. What is sent to it is not read, as with TCP that gets no acknowledgement: the sender's
 * buffers fill, and then its own queue does. Or it is swallowed, for a sender that shall notice nothing.
 *
 * It never comes back: when the fault is taken off, a connection that it was at work on is reset, as a host does that
 * has started anew and knows nothing of it.
 */
#include "faults/fault.h"
#include "faults/filter.h"
#include "faults/link.h"
#include "harness/net/loop.h"

enum who { WHO_CLIENT, WHO_SERVER };
static const char *const who_choices[] = {"client", "server", NULL};
enum sent { SENT_UNREAD, SENT_SWALLOWED };
static const char *const sent_choices[] = {"unread", "swallowed", NULL};

struct half_open_options {
	int who, sent;
	uint64_t after_octets, after_ms;
};

static const struct opt half_open_options[] = {
	{.name = "who", .type = OPT_ENUM, .offset = offsetof(struct half_open_options, who), .def = "client",
	 .choices = who_choices, .help = "who vanishes"},
	{.name = "sent", .type = OPT_ENUM, .offset = offsetof(struct half_open_options, sent), .def = "unread",
	 .choices = sent_choices, .help = "what becomes of octets that are sent to it"},
	{.name = "after_octets", .type = OPT_SIZE, .offset = offsetof(struct half_open_options, after_octets),
	 .def = "0B", .bare = 1, .help = "it vanishes once it has sent so many; 0B: does not matter"},
	{.name = "after", .type = OPT_DURATION, .offset = offsetof(struct half_open_options, after_ms), .def = "0ms",
	 .help = "it vanishes so long after the fault was put on the connection; 0ms: does not matter"},
	{0},
};

struct half_open_state {
	uint64_t put_on_us;
	enum direction from;       /* the direction of what the vanished one sends */
	bool gone, swallow;
};

static void vanish(struct filter *f, uint64_t at)
{
	const struct half_open_options *o = f->options;
	struct half_open_state *s = f->state;
	s->gone = true;
	s->swallow = o->sent == SENT_SWALLOWED;
	filter_wake_at(f, UINT64_MAX);
	filter_tell(f, s->from, "hit", at, "who=%s sent=%s", who_choices[o->who], sent_choices[o->sent]);
	if (s->swallow)
		filter_ignore_sender(f, s->from);
	else
		filter_end(f, STREAM_END_SILENCE);
}

/* Vanishes if it is time; else asks to be woken when it is. */
static void look(struct filter *f)
{
	const struct half_open_options *o = f->options;
	struct half_open_state *s = f->state;
	uint64_t after_us, at_us;
	if (s->gone)
		return;
	s->from = o->who == WHO_CLIENT ? UPSTREAM : DOWNSTREAM;
	bool sent = o->after_octets ? f->offset[s->from] >= o->after_octets : !o->after_ms;
	bool never = __builtin_mul_overflow(o->after_ms, 1000, &after_us) ||
		     __builtin_add_overflow(s->put_on_us, after_us, &at_us);
	if (sent || (o->after_ms && !never && f->now_us >= at_us))
		vanish(f, f->offset[s->from]);
	else
		filter_wake_at(f, o->after_ms && !never ? at_us : UINT64_MAX);
}

static void on_open(struct filter *f)
{
	struct half_open_state *s = f->state;
	s->put_on_us = f->now_us;
	look(f);
}

static void on_data(struct filter *f, enum direction d, struct span octets)
{
	const struct half_open_options *o = f->options;
	struct half_open_state *s = f->state;
	if (s->gone)
		return;
	uint64_t left = o->after_octets - f->offset[s->from]; /* of at least one */
	bool now = d == s->from && o->after_octets && octets.len >= left;
	filter_pass(f, d, now ? span_sub(octets, 0, (size_t)left) : octets);
	if (now)
		vanish(f, o->after_octets);
}

static void on_eof(struct filter *f, enum direction d)
{
	const struct half_open_state *s = f->state;
	if (!s->gone)
		filter_pass_eof(f, d);
}

static void on_release(struct filter *f)
{
	const struct half_open_state *s = f->state;
	if (s->gone)
		filter_end(f, STREAM_END_RST);
}

static const struct filter_ops half_open_stream = {
	.state_size = sizeof(struct half_open_state),
	.streams = STREAM_BOTH,
	.open = on_open,
	.data = on_data,
	.eof = on_eof,
	.wake = look,
	.changed = look,
	.release = on_release,
};

/* On a link the node or interface that is named vanishes: first silence, then its connections are gone, too. */
struct half_open_link {
	struct steps steps;
	struct timer timer;
};

static int kill_behind(struct fault_run *run, struct err *e)
{
	struct links l;
	int r = links_find(run->site, LINK_FROM, &l, e);
	if (r < 0)
		return r;
	for (size_t i = 0; r >= 0 && i < l.n; i++) {
		r = link_kill(&l.ends[i], NULL, e);
		if (r >= 0)
			fault_tell(run, "kill", l.ends[i].node, 0, "connections=%d", r);
	}
	links_fini(&l);
	return r < 0 ? r : 0;
}

static int vanish_link(struct fault_run *run, struct err *e)
{
	struct half_open_link *s = run->state;
	const struct link_cut cut = {.to = true, .from = true};
	int r = link_cut(&s->steps, run, &cut, e);
	if (r == 0 && link_can(LINK_NEED_DESTROY, NULL) == 0)
		r = kill_behind(run, e);
	if (r < 0)
		steps_undo(&s->steps);
	return r;
}

static void on_link_time(void *owner)
{
	struct fault_run *run = owner;
	struct err e;
	int r = vanish_link(run, &e);
	if (r < 0) {
		fault_tell(run, "failed", NULL, 0, "%s", e.text);
		fault_done(run, r);
	}
}

static int on_link_start(struct fault_run *run, struct err *e)
{
	const struct half_open_options *o = run->options;
	struct half_open_link *s = run->state;
	if (o->after_octets)
		return err_set(e, EINVAL, "after_octets works on the plane stream alone: on a link nobody counts");
	if (!o->after_ms)
		return vanish_link(run, e);
	return timer_start(&s->timer, run->site->loop, o->after_ms, on_link_time, run);
}

static void on_link_stop(struct fault_run *run)
{
	struct half_open_link *s = run->state;
	timer_fini(&s->timer);
	steps_undo(&s->steps);
}

static void on_link_probe(const struct fault_site *site, struct fault_probe *ret)
{
	struct err e;
	link_cut_probe(site, ret);
	if (ret->means == FAULT_MISSING || link_can(LINK_NEED_DESTROY, &e) == 0)
		return;
	ret->means = FAULT_EMULATED;
	snprintf(ret->why, sizeof(ret->why), "it is silent, but its connections live on when it is healed: %.400s",
		 e.text);
}

static const struct fault_action half_open_action = {
	.state_size = sizeof(struct half_open_link),
	.undo = "it is reached again; the connections it had do not come back",
	.probe = on_link_probe,
	.start = on_link_start,
	.stop = on_link_stop,
};
static const struct fault_link half_open_link = {.action = &half_open_action};

const struct fault fault_half_open = {
	.name = "half_open",
	.about = "one peer vanishes without FIN or RST, and the other keeps a connection to nobody",
	.known_as = "half-open state, ghost connections",
	.options = half_open_options,
	.options_size = sizeof(struct half_open_options),
	.stream = &half_open_stream,
	.link = &half_open_link,
};
