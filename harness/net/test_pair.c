/* The pair in memory, and TLS over it: in one thread, so that every turn of the loop is known. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#include "harness/net/pair.h"
#include "harness/net/test_certs.h"
#include "harness/net/test_client.h"
#include "harness/net/tls.h"

/* The other end: writes down each on_data by itself. */
struct far {
	struct stream *stream;
	struct buf log;
	const char *answer; /* written at the first data */
	SSL *ssl;           /* a TLS server, driven by what arrives */
};

static void far_tls(struct far *f, struct span data);

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
	buf_printf(&f->log, " %.*s", (int)data.len, (const char *)data.p);
	if (f->answer)
		stream_write(f->stream, span_str(TAKE_PTR(f->answer)));
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

static void pair_init(struct client *c, struct far *f, const struct client_act *acts)
{
	struct stream *ends[2];
	client_init(c, NULL, acts);
	assert_int_equal(stream_pair(&c->loop, ends), 0);
	*f = (struct far){.stream = ends[1]};
	buf_init(&f->log, 4096);
	ends[1]->events = &far_events;
	ends[1]->owner = f;
	ends[0]->events = &client_events;
	ends[0]->owner = c;
	c->stream = ends[0];
}

static void pair_fini(struct client *c, struct far *f)
{
	stream_free(f->stream);
	client_fini(c);
	buf_fini(&f->log);
}

static const struct {
	const char *expected, *far; /* both logs */
	struct client_act acts[CLIENT_ACTS_MAX];
	const char *answer;
} rows[] = {
	{"open", "open a b", {{"open", CLIENT_WRITE_EACH, "ab"}}},
	{"open data:yes", "open a", {{"open", CLIENT_WRITE, "a"}}, "yes"},
	{"open", "open a eof", {{"open", CLIENT_WRITE, "a"}, {"open", CLIENT_SHUTDOWN}}},
	{"open data:yes", "open a eof", {{"open", CLIENT_WRITE, "a"}, {"open", CLIENT_SHUTDOWN}}, "yes"},
	{"open", "open error-104", {{"open", CLIENT_WRITE, "dropped"}, {"open", CLIENT_RESET}}},
	{"open", "open a eof", {{"open", CLIENT_WRITE, "a"}, {"open", CLIENT_FREE}}},
	{"open", "open a eof error-104", {{"open", CLIENT_WRITE, "a"}, {"open", CLIENT_FREE}}, "into nothing"},
	{"open data:yes", "open a eof", {{"open", CLIENT_WRITE, "a"}, {"data", CLIENT_FREE}}, "yes"},
	{"open data:yes", "open a error-104", {{"open", CLIENT_WRITE, "a"}, {"data", CLIENT_RESET}}, "yes"},
	{"open", "open a", {{"open", CLIENT_PAUSE}, {"open", CLIENT_WRITE, "a"}}, "not read"},
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct client c;
		struct far f;
		pair_init(&c, &f, rows[i].acts);
		f.answer = rows[i].answer;
		assert_string_equal(buf_cstr(&c.log), "");
		client_run(&c, rows[i].expected);
		for (int turn = 0; turn < 4; turn++)
			client_run(&c, rows[i].expected);
		if (strcmp(buf_cstr(&c.log), rows[i].expected) != 0 || strcmp(buf_cstr(&f.log), rows[i].far) != 0)
			fail_msg("row %zu: '%s' and '%s', want '%s' and '%s'", i, buf_cstr(&c.log), buf_cstr(&f.log),
				 rows[i].expected, rows[i].far);
		pair_fini(&c, &f);
	}
}

static void test_limits(void **state)
{
	(void)state;
	static uint8_t megabyte[1 << 20];
	struct client c;
	struct far f;
	pair_init(&c, &f, NULL);
	for (int i = 0; i < STREAM_UNSENT_MAX >> 20; i++)
		assert_int_equal(stream_write(c.stream, span_of(megabyte, sizeof(megabyte))), 0);
	assert_int_equal(stream_unsent(c.stream), STREAM_UNSENT_MAX);
	assert_int_equal(stream_write(c.stream, SPAN_LIT("x")), -ENOBUFS);
	assert_int_equal(stream_shutdown(c.stream), 0);
	assert_int_equal(stream_write(c.stream, SPAN_LIT("x")), -EPIPE);
	pair_fini(&c, &f);
}

static void far_flush(struct far *f)
{
	char *p;
	long len = BIO_get_mem_data(SSL_get_wbio(f->ssl), &p);
	if (len > 0)
		stream_write(f->stream, span_of(p, (size_t)len));
	(void)BIO_reset(SSL_get_wbio(f->ssl));
}

/* Each write below must be one whole record: type, version, length (RFC 8446 5.1), logged as its decrypted text. */
static void far_tls(struct far *f, struct span data)
{
	char text[64];
	int n;
	BIO_write(SSL_get_rbio(f->ssl), data.p, (int)data.len);
	if (!SSL_is_init_finished(f->ssl)) {
		SSL_accept(f->ssl);
		far_flush(f);
		return;
	}
	if (data.len < 5 || data.p[0] != 0x17 || (size_t)(data.p[3] << 8 | data.p[4]) + 5 != data.len)
		buf_printf(&f->log, " not-one-record");
	while ((n = SSL_read(f->ssl, text, sizeof(text))) > 0)
		buf_printf(&f->log, " %.*s", n, text);
}

