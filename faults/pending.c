/* A queue in one array; what has been taken is moved away once it is more than half. */
#include "faults/pending.h"

#include <errno.h>

void pending_init(struct pending *p, size_t max)
{
	*p = (struct pending){0};
	buf_init(&p->octets, 2 * max); /* with what has been taken and is there still */
}

size_t pending_len(const struct pending *p)
{
	return p->octets.len - p->from;
}

int pending_add(struct pending *p, struct span octets)
{
	if (octets.len > p->octets.max / 2 - pending_len(p))
		return -ENOBUFS;
	if (p->from > p->octets.len / 2) {
		buf_consume(&p->octets, p->from);
		p->from = 0;
	}
	return buf_append_span(&p->octets, octets);
}

struct span pending_take(struct pending *p, uint8_t chunk[STREAM_READ_CHUNK])
{
	struct span s = span_sub(buf_span(&p->octets), p->from, STREAM_READ_CHUNK);
	memcpy(chunk, s.p, s.len);
	p->from += s.len;
	if (p->from == p->octets.len)
		pending_fini(p);
	return span_of(chunk, s.len);
}

void pending_fini(struct pending *p)
{
	buf_fini(&p->octets);
	p->from = 0;
}
