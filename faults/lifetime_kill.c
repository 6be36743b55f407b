/*
 * Some load balancers end every connection when it has lived its time, however busy it is: Google's do after the
 * backend service's timeout, 30 s by default, and AWS's API Gateway after two hours. Clients must come back, and not
 * all at once. The time counts from the opening, also on connections that were open before the fault: those that are
 * older already end at once.
 */
#include "faults/ending.h"
#include "faults/fault.h"
#include "faults/filter.h"

enum { LIFETIME_DEFAULT_MS = 30000 };

/* PRESET(name, lifetime_ms) */
#define PRESETS                                                                                                        \
	PRESET(none, LIFETIME_DEFAULT_MS)                                                                              \
	PRESET(gcp, 30000)           /* Google Cloud load balancing, backend service timeout */                        \
	PRESET(api_gateway, 7200000) /* AWS API Gateway, WebSocket APIs: connection duration, 2 hours */

static const char *const preset_choices[] = {
#define PRESET(name, lifetime_ms) #name,
	PRESETS
#undef PRESET
	NULL,
};

static const uint64_t preset_lifetime_ms[] = {
#define PRESET(name, lifetime_ms) lifetime_ms,
	PRESETS
#undef PRESET
};

struct lifetime_kill_options {
	uint64_t lifetime_ms, jitter_ms;
	int preset, how;
};

static const struct opt lifetime_kill_options[] = {
	{.name = "lifetime", .type = OPT_DURATION, .offset = offsetof(struct lifetime_kill_options, lifetime_ms),
	 .def = "0ms", .help = "how long a connection lives; 0ms: as long as the preset says, 30s without one"},
	{.name = "jitter", .type = OPT_DURATION, .offset = offsetof(struct lifetime_kill_options, jitter_ms),
	 .def = "0ms", .help = "up to so much longer, for each connection by the seed"},
	{.name = "preset", .type = OPT_ENUM, .offset = offsetof(struct lifetime_kill_options, preset), .def = "none",
	 .choices = preset_choices, .help = "the time of a well-known load balancer; lifetime wins over it"},
	{.name = "how", .type = OPT_ENUM, .offset = offsetof(struct lifetime_kill_options, how), .def = "fin",
	 .choices = ending_choices, .help = "how the connection is ended"},
	{0},
};

struct lifetime_kill_state {
	double share;              /* of the jitter, 0 to 1 */
};

/* The lifetime of this connection; UINT64_MAX: longer than time. */
static uint64_t lifetime_us(const struct filter *f)
{
	const struct lifetime_kill_options *o = f->options;
	const struct lifetime_kill_state *s = f->state;
	uint64_t ms = o->lifetime_ms ? o->lifetime_ms : preset_lifetime_ms[o->preset], us, jitter_us;
	if (__builtin_mul_overflow(ms, 1000, &us) || __builtin_mul_overflow(o->jitter_ms, 1000, &jitter_us))
		return UINT64_MAX;
	double jitter = s->share * (double)jitter_us;
	return jitter < 0x1p63 && us < UINT64_MAX / 2 ? us + (uint64_t)jitter : UINT64_MAX;
}

static void arm(struct filter *f)
{
	uint64_t at_us;
	filter_wake_at(f, __builtin_add_overflow(f->opened_us, lifetime_us(f), &at_us) ? UINT64_MAX : at_us);
}

static void on_open(struct filter *f)
{
	struct lifetime_kill_state *s = f->state;
	s->share = (double)(rng_u64(&f->rng) >> 11) * 0x1p-53;
	arm(f);
}

static void on_data(struct filter *f, enum direction d, struct span octets)
{
	filter_pass(f, d, octets);
}

static void on_wake(struct filter *f)
{
	const struct lifetime_kill_options *o = f->options;
	filter_tell(f, DOWNSTREAM, "end", f->offset[DOWNSTREAM], "how=%s lifetime_us=%llu", ending_choices[o->how],
		    (unsigned long long)lifetime_us(f));
	filter_end(f, (enum stream_end)o->how);
}

static const struct filter_ops lifetime_kill_stream = {
	.state_size = sizeof(struct lifetime_kill_state),
	.streams = STREAM_BOTH,
	.open = on_open,
	.data = on_data,
	.wake = on_wake,
	.changed = arm,
};

const struct fault fault_lifetime_kill = {
	.name = "lifetime_kill",
	.about = "a connection is ended when it has lived its time, busy or not",
	.known_as = "load balancer lifetime",
	.options = lifetime_kill_options,
	.options_size = sizeof(struct lifetime_kill_options),
	.stream = &lifetime_kill_stream,
};
