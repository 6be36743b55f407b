/*
 * More than was agreed: a client in a loop without a pause, or one that means harm. Messages, Pings or the smallest
 * frames there are; a server without a limit per connection spends its time on one client.
 */
#include "faults/peer.h"

#include "harness/base/clock.h"

enum flood_kind { FLOOD_TEXT, FLOOD_BINARY, FLOOD_PING, FLOOD_PONG, FLOOD_EMPTY };
static const char *const kinds[] = {"text", "binary", "ping", "pong", "empty", NULL};

struct flood_options {
	struct peer_options peers;
	int kind;
	double rate;
	uint64_t size;
	const char *message;
};

static const struct opt flood_options[] = {
	PEER_OPTIONS(struct flood_options, peers, "1"),
	{.name = "kind", .type = OPT_ENUM, .offset = offsetof(struct flood_options, kind), .choices = kinds, .def = "text",
	 .help = "of frames; empty: text messages of no octets"},
	{.name = "rate", .type = OPT_RATE, .offset = offsetof(struct flood_options, rate), .def = "1000/s", .min = 1,
	 .max = 1000000, .help = "frames of each connection"},
	{.name = "size", .type = OPT_SIZE, .offset = offsetof(struct flood_options, size), .def = "16B", .max = 64 << 10,
	 .help = "octets of each; of Pings and Pongs at most 125"},
	{.name = "message", .type = OPT_STRING, .offset = offsetof(struct flood_options, message),
	 .help = "the message, in place of octets of that size"},
	{0},
};

enum { TICK_MS = 1 };

struct tap {
	uint64_t started_us, frames;
	bool told;
};

static struct frame frame_of(const struct flood_options *o)
{
	static uint8_t letters[64 << 10];
	static const uint8_t opcodes[] = {OPCODE_TEXT, OPCODE_BINARY, OPCODE_PING, OPCODE_PONG, OPCODE_TEXT};
	uint64_t len = o->kind == FLOOD_EMPTY ? 0 : o->size;
	struct frame f = {.fin = true, .opcode = opcodes[o->kind]};
	if (!letters[0])
		memset(letters, 'x', sizeof(letters));
	if (opcode_is_control(f.opcode) && len > CONTROL_PAYLOAD_MAX)
		len = CONTROL_PAYLOAD_MAX;
	f.payload = o->message && o->kind == FLOOD_TEXT ? span_str(o->message) : (struct span){letters, len};
	return f;
}

static void on_wake(struct peer *p)
{
	const struct flood_options *o = p->run->options;
	struct tap *t = p->state;
	if (!t->started_us)
		t->started_us = clock_now_us();
	double due = o->rate * (double)(clock_now_us() - t->started_us) / 1e6 + 1;
	struct frame f = frame_of(o);
	while ((double)t->frames < due && peer_send(p, f))
		t->frames++;
	if (!t->told)
		peer_tell(p, "hit", "rate=%g", o->rate);
	t->told = true;
	if (!p->ended)
		peer_wake_in(p, TICK_MS);
}

static const struct peer_ops ops = {.state_size = sizeof(struct tap), .open = on_wake, .wake = on_wake};

static int start(struct fault_run *run, struct err *e)
{
	const struct flood_options *o = run->options;
	return crowd_start(run, &o->peers, &ops, 0, run->state, e);
}

static const struct fault_action flood_peer = {
	.state_size = sizeof(struct crowd *), .start = start, .stop = crowd_heal};

const struct fault fault_flood = {
	.name = "flood",
	.about = "clients send messages, Pings or empty frames at a rate that nobody agreed to",
	.known_as = "hostile and runaway clients",
	.options = flood_options,
	.options_size = sizeof(struct flood_options),
	.peer = &flood_peer,
};
