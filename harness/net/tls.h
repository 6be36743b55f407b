#pragma once
/* TLS by OpenSSL as a filter over any stream. A client's verification is on unless told otherwise. TLS 1.2 or newer. */
#include <stdbool.h>

#include "harness/base/err.h"
#include "harness/net/loop.h"
#include "harness/net/stream.h"

struct tls_context;

struct tls_options {
	const char *ca_file;  /* PEM; NULL: the system's store */
	bool insecure;        /* do not verify; the report says so */
	const char *alpn;     /* one protocol, e.g. "http/1.1"; NULL: no ALPN */
	bool old;             /* offer TLS 1.0 and 1.1 and nothing newer: to see whether a server still takes them */
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

/* Of the newest connection of a client's context that opened: seconds until the first certificate of the chain it was
 * shown ends (below 0: it has), and the version, such as "TLSv1.3". False: none has opened, or it had no certificate.
 */
bool tls_context_seen(const struct tls_context *c, int64_t *ret_left_s, const char **ret_version);

/* As a server ------------------------------------------------------------------------------------------------------ */

enum { TLS_SELF_SIGNED_DAYS = 30 };

struct tls_server_options {
	const char *certificate; /* PEM: the server's, then its chain. NULL: one made now, self-signed:
				    for localhost, 127.0.0.1 and ::1, valid for TLS_SELF_SIGNED_DAYS */
	const char *key;         /* PEM, without a passphrase; NULL: with the certificate's NULL, or in its file */
	const char *alpn;        /* the one protocol spoken; NULL: ALPN is not answered */
};

/* For tls_server_new only; freed by tls_context_free. -ENOENT (or what opening a file gave) or -EINVAL, with a
 * sentence. */
int tls_server_context_new(const struct tls_server_options *o, struct tls_context **ret_context, struct err *e);
/* As tls_client_new: on_open comes after the handshake. A client without the protocol of `alpn` is refused. */
int tls_server_new(struct loop *l, struct tls_context *c, struct stream *below, const struct stream_events *events,
		   void *owner, struct stream **ret_stream);

struct tls_copy_options {
	bool other_key;          /* a new key; else the same one */
	const char *name;        /* the only DNS name in it; NULL: the names are the same */
	uint64_t ended_s;        /* it ended so many seconds ago; 0: it is good for nearly TLS_SELF_SIGNED_DAYS */
	const char *authority;   /* PEM: who signs it, which is sent along; NULL: itself */
	const char *authority_key;
};
/* A context whose certificate is the usual one made anew, with what the options say. As tls_server_context_new. */
int tls_server_copy_new(const struct tls_context *usual, const struct tls_copy_options *o,
			struct tls_context **ret_context, struct err *e);
/* Before any octet has come: the server s, made by tls_server_new, shows the certificate of another context, which may
 * go afterwards, and resumes no session. -ENOMEM. */
int tls_server_show(struct stream *s, const struct tls_context *shown);
