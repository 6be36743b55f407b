#ifndef SERVER_STORE_REDIS_ADDRESS_H
#define SERVER_STORE_REDIS_ADDRESS_H

#include <netdb.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "server-under-test/base/err.h"

/*
 * Where Redis is: `unix:/path`, `host:port` or `[v6]:port`. A name is looked up again for every attempt to connect,
 * since it is how a failover shows, and without blocking the loop.
 */
struct redis_address {
	struct sockaddr_un unix_path; /* sun_path "": TCP */
	char host[256];
	char port[8];
	struct redis_lookup *lookup; /* NULL: none under way */
	struct addrinfo *found; /* the last answer */
	unsigned turn; /* which of several addresses is next */
};

/* 0, or -EINVAL with the sentence in err. */
int redis_address_parse(struct redis_address *address, const char *text, struct err *err);
void redis_address_fini(struct redis_address *address);

/* Begins to find out; redis_address_ready tells when it is done. */
void redis_address_look_up(struct redis_address *address);
/* -EINPROGRESS, 0 with the next address to try (borrowed until the next look-up), or -ENOENT: there is none. */
int redis_address_ready(struct redis_address *address, const struct sockaddr **ret, socklen_t *ret_len);

#endif
