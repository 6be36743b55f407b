#ifndef SERVER_TRUSTED_PROXIES_H
#define SERVER_TRUSTED_PROXIES_H

#include <stdint.h>

#include "server-under-test/config/config.h"
#include "server-under-test/base/err.h"
#include "server-under-test/http/handshake.h"
#include "server-under-test/log.h"

/* A network of IPv6; those of IPv4 are below ::ffff:0:0/96. */
struct network {
	uint8_t address[16];
	unsigned bits; /* that count, from the first one on */
};

/* Whose X-Forwarded-For is believed. */
struct trusted_proxies {
	struct network networks[CONFIG_LIST_MAX];
	unsigned count;
};

/*
 * Entries are addresses of IPv4 or IPv6, or networks such as 10.0.0.0/8. A bad one is not trusted: -EINVAL with the
 * sentence in err, and the good ones are set.
 */
int trusted_proxies_parse(struct trusted_proxies *proxies, const struct config_list *list, struct err *err);

/*
 * The address of the client: peer's own unless peer is trusted; then the right-most address of the field that is not
 * trusted itself, or the left-most one when all of them are. A malformed entry met on the way makes it peer's own.
 */
void trusted_proxies_client(const struct trusted_proxies *proxies, const char *peer, const struct field_lines *field,
			    char ip[LOG_IP_MAX]);

#endif
