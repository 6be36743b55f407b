/*
 * The toxics that show another certificate than the proxy's usual one, as clients see it that verify as they should:
 * OpenSSL of this thread, on a bare socket. The proxy's own certificate is of an authority that the clients trust.
 */
#include "harness/proxy/test_bed.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/net/test_certs.h"

static struct certs certs;
static char usual_file[64], other_file[64], key_file[64];

static const struct cert_spec usual = {.san = "DNS:echo.test", .from_days = -1, .to_days = 30};
static const struct cert_spec other = {.san = "DNS:echo.test,DNS:other.test", .from_days = -1, .to_days = 30};

static FILE *make_file(char path[static 64])
{
	snprintf(path, 64, "/tmp/test-certificate-XXXXXX");
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	return fdopen(fd, "w");
}

/* As authorities make them: it says which certificate of theirs is above it (RFC 5280 4.2.1.1). */
static void write_certificate(char path[static 64], const struct cert_spec *spec)
{
	SSL_CTX *ctx = certs_server(&certs, spec);
	X509 *certificate = X509_dup(SSL_CTX_get0_certificate(ctx));
	X509V3_CTX v3;
	X509V3_set_ctx(&v3, certs.authority, certificate, NULL, NULL, 0);
	X509_EXTENSION *above = X509V3_EXT_conf_nid(NULL, &v3, NID_authority_key_identifier, "issuer:always");
	FILE *f = make_file(path);
	assert_int_equal(X509_add_ext(certificate, above, -1), 1);
	assert_true(X509_sign(certificate, certs.key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_X509(f, certificate), 1);
	fclose(f);
	X509_EXTENSION_free(above);
	X509_free(certificate);
	SSL_CTX_free(ctx);
}

/* A client --------------------------------------------------------------------------------------------------------- */

struct visitor {
	struct bed *bed;
	SSL *ssl;
	int fd, server;
};

static SSL_CTX *client_context(bool verifies)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	assert_int_equal(SSL_CTX_load_verify_locations(ctx, certs.ca_file, NULL), 1);
	SSL_CTX_set_verify(ctx, verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	return ctx;
}

/* Whether a call of OpenSSL is to be made again, after a turn. */
static bool again(struct visitor *v, int result)
{
	int error = SSL_get_error(v->ssl, result);
	bed_turn(v->bed);
	return result <= 0 && (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE);
}

/* What its verification says of what it is shown. */
static const char *visit(struct visitor *v, struct bed *b, SSL_CTX *ctx, SSL_SESSION *session)
{
	int r;
	*v = (struct visitor){.bed = b, .ssl = SSL_new(ctx), .fd = bed_connect(b), .server = bed_accept(b)};
	SSL_set_fd(v->ssl, v->fd);
	SSL_set1_host(v->ssl, "echo.test");
	SSL_set_tlsext_host_name(v->ssl, "echo.test");
	if (session)
		assert_int_equal(SSL_set_session(v->ssl, session), 1);
	do
		r = SSL_connect(v->ssl);
	while (again(v, r));
	assert_true(r == 1 || SSL_get_verify_result(v->ssl) != X509_V_OK);
	return X509_verify_cert_error_string(SSL_get_verify_result(v->ssl));
}

/* Octets pass both ways. */
static void talk(struct visitor *v)
{
	char got[8] = "";
	int r;
	assert_int_equal(SSL_write(v->ssl, "hello", 5), 5);
	bed_expect(v->bed, v->server, "hello", "");
	bed_send(v->bed, v->server, "world", 5);
	do
		r = SSL_read(v->ssl, got, sizeof(got));
	while (again(v, r));
	assert_string_equal(got, "world");
}

static void leave(struct visitor *v)
{
	SSL_shutdown(v->ssl); /* else its session counts as broken, and is not resumed */
	SSL_free(v->ssl);
	bed_close(&v->fd);
	bed_close(&v->server);
}

static const struct proxy_tls tls = {.terminate = true, .certificate = usual_file, .key = key_file};

/* What is shown ---------------------------------------------------------------------------------------------------- */

#define OK "ok"

static const struct row {
	const char *fault, *options;
	bool vouched;              /* by the authority */
	const char *said;          /* by who verifies */
	bool same_key, expired;
} rows[] = {
	{"none", "", false, OK, true, false},
	{"tls_expired", "", false, "self-signed certificate", true, true},
	{"tls_expired", "ago=1s", false, "self-signed certificate", true, true},
	{"tls_expired", "ago=50000h", true, "certificate has expired", true, true},
	{"tls_expired", "ago=1s", true, "certificate has expired", true, true},
	{"tls_swap", "", false, "self-signed certificate", false, false},
	{"tls_swap", "name=echo.test", false, "self-signed certificate", false, false},
	{"tls_swap", "", true, OK, false, false},
	{"tls_swap", "name=wrong.test", true, "hostname mismatch", false, false},
	{"tls_swap", "name=echo.test", true, OK, false, false},
};

static void put(struct bed *b, const struct row *row)
{
	char options[256];
	int len = snprintf(options, sizeof(options), "%s", row->options);
	if (row->vouched)
		snprintf(options + len, sizeof(options) - (size_t)len, " authority=%s authority_key=%s", certs.ca_file, key_file);
	bed_toxic(b, row->fault, options, 0, 0);
}

static void assert_shown(struct visitor *v, const struct row *row)
{
	X509 *shown = SSL_get0_peer_certificate(v->ssl);
	assert_non_null(shown);
	assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(shown), certs.key), row->same_key);
	assert_int_equal(X509_cmp_current_time(X509_get0_notAfter(shown)) < 0, row->expired);
	assert_true(X509_cmp_current_time(X509_get0_notBefore(shown)) < 0);
	assert_true(ASN1_INTEGER_get(X509_get0_serialNumber(shown)) != 0);
}

