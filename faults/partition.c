/*
 * The network between client and server comes apart, both ways or one. Dropped, octets, FIN and RST stay on the way as
 * long as it lasts; when it heals they arrive, as TCP's retransmissions would have them. The sender's window is
 * bounded: what does not fit waits at the sender. Rejected (a firewall that answers), the first octet that wants to
 * cross ends the connection with RST; a connection on which nothing is sent does not notice.
 */
#include "faults/fault.h"
#include "faults/held.h"
#include "faults/link.h"

enum { PARTITION_HELD_MAX = 256 << 10 }; /* octets of one direction of a connection that are on the way */

enum style { STYLE_DROP, STYLE_REJECT };
static const char *const style_choices[] = {"drop", "reject", NULL};

/* DIRECTION(name, STREAM_* bits), as seen from the client */
#define PARTITION_DIRECTIONS                                                                                           \
	DIRECTION(both, STREAM_BOTH)                                                                                   \
	DIRECTION(to, STREAM_UP)                                                                                       \
	DIRECTION(from, STREAM_DOWN)

static const char *const direction_choices[] = {
#define DIRECTION(name, streams) #name,
	PARTITION_DIRECTIONS
#undef DIRECTION
	NULL,
};

static const unsigned direction_streams[] = {
#define DIRECTION(name, streams) streams,
	PARTITION_DIRECTIONS
#undef DIRECTION
};

struct partition_options {
	int direction, style;
	int by;                    /* enum link_cut_means */
};

static const struct opt partition_options[] = {
	{.name = "direction", .type = OPT_ENUM, .offset = offsetof(struct partition_options, direction), .def = "both",
	 .choices = direction_choices, .help = "what does not cross: octets to the server, from it, both"},
	{.name = "style", .type = OPT_ENUM, .offset = offsetof(struct partition_options, style), .def = "drop",
	 .choices = style_choices, .help = "drop: octets stay away until it is healed; reject: they are answered by RST"},
	{.name = "by", .type = OPT_ENUM, .offset = offsetof(struct partition_options, by), .def = "auto",
	 .choices = link_cut_means_names,
	 .help = "on a link: what cuts it; down and address cut both directions"},
	{0},
};

struct partition_state {
	bool told[DIRECTIONS], eof[DIRECTIONS];
};

static bool is_cut(const struct filter *f, enum direction d)
{
	const struct partition_options *o = f->options;
	return direction_streams[o->direction] & 1u << d;
}

static void keep_resets(struct filter *f)
{
	const struct partition_options *o = f->options;
	for (enum direction d = 0; d < DIRECTIONS; d++)
		filter_keep_reset(f, d, is_cut(f, d) && o->style == STYLE_DROP);
}

/* Something wants to cross. True: it is to be held. */
static bool stop(struct filter *f, enum direction d)
{
	const struct partition_options *o = f->options;
	struct partition_state *s = f->state;
	if (o->style == STYLE_REJECT) {
		filter_tell(f, d, "end", f->offset[d], "how=rst");
		filter_end(f, STREAM_END_RST);
		return false;
	}
	if (!s->told[d])
		filter_tell(f, d, "hit", f->offset[d], NULL);
	s->told[d] = true;
	return true;
}

static void on_open(struct filter *f)
{
	for (enum direction d = 0; d < DIRECTIONS; d++)
		held_limit(f, d, PARTITION_HELD_MAX);
	keep_resets(f);
}

static void on_data(struct filter *f, enum direction d, struct span octets)
{
	if (!is_cut(f, d))
		filter_pass(f, d, octets);
	else if (stop(f, d))
		held_keep(f, d, octets, 0);
}

static void on_eof(struct filter *f, enum direction d)
{
	struct partition_state *s = f->state;
	if (!is_cut(f, d))
		filter_pass_eof(f, d);
	else if (stop(f, d))
		s->eof[d] = true;
}

static void heal(struct filter *f, enum direction d)
{
	struct partition_state *s = f->state;
	held_pass_all(f, d);
	if (s->eof[d])
		filter_pass_eof(f, d);
	s->eof[d] = s->told[d] = false;
}

static void on_changed(struct filter *f)
{
	const struct partition_options *o = f->options;
	const struct partition_state *s = f->state;
	keep_resets(f);
	for (enum direction d = 0; d < DIRECTIONS; d++)
		if (!is_cut(f, d))
			heal(f, d);
		else if (o->style == STYLE_REJECT && (s->eof[d] || held_len(f, d)))
			stop(f, d); /* the next retransmission */
}

static void on_release(struct filter *f)
{
	for (enum direction d = 0; d < DIRECTIONS; d++)
		heal(f, d);
}

static const struct filter_ops partition_stream = {
	.state_size = sizeof(struct partition_state),
	.streams = STREAM_BOTH,
	.open = on_open,
	.data = on_data,
	.eof = on_eof,
	.changed = on_changed,
	.release = on_release,
};

/* A link is cut at the node or interface that is named: what is sent to it, from it, both. */
static int lose_all(const void *options, struct netem *merged, struct err *e)
{
	(void)options;
	(void)e;
	merged->loss_model = NETEM_LOSS_RANDOM;
	merged->loss = 1;
	return 0;
}

static int on_link_start(struct fault_run *run, struct err *e)
{
	const struct partition_options *o = run->options;
	const unsigned streams = direction_streams[o->direction];
	const struct link_cut cut = {.to = streams & STREAM_UP, .from = streams & STREAM_DOWN,
				     .reject = o->style == STYLE_REJECT, .means = (enum link_cut_means)o->by};
	return link_cut(run->state, run, &cut, e);
}

static void on_link_stop(struct fault_run *run)
{
	steps_undo(run->state);
}

static const struct fault_action partition_action = {
	.state_size = sizeof(struct steps),
	.undo = "the link is joined again",
	.probe = link_cut_probe,
	.start = on_link_start,
	.stop = on_link_stop,
};
static const struct fault_link partition_link = {.netem = lose_all, .action = &partition_action};

const struct fault fault_partition = {
	.name = "partition",
	.about = "octets do not cross any more, both ways or one, until it is healed",
	.known_as = "network partition",
	.options = partition_options,
	.options_size = sizeof(struct partition_options),
	.stream = &partition_stream,
	.link = &partition_link,
};
