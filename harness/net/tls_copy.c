/*
 * A server's certificate made anew with one thing wrong, or only another key: what verifies certificates is to be shown
 * the same names and extensions, so that it is that one thing it sees.
 */
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "harness/net/tls_context.h"

enum { DAY_S = 86400 };

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, "a certificate cannot be made");
}

/* RFC 5280 4.1.2.2: no two of one issuer have the same. */
static bool number(X509 *certificate)
{
	uint64_t serial;
	return RAND_bytes((unsigned char *)&serial, sizeof(serial)) == 1 &&
	       ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1 | 1) == 1;
}

static bool date(X509 *certificate, uint64_t ended_s)
{
	long length = (long)TLS_SELF_SIGNED_DAYS * DAY_S, to = ended_s ? -(long)ended_s : length - DAY_S;
	return X509_gmtime_adj(X509_getm_notBefore(certificate), to - length) &&
	       X509_gmtime_adj(X509_getm_notAfter(certificate), to);
}

static bool name(X509 *certificate, const char *text)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	GENERAL_NAME *one = GENERAL_NAME_new();
	ASN1_IA5STRING *value = ASN1_IA5STRING_new();
	bool ok = names && one && value && ASN1_STRING_set(value, text, -1) == 1 && sk_GENERAL_NAME_push(names, one) > 0;
	if (ok) {
		GENERAL_NAME_set0_value(one, GEN_DNS, value);
		ok = X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, X509V3_ADD_REPLACE) == 1;
	} else {
		ASN1_IA5STRING_free(value);
		GENERAL_NAME_free(one);
	}
	GENERAL_NAMES_free(names);
	return ok;
}

/* The extension that names the key of the former issuer goes. */
static void forget_issuer(X509 *certificate)
{
	int at = X509_get_ext_by_NID(certificate, NID_authority_key_identifier, -1);
	if (at >= 0)
		X509_EXTENSION_free(X509_delete_ext(certificate, at));
}

/* Some keys (RFC 8032) have no digest to be chosen. */
static bool sign(X509 *certificate, X509 *issuer, EVP_PKEY *key)
{
	forget_issuer(certificate);
	return X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 &&
	       (X509_sign(certificate, key, EVP_sha256()) > 0 || X509_sign(certificate, key, NULL) > 0);
}

/* What a client is sent behind the certificate: its issuer, and who vouches for that one. */
static bool add_chain(SSL_CTX *ctx, SSL_CTX *authority)
{
	STACK_OF(X509) *above = NULL;
	bool ok = SSL_CTX_add1_chain_cert(ctx, SSL_CTX_get0_certificate(authority)) == 1;
	SSL_CTX_get0_chain_certs(authority, &above);
	for (int i = 0; ok && i < sk_X509_num(above); i++)
		ok = SSL_CTX_add1_chain_cert(ctx, sk_X509_value(above, i)) == 1;
	return ok;
}

/* authority: NULL: none. */
static bool fill(SSL_CTX *ctx, SSL_CTX *usual, SSL_CTX *authority, const struct tls_copy_options *o)
{
	X509 *certificate = X509_dup(SSL_CTX_get0_certificate(usual));
	EVP_PKEY *key = o->other_key ? EVP_EC_gen("P-256") : SSL_CTX_get0_privatekey(usual);
	X509 *issuer = authority ? SSL_CTX_get0_certificate(authority) : certificate;
	EVP_PKEY *issuer_key = authority ? SSL_CTX_get0_privatekey(authority) : key;
	bool ok = certificate && key && number(certificate) && date(certificate, o->ended_s) &&
		  (!o->name || name(certificate, o->name)) && X509_set_pubkey(certificate, key) == 1 &&
		  sign(certificate, issuer, issuer_key) && SSL_CTX_use_certificate(ctx, certificate) == 1 &&
		  SSL_CTX_use_PrivateKey(ctx, key) == 1 && (!authority || add_chain(ctx, authority));
	if (o->other_key)
		EVP_PKEY_free(key);
	X509_free(certificate);
	return ok;
}

int tls_server_copy_new(const struct tls_context *usual, const struct tls_copy_options *o,
			struct tls_context **ret_context, struct err *e)
{
	struct tls_server_options signer = {.certificate = o->authority, .key = o->authority_key};
	struct tls_context *authority = NULL, *c;
	int r = o->authority ? tls_server_context_new(&signer, &authority, e) : 0;
	if (r < 0)
		return r;
	c = tls_context_make(TLS_server_method());
	if (!c || !fill(c->ctx, usual->ctx, authority ? authority->ctx : NULL, o)) {
		tls_context_free(TAKE_PTR(c));
		r = no_memory(e);
	}
	tls_context_free(authority);
	if (r == 0) {
		c->serves = true;
		*ret_context = c;
	}
	return r;
}

int tls_context_show(const struct tls_context *shown, SSL *ssl)
{
	STACK_OF(X509) *above = NULL;
	SSL_CTX_get0_chain_certs(shown->ctx, &above);
	SSL_set_options(ssl, SSL_OP_NO_TICKET); /* who resumes a session is shown none */
	SSL_certs_clear(ssl); /* of other kinds of keys, too */
	return SSL_use_cert_and_key(ssl, SSL_CTX_get0_certificate(shown->ctx), SSL_CTX_get0_privatekey(shown->ctx), above,
				    1) == 1 ? 0 : -ENOMEM;
}
