#pragma once
/*
 * The chain of a connection's wire where TLS is ended: a stream around the client's socket, below the TLS. Toxics that
 * do not read frames act here, on the octets as they are on the wire.
 */
#include "harness/net/stream.h"
#include "harness/proxy/relay.h"

/* Takes `below`, also on failure. The chain begins at once. -ENOMEM. */
int wire_new(struct relay *r, struct stream *below, struct stream **ret_stream);
/*
 * The relay ends: what the chain holds comes out, unless the stream was reset, and the chain goes. The stream stays.
 * Callbacks come from inside; it must not be freed there.
 */
void wire_detach(struct stream *s);
/* The FIN downstream has left the chain. */
bool wire_fin_sent(const struct stream *s);
/* NULL: detached. */
struct chain *wire_chain(const struct stream *s);
