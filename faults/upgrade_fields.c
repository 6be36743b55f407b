/* A head is taken line by line, not parsed: what is not a field of the upgrade is none of our business. */
#include "faults/upgrade_fields.h"

#include <strings.h>

#include "harness/base/err.h"

static const char *const names[] = {"upgrade:", "connection:", "sec-websocket-"};

static bool begins(struct span line, const char *name)
{
	size_t len = strlen(name);
	return line.len >= len && strncasecmp((const char *)line.p, name, len) == 0;
}

/* With its line end. */
static struct span next_line(struct span head, size_t at)
{
	const uint8_t *end = at < head.len ? memchr(head.p + at, '\n', head.len - at) : NULL;
	return span_sub(head, at, end ? (size_t)(end - head.p) + 1 - at : head.len);
}

int upgrade_fields_strip(struct span head, struct buf *b)
{
	bool dropped = false;
	for (size_t at = 0; at < head.len;) {
		struct span line = next_line(head, at);
		bool folded = at > 0 && (line.p[0] == ' ' || line.p[0] == '\t'); /* RFC 9112 5.2: of the line above */
		if (!folded) {
			dropped = false;
			for (size_t i = 0; at > 0 && i < ARRAY_LEN(names); i++)
				dropped |= begins(line, names[i]);
		}
		int r = dropped ? 0 : buf_append_span(b, line);
		if (r < 0)
			return r;
		at += line.len;
	}
	return 0;
}

size_t upgrade_fields_spoil_accept(uint8_t *head, size_t len)
{
	static const char name[] = "sec-websocket-accept:";
	struct span all = span_of(head, len);
	for (size_t at = 0; at < len;) {
		struct span line = next_line(all, at);
		size_t i = sizeof(name) - 1;
		if (begins(line, name)) {
			while (i < line.len && (line.p[i] == ' ' || line.p[i] == '\t'))
				i++;
			if (i >= line.len || line.p[i] == '\r' || line.p[i] == '\n')
				return 0;
			head[at + i] = line.p[i] == 'A' ? 'B' : 'A';
			return at + i;
		}
		at += line.len;
	}
	return 0;
}
