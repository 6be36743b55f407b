/* What all TLS connections of a target share, and whom each of them trusts: versions, ALPN, authorities, the name in
 * the certificate. */
#include "harness/net/tls_context.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <unistd.h>

enum { SERVER_NAME_MAX = 254 };

static int load_authorities(SSL_CTX *ctx, const char *ca_file, struct err *e)
{
	if (!ca_file && SSL_CTX_set_default_verify_paths(ctx) != 1)
		return err_set(e, EINVAL, "the system's certificate store cannot be read");
	if (!ca_file)
		return 0;
	if (access(ca_file, R_OK) < 0)
		return err_set(e, errno, "CA file '%s': %s", ca_file, strerror(errno));
	ERR_clear_error();
	if (SSL_CTX_load_verify_locations(ctx, ca_file, NULL) == 1)
		return 0;
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());
	return err_set(e, EINVAL, "CA file '%s' holds no certificate in PEM: %s", ca_file, reason ? reason : "unknown reason");
}

static int set_alpn(SSL_CTX *ctx, const char *protocol, struct err *e)
{
	uint8_t list[256];
	size_t len = strlen(protocol);
	if (len == 0 || len > 255)
		return err_set(e, EINVAL, "an ALPN name has 1 to 255 octets");
	list[0] = (uint8_t)len;
	memcpy(list + 1, protocol, len);
	return SSL_CTX_set_alpn_protos(ctx, list, (unsigned)len + 1) == 0 ? 0 : err_set(e, ENOMEM, "out of memory");
}

struct tls_context *tls_context_make(const SSL_METHOD *method)
{
	struct tls_context *c = calloc(1, sizeof(*c));
	if (!c || !(c->ctx = SSL_CTX_new(method))) {
		free(c);
		return NULL;
	}
	SSL_CTX_set_min_proto_version(c->ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(c->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_OFF);
	return c;
}

int tls_context_new(const struct tls_options *o, struct tls_context **ret_context, struct err *e)
{
	struct tls_context *c = tls_context_make(TLS_client_method());
	if (!c)
		return err_set(e, ENOMEM, "out of memory");
	if (o->old) {
		SSL_CTX_set_min_proto_version(c->ctx, TLS1_VERSION);
		SSL_CTX_set_max_proto_version(c->ctx, TLS1_1_VERSION);
		SSL_CTX_set_security_level(c->ctx, 0); /* else OpenSSL 3 does not sign with SHA-1, which these need */
	}
	SSL_CTX_set_verify(c->ctx, o->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
	int r = o->insecure && !o->ca_file ? 0 : load_authorities(c->ctx, o->ca_file, e);
	if (r == 0 && o->alpn)
		r = set_alpn(c->ctx, o->alpn, e);
	if (r < 0) {
		tls_context_free(c);
		return r;
	}
	*ret_context = c;
	return 0;
}

void tls_context_free(struct tls_context *c)
{
	if (!c)
		return;
	SSL_CTX_free(c->ctx);
	free(c->alpn);
	free(c);
}

/* SNI holds a name without its final dot, never an address (RFC 6066 3). */
static int set_server_name(SSL *ssl, const char *server_name)
{
	char name[SERVER_NAME_MAX + 1];
	uint8_t address[sizeof(struct in6_addr)];
	size_t len = strlen(server_name);
	if (len >= 2 && server_name[0] == '[' && server_name[len - 1] == ']') {
		server_name++;
		len -= 2;
	}
	if (len > 1 && server_name[len - 1] == '.')
		len--;
	if (len == 0 || len > SERVER_NAME_MAX)
		return -EINVAL;
	memcpy(name, server_name, len);
	name[len] = 0;
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1 ? 0 : -ENOMEM;
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	if (X509_VERIFY_PARAM_set1_host(param, name, len) != 1 || SSL_set_tlsext_host_name(ssl, name) != 1)
		return -EINVAL;
	return 0;
}

int tls_context_connection(struct tls_context *c, const char *server_name, SSL **ret_ssl, BIO **ret_in, BIO **ret_out)
{
	SSL *ssl = SSL_new(c->ctx);
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	if (!ssl || !in || !out) {
		BIO_free(in);
		BIO_free(out);
		SSL_free(ssl);
		return -ENOMEM;
	}
	BIO_set_mem_eof_return(in, -1);
	BIO_set_mem_eof_return(out, -1);
	SSL_set_bio(ssl, in, out);
	if (c->serves)
		SSL_set_accept_state(ssl);
	else
		SSL_set_connect_state(ssl);
	int r = server_name ? set_server_name(ssl, server_name) : 0;
	if (r < 0) {
		SSL_free(ssl);
		return r;
	}
	*ret_ssl = ssl;
	*ret_in = in;
	*ret_out = out;
	return 0;
}

static void look_at(struct tls_context *c, const X509 *certificate)
{
	int days, seconds;
	if (!ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(certificate)))
		return;
	int64_t left_s = (int64_t)days * 24 * 60 * 60 + seconds;
	c->left_s = !c->seen || left_s < c->left_s ? left_s : c->left_s;
	c->seen = true;
}

void tls_context_look(struct tls_context *c, SSL *ssl)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl); /* of a client: the server's own is the first */
	c->seen = false;
	for (int i = 0; chain && i < sk_X509_num(chain); i++)
		look_at(c, sk_X509_value(chain, i));
	c->version = SSL_get_version(ssl);
}

bool tls_context_seen(const struct tls_context *c, int64_t *ret_left_s, const char **ret_version)
{
	if (!c->seen)
		return false;
	*ret_left_s = c->left_s;
	*ret_version = c->version;
	return true;
}
