/*
 * A handshake that takes for ever: one header line after another, each just before a patient server gives up. A few
 * hundred of them hold every slot of a server that has no limit on the time of the whole handshake.
 */
#include "faults/peer.h"

struct slowloris_options {
	struct peer_options peers;
	uint64_t gap_ms;
	bool reopen;
};

static const struct opt slowloris_options[] = {
	PEER_OPTIONS(struct slowloris_options, peers, "100"),
	{.name = "gap", .type = OPT_DURATION, .offset = offsetof(struct slowloris_options, gap_ms), .def = "1s", .min = 1,
	 .max = 600000, .help = "between two pieces of the request"},
	{.name = "reopen", .type = OPT_FLAG, .offset = offsetof(struct slowloris_options, reopen), .def = "true",
	 .help = "come again when the target ends the connection"},
	{0},
};

struct trickle {
	uint64_t pieces;
};

static void on_wake(struct peer *p)
{
	const struct slowloris_options *o = p->run->options;
	struct trickle *t = p->state;
	struct buf b CLEANUP(buf_fini) = {0};
	buf_init(&b, 4096);
	if (t->pieces == 0) {
		const struct fault_peers *to = p->run->site->peers;
		buf_printf(&b, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n", to->path, to->host);
		peer_tell(p, "hit", NULL);
	} else {
		buf_printf(&b, "X-%llu: %llu\r\n", (unsigned long long)t->pieces, (unsigned long long)rng_below(&p->rng, 1000));
	}
	t->pieces++;
	peer_send_raw(p, buf_span(&b));
	peer_wake_in(p, o->gap_ms);
}

static void on_end(struct peer *p)
{
	const struct slowloris_options *o = p->run->options;
	if (o->reopen)
		peer_again(p, o->gap_ms);
}

static const struct peer_ops ops = {
	.state_size = sizeof(struct trickle), .raw = true, .connected = on_wake, .wake = on_wake, .end = on_end};

static int start(struct fault_run *run, struct err *e)
{
	const struct slowloris_options *o = run->options;
	return crowd_start(run, &o->peers, &ops, 0, run->state, e);
}

static const struct fault_action slowloris_peer = {
	.state_size = sizeof(struct crowd *), .start = start, .stop = crowd_heal};

const struct fault fault_slowloris = {
	.name = "slowloris",
	.about = "clients send their opening handshake a line at a time and never end it",
	.known_as = "slow handshakes",
	.options = slowloris_options,
	.options_size = sizeof(struct slowloris_options),
	.peer = &slowloris_peer,
};
