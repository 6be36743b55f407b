#ifndef SERVER_REPLY_H
#define SERVER_REPLY_H

#include "server-under-test/base/bytes.h"
#include "server-under-test/http/handshake.h"

/* The 101 reply (RFC 6455 4.2.2 step 5). */
void reply_open(struct bytes *out, const struct handshake_verdict *verdict, const struct handshake_request *request,
		const char *conn_id);

/* A plain HTTP reply with a text body, after which the connection ends. Without a body when the method is HEAD. */
void reply_refuse(struct bytes *out, const struct handshake_verdict *verdict, const struct handshake_request *request,
		  const char *conn_id);

#endif
