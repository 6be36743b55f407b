/*
 * One message of 50 MB in fragments: a file pasted into a chat, or an attack. Each fragment is small and legal; a
 * server that puts them together before it looks at the sum holds them all. Unfinished, it holds them for ever.
 */
#include "faults/peer.h"

struct oversize_fragments_options {
	struct peer_options peers;
	uint64_t total, fragment, gap_ms;
	bool finish, text;
};

static const struct opt oversize_fragments_options[] = {
	PEER_OPTIONS(struct oversize_fragments_options, peers, "1"),
	{.name = "total", .type = OPT_SIZE, .offset = offsetof(struct oversize_fragments_options, total), .def = "50MB",
	 .min = 1, .max = INT64_MAX, .help = "octets of the whole message"},
	{.name = "fragment", .type = OPT_SIZE, .offset = offsetof(struct oversize_fragments_options, fragment), .def = "16KiB",
	 .min = 1, .max = 1 << 20, .help = "octets of each fragment"},
	{.name = "gap", .type = OPT_DURATION, .offset = offsetof(struct oversize_fragments_options, gap_ms), .def = "0s",
	 .max = FAULT_TIME_MAX_MS,
	 .help = "between two fragments"},
	{.name = "finish", .type = OPT_FLAG, .offset = offsetof(struct oversize_fragments_options, finish), .def = "true",
	 .help = "send the last fragment, or leave the message open"},
	{.name = "text", .type = OPT_FLAG, .offset = offsetof(struct oversize_fragments_options, text), .def = "true",
	 .help = "a text message, or a binary one"},
	{0},
};

enum {
	FRAGMENTS_A_TURN = 64,     /* of one connection, without a gap: others have their turn, and what is ended ends */
	TURN_MS = 1,               /* between two turns; a timer of 0 ms would come in the same again */
};

struct message {
	uint64_t sent;
	bool done;
};

/* One fragment; false: the connection does not take it now. */
static bool send_next(struct peer *p, const struct oversize_fragments_options *o, struct message *m)
{
	static uint8_t letters[1 << 20];
	uint64_t left = o->total - m->sent, len = left < o->fragment ? left : o->fragment;
	bool last = len == left;
	if (!letters[0])
		memset(letters, 'x', sizeof(letters));
	if (last && !o->finish) {
		m->done = true;
		peer_tell(p, "unfinished", "sent=%llu", (unsigned long long)m->sent);
		return false;
	}
	if (!peer_send(p, (struct frame){.fin = last,
					 .opcode = m->sent   ? OPCODE_CONTINUATION
						   : o->text ? OPCODE_TEXT
							     : OPCODE_BINARY,
					 .payload = {letters, len}}))
		return false;
	if (!m->sent)
		peer_tell(p, "hit", "total=%llu", (unsigned long long)o->total);
	m->sent += len;
	m->done = last;
	if (last)
		peer_tell(p, "finished", "sent=%llu", (unsigned long long)m->sent);
	return true;
}

static void on_wake(struct peer *p)
{
	const struct oversize_fragments_options *o = p->run->options;
	struct message *m = p->state;
	unsigned n = 0, most = o->gap_ms ? 1 : FRAGMENTS_A_TURN;
	while (n < most && !m->done && send_next(p, o, m))
		n++;
	if (!m->done && !p->ended)
		peer_wake_in(p, o->gap_ms ? o->gap_ms : TURN_MS);
}

static const struct peer_ops ops = {.state_size = sizeof(struct message), .open = on_wake, .wake = on_wake};

static int start(struct fault_run *run, struct err *e)
{
	const struct oversize_fragments_options *o = run->options;
	return crowd_start(run, &o->peers, &ops, 0, run->state, e);
}

static const struct fault_action oversize_fragments_peer = {
	.state_size = sizeof(struct crowd *), .start = start, .stop = crowd_heal};

const struct fault fault_oversize_fragments = {
	.name = "oversize_fragments",
	.about = "clients send one huge message in small fragments, or never finish it",
	.known_as = "a 50 MB message in fragments",
	.options = oversize_fragments_options,
	.options_size = sizeof(struct oversize_fragments_options),
	.peer = &oversize_fragments_peer,
};
