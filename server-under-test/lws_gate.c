/*
 * The opening handshake of TLS connections: the library parses, this decides. What its header table cannot show
 * (empty fields, the request-target before it was decoded, octets it skips) cannot be judged here; those are the
 * library's known deviations. Plain connections have been judged at the door before (door.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server-under-test/handshake_rules.h"
#include "server-under-test/lws_engine.h"
#include "server-under-test/reply.h"

#define GATE_TEXT_MAX (16 * 1024)

/* The texts of one request, copied out of the library's table. */
struct gate {
	char text[GATE_TEXT_MAX];
	size_t used;
	struct handshake_request request;
};

static struct text copy_fragment(struct gate *gate, struct lws *wsi, enum lws_token_indexes token, int index)
{
	char *to = gate->text + gate->used;
	int len = lws_hdr_copy_fragment(wsi, to, (int)(GATE_TEXT_MAX - gate->used), token, index);

	if (len < 0)
		return text_of("", 0);
	gate->used += (size_t)len + 1;
	return text_of(to, (size_t)len);
}

static void copy_field(struct gate *gate, struct lws *wsi, enum lws_token_indexes token, struct field_lines *lines)
{
	for (int i = 0; lws_hdr_fragment_length(wsi, token, i) > 0; i++)
		field_lines_add(lines, copy_fragment(gate, wsi, token, i));
}

static void copy_target(struct gate *gate, struct lws *wsi)
{
	static const struct {
		enum lws_token_indexes token;
		const char *method;
	} methods[] = {
		{ WSI_TOKEN_GET_URI, "GET" },	  { WSI_TOKEN_POST_URI, "POST" },     { WSI_TOKEN_HEAD_URI, "HEAD" },
		{ WSI_TOKEN_PUT_URI, "PUT" },	  { WSI_TOKEN_PATCH_URI, "PATCH" },   { WSI_TOKEN_DELETE_URI, "DELETE" },
		{ WSI_TOKEN_CONNECT, "CONNECT" }, { WSI_TOKEN_OPTIONS_URI, "OPTIONS" },
	};

	for (size_t i = 0; i < LWS_ARRAY_SIZE(methods); i++) {
		if (lws_hdr_total_length(wsi, methods[i].token) > 0) {
			gate->request.method = text_from(methods[i].method);
			gate->request.target = copy_fragment(gate, wsi, methods[i].token, 0);
			return;
		}
	}
	gate->request.method = text_from("GET");
	gate->request.target = text_from("/");
}

static void gate_read(struct gate *gate, struct lws *wsi)
{
	struct handshake_request *r = &gate->request;
	const struct {
		enum lws_token_indexes token;
		struct field_lines *lines;
	} fields[] = {
		{ WSI_TOKEN_HOST, &r->host },
		{ WSI_TOKEN_UPGRADE, &r->upgrade },
		{ WSI_TOKEN_CONNECTION, &r->connection },
		{ WSI_TOKEN_KEY, &r->key },
		{ WSI_TOKEN_VERSION, &r->version },
		{ WSI_TOKEN_PROTOCOL, &r->protocol },
		{ WSI_TOKEN_EXTENSIONS, &r->extensions },
		{ WSI_TOKEN_ORIGIN, &r->origin },
		{ WSI_TOKEN_HTTP_CONTENT_LENGTH, &r->content_length },
		{ WSI_TOKEN_HTTP_TRANSFER_ENCODING, &r->transfer_encoding },
	};

	copy_target(gate, wsi);
	for (size_t i = 0; i < LWS_ARRAY_SIZE(fields); i++)
		copy_field(gate, wsi, fields[i].token, fields[i].lines);
}

/* A whole plain answer, written past the library's own headers. 0, or -1 when the connection is of no use. */
static int reply(struct lws_conn *conn, const struct handshake_verdict *v, const struct handshake_request *r)
{
	struct bytes out = { 0 };
	static const char room[LWS_PRE];
	size_t len;
	int written;

	bytes_append(&out, room, sizeof(room));
	reply_refuse(&out, v, r, conn->info.id);
	len = bytes_len(&out) - LWS_PRE;
	written = lws_write(conn->wsi, out.p + LWS_PRE, len, LWS_WRITE_HTTP_HEADERS);
	bytes_fini(&out);
	return written == (int)len ? 0 : -1;
}

