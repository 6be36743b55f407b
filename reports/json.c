/* The result as it is. Every other format can be made from this one later, so nothing is left out and nothing is
 * shortened. */
#include <jansson.h>

#include "reports/formats.h"

struct sink {
	struct buf *out;
	int status;
};

static int append(const char *text, size_t len, void *data)
{
	struct sink *sink = data;
	sink->status = buf_append(sink->out, text, len);
	return sink->status < 0 ? -1 : 0;
}

int report_json_write(const struct result *r, const struct report_options *o, struct buf *out, struct err *e)
{
	(void)o;
	json_t *json = result_to_json(r);
	struct sink sink = {.out = out};
	/* Lines are for people and diffs; ASCII so that no viewer turns text round by a bidirectional control. */
	if (!json ||
	    json_dump_callback(json, append, &sink, JSON_INDENT(1) | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15)) < 0)
		sink.status = sink.status < 0 ? sink.status : -ENOMEM;
	json_decref(json);
	if (sink.status == 0)
		sink.status = buf_append_u8(out, '\n');
	return report_finish(sink.status, "result.json", e);
}
