/*
 * Opening handshakes fail on the path: a proxy that has no server to offer (502, 503), does not let the client in (401,
 * 403, 429), sends it elsewhere (301), is slow, drops the upgrade's fields because it does not know them, or ends
 * in the middle of the reply. Clients must give up in time, tell it apart from a lost connection, and come back.
 *
 * The first request head and the final reply head of a connection are touched; everything else passes as it is, also
 * when there is no handshake to be seen.
 */
#include "faults/fault.h"
#include "faults/frames.h"
#include "faults/held.h"
#include "faults/http_answer.h"
#include "faults/upgrade_fields.h"

#define HANDSHAKE_DELAY_MAX_US 86400000000 /* 24h */

/* STRIP_ROW(name, directions) */
#define STRIPS                                                                                                         \
	STRIP_ROW(none, 0)                                                                                             \
	STRIP_ROW(request, STREAM_UP)                                                                                  \
	STRIP_ROW(reply, STREAM_DOWN)                                                                                  \
	STRIP_ROW(both, STREAM_BOTH)
#define STRIP_ROW(name, directions) #name,
static const char *const strip_choices[] = {STRIPS NULL};
#undef STRIP_ROW
#define STRIP_ROW(name, directions) directions,
static const unsigned strip_directions[] = {STRIPS};
#undef STRIP_ROW

/* none, then as enum stream_end and ending_choices. */
static const char *const cut_choices[] = {"none", "fin", "rst", "blackhole", NULL};

struct handshake_options {
	int64_t status;
	const char *location;
	uint64_t retry_after_ms, delay_us;
	bool bad_accept;
	int strip, cut;
};

static int check_location(const char *text, struct err *e)
{
	for (; *text; text++)
		if ((unsigned char)*text <= ' ' || *text == 0x7f)
			return err_set(e, EINVAL, "expected a URL without blanks and control characters");
	return 0;
}

static const struct opt handshake_options[] = {
	{.name = "status", .type = OPT_INT, .offset = offsetof(struct handshake_options, status), .def = "0", .min = 0,
	 .max = 599, .help = "answer the request with this status (502, 403, 429, 301) in place of the server; 0: pass it on"},
	{.name = "location", .type = OPT_STRING, .offset = offsetof(struct handshake_options, location), .def = "",
	 .check = check_location, .help = "where an answer of 3xx sends the client"},
	{.name = "retry_after", .type = OPT_DURATION, .offset = offsetof(struct handshake_options, retry_after_ms),
	 .def = "0s", .max = HANDSHAKE_DELAY_MAX_US / 1000, .help = "the Retry-After of the answer, in whole seconds"},
	{.name = "delay", .type = OPT_MICROS, .offset = offsetof(struct handshake_options, delay_us), .def = "0s",
	 .max = HANDSHAKE_DELAY_MAX_US, .bare = 1000, .help = "how much later the reply comes, and all behind it"},
	{.name = "bad_accept", .type = OPT_FLAG, .offset = offsetof(struct handshake_options, bad_accept), .def = "false",
	 .help = "make the reply's Sec-WebSocket-Accept a wrong one"},
	{.name = "strip", .type = OPT_ENUM, .offset = offsetof(struct handshake_options, strip), .def = "none",
	 .choices = strip_choices, .help = "remove Upgrade, Connection and Sec-WebSocket-* from"},
	{.name = "cut", .type = OPT_ENUM, .offset = offsetof(struct handshake_options, cut), .def = "none",
	 .choices = cut_choices, .help = "end the connection so in the middle of the reply's head"},
	{0},
};

struct handshake_side {
	struct frames frames;
	struct buf head;
	bool done;                 /* its head is through, or will never come */
	bool eof;                  /* a FIN came */
};

struct handshake_state {
	struct handshake_side sides[DIRECTIONS];
	uint64_t due_us;           /* of the answer, or of the reply held and what is behind it; UINT64_MAX: none waits */
	bool answering;            /* the request is not passed on, the answer comes from here */
	int cut;                   /* of the reply that waits: how it ends */
};

