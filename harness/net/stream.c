/* Dispatch: every call goes to the implementation that made the stream. */
#include "harness/net/stream.h"

int stream_write(struct stream *s, struct span data)
{
	return s->ops->write(s, data);
}

int stream_shutdown(struct stream *s)
{
	return s->ops->shutdown(s);
}

void stream_reset(struct stream *s)
{
	s->ops->reset(s);
}

void stream_pause(struct stream *s, bool paused)
{
	s->ops->pause(s, paused);
}

size_t stream_unsent(const struct stream *s)
{
	return s->ops->unsent(s);
}

const char *stream_error_text(const struct stream *s)
{
	return s->ops->error_text(s);
}

const char *stream_describe(const struct stream *s)
{
	return s->ops->describe(s);
}

void stream_free(struct stream *s)
{
	if (s)
		s->ops->free(s);
}
