#pragma once
/*
 * A connection that its owner has left while a fault keeps that from the peer: no FIN and no RST get through. As the
 * peer sees it, it stays open and is not read, until the fault is taken off; then a RST arrives there, as from a host
 * that knows nothing of the connection. It belongs to the set of toxics and goes with it at the latest.
 */
#include "faults/toxics.h"
#include "harness/net/loop.h"
#include "harness/net/stream.h"

/*
 * Takes the chain and the stream below it, which is open. silent: the chain was ended by silence; else it keeps a RST
 * of the direction UPSTREAM. Not from inside one of the chain's events. -ENOMEM: nothing was taken.
 */
int ghost_new(struct loop *l, struct chain *chain, struct stream *below, bool silent);