static int check(const void *options, struct err *e)
{
	const struct handshake_options *o = options;
	if (!o->status && !o->delay_us && !o->bad_accept && !o->strip && !o->cut)
		return err_set(e, EINVAL, "nothing to do: give status, delay, bad_accept, strip or cut");
	if (o->status && o->status < 200)
		return err_set(e, EINVAL, "a proxy's own answer has a status from 200 to 599");
	if (o->status && (o->bad_accept || o->strip || o->cut))
		return err_set(e, EINVAL, "with status there is no reply of the server: leave out bad_accept, strip and cut");
	if (*o->location && o->status / 100 != 3)
		return err_set(e, EINVAL, "location goes with a status of 3xx");
	if (o->retry_after_ms && !o->status)
		return err_set(e, EINVAL, "retry_after goes with a status");
	if (o->bad_accept && (strip_directions[o->strip] & STREAM_DOWN))
		return err_set(e, EINVAL, "a stripped reply has no Sec-WebSocket-Accept: leave out bad_accept or strip");
	if (o->bad_accept && o->cut)
		return err_set(e, EINVAL, "nobody reads the Sec-WebSocket-Accept of a cut reply: leave out bad_accept or cut");
	return 0;
}

static bool needs_clear(const void *options)
{
	(void)options;
	return true;
}

/* A head of this direction is to be touched. */
static bool is_wanted(const struct handshake_options *o, enum direction d)
{
	if (d == UPSTREAM)
		return o->status || strip_directions[o->strip] & STREAM_UP;
	return !o->status && (o->delay_us || o->bad_accept || o->cut || strip_directions[o->strip] & STREAM_DOWN);
}

static void on_open(struct filter *f)
{
	struct handshake_state *s = f->state;
	s->due_us = UINT64_MAX;
	for (enum direction d = 0; d < DIRECTIONS; d++) {
		frames_init(&s->sides[d].frames, d);
		buf_init(&s->sides[d].head, FRAMES_HEAD_MAX);
	}
}

/* What is behind the head, or is none. */
static void forward(struct filter *f, enum direction d, struct span octets)
{
	struct handshake_state *s = f->state;
	if (!octets.len)
		return;
	if (d == UPSTREAM || s->due_us == UINT64_MAX)
		filter_pass(f, d, octets);
	else if (!s->cut)
		held_keep(f, d, octets, s->due_us);
}

/* The head is not touched any more: what was gathered of it leaves as it came. */
static void give_up(struct filter *f, enum direction d)
{
	struct handshake_state *s = f->state;
	struct handshake_side *side = &s->sides[d];
	struct buf head CLEANUP(buf_fini) = side->head;
	side->head = (struct buf){.max = FRAMES_HEAD_MAX};
	side->done = true;
	forward(f, d, buf_span(&head));
	forward(f, d, frames_rest(&side->frames));
}

static void answer(struct filter *f)
{
	const struct handshake_options *o = f->options;
	struct handshake_state *s = f->state;
	struct buf text CLEANUP(buf_fini) = {0};
	buf_init(&text, HTTP_ANSWER_TEXT_MAX + strlen(o->location));
	filter_tell(f, UPSTREAM, "hit", 0, "status=%d", (int)o->status);
	/* After the server's FIN there is only the end. */
	if (!s->sides[DOWNSTREAM].eof &&
	    http_answer_write(&text, (int)o->status, o->location, (o->retry_after_ms + 999) / 1000) == 0)
		filter_pass(f, DOWNSTREAM, buf_span(&text));
	filter_end(f, STREAM_END_FIN);
}

/* What waited for its time goes. */
static void on_wake(struct filter *f)
{
	struct handshake_state *s = f->state;
	if (s->due_us == UINT64_MAX)
		return;
	s->due_us = UINT64_MAX;
	filter_wake_at(f, UINT64_MAX);
	if (s->answering) {
		answer(f);
		return;
	}
	held_pass_all(f, DOWNSTREAM);
	if (s->cut)
		filter_end(f, (enum stream_end)(s->cut - 1));
	else if (s->sides[DOWNSTREAM].eof)
		filter_pass_eof(f, DOWNSTREAM);
}

static void wait_for(struct filter *f, uint64_t delay_us)
{
	struct handshake_state *s = f->state;
	s->due_us = f->now_us + delay_us;
	filter_wake_at(f, s->due_us);
	if (!delay_us)
		on_wake(f);
}

static void request_came(struct filter *f, struct buf *head)
{
	const struct handshake_options *o = f->options;
	struct handshake_state *s = f->state;
	struct buf stripped CLEANUP(buf_fini) = {0};
	if (o->status) {
		s->answering = true;
		wait_for(f, o->delay_us);
		return;
	}
	buf_init(&stripped, FRAMES_HEAD_MAX);
	if (upgrade_fields_strip(buf_span(head), &stripped) < 0) {
		filter_pass(f, UPSTREAM, buf_span(head));
		return;
	}
	filter_tell(f, UPSTREAM, "hit", 0, "strip=%s", strip_choices[o->strip]);
	filter_pass(f, UPSTREAM, buf_span(&stripped));
}

