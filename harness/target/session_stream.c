/* An event stream, cut anywhere, as its events: https://html.spec.whatwg.org/multipage/server-sent-events.html, 9.2.6. */
#include "harness/target/session_internal.h"

void session_stream_init(struct session_stream *stream)
{
	struct buf *const all[] = {&stream->line, &stream->data};
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		buf_init(all[i], SESSION_UNIT_MAX);
	buf_init(&stream->event, SESSION_CURSOR_MAX);
	buf_init(&stream->id, SESSION_CURSOR_MAX);
}

void session_stream_fini(struct session_stream *stream)
{
	buf_fini(&stream->line);
	buf_fini(&stream->event);
	buf_fini(&stream->id);
	buf_fini(&stream->data);
}

void session_stream_reset(struct session_stream *stream)
{
	stream->line.len = stream->event.len = stream->id.len = stream->data.len = 0;
	stream->cr = stream->has_data = stream->broken = false;
}

static void set(struct session_stream *stream, struct buf *b, struct span value)
{
	b->len = 0;
	stream->broken |= buf_append_span(b, value) < 0;
}

static void dispatch(struct session *s)
{
	struct session_stream *stream = &s->stream;
	struct span event = stream->event.len ? buf_span(&stream->event) : SPAN_LIT("message");
	struct buf unit CLEANUP(buf_fini);
	buf_init(&unit, SESSION_UNIT_MAX);
	bool whole = stream->has_data && !stream->broken && buf_append_span(&unit, SPAN_LIT("event: ")) == 0 &&
		     buf_append_span(&unit, event) == 0 && buf_append_span(&unit, SPAN_LIT("\nid: ")) == 0 &&
		     buf_append_span(&unit, buf_span(&stream->id)) == 0 &&
		     buf_append_span(&unit, SPAN_LIT("\n\n")) == 0 &&
		     buf_append_span(&unit, buf_span(&stream->data)) == 0;
	bool broken = stream->broken;
	stream->event.len = stream->data.len = 0;
	stream->has_data = stream->broken = false;
	if (whole)
		session_unit(s, buf_span(&unit));
	else if (broken)
		s->events->unknown(s->owner, SPAN_LIT("an event that is too large"));
}

static void field(struct session *s, struct span name, struct span value)
{
	struct session_stream *stream = &s->stream;
	if (span_eq(name, SPAN_LIT("event"))) {
		set(stream, &stream->event, value);
	} else if (span_eq(name, SPAN_LIT("id"))) {
		if (!value.len || !memchr(value.p, 0, value.len))
			set(stream, &stream->id, value);
	} else if (span_eq(name, SPAN_LIT("data"))) {
		if (stream->has_data)
			stream->broken |= buf_append_u8(&stream->data, '\n') < 0;
		stream->broken |= buf_append_span(&stream->data, value) < 0;
		stream->has_data = true;
	}
}

static void line(struct session *s)
{
	struct buf text CLEANUP(buf_fini) = s->stream.line; /* a callback may end the connection */
	struct span all = buf_span(&text);
	ptrdiff_t colon = span_find(all, SPAN_LIT(":"));
	buf_init(&s->stream.line, SESSION_UNIT_MAX);
	if (!all.len) {
		dispatch(s);
	} else if (colon == 0) {
		s->events->ping(s->owner);
	} else {
		struct span value = colon < 0 ? span_of(NULL, 0) : span_sub(all, (size_t)colon + 1, all.len);
		bool blank = value.len && value.p[0] == ' ';
		field(s, colon < 0 ? all : span_sub(all, 0, (size_t)colon), span_sub(value, blank, value.len));
	}
}

void session_stream_data(struct session *s, struct span octets)
{
	struct session_stream *stream = &s->stream;
	uint64_t connection = s->connection;
	for (size_t i = 0; i < octets.len && connection == s->connection; i++) {
		uint8_t c = octets.p[i];
		bool after_cr = stream->cr;
		stream->cr = c == '\r';
		if (c == '\n' && after_cr)
			continue;
		if (c == '\n' || c == '\r')
			line(s);
		else
			stream->broken |= buf_append_u8(&stream->line, c) < 0;
	}
}
