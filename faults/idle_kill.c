/*
 * Proxies and load balancers drop what has been quiet for a while: the reason for heartbeats. Which octets keep a
 * connection alive differs: for most of them any, for some only what a browser's page would notice, for some only one
 * direction. The time counts from the last octet that counts, on a connection that was open already from when the
 * fault was put on it. How the connection dies differs, too: a FIN without a Close frame, a RST, or nothing at all.
 */
#include "faults/ending.h"
#include "faults/fault.h"
#include "faults/frames.h"

enum { IDLE_DEFAULT_MS = 60000 };

enum counts { COUNTS_ANY, COUNTS_PAYLOAD, COUNTS_UPSTREAM, COUNTS_DOWNSTREAM };
static const char *const counts_choices[] = {"any", "payload", "upstream", "downstream", NULL};

static const char *const preset_choices[] = {
	"none",
#define PRESET(name, idle_ms) #name,
#include "faults/idle_presets.def"
#undef PRESET
	NULL,
};

static const uint64_t preset_idle_ms[] = {
	IDLE_DEFAULT_MS,
#define PRESET(name, idle_ms) idle_ms,
#include "faults/idle_presets.def"
#undef PRESET
};

struct idle_kill_options {
	uint64_t idle_ms;
	int preset, how, counts;
};

static const struct opt idle_kill_options[] = {
	{.name = "idle", .type = OPT_DURATION, .offset = offsetof(struct idle_kill_options, idle_ms), .def = "0ms",
	 .help = "how long a connection may be quiet; 0ms: as long as the preset says, 60s without one"},
	{.name = "preset", .type = OPT_ENUM, .offset = offsetof(struct idle_kill_options, preset), .def = "none",
	 .choices = preset_choices, .help = "the time of a well-known proxy; idle wins over it"},
	{.name = "how", .type = OPT_ENUM, .offset = offsetof(struct idle_kill_options, how), .def = "rst",
	 .choices = ending_choices, .help = "how the connection is ended"},
	{.name = "counts", .type = OPT_ENUM, .offset = offsetof(struct idle_kill_options, counts), .def = "any",
	 .choices = counts_choices, .help = "which octets are no quiet: any; payload: all but Ping, Pong and Close frames; "
	 "those of one direction"},
	{0},
};

struct idle_kill_state {
	uint64_t last_us;          /* when the last octet came that counts */
	int counts;                /* what `frames` follow, and since when */
	struct frames frames[DIRECTIONS];
};

static uint64_t idle_us(const struct filter *f)
{
	const struct idle_kill_options *o = f->options;
	uint64_t us, ms = o->idle_ms ? o->idle_ms : preset_idle_ms[o->preset];
	return __builtin_mul_overflow(ms, 1000, &us) ? UINT64_MAX : us;
}

static bool needs_clear(const void *options)
{
	const struct idle_kill_options *o = options;
	return o->counts == COUNTS_PAYLOAD;
}

static void follow(struct filter *f)
{
	const struct idle_kill_options *o = f->options;
	struct idle_kill_state *s = f->state;
	s->counts = o->counts;
	for (enum direction d = 0; d < DIRECTIONS; d++)
		frames_init(&s->frames[d], d);
}

static void arm(struct filter *f)
{
	const struct idle_kill_state *s = f->state;
	uint64_t at_us;
	filter_wake_at(f, __builtin_add_overflow(s->last_us, idle_us(f), &at_us) ? UINT64_MAX : at_us);
}

static void on_open(struct filter *f)
{
	struct idle_kill_state *s = f->state;
	s->last_us = f->now_us;
	follow(f);
	arm(f);
}

static bool has_payload(struct frames *frames, struct filter *f, struct span octets)
{
	struct cut cut;
	bool has = false;
	while (frames_next(frames, &octets, &cut)) {
		frames_tell_plain(frames, f, &cut);
		has |= cut.kind != FRAMES_FRAME || !opcode_is_control(cut.head->opcode);
	}
	return has;
}

static void on_data(struct filter *f, enum direction d, struct span octets)
{
	struct idle_kill_state *s = f->state;
	bool counts = s->counts == COUNTS_PAYLOAD ? has_payload(&s->frames[d], f, octets) :
		      s->counts == COUNTS_UPSTREAM ? d == UPSTREAM :
		      s->counts == COUNTS_DOWNSTREAM ? d == DOWNSTREAM : true;
	if (counts)
		s->last_us = f->now_us; /* the wake moves when it comes, not at each octet */
	filter_pass(f, d, octets);
}

static void on_wake(struct filter *f)
{
	const struct idle_kill_options *o = f->options;
	const struct idle_kill_state *s = f->state;
	uint64_t idle = idle_us(f);
	if (f->now_us - s->last_us < idle) {
		arm(f);
		return;
	}
	filter_tell(f, DOWNSTREAM, "end", f->offset[DOWNSTREAM], "how=%s idle_us=%llu", ending_choices[o->how],
		    (unsigned long long)idle);
	filter_end(f, (enum stream_end)o->how);
}

static void on_changed(struct filter *f)
{
	const struct idle_kill_options *o = f->options;
	const struct idle_kill_state *s = f->state;
	if (s->counts != o->counts)
		follow(f);
	arm(f);
}

static const struct filter_ops idle_kill_stream = {
	.state_size = sizeof(struct idle_kill_state),
	.streams = STREAM_BOTH,
	.clear = needs_clear,
	.open = on_open,
	.data = on_data,
	.wake = on_wake,
	.changed = on_changed,
};

const struct fault fault_idle_kill = {
	.name = "idle_kill",
	.about = "a connection that is quiet for a while is ended",
	.known_as = "proxy idle-timeout kills",
	.options = idle_kill_options,
	.options_size = sizeof(struct idle_kill_options),
	.stream = &idle_kill_stream,
};