static void test_what_is_shown(void **state)
{
	SSL_CTX *strict = client_context(true), *careless = client_context(false);
	char hit[64];
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *row = &rows[i];
		struct bed b;
		struct visitor before, v;
		bed_init(&b, 1);
		bed_proxy(&b, &tls);
		assert_string_equal(visit(&before, &b, strict, NULL), OK);
		put(&b, row);
		talk(&before); /* it has verified already */
		const char *said = visit(&v, &b, strict, NULL);
		if (strcmp(said, row->said) != 0)
			fail_msg("%s %s: '%s', not '%s'", row->fault, row->options, said, row->said);
		leave(&v);
		visit(&v, &b, careless, NULL);
		assert_shown(&v, row);
		talk(&v);
		snprintf(hit, sizeof(hit), "%s hit 3 downstream at=0", row->fault);
		assert_true(strcmp(row->fault, "none") == 0 || strstr(buf_cstr(&b.events), hit));
		leave(&v);
		proxy_toxics_clear(b.proxy);
		talk(&before);
		assert_string_equal(visit(&v, &b, strict, NULL), OK);
		talk(&v);
		leave(&v);
		leave(&before);
		bed_fini(&b);
	}
	SSL_CTX_free(strict);
	SSL_CTX_free(careless);
}

/* A file is shown as it is; the last toxic on the connection counts; who resumes a session is shown it, too. */
static void test_files_order_and_sessions(void **state)
{
	SSL_CTX *strict = client_context(true);
	struct bed b;
	struct visitor v;
	char options[256];
	(void)state;
	bed_init(&b, 1);
	bed_proxy(&b, &tls);
	assert_string_equal(visit(&v, &b, strict, NULL), OK);
	talk(&v);
	SSL_SESSION *session = SSL_get1_session(v.ssl);
	leave(&v);
	visit(&v, &b, strict, session);
	assert_true(SSL_session_reused(v.ssl));
	leave(&v);
	bed_toxic(&b, "tls_expired", "", 0, 0);
	snprintf(options, sizeof(options), "certificate=%s key=%s", other_file, key_file);
	bed_toxic(&b, "tls_swap", options, 0, 0);
	assert_string_equal(visit(&v, &b, strict, session), OK);
	assert_false(SSL_session_reused(v.ssl));
	assert_int_equal(X509_check_host(SSL_get0_peer_certificate(v.ssl), "other.test", 0, 0, NULL), 1);
	talk(&v);
	leave(&v);
	SSL_SESSION_free(session);
	SSL_CTX_free(strict);
	bed_fini(&b);
}