/* What the library would answer wrongly or with a bare close, refused with a reason instead. NULL: nothing. */
static const char *library_limit(const struct handshake_request *r, struct lws *wsi)
{
	size_t offer_len = 0;

	for (unsigned i = 0; i < r->protocol.count; i++) {
		struct text rest = r->protocol.v[i];
		struct text element;

		if (rest.p[0] == ',' || rest.p[rest.len - 1] == ',')
			return "libwebsockets cannot read a list with empty elements";
		offer_len += rest.len + 1;
		while (rule_list_next(&rest, &element))
			if (element.len > 62)
				return "libwebsockets cannot read a subprotocol name of more than 62 octets";
	}
	if (offer_len > 126)
		return "libwebsockets cannot read more than 126 octets of subprotocols";
	if (r->key.count > 0 && lws_hdr_fragment_length(wsi, WSI_TOKEN_KEY, 0) != (int)r->key.v[0].len)
		return "libwebsockets would hash the blanks after the key";
	return NULL;
}

/*
 * The library insists on a subprotocol it knows. Its one row that can be matched is named for this connection: what
 * was chosen, or the first name of the offer, which lws_gate_filter then takes back.
 */
void lws_gate_expect(struct lws_conn *conn, struct text subprotocol, struct text offer)
{
	struct text name = subprotocol;

	if (name.len == 0 && !rule_list_next(&offer, &name))
		name.len = 0;
	snprintf(conn->engine->wildcard, sizeof(conn->engine->wildcard), "%.*s", (int)name.len, name.len ? name.p : "");
	conn_info_set(&conn->info.subprotocol, subprotocol);
}

/* The library puts the row's name into its 101, or no field when the name is empty. */
int lws_gate_filter(struct lws_conn *conn)
{
	if (!conn->info.subprotocol)
		conn->engine->wildcard[0] = '\0';
	return 0;
}

static struct handshake_verdict judge(struct lws_conn *conn, struct gate *gate)
{
	struct server *server = conn->engine->server;
	struct handshake_verdict v = { .upgrade_attempt = true, .status = 400 };
	struct text version;

	gate_read(gate, conn->wsi);
	version = copy_fragment(gate, conn->wsi, WSI_TOKEN_HTTP, 0);
	if (version.len != 8 || memcmp(version.p, "HTTP/", 5) != 0) {
		v.why = "the request line does not end in an HTTP version";
		return v;
	}
	if (version.p[5] != '1') {
		v.status = 505;
		v.why = "only HTTP/1 is spoken";
		return v;
	}
	gate->request.minor = (unsigned)(version.p[7] - '0');
	v = handshake_judge(&gate->request, server->config, server->refusing);
	v.why = v.status == 101 ? library_limit(&gate->request, conn->wsi) : v.why;
	if (v.status == 101 && v.why)
		v.status = 400;
	return v;
}

static int refuse(struct lws_conn *conn, const struct handshake_verdict *v, const struct handshake_request *r)
{
	if (v->upgrade_attempt)
		log_refused(conn->engine->server->log, &conn->info, v->status, v->why);
	return reply(conn, v, r);
}

int lws_gate_confirm(struct lws_conn *conn)
{
	struct gate *gate;
	struct handshake_verdict v;
	int r = 0;

	if (conn->vetted) {
		lws_gate_expect(conn, text_from(conn->info.subprotocol ? conn->info.subprotocol : ""), text_of("", 0));
		return 0;
	}
	gate = calloc(1, sizeof(*gate));
	if (!gate)
		abort();
	v = judge(conn, gate);
	if (v.status == 101) {
		conn_info_set(&conn->info.path, v.path);
		if (gate->request.origin.count > 0)
			conn_info_set(&conn->info.origin, gate->request.origin.v[0]);
		lws_gate_expect(conn, v.subprotocol, gate->request.protocol.count > 0 ? gate->request.protocol.v[0] : text_of("", 0));
	} else {
		r = refuse(conn, &v, &gate->request) < 0 ? -1 : 1;
	}
	free(gate);
	return r;
}

int lws_gate_http(struct lws_conn *conn)
{
	struct gate *gate = calloc(1, sizeof(*gate));
	struct handshake_verdict v;

	if (!gate)
		abort();
	v = judge(conn, gate);
	if (v.status == 101) { /* the library did not see it as an upgrade, so nothing can be opened */
		v.status = 426;
		v.version_field = true;
		v.why = "the Upgrade field has to be websocket alone";
	}
	refuse(conn, &v, &gate->request);
	free(gate);
	return -1;
}

int lws_gate_add_headers(struct lws_conn *conn, struct lws_process_html_args *args)
{
	unsigned char **p = (unsigned char **)&args->p;
	const char *id = conn->info.id;

	return lws_add_http_header_by_name(conn->wsi, (const unsigned char *)"X-Wsquall-Conn:", (const unsigned char *)id,
					   (int)strlen(id), p, *p + args->max_len);
}
