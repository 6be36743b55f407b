#pragma once
/* Opening a connection: name resolution, source address, connect timeout, IPv4 and IPv6, TLS on top. */
#include <netinet/in.h>

#include "harness/base/err.h"
#include "harness/net/loop.h"
#include "harness/net/stream.h"
#include "harness/net/tls.h"

struct netns;

struct dial_addresses {
	struct sockaddr_storage list[DIAL_ADDRESSES_MAX];
	size_t n;
};

/* Blocking, for start-up. host: a name, an IPv4 literal, or an IPv6 literal with or without brackets. In the resolver's
 * order (RFC 6724), at most DIAL_ADDRESSES_MAX. -EHOSTUNREACH when it does not resolve. */
int dial_resolve(const char *host, uint16_t port, struct dial_addresses *ret_addresses, struct err *e);

struct dial_options {
	const struct dial_addresses *addresses; /* tried in order, each with the whole timeout; outlives the dial */
	const char *source;                     /* source address literal, or NULL; addresses of the other family fail */
	uint32_t connect_timeout_ms;            /* 0: CONNECT_TIMEOUT_MS; TLS handshake included */
	struct tls_context *tls;                /* NULL: plain TCP; outlives the stream */
	const char *server_name;                /* SNI and the name to verify; NULL: none sent, none verified */
	const struct netns *netns;              /* connect from inside it (netns.h); NULL: ours; outlives the dial */
	int receive_buffer;                     /* octets of SO_RCVBUF; 0: the kernel's */
};

/* The stream exists at once; on_open or on_error tells the end. -EINVAL for a bad source address or no addresses,
 * -ENOMEM. on_error before on_open is that of the last address tried; a TLS failure (-EPROTO) is final, the next
 * address is not tried. */
int dial(struct loop *l, const struct dial_options *o, const struct stream_events *events, void *owner,
	 struct stream **ret_stream);
