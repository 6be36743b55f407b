/* The routes that only tell: version, metrics, events, faults. */
#include <stdlib.h>
#include <string.h>

#include "harness/proxy/api_internal.h"

enum { TEXT_MAX = 4096 };

void api_show_version(struct api_call *c)
{
	api_answer(c, 200, json_pack("{s:s, s:s}", "version", API_TOXIPROXY_VERSION, "server",
				     "wsquall " WSQUALL_VERSION));
}

void api_show_metrics(struct api_call *c)
{
	if (metrics_print(c->api->metrics, c->api->proxies, &c->answer->body) < 0) {
		api_answer(c, 500, NULL);
		return;
	}
	c->answer->status = 200;
	c->answer->content_type = "text/plain; version=0.0.4; charset=utf-8";
}

void api_show_events(struct api_call *c)
{
	if (event_log_recent(c->api->log, &c->answer->body) < 0 || buf_append_u8(&c->answer->body, '\n') < 0) {
		api_answer(c, 500, NULL);
		return;
	}
	c->answer->status = 200;
	c->answer->content_type = "application/json";
}

/* "how long: a duration ..., or a number of 1ms" */
static json_t *show_option(const struct opt *o)
{
	struct buf expected CLEANUP(buf_fini) = {0};
	buf_init(&expected, TEXT_MAX);
	opt_expected(o, &expected);
	json_t *row = json_pack("{s:s, s:s, s:s}", "name", o->name, "about", o->help ? o->help : "", "expects",
				buf_cstr(&expected));
	if (o->def)
		json_object_set_new(row, "default", json_string(o->def));
	if (o->bare) {
		const struct opt one[] = {{.name = "one", .type = o->type}, {0}};
		uint64_t value = (uint64_t)o->bare;
		json_t *unit = options_to_json(one, sizeof(value), &value, OPTIONS_ALL);
		json_object_set(row, "number_of", json_object_get(unit, "one"));
		json_decref(unit);
	}
	return row;
}

static json_t *show_fault(const struct fault *f)
{
	unsigned streams = f->stream->streams ? f->stream->streams : (unsigned)STREAM_DOWN;
	json_t *attributes = json_array();
	for (const struct opt *o = f->options; o->name; o++)
		json_array_append_new(attributes, show_option(o));
	return json_pack("{s:s, s:s, s:s, s:s, s:o}", "type", f->name, "about", f->about, "known_as",
			 f->known_as ? f->known_as : "", "stream", streams_name(streams), "attributes", attributes);
}

void api_show_faults(struct api_call *c)
{
	json_t *list = json_array();
	for (size_t i = 0; i < faults_len; i++)
		if (faults[i]->stream)
			json_array_append_new(list, show_fault(faults[i]));
	api_answer(c, 200, json_pack("{s:o}", "faults", list));
}
