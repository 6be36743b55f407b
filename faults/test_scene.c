/* The two ends of test_scene.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "faults/test_scene.h"
#include "harness/base/clock.h"
#include "harness/net/pair.h"

enum { LOG_MAX = 64 << 20 };

static void far_flush(struct far *f)
{
	char *p;
	long len = BIO_get_mem_data(SSL_get_wbio(f->ssl), &p);
	if (len > 0)
		stream_write(f->stream, span_of(p, (size_t)len));
	(void)BIO_reset(SSL_get_wbio(f->ssl));
}

static void far_tls(struct far *f, struct span data)
{
	char text[256];
	int n;
	BIO_write(SSL_get_rbio(f->ssl), data.p, (int)data.len);
	if (!SSL_is_init_finished(f->ssl))
		SSL_accept(f->ssl);
	while (SSL_is_init_finished(f->ssl) && (n = SSL_read(f->ssl, text, sizeof(text))) > 0) {
		buf_append(&f->received, text, (size_t)n);
		SSL_write(f->ssl, text, n);
	}
	far_flush(f);
}

static void far_on_open(void *owner)
{
	buf_printf(&((struct far *)owner)->log, "open");
}

static void far_on_data(void *owner, struct span data)
{
	struct far *f = owner;
	if (f->ssl) {
		far_tls(f, data);
		return;
	}
	buf_append_span(&f->received, data);
	if (f->answer)
		stream_write(f->stream, span_str(TAKE_PTR(f->answer)));
	if (f->echo)
		stream_write(f->stream, data);
	if (f->shut)
		stream_shutdown(f->stream);
}

static void far_on_eof(void *owner, bool clean)
{
	buf_printf(&((struct far *)owner)->log, clean ? " eof" : " cut");
}

static void far_on_error(void *owner, int error)
{
	buf_printf(&((struct far *)owner)->log, " error%d", error);
}

static const struct stream_events far_events = {far_on_open, far_on_data, far_on_eof, far_on_error};

void scene_init(struct scene *s, const struct client_act *acts)
{
	struct stream *ends[2];
	memset(s, 0, sizeof(*s));
	client_init(&s->c, NULL, acts);
	assert_int_equal(alarms_new(&s->c.loop, &s->alarms), 0);
	assert_int_equal(stream_pair(&s->c.loop, ends), 0);
	s->far.stream = ends[1];
	s->far.log.max = s->far.received.max = LOG_MAX;
	ends[1]->events = &far_events;
	ends[1]->owner = &s->far;
	s->c.stream = ends[0];
	s->c.log.max = LOG_MAX;
	bench_init_seed(&s->bench, 1);
	s->bench.now_us = clock_now_us();
}

void scene_put_chain(struct scene *s, enum chain_layer layer, uint64_t number)
{
	struct stream *below = TAKE_PTR(s->c.stream);
	assert_int_equal(chain_stream_new(&s->c.loop, s->alarms, &s->bench.toxics, number, layer, below, &client_events, &s->c,
					  &s->c.stream), 0);
}

void scene_fini(struct scene *s)
{
	stream_free(TAKE_PTR(s->c.stream));
	toxics_fini(&s->bench.toxics); /* ghosts go before the loop */
	stream_free(s->far.stream);
	alarms_free(s->alarms);
	SSL_free(s->far.ssl);
	client_fini(&s->c);
	bench_fini(&s->bench);
	buf_fini(&s->far.log);
	buf_fini(&s->far.received);
}
