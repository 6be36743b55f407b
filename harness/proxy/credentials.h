#pragma once
/* What a proxy that ends TLS needs for it: a certificate towards clients, whom to trust towards the upstream. */
#include "harness/base/arena.h"
#include "harness/net/tls.h"
#include "harness/proxy/proxy.h"

struct credentials {
	struct proxy_tls o;           /* as given */
	struct arena arena;           /* its texts */
	struct tls_context *server;   /* towards the client */
	struct tls_context *client;   /* towards the upstream; NULL: plain TCP */
	char *name;                   /* asked for in the upstream's certificate */
};

/* host: the upstream's. NULL is given when o does not terminate. -ENOENT, -EINVAL with a sentence. */
int credentials_new(const struct proxy_tls *o, const char *host, struct credentials **ret, struct err *e);
void credentials_free(struct credentials *c);
/* The upstream is another host now. */
void credentials_set_host(struct credentials *c, const char *host);
