/* HTTP replies of the naive engine with the bugs a 101 can have. */
#include "server-under-test/http/reply.h"

#include <stdarg.h>
#include <stdio.h>

#include "server-under-test/defects.h"
#include "server-under-test/http/http_status.h"

#define REPLY_LINE_MAX 512

/* One header line, CRLF included; cut at REPLY_LINE_MAX octets. */
__attribute__((format(printf, 2, 3)))
static void add(struct bytes *out, const char *format, ...)
{
	char line[REPLY_LINE_MAX];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (len >= (int)sizeof(line))
		len = sizeof(line) - 1;
	bytes_append(out, line, (size_t)len);
	bytes_append(out, "\r\n", 2);
}

static void add_accept(struct bytes *out, struct text key)
{
	char accept[HANDSHAKE_ACCEPT_LEN + 1];

	if (defect(accept_missing))
		return;
	if (defect(accept_of_empty_key))
		key.len = 0;
	handshake_accept(key, accept);
	add(out, "Sec-WebSocket-Accept: %s", accept);
	if (defect(accept_repeated))
		add(out, "Sec-WebSocket-Accept: %s", accept);
}

static void add_extensions(struct bytes *out, const struct handshake_request *r)
{
	if (defect(extension_invented) && r->extensions.count > 0)
		add(out, "Sec-WebSocket-Extensions: permessage-deflate");
	if (defect(extension_offer_repeated) && r->extensions.count > 0)
		add(out, "Sec-WebSocket-Extensions: %.*s", (int)r->extensions.v[0].len, r->extensions.v[0].p);
}

/* The comma join of all lines is what a header map of a web framework gives: the bug of hashing it is a real one. */
static struct text key_to_hash(const struct handshake_verdict *verdict, const struct handshake_request *r, char *join,
			       size_t max)
{
	int len;

	if (!defect(key_repeated_joined) || r->key.count < 2)
		return verdict->key;
	len = snprintf(join, max, "%.*s, %.*s", (int)r->key.v[0].len, r->key.v[0].p, (int)r->key.v[1].len, r->key.v[1].p);
	return text_of(join, len < (int)max ? (size_t)len : max - 1);
}

void reply_open(struct bytes *out, const struct handshake_verdict *verdict, const struct handshake_request *r,
		const char *conn_id)
{
	char join[128];

	add(out, "HTTP/1.1 101 Switching Protocols");
	if (!defect(reply_upgrade_missing))
		add(out, "Upgrade: websocket");
	if (!defect(reply_connection_missing))
		add(out, "Connection: Upgrade");
	add_accept(out, key_to_hash(verdict, r, join, sizeof(join)));
	if (verdict->subprotocol.len > 0) {
		add(out, "Sec-WebSocket-Protocol: %.*s", (int)verdict->subprotocol.len, verdict->subprotocol.p);
		if (defect(subprotocol_repeated))
			add(out, "Sec-WebSocket-Protocol: %.*s", (int)verdict->subprotocol.len, verdict->subprotocol.p);
	} else if (defect(subprotocol_empty_field)) {
		add(out, "Sec-WebSocket-Protocol: ");
	}
	add_extensions(out, r);
	add(out, "X-Wsquall-Conn: %s", conn_id);
	add(out, "%s", "");
}

void reply_refuse(struct bytes *out, const struct handshake_verdict *verdict, const struct handshake_request *r,
		  const char *conn_id)
{
	char body[REPLY_LINE_MAX];
	int len = snprintf(body, sizeof(body), "%s\n", verdict->why);

	add(out, "HTTP/1.1 %u %s", verdict->status, http_status_text(verdict->status));
	if (verdict->status == 426)
		add(out, "Upgrade: websocket");
	if (verdict->version_field && !defect(version_field_missing))
		add(out, "Sec-WebSocket-Version: %s", defect(version_field_wrong) ? "8" : "13");
	if (verdict->status == 405)
		add(out, "Allow: GET");
	if (verdict->status == 503)
		add(out, "Retry-After: 1");
	add(out, verdict->status == 426 ? "Connection: Upgrade, close" : "Connection: close");
	add(out, "Content-Type: text/plain; charset=utf-8");
	add(out, "Content-Length: %d", len);
	add(out, "X-Wsquall-Conn: %s", conn_id);
	add(out, "%s", "");
	if (!text_equal(r->method, "HEAD"))
		bytes_append(out, body, (size_t)len);
}
