/*
 * The address of Redis. getaddrinfo() may take seconds when a name server is away, so names go through glibc's
 * getaddrinfo_a(), which asks in a thread of its own; numbers never do.
 */
#include "server-under-test/store/store_redis_address.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct redis_lookup {
	struct gaicb request;
	struct addrinfo hints;
	char host[256];
	char port[8];
};

static bool port_ok(const char *port)
{
	size_t len = strlen(port);

	return len > 0 && len < 6 && strspn(port, "0123456789") == len && atoi(port) > 0 && atoi(port) < 65536;
}

int redis_address_parse(struct redis_address *address, const char *text, struct err *err)
{
	const char *host = text, *colon = strrchr(text, ':');
	size_t len;

	*address = (struct redis_address){ .unix_path.sun_family = AF_UNIX };
	if (strncmp(text, "unix:", 5) == 0) {
		len = strlen(text + 5);
		if (len == 0 || len >= sizeof(address->unix_path.sun_path)) {
			err_set(err, "the path in redis.address %s is empty or too long", text);
			return -EINVAL;
		}
		memcpy(address->unix_path.sun_path, text + 5, len + 1);
		return 0;
	}
	len = colon ? (size_t)(colon - text) : 0;
	if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
		host++;
		len -= 2;
	} else if (len && (memchr(host, ':', len) || memchr(host, '[', len))) {
		len = 0; /* an IPv6 address without brackets: which colon starts the port? */
	}
	if (len == 0 || len >= sizeof(address->host) || !port_ok(colon + 1)) {
		err_set(err, "redis.address %s is neither HOST:PORT, [IPV6]:PORT nor unix:PATH", text);
		return -EINVAL;
	}
	memcpy(address->host, host, len);
	memcpy(address->port, colon + 1, strlen(colon + 1) + 1);
	return 0;
}

static void found_clear(struct redis_address *address)
{
	if (address->found)
		freeaddrinfo(address->found);
	address->found = NULL;
}

/* A look-up that cannot be cancelled is left to end by itself: it happens when the process ends, at most once. */
static void lookup_drop(struct redis_address *address)
{
	struct redis_lookup *lookup = address->lookup;

	address->lookup = NULL;
	if (!lookup || gai_cancel(&lookup->request) == EAI_NOTCANCELED)
		return;
	if (lookup->request.ar_result)
		freeaddrinfo(lookup->request.ar_result);
	free(lookup);
}

void redis_address_fini(struct redis_address *address)
{
	lookup_drop(address);
	found_clear(address);
}

void redis_address_look_up(struct redis_address *address)
{
	struct addrinfo numeric = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
	struct redis_lookup *lookup;
	struct gaicb *list[1];

	if (address->unix_path.sun_path[0] || address->lookup)
		return;
	found_clear(address);
	if (getaddrinfo(address->host, address->port, &numeric, &address->found) == 0)
		return;
	address->found = NULL;
	lookup = calloc(1, sizeof(*lookup));
	if (!lookup)
		abort();
	memcpy(lookup->host, address->host, sizeof(lookup->host));
	memcpy(lookup->port, address->port, sizeof(lookup->port));
	lookup->hints = (struct addrinfo){ .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
	lookup->request = (struct gaicb){
		.ar_name = lookup->host, .ar_service = lookup->port, .ar_request = &lookup->hints
	};
	list[0] = &lookup->request;
	if (getaddrinfo_a(GAI_NOWAIT, list, 1, NULL) == 0)
		address->lookup = lookup;
	else
		free(lookup);
}

static const struct addrinfo *found_next(struct redis_address *address)
{
	unsigned count = 0, turn;
	const struct addrinfo *info;

	for (info = address->found; info; info = info->ai_next)
		count++;
	if (!count)
		return NULL;
	turn = address->turn++ % count;
	for (info = address->found; turn; turn--)
		info = info->ai_next;
	return info;
}

int redis_address_ready(struct redis_address *address, const struct sockaddr **ret, socklen_t *ret_len)
{
	const struct addrinfo *next;

	if (address->unix_path.sun_path[0]) {
		*ret = (const struct sockaddr *)&address->unix_path;
		*ret_len = sizeof(address->unix_path);
		return 0;
	}
	if (address->lookup) {
		if (gai_error(&address->lookup->request) == EAI_INPROGRESS)
			return -EINPROGRESS;
		address->found = address->lookup->request.ar_result;
		address->lookup->request.ar_result = NULL;
		free(address->lookup);
		address->lookup = NULL;
	}
	next = found_next(address);
	if (!next)
		return -ENOENT;
	*ret = next->ai_addr;
	*ret_len = next->ai_addrlen;
	return 0;
}
