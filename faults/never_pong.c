/*
 * A client that reads and never answers: its process hangs, or it is gone and a middlebox keeps its connection. The
 * server's heartbeat has to find it and end the connection in time.
 */
#include "faults/peer.h"

struct never_pong_options {
	struct peer_options peers;
};

static const struct opt never_pong_options[] = {
	PEER_OPTIONS(struct never_pong_options, peers, "1"),
	{0},
};

struct zombie {
	uint64_t pings;
};

static void on_frame(struct peer *p, const struct frame_head *h)
{
	struct zombie *z = p->state;
	if (h->opcode == OPCODE_PING && ++z->pings == 1)
		peer_tell(p, "hit", "unanswered=ping");
}

static const struct peer_ops ops = {.state_size = sizeof(struct zombie), .silent = true, .frame = on_frame};

static int start(struct fault_run *run, struct err *e)
{
	const struct never_pong_options *o = run->options;
	return crowd_start(run, &o->peers, &ops, 0, run->state, e);
}

static const struct fault_action never_pong_peer = {
	.state_size = sizeof(struct crowd *), .start = start, .stop = crowd_heal};

const struct fault fault_never_pong = {
	.name = "never_pong",
	.about = "clients answer no Ping and no Close",
	.known_as = "zombie clients, ghost connections",
	.options = never_pong_options,
	.options_size = sizeof(struct never_pong_options),
	.peer = &never_pong_peer,
};