static void far_tls_init(struct far *f, SSL_CTX *ctx)
{
	f->ssl = SSL_new(ctx);
	SSL_set_bio(f->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_accept_state(f->ssl);
}

struct tls_fixture {
	struct certs certs;
	SSL_CTX *server;
	struct tls_context *context;
};

static int tls_setup(void **state)
{
	static const struct cert_spec cert = {.san = "DNS:localhost", .from_days = -1, .to_days = 1};
	struct tls_fixture *x = calloc(1, sizeof(*x));
	certs_init(&x->certs);
	x->server = certs_server(&x->certs, &cert);
	struct tls_options options = {.ca_file = x->certs.ca_file};
	*state = x;
	return tls_context_new(&options, &x->context, NULL);
}

static int tls_teardown(void **state)
{
	struct tls_fixture *x = *state;
	tls_context_free(x->context);
	SSL_CTX_free(x->server);
	certs_fini(&x->certs);
	free(x);
	return 0;
}

static void tls_over(struct client *c, struct tls_fixture *x)
{
	struct stream *below = TAKE_PTR(c->stream);
	int r = tls_client_new(&c->loop, x->context, below, "localhost", &client_events, c, &c->stream);
	assert_int_equal(r, 0);
}

/* Two records in one piece; the reader pauses at the first one and takes the second later, and no callback comes from
 * inside resume. */
static void test_tls_pause(void **state)
{
	static const struct client_act acts[] = {{"open", CLIENT_WRITE_EACH, "xyz"}, {"data", CLIENT_PAUSE}, {0}};
	struct tls_fixture *x = *state;
	struct client c;
	struct far f;
	pair_init(&c, &f, acts);
	far_tls_init(&f, x->server);
	tls_over(&c, x);
	assert_int_equal(stream_write(c.stream, SPAN_LIT("early")), -ENOTCONN);
	assert_string_equal(client_run(&c, "open"), "open");
	assert_non_null(strstr(c.description, "over pair in memory"));
	client_run(&c, "open");
	assert_string_equal(buf_cstr(&f.log), "open x y z");
	SSL_write(f.ssl, "one", 3);
	SSL_write(f.ssl, "two", 3);
	far_flush(&f);
	assert_string_equal(client_run(&c, "open data:one"), "open data:one");
	assert_string_equal(client_run(&c, "open data:one"), "open data:one");
	stream_pause(c.stream, false);
	assert_string_equal(buf_cstr(&c.log), "open data:one");
	assert_string_equal(client_run(&c, "open data:onetwo"), "open data:onetwo");
	SSL_write(f.ssl, "end", 3);
	SSL_shutdown(f.ssl);
	far_flush(&f);
	assert_string_equal(client_run(&c, "open data:onetwo"), "open data:onetwo");
	stream_pause(c.stream, false); /* the last record pauses again, its close_notify waits */
	assert_string_equal(client_run(&c, "open data:onetwoend"), "open data:onetwoend");
	stream_pause(c.stream, false);
	assert_string_equal(client_run(&c, "open data:onetwoend eof:clean"), "open data:onetwoend eof:clean");
	SSL_free(f.ssl);
	f.ssl = NULL;
	pair_fini(&c, &f);
}

/* Below it cannot be written to: the limit holds for TLS too, whole or not at all. */
static void test_tls_unsent_limit(void **state)
{
	struct tls_fixture *x = *state;
	static uint8_t megabyte[1 << 20];
	struct client c;
	struct far f;
	int r;
	pair_init(&c, &f, NULL);
	far_tls_init(&f, x->server);
	tls_over(&c, x);
	assert_string_equal(client_run(&c, "open"), "open");
	while ((r = stream_write(c.stream, span_of(megabyte, sizeof(megabyte)))) == 0)
		;
	assert_int_equal(r, -ENOBUFS);
	assert_true(stream_unsent(c.stream) <= STREAM_UNSENT_MAX);
	assert_true(stream_unsent(c.stream) > STREAM_UNSENT_MAX - 2 * sizeof(megabyte));
	SSL_free(f.ssl);
	f.ssl = NULL;
	pair_fini(&c, &f);
}

/* After a violation nothing more is read: a flood behind it costs us neither memory nor CPU. */
static void test_tls_violation(void **state)
{
	struct tls_fixture *x = *state;
	struct client c;
	struct far f;
	pair_init(&c, &f, NULL);
	far_tls_init(&f, x->server);
	tls_over(&c, x);
	assert_string_equal(client_run(&c, "open"), "open");
	stream_write(f.stream, SPAN_LIT("this is not a record"));
	assert_string_equal(client_run(&c, "open error:EPROTO"), "open error:EPROTO");
	assert_int_equal(stream_unsent(f.stream), 0);
	stream_write(f.stream, SPAN_LIT("flood"));
	assert_string_equal(client_run(&c, "open error:EPROTO"), "open error:EPROTO");
	assert_int_equal(stream_unsent(f.stream), 5);
	SSL_free(f.ssl);
	f.ssl = NULL;
	pair_fini(&c, &f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_limits),
		cmocka_unit_test_setup_teardown(test_tls_pause, tls_setup, tls_teardown),
		cmocka_unit_test_setup_teardown(test_tls_unsent_limit, tls_setup, tls_teardown),
		cmocka_unit_test_setup_teardown(test_tls_violation, tls_setup, tls_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
