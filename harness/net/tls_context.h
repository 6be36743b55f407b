#pragma once
/* Between tls_context.c, tls_server.c, tls_copy.c and tls.c only. */
#include <openssl/ssl.h>

#include "harness/net/tls.h"

struct tls_context {
	SSL_CTX *ctx;
	bool serves;
	char *alpn; /* of a server; NULL: none */
	bool seen;           /* of a client: a server's chain, on the newest connection that opened */
	int64_t left_s;
	const char *version;
};

/* A context with what clients and servers have in common, or NULL. */
struct tls_context *tls_context_make(const SSL_METHOD *method);
/* One end of a connection with memory BIOs that tell "try again" when empty; ret_in and ret_out belong to ret_ssl.
 * server_name: of a client. -EINVAL for a server name that cannot be one, -ENOMEM. */
int tls_context_connection(struct tls_context *c, const char *server_name, SSL **ret_ssl, BIO **ret_in, BIO **ret_out);
/* A client's connection is open: remembers what tls_context_seen() tells. */
void tls_context_look(struct tls_context *c, SSL *ssl);
/* tls_server_show */
int tls_context_show(const struct tls_context *shown, SSL *ssl);
