/* What a server shows to its clients: a certificate from files, or one made on the spot for tests on this machine. */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/net/tls_context.h"

enum { DAY_S = 86400 };

static int refusal(const char *what, const char *file, struct err *e)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());
	return err_set(e, EINVAL, "%s file '%s' cannot be used: %s", what, file, reason ? reason : "unknown reason");
}

static int load_files(SSL_CTX *ctx, const struct tls_server_options *o, struct err *e)
{
	const char *key = o->key ? o->key : o->certificate;
	if (access(o->certificate, R_OK) < 0)
		return err_set(e, errno, "certificate file '%s': %s", o->certificate, strerror(errno));
	if (access(key, R_OK) < 0)
		return err_set(e, errno, "key file '%s': %s", key, strerror(errno));
	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(ctx, o->certificate) != 1)
		return refusal("certificate", o->certificate, e);
	if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		return refusal("key", key, e);
	return 0;
}

static bool add_names(X509 *certificate)
{
	X509V3_CTX ctx;
	X509V3_set_ctx(&ctx, certificate, certificate, NULL, NULL, 0);
	X509_EXTENSION *names =
		X509V3_EXT_conf_nid(NULL, &ctx, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1");
	bool ok = names && X509_add_ext(certificate, names, -1) == 1;
	X509_EXTENSION_free(names);
	return ok;
}

static bool fill(X509 *certificate, EVP_PKEY *key)
{
	X509_NAME *name = X509_get_subject_name(certificate);
	return X509_set_version(certificate, 2) && ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) &&
	       X509_gmtime_adj(X509_getm_notBefore(certificate), -DAY_S) &&
	       X509_gmtime_adj(X509_getm_notAfter(certificate), (long)TLS_SELF_SIGNED_DAYS * DAY_S) &&
	       X509_set_pubkey(certificate, key) &&
	       X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1, 0) &&
	       X509_set_issuer_name(certificate, name) && add_names(certificate) &&
	       X509_sign(certificate, key, EVP_sha256()) > 0;
}

static int sign_one(SSL_CTX *ctx, struct err *e)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();
	bool ok = key && certificate && fill(certificate, key) && SSL_CTX_use_certificate(ctx, certificate) == 1 &&
		  SSL_CTX_use_PrivateKey(ctx, key) == 1;
	X509_free(certificate);
	EVP_PKEY_free(key);
	return ok ? 0 : err_set(e, ENOMEM, "a certificate cannot be made");
}

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
		       unsigned in_len, void *arg)
{
	const char *ours = arg;
	(void)ssl;
	for (unsigned at = 0; at < in_len && at + in[at] < in_len; at += 1u + in[at])
		if (in[at] == strlen(ours) && memcmp(in + at + 1, ours, in[at]) == 0) {
			*out = in + at + 1;
			*out_len = in[at];
			return SSL_TLSEXT_ERR_OK;
		}
	return SSL_TLSEXT_ERR_ALERT_FATAL; /* no_application_protocol, RFC 7301 3.2 */
}

static int set_alpn(struct tls_context *c, const char *alpn, struct err *e)
{
	size_t len = strlen(alpn);
	if (len == 0 || len > 255)
		return err_set(e, EINVAL, "an ALPN name has 1 to 255 octets");
	if (!(c->alpn = strdup(alpn)))
		return err_set(e, ENOMEM, "out of memory");
	SSL_CTX_set_alpn_select_cb(c->ctx, choose_alpn, c->alpn);
	return 0;
}

int tls_server_context_new(const struct tls_server_options *o, struct tls_context **ret_context, struct err *e)
{
	if (o->key && !o->certificate)
		return err_set(e, EINVAL, "a key without a certificate");
	struct tls_context *c = tls_context_make(TLS_server_method());
	if (!c)
		return err_set(e, ENOMEM, "out of memory");
	c->serves = true;
	int r = o->certificate ? load_files(c->ctx, o, e) : sign_one(c->ctx, e);
	if (r == 0 && o->alpn)
		r = set_alpn(c, o->alpn, e);
	if (r < 0) {
		tls_context_free(c);
		return r;
	}
	*ret_context = c;
	return 0;
}
