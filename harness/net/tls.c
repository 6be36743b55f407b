/*
 * TLS as a filter: OpenSSL works on two memory BIOs, this file carries their octets to and from the stream below. So
 * TLS runs over anything, a fault filter included, and a stream_write is exactly one record and one write below.
 * OpenSSL bounds what a peer can make it hold (one record, a certificate list of 100 KiB); what it answers by itself
 * counts as unsent and has the stream's limit.
 */
#include "harness/net/tls.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/net/tls_context.h"

enum {
	RECORD_MAX = 16384,      /* plaintext of one record, RFC 8446 5.1 */
	RECORD_OVERHEAD = 256,   /* at most: header, nonce, MAC and padding of any cipher suite, RFC 5246 6.2.3 */
};

struct tls {
	struct stream stream; /* first */
	struct loop *loop;
	struct stream *below;
	struct tls_context *looked; /* of a client: is told what the server showed; NULL of a server */
	SSL *ssl;
	BIO *in, *out;       /* octets from and for `below`; ssl owns them */
	struct timer resume; /* delivers what was left when paused */
	unsigned busy;       /* callbacks on the stack; memory stays until they return */
	bool open, paused, shut;
	bool below_eof, eof; /* the stream below gives no more; it was told */
	bool ended, freed;   /* on_error told or stream_reset called; stream_free called */
	char error_text[ERR_TEXT_MAX];
	char description[256];
};

static const char during_handshake[] = " during the TLS handshake";

/* Terminal; the last thing said. */
static void tls_fail(struct tls *t, int error)
{
	t->ended = true;
	timer_fini(&t->resume);
	stream_pause(t->below, true); /* whatever else it sends is not ours to read */
	t->stream.events->on_error(t->stream.owner, error);
}

static void tls_leave(struct tls *t)
{
	if (--t->busy > 0 || !t->freed)
		return;
	SSL_free(t->ssl);
	free(t);
}

/* Gives what OpenSSL has produced to the stream below; before that is open it waits. */
static int tls_flush(struct tls *t)
{
	char *p;
	long len = BIO_get_mem_data(t->out, &p);
	if (len <= 0)
		return 0;
	int r = stream_write(t->below, span_of(p, (size_t)len));
	if (r == -ENOTCONN)
		return 0;
	(void)BIO_reset(t->out);
	return r == -EPIPE ? 0 : r; /* after shutdown nobody asked for it; after an error on_error tells */
}

/* One phrase on why OpenSSL gave up: the newest error of libssl, since the store's attempts to find an authority leave
 * errors too. */
static void tls_explain(struct tls *t)
{
	unsigned long code, chosen = 0;
	long verified = SSL_get_verify_result(t->ssl);
	while ((code = ERR_get_error()))
		if (ERR_GET_LIB(code) == ERR_LIB_SSL || ERR_GET_LIB(chosen) != ERR_LIB_SSL)
			chosen = code;
	const char *reason = ERR_reason_error_string(chosen), *hint = "";
	int why = ERR_GET_LIB(chosen) == ERR_LIB_SSL ? ERR_GET_REASON(chosen) : 0;
	if (why == SSL_R_CERTIFICATE_VERIFY_FAILED && verified != X509_V_OK) {
		snprintf(t->error_text, sizeof(t->error_text), "certificate verify failed: %s",
			 X509_verify_cert_error_string(verified));
		return;
	}
	if (why == SSL_R_WRONG_VERSION_NUMBER && !t->open && !SSL_is_server(t->ssl))
		hint = " (perhaps the peer does not speak TLS here)";
	snprintf(t->error_text, sizeof(t->error_text), "%s%s%s", reason ? reason : "TLS failed",
		 t->open ? "" : during_handshake, hint);
}

/* After an SSL call that gave no result: true when it only wants more octets. */
static bool tls_wants_more(struct tls *t, int result)
{
	if (SSL_get_error(t->ssl, result) == SSL_ERROR_WANT_READ)
		return true;
	tls_explain(t);
	tls_flush(t); /* the alert */
	tls_fail(t, -EPROTO);
	return false;
}

