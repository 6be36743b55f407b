#pragma once
/* TLS by OpenSSL as a filter over any stream. Verification is on unless told otherwise. TLS 1.2 or newer. */
#include <stdbool.h>

#include "harness/base/err.h"
#include "harness/net/loop.h"
#include "harness/net/stream.h"

struct tls_context;

struct tls_options {
	const char *ca_file;  /* PEM; NULL: the system's store */
	bool insecure;        /* do not verify; the report says so */
	const char *alpn;     /* one protocol, e.g. "http/1.1"; NULL: no ALPN */
};

/* -ENOENT (or what opening it gave) or -EINVAL with a sentence when the CA file cannot be read, -EINVAL for an ALPN
 * name that is empty or longer than 255 octets. */
int tls_context_new(const struct tls_options *o, struct tls_context **ret_context, struct err *e);
void tls_context_free(struct tls_context *c);

/* Takes `below` (also on failure, which frees it); open already, or still to open. on_open comes after the TLS
 * handshake, for which there is no deadline here (dial() has one). server_name: SNI (not sent for IP literals; brackets
 * around IPv6 are fine) and the name or address that the certificate must carry (RFC 6125; subjectAltName only); NULL:
 * no SNI, no name check. on_error(-EPROTO): stream_error_text is e.g. "certificate verify failed: self-signed
 * certificate". */
int tls_client_new(struct loop *l, struct tls_context *c, struct stream *below, const char *server_name,
		   const struct stream_events *events, void *owner, struct stream **ret_stream);