static void reply_came(struct filter *f, struct buf *head, uint64_t at)
{
	const struct handshake_options *o = f->options;
	struct handshake_state *s = f->state;
	struct buf stripped CLEANUP(buf_fini) = {0};
	struct span reply = buf_span(head);
	buf_init(&stripped, FRAMES_HEAD_MAX);
	if (o->bad_accept)
		upgrade_fields_spoil_accept(head->p, head->len);
	if (strip_directions[o->strip] & STREAM_DOWN && upgrade_fields_strip(reply, &stripped) == 0)
		reply = buf_span(&stripped);
	filter_tell(f, DOWNSTREAM, "hit", at, "status=%d delay_us=%llu bad_accept=%d strip=%s cut=%s",
		    s->sides[DOWNSTREAM].frames.status, (unsigned long long)o->delay_us, o->bad_accept,
		    strip_choices[o->strip], cut_choices[o->cut]);
	s->cut = o->cut;
	if (s->cut)
		reply.len /= 2;
	if (held_keep(f, DOWNSTREAM, reply, 0))
		wait_for(f, o->delay_us);
}

/* A head is complete. */
static void head_came(struct filter *f, enum direction d, uint64_t at)
{
	struct handshake_state *s = f->state;
	struct handshake_side *side = &s->sides[d];
	struct buf head CLEANUP(buf_fini) = side->head;
	side->head = (struct buf){.max = FRAMES_HEAD_MAX};
	if (side->frames.kind == FRAMES_HEAD) { /* 100, 103: the final reply is still to come */
		filter_pass(f, d, buf_span(&head));
		return;
	}
	side->done = true;
	if (d == UPSTREAM)
		request_came(f, &head);
	else
		reply_came(f, &head, at);
}

static void on_data(struct filter *f, enum direction d, struct span octets)
{
	struct handshake_state *s = f->state;
	struct handshake_side *side = &s->sides[d];
	struct cut cut;
	if (!side->done && !is_wanted(f->options, d)) /* what passes now is no head to be touched later */
		give_up(f, d);
	while (!s->answering && !side->done && is_wanted(f->options, d) && frames_next(&side->frames, &octets, &cut)) {
		if (cut.kind != FRAMES_HEAD)
			frames_tell_plain(&side->frames, f, &cut);
		if (cut.kind != FRAMES_HEAD || buf_append_span(&side->head, cut.octets) < 0) {
			give_up(f, d);
			forward(f, d, cut.octets);
		} else if (cut.last) {
			head_came(f, d, cut.at);
		}
	}
	if (!s->answering)
		forward(f, d, octets);
}

static void on_eof(struct filter *f, enum direction d)
{
	struct handshake_state *s = f->state;
	s->sides[d].eof = true;
	if (s->answering)
		return;
	if (!s->sides[d].done)
		give_up(f, d);
	if (d == UPSTREAM || s->due_us == UINT64_MAX)
		filter_pass_eof(f, d);
}

static void on_changed(struct filter *f)
{
	struct handshake_state *s = f->state;
	for (enum direction d = 0; d < DIRECTIONS; d++)
		if (!is_wanted(f->options, d) && s->sides[d].frames.kind != FRAMES_NONE && !s->sides[d].done)
			give_up(f, d);
}

/* An answer that waits is given now: the server never got the request. */
static void on_release(struct filter *f)
{
	const struct handshake_state *s = f->state;
	if (s->due_us != UINT64_MAX)
		on_wake(f);
	for (enum direction d = 0; d < DIRECTIONS && !s->answering; d++)
		give_up(f, d);
}

static void on_fini(struct filter *f)
{
	struct handshake_state *s = f->state;
	for (enum direction d = 0; d < DIRECTIONS; d++)
		buf_fini(&s->sides[d].head);
}

static const struct filter_ops handshake_stream = {
	.state_size = sizeof(struct handshake_state),
	.streams = STREAM_BOTH,
	.clear = needs_clear,
	.open = on_open,
	.data = on_data,
	.eof = on_eof,
	.wake = on_wake,
	.changed = on_changed,
	.release = on_release,
	.fini = on_fini,
};

const struct fault fault_handshake = {
	.name = "handshake",
	.about = "the opening handshake is answered by the proxy, delayed, spoiled, stripped or cut",
	.known_as = "proxies that do not pass Upgrade, gateways without a server",
	.options = handshake_options,
	.options_size = sizeof(struct handshake_options),
	.check = check,
	.stream = &handshake_stream,
};