static void tls_handshake(struct tls *t)
{
	ERR_clear_error();
	int result = SSL_do_handshake(t->ssl);
	if (result != 1) {
		if (tls_wants_more(t, result))
			tls_flush(t);
		return;
	}
	tls_flush(t);
	t->open = true;
	if (t->looked)
		tls_context_look(t->looked, t->ssl);
	snprintf(t->description, sizeof(t->description), "tls %s %s over %s", SSL_get_version(t->ssl),
		 SSL_get_cipher_name(t->ssl), stream_describe(t->below));
	if (t->paused)
		stream_pause(t->below, true);
	t->stream.events->on_open(t->stream.owner);
}

static void tls_eof(struct tls *t, bool clean)
{
	t->eof = true;
	t->stream.events->on_eof(t->stream.owner, clean);
}

/* Delivers one record's worth, or the end behind the last one; false when there is no more for now. */
static bool tls_read(struct tls *t)
{
	uint8_t chunk[RECORD_MAX];
	ERR_clear_error();
	int n = SSL_read(t->ssl, chunk, sizeof(chunk));
	int wanted = n > 0 ? SSL_ERROR_NONE : SSL_get_error(t->ssl, n);
	if (wanted == SSL_ERROR_NONE) {
		t->stream.events->on_data(t->stream.owner, span_of(chunk, (size_t)n));
		return true;
	}
	if (wanted == SSL_ERROR_ZERO_RETURN) { /* close_notify; what comes after it is ignored, RFC 8446 6.1 */
		tls_eof(t, true);
		return false;
	}
	if (!tls_wants_more(t, n))
		return false;
	int r = tls_flush(t); /* answers to KeyUpdate */
	if (r < 0) {
		snprintf(t->error_text, sizeof(t->error_text), "the peer makes us answer without reading the answers");
		tls_fail(t, r);
	} else if (t->below_eof) {
		tls_eof(t, false);
	}
	return false;
}

static void tls_pump(struct tls *t)
{
	t->busy++;
	if (!t->open && !t->ended)
		tls_handshake(t);
	while (t->open && !t->ended && !t->eof && !t->paused && tls_read(t))
		;
	tls_leave(t);
}

static void below_on_open(void *owner)
{
	struct tls *t = owner;
	t->busy++;
	int r = tls_flush(t);
	if (r < 0)
		tls_fail(t, r);
	tls_leave(t);
}

static void below_on_data(void *owner, struct span data)
{
	struct tls *t = owner;
	if (t->eof || t->ended)
		return;
	if (BIO_write(t->in, data.p, (int)data.len) != (int)data.len) {
		snprintf(t->error_text, sizeof(t->error_text), "out of memory");
		tls_fail(t, -ENOMEM);
		return;
	}
	tls_pump(t);
}

static void below_on_eof(void *owner, bool clean)
{
	struct tls *t = owner;
	(void)clean;
	if (t->eof || t->ended)
		return;
	if (!t->open) {
		snprintf(t->error_text, sizeof(t->error_text), "the peer closed the connection%s", during_handshake);
		tls_fail(t, -EPROTO);
		return;
	}
	t->below_eof = true;
	tls_pump(t); /* while paused, records before it may still wait */
}

static void below_on_error(void *owner, int error)
{
	struct tls *t = owner;
	if (t->ended)
		return;
	bool handshaking = !t->open && BIO_pending(t->out) == 0; /* the ClientHello has left */
	snprintf(t->error_text, sizeof(t->error_text), "%s%s", stream_error_text(t->below),
		 handshaking ? during_handshake : "");
	tls_fail(t, error);
}

static void below_on_drain(void *owner)
{
	struct tls *t = owner;
	if (t->open && !t->ended && t->stream.events->on_drain)
		t->stream.events->on_drain(t->stream.owner);
}

static const struct stream_events below_events = {below_on_open, below_on_data, below_on_eof, below_on_error,
						  below_on_drain};

static int tls_write(struct stream *s, struct span data)
{
	struct tls *t = (struct tls *)s;
	size_t written, unsent = stream_unsent(t->below), overhead = (data.len / RECORD_MAX + 1) * RECORD_OVERHEAD;
	if (t->ended || t->shut)
		return -EPIPE;
	if (!t->open)
		return -ENOTCONN;
	if (data.len > STREAM_UNSENT_MAX || unsent + data.len + overhead > STREAM_UNSENT_MAX)
		return -ENOBUFS;
	if (data.len == 0)
		return 0;
	ERR_clear_error();
	if (SSL_write_ex(t->ssl, data.p, data.len, &written) != 1)
		return -ENOMEM; /* a memory BIO takes everything as long as there is memory */
	assert(written == data.len);
	return tls_flush(t);
}

