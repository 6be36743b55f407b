#pragma once
/*
 * Toxics around a connection of ours: a stream (harness/net/stream.h) over any other one. What is written goes upstream
 * through the chain, what comes goes downstream. Above it nothing can tell the faults from a network:
 *
 *	FIN            on_eof, behind what was passed; a write after a fault's FIN is answered by on_error(-ECONNRESET),
 *	               as by a socket that is closed
 *	RST            on_error(-ECONNRESET), behind what was passed; octets that a fault still holds are lost
 *	silence        no callback comes any more; writes are taken until STREAM_UNSENT_MAX
 *	our own end    a fault that hides it from the server (a partition, silence) hides it until it is taken off: ghost.h
 *	back pressure  a chain that is full of downstream octets pauses the stream below; one that is full of upstream
 *	               octets lets writes wait, which stream_unsent() counts. What filters hold (at most FILTER_HELD_MAX
 *	               each) counts as on its way
 *
 * Between TLS and TCP (tls_client_new over it) it works on what is encrypted, above TLS on what is in clear: with both,
 * give the two one number, and CHAIN_WIRE below, CHAIN_CLEAR above; CHAIN_BOTH without TLS.
 */
#include "faults/toxics.h"
#include "harness/net/alarm.h"
#include "harness/net/loop.h"
#include "harness/net/stream.h"

/*
 * Takes `below` (also on failure, which frees it); open already, or still to open. The connection counts as opened with
 * on_open. number: of the connection, or 0: the set's next one. toxics and alarms outlive the stream; toxics may be
 * changed at any time but from inside a toxic's event. -ENOMEM.
 */
int chain_stream_new(struct loop *l, struct alarms *alarms, struct toxics *toxics, uint64_t number,
		     enum chain_layer layer, struct stream *below, const struct stream_events *events, void *owner,
		     struct stream **ret_stream);
/* Its number; 0 before it is open. s was made by chain_stream_new. */
uint64_t chain_stream_number(const struct stream *s);