/* A key of another kind than the usual one's: nothing of that is offered any more. */
static void test_another_kind_of_key(void **state)
{
	SSL_CTX *careless = client_context(false);
	struct bed b;
	struct visitor v;
	char rsa_key[64], rsa_certificate[64];
	struct certs rsa = certs;
	(void)state;
	rsa.key = EVP_RSA_gen(2048);
	SSL_CTX *ctx = certs_server(&rsa, &(struct cert_spec){.san = "DNS:echo.test", .self_signed = true, .to_days = 1});
	FILE *f = make_file(rsa_key);
	PEM_write_PrivateKey(f, rsa.key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	f = make_file(rsa_certificate);
	PEM_write_X509(f, SSL_CTX_get0_certificate(ctx));
	fclose(f);
	struct proxy_tls of_rsa = {.terminate = true, .certificate = rsa_certificate, .key = rsa_key};
	bed_init(&b, 1);
	bed_proxy(&b, &of_rsa);
	bed_toxic(&b, "tls_swap", "", 0, 0);
	assert_int_equal(SSL_CTX_set1_sigalgs_list(careless, "rsa_pss_rsae_sha256:ecdsa_secp256r1_sha256"), 1);
	visit(&v, &b, careless, NULL);
	assert_int_equal(EVP_PKEY_get_base_id(X509_get0_pubkey(SSL_get0_peer_certificate(v.ssl))), EVP_PKEY_EC);
	leave(&v);
	bed_fini(&b);
	unlink(rsa_key);
	unlink(rsa_certificate);
	SSL_CTX_free(ctx);
	EVP_PKEY_free(rsa.key);
	SSL_CTX_free(careless);
}

/* Where no TLS is ended, or something is wrong, there is no such toxic. */
static void test_refusals(void **state)
{
	static const struct {
		bool ends_tls;
		const char *fault;
		int error;
		const char *words;
	} refused[] = {
		{false, "tls_expired", -ENOTSUP, "only a proxy with \"tls\" can"},
		{false, "tls_swap", -ENOTSUP, "only a proxy with \"tls\" can"},
		{true, "tls_swap", 0, ""},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		struct toxic_spec spec = {.fault = fault_find(refused[i].fault), .toxicity = 1};
		struct err e = {""};
		struct bed b;
		bed_init(&b, 1);
		bed_proxy(&b, refused[i].ends_tls ? &tls : NULL);
		assert_int_equal(proxy_toxic_add(b.proxy, &spec, NULL, &e), refused[i].error);
		assert_non_null(strstr(e.text, refused[i].words));
		assert_int_equal(proxy_toxics(b.proxy)->n, refused[i].error == 0);
		bed_fini(&b);
	}
}

static int setup(void **state)
{
	(void)state;
	certs_init(&certs);
	write_certificate(usual_file, &usual);
	write_certificate(other_file, &other);
	FILE *f = make_file(key_file);
	PEM_write_PrivateKey(f, certs.key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(usual_file);
	unlink(other_file);
	unlink(key_file);
	certs_fini(&certs);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_shown), cmocka_unit_test(test_files_order_and_sessions),
		cmocka_unit_test(test_another_kind_of_key), cmocka_unit_test(test_refusals),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