static int tls_shutdown(struct stream *s)
{
	struct tls *t = (struct tls *)s;
	if (t->ended)
		return -EPIPE;
	if (!t->open)
		return -ENOTCONN;
	if (t->shut)
		return 0;
	t->shut = true;
	ERR_clear_error();
	SSL_shutdown(t->ssl);
	int r = tls_flush(t);
	int r2 = stream_shutdown(t->below);
	return r < 0 ? r : r2;
}

static void tls_reset(struct stream *s)
{
	struct tls *t = (struct tls *)s;
	t->ended = true;
	timer_fini(&t->resume);
	stream_reset(t->below);
}

static void tls_on_resume(void *owner)
{
	struct tls *t = owner;
	t->busy++;
	tls_pump(t);
	if (!t->ended && !t->paused)
		stream_pause(t->below, false);
	tls_leave(t);
}

static void tls_pause(struct stream *s, bool paused)
{
	struct tls *t = (struct tls *)s;
	if (t->paused == paused || t->ended)
		return;
	t->paused = paused;
	if (paused && t->open)
		stream_pause(t->below, true);
	/* Records that OpenSSL holds already come first; without memory for the timer they come with the next octets.
	 */
	if (!paused && timer_start(&t->resume, t->loop, 0, tls_on_resume, t) < 0)
		stream_pause(t->below, false);
	if (paused)
		timer_stop(&t->resume);
}

static size_t tls_unsent(const struct stream *s)
{
	return stream_unsent(((const struct tls *)s)->below);
}

static const char *tls_error_text(const struct stream *s)
{
	return ((const struct tls *)s)->error_text;
}

static const char *tls_describe(const struct stream *s)
{
	return ((const struct tls *)s)->description;
}

static void tls_free(struct stream *s)
{
	struct tls *t = (struct tls *)s;
	assert(!t->freed);
	if (!t->ended)
		tls_shutdown(s);
	t->busy++;
	t->freed = t->ended = true;
	timer_fini(&t->resume);
	stream_free(TAKE_PTR(t->below));
	tls_leave(t);
}

static const struct stream_ops tls_ops = {
	.name = "tls",
	.write = tls_write,
	.shutdown = tls_shutdown,
	.reset = tls_reset,
	.pause = tls_pause,
	.unsent = tls_unsent,
	.error_text = tls_error_text,
	.describe = tls_describe,
	.free = tls_free,
};

/* Takes `below`, also on failure. */
static int tls_new(struct loop *l, struct tls_context *c, struct stream *below, const char *server_name,
		   const struct stream_events *events, void *owner, struct stream **ret_stream)
{
	int r = -ENOMEM;
	struct tls *t = calloc(1, sizeof(*t));
	if (!t)
		goto fail;
	*t = (struct tls){.stream = {&tls_ops, events, owner}, .loop = l, .below = below, .looked = c->serves ? NULL : c};
	snprintf(t->error_text, sizeof(t->error_text), "no error");
	snprintf(t->description, sizeof(t->description), "tls over %s", stream_describe(below));
	r = tls_context_connection(c, server_name, &t->ssl, &t->in, &t->out);
	if (r < 0)
		goto fail;
	below->events = &below_events;
	below->owner = t;
	ERR_clear_error();
	/* A client makes its ClientHello. */
	if (SSL_get_error(t->ssl, SSL_do_handshake(t->ssl)) == SSL_ERROR_WANT_READ)
		r = tls_flush(t);
	else
		r = -ENOMEM;
	if (r < 0)
		goto fail;
	*ret_stream = &t->stream;
	return 0;
fail:
	if (t)
		SSL_free(t->ssl);
	free(t);
	stream_free(below);
	return r;
}

int tls_client_new(struct loop *l, struct tls_context *c, struct stream *below, const char *server_name,
		   const struct stream_events *events, void *owner, struct stream **ret_stream)
{
	return tls_new(l, c, below, server_name, events, owner, ret_stream);
}

int tls_server_new(struct loop *l, struct tls_context *c, struct stream *below, const struct stream_events *events,
		   void *owner, struct stream **ret_stream)
{
	return tls_new(l, c, below, NULL, events, owner, ret_stream);
}

int tls_server_show(struct stream *s, const struct tls_context *shown)
{
	return tls_context_show(shown, ((struct tls *)s)->ssl);
}
