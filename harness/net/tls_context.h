#pragma once
/* Between tls_context.c and tls.c only: a client connection set up by a context. */
#include <openssl/ssl.h>

#include "harness/net/tls.h"

/* A client with memory BIOs that tell "try again" when empty; ret_in and ret_out belong to ret_ssl. -EINVAL for a
 * server name that cannot be one, -ENOMEM. */
int tls_context_client(struct tls_context *c, const char *server_name, SSL **ret_ssl, BIO **ret_in, BIO **ret_out);
