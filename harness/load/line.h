#pragma once
/*
 * The octets below a client: dials one way to the target, with the stream faults in force around it.
 *
 *	plain     TCP, then the chain of faults
 *	TLS       TCP, the chain of those that work on what is encrypted, TLS, the chain of those that work in clear
 */
#include "faults/chain_stream.h"
#include "harness/load/workload.h"

struct line_options {
	struct loop *loop;
	struct alarms *alarms;
	const struct workload_way *way;
	const char *source;        /* local address, or NULL */
	struct toxics *toxics;     /* NULL: no faults */
	uint64_t number;           /* of the connection in the set */
};

/* As dial(); there is no deadline for TLS when there are toxics. -EINVAL, -ENOMEM. */
int line_dial(const struct line_options *o, const struct stream_events *events, void *owner,
	      struct stream **ret_stream);
