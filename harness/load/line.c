/* Streams put around each other in the right order. Each takes the one below, also when it fails. */
#include "harness/load/line.h"

int line_dial(const struct line_options *o, const struct stream_events *events, void *owner, struct stream **ret_stream)
{
	const struct workload_way *way = o->way;
	struct dial_options d = {.addresses = way->addresses, .source = o->source, .server_name = way->server_name};
	struct stream *stream;
	if (!o->toxics || !way->tls) {
		d.tls = way->tls;
		int r = dial(o->loop, &d, events, owner, &stream);
		if (r == 0 && o->toxics)
			r = chain_stream_new(o->loop, o->alarms, o->toxics, o->number, CHAIN_BOTH, stream, events, owner, &stream);
		if (r == 0)
			*ret_stream = stream;
		return r;
	}
	int r = dial(o->loop, &d, events, owner, &stream);
	if (r == 0)
		r = chain_stream_new(o->loop, o->alarms, o->toxics, o->number, CHAIN_WIRE, stream, events, owner, &stream);
	if (r == 0)
		r = tls_client_new(o->loop, way->tls, stream, way->server_name, events, owner, &stream);
	if (r == 0)
		r = chain_stream_new(o->loop, o->alarms, o->toxics, o->number, CHAIN_CLEAR, stream, events, owner, &stream);
	if (r == 0)
		*ret_stream = stream;
	return r;
}
