/* Certificates of every kind that a client must accept or refuse, by OpenSSL's API: no files, no clock but today's. */
#include "harness/net/test_certs.h"

#include <assert.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void add_extension(X509 *cert, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert(extension);
	X509_add_ext(cert, extension, -1);
	X509_EXTENSION_free(extension);
}

static X509 *make(EVP_PKEY *key, const char *common_name, X509 *issuer, int from_days, int to_days)
{
	static long serial = 1;
	X509 *cert = X509_new();
	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(cert), from_days * 86400L);
	X509_gmtime_adj(X509_getm_notAfter(cert), to_days * 86400L);
	X509_set_pubkey(cert, key);
	X509_NAME *name = X509_get_subject_name(cert);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)common_name, -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(issuer ? issuer : cert));
	return cert;
}

void certs_init(struct certs *c)
{
	const char *folder = getenv("TMPDIR");
	c->key = EVP_EC_gen("P-256");
	c->authority = make(c->key, "test authority", NULL, -1, 30);
	add_extension(c->authority, NID_basic_constraints, "critical,CA:TRUE");
	add_extension(c->authority, NID_key_usage, "critical,keyCertSign");
	X509_sign(c->authority, c->key, EVP_sha256());
	snprintf(c->ca_file, sizeof(c->ca_file), "%s/test-ca-XXXXXX", folder && strlen(folder) < 40 ? folder : "/tmp");
	int fd = mkstemp(c->ca_file);
	FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
	assert(f);
	PEM_write_X509(f, c->authority);
	fclose(f);
}

void certs_fini(struct certs *c)
{
	unlink(c->ca_file);
	X509_free(c->authority);
	EVP_PKEY_free(c->key);
}

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
		       unsigned in_len, void *arg)
{
	const char *name = arg;
	(void)ssl;
	for (unsigned at = 0; at < in_len && at + in[at] < in_len; at += 1u + in[at]) {
		if (in[at] == strlen(name) && memcmp(in + at + 1, name, in[at]) == 0) {
			*out = in + at + 1;
			*out_len = in[at];
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

SSL_CTX *certs_server(const struct certs *c, const struct cert_spec *spec)
{
	X509 *issuer = spec->self_signed ? NULL : c->authority;
	X509 *cert = make(c->key, spec->common_name ? spec->common_name : "server", issuer, spec->from_days, spec->to_days);
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	if (spec->san)
		add_extension(cert, NID_subject_alt_name, spec->san);
	X509_sign(cert, c->key, EVP_sha256());
	if (spec->max_version && spec->max_version < TLS1_2_VERSION) {
		SSL_CTX_set_security_level(ctx, 0);
		SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
	}
	if (spec->max_version)
		SSL_CTX_set_max_proto_version(ctx, spec->max_version);
	if (spec->alpn)
		SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, (void *)(uintptr_t)spec->alpn);
	SSL_CTX_use_certificate(ctx, cert);
	SSL_CTX_use_PrivateKey(ctx, c->key);
	X509_free(cert);
	return ctx;
}
