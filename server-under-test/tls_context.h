#ifndef SERVER_TLS_CONTEXT_H
#define SERVER_TLS_CONTEXT_H

#include <openssl/ssl.h>

#include "server-under-test/config/config.h"
#include "server-under-test/base/err.h"

/* Made from config->tls_cert and config->tls_key as they are now; NULL with the sentence in err when they are bad. */
SSL_CTX *tls_context_new(const struct config *config, struct err *err);

#endif
