#pragma once
/* A client over a pair in memory, with toxics around its stream, and the server at the other end. */
#include "faults/chain_stream.h"
#include "faults/test_talk.h"
#include "harness/net/test_certs.h"
#include "harness/net/test_client.h"

/* The server at the other end of the pair. */
struct far {
	struct stream *stream;
	struct buf log, received;
	const char *answer;        /* written at the first octets */
	bool echo, shut;           /* what comes back; a FIN behind the first octets */
	SSL *ssl;
};

struct scene {
	struct client c;
	struct far far;
	struct bench bench;        /* for its set of toxics */
	struct alarms *alarms;
};

/* The client's stream is the near end still. */
void scene_init(struct scene *s, const struct client_act *acts);
/* Puts the toxics around it. */
void scene_put_chain(struct scene *s, enum chain_layer layer, uint64_t number);
void scene_fini(struct scene *s);
