/*
 * Judges a request by its head: the opening handshakes of both engines, each with its own table of routes, and the
 * plain requests beside them.
 */
#include "server-under-test/http/handshake.h"

#include <openssl/evp.h>

#include "server-under-test/defects.h"
#include "server-under-test/http/handshake_deflate.h"
#include "server-under-test/http/handshake_rules.h"
#include "server-under-test/http/http_route.h"

static const struct http_route naive_rows[] = {
	{ .path = "/echo", .methods = HTTP_GET | HTTP_HEAD, .websocket = true, .origin = ORIGIN_LISTED_IF_ASKED },
	{ .path = "/healthz", .methods = HTTP_GET | HTTP_HEAD },
};

static const struct http_routes naive_routes = { naive_rows, sizeof(naive_rows) / sizeof(naive_rows[0]) };

void field_lines_add(struct field_lines *lines, struct text value)
{
	if (lines->count == HANDSHAKE_FIELD_LINES_MAX)
		lines->overflow = true;
	else
		lines->v[lines->count++] = text_trim(value);
}

void handshake_accept(struct text key, char accept[HANDSHAKE_ACCEPT_LEN + 1])
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	unsigned char digest[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *sha1 = EVP_MD_CTX_new();

	EVP_DigestInit_ex(sha1, EVP_sha1(), NULL);
	EVP_DigestUpdate(sha1, key.p, key.len);
	EVP_DigestUpdate(sha1, guid, sizeof(guid) - 1);
	EVP_DigestFinal_ex(sha1, digest, NULL);
	EVP_MD_CTX_free(sha1);
	EVP_EncodeBlock((unsigned char *)accept, digest, 20);
}

static struct handshake_verdict refuse(struct handshake_verdict v, unsigned status, const char *why)
{
	v.status = status;
	v.why = why;
	return v;
}

static bool lines_all(const struct field_lines *lines, bool (*rule)(struct text))
{
	for (unsigned i = 0; i < lines->count; i++)
		if (!rule(lines->v[i]))
			return false;
	return true;
}

static bool contains_nocase(struct text t, const char *word)
{
	size_t len = strlen(word);

	for (size_t i = 0; i + len <= t.len; i++)
		if (text_equal_nocase(text_of(t.p + i, len), word))
			return true;
	return false;
}

/* Does any line of a list field hold the word? The deliberate bugs are the usual shortcuts. */
static bool lines_have(const struct field_lines *lines, const char *word)
{
	bool upgrade = strcmp(word, "websocket") == 0;

	for (unsigned i = 0; i < lines->count; i++) {
		struct text rest = lines->v[i];
		struct text element;

		if (upgrade ? defect(upgrade_substring) : defect(connection_substring))
			return contains_nocase(rest, word);
		if (upgrade ? defect(upgrade_no_list) : defect(connection_no_list))
			return text_equal_nocase(rest, word);
		while (rule_list_next(&rest, &element)) {
			if (upgrade && defect(upgrade_case_sensitive) && !text_equal(element, word))
				continue;
			if (!upgrade && defect(connection_case_sensitive) && !text_equal(element, "Upgrade"))
				continue;
			if (text_equal_nocase(element, word))
				return true;
			/* the Kelvin sign, which a Unicode-aware comparison folds to k */
			if (defect(upgrade_unicode_fold) && upgrade && text_equal_nocase(element, "webSoc\xe2\x84\xaa" "et"))
				return true;
		}
		if (!upgrade && defect(connection_first_line_only))
			return false;
	}
	return false;
}

static bool upgrade_asked(const struct handshake_request *r)
{
	return lines_have(&r->upgrade, "websocket") || (defect(upgrade_not_required) && r->key.count > 0);
}

static bool digits(struct text t)
{
	for (size_t i = 0; i < t.len; i++)
		if (t.p[i] < '0' || t.p[i] > '9')
			return false;
	return t.len > 0;
}

/* A body is read only where it is of use, and only when both ends cannot but agree on its length. NULL: fine. */
static const char *body_fault(const struct handshake_request *r, const struct http_route *route)
{
	enum http_method method = http_method_of(r->method);
	bool some = r->transfer_encoding.count > 0;

	for (unsigned i = 0; i < r->content_length.count; i++)
		some |= !text_equal(r->content_length.v[i], "0");
	if (!some)
		return NULL;
	if (method == HTTP_GET || method == HTTP_HEAD || upgrade_asked(r))
		return "a request with a body";
	if (!route || !(route->methods & method))
		return NULL; /* 404 or 405: it is not read, and the connection ends */
	if (r->transfer_encoding.count > 0 && r->content_length.count > 0)
		return "both Content-Length and Transfer-Encoding";
	if (r->content_length.count > 1)
		return "more than one Content-Length field";
	if (r->content_length.count == 1 && !digits(r->content_length.v[0]))
		return "Content-Length is not a number";
	return NULL;
}

/* RFC 6455 4.2.1 parts 1 and 2, RFC 9112 3.2: what every request must get right. NULL: nothing wrong. */
static const char *head_fault(const struct handshake_request *r, struct handshake_verdict *v,
			      const struct http_routes *routes)
{
	if (!rule_token(r->method))
		return "the method is not a token";
	if (!rule_target(r->target, &v->path, &v->query))
		return "the request-target is neither a path nor an http URI";
	if (r->host.count > 1 && !defect(host_repeated_accepted))
		return "more than one Host field";
	if (r->host.count == 0 && r->minor > 0 && !defect(host_missing_accepted))
		return "no Host field";
	if (!defect(host_malformed_accepted) && !lines_all(&r->host, rule_host))
		return "the Host field is malformed";
	v->route = http_route_find(routes, v->path, &v->rest);
	if (defect(path_unknown_accepted))
		v->route = &routes->rows[0];
	return body_fault(r, v->route);
}

/* RFC 6455 4.2.1 parts 3 to 9, what makes a WebSocket request malformed. NULL: nothing wrong. */
static const char *upgrade_fault(const struct handshake_request *r, struct handshake_verdict *v)
{
	if (r->minor == 0 && !defect(http10_accepted))
		return "HTTP/1.0 cannot upgrade";
	if (!defect(connection_not_required) && !lines_have(&r->connection, "upgrade"))
		return "the Connection field does not list upgrade";
	if (!lines_all(&r->connection, rule_token_list) && !defect(connection_substring))
		return "the Connection field is malformed";
	if (r->key.count == 0 && !defect(key_missing_accepted))
		return "no Sec-WebSocket-Key field";
	if (r->key.count > 1 && !defect(key_repeated_joined))
		return "more than one Sec-WebSocket-Key field";
	if (!lines_all(&r->key, rule_key) && !defect(key_missing_accepted) && !defect(key_end_untrimmed))
		return "Sec-WebSocket-Key is not 16 bytes in base64";
	if (!lines_all(&r->protocol, rule_token_list) && !defect(subprotocol_syntax_ignored))
		return "Sec-WebSocket-Protocol is not a list of tokens";
	if (!lines_all(&r->extensions, rule_extension_list) && !defect(extension_syntax_ignored))
		return "Sec-WebSocket-Extensions breaks its grammar";
	if (r->extensions.count > 0 && defect(extension_offer_refused))
		return "extensions are not supported";
	if (r->origin.count > 1)
		return "more than one Origin field";
	if (r->version.count > 1 && !defect(version_repeated_accepted)) {
		v->version_field = true;
		return "more than one Sec-WebSocket-Version field";
	}
	if (r->version.count == 1 && !rule_version_number(r->version.v[0]) && !defect(version_ignored) &&
	    !defect(version_number_prefix)) {
		v->version_field = true;
		return "Sec-WebSocket-Version is not a number from 0 to 255";
	}
	return NULL;
}

static bool version_is_13(const struct field_lines *version)
{
	if (defect(version_ignored))
		return true;
	if (defect(version_number_prefix) && version->count > 0) {
		struct text t = version->v[0];

		if (t.len > 0 && (t.p[0] == '+' || t.p[0] == '0'))
			t = text_of(t.p + 1, t.len - 1);
		return t.len >= 2 && memcmp(t.p, "13", 2) == 0;
	}
	return version->count > 0 && text_equal(version->v[0], "13");
}

static bool list_has(const struct config_list *list, struct text value, bool by_prefix)
{
	for (unsigned i = 0; i < list->count; i++) {
		size_t len = strlen(list->items[i]);

		if (text_equal(value, list->items[i]))
			return true;
		if (by_prefix && value.len > len && memcmp(value.p, list->items[i], len) == 0)
			return true;
	}
	return false;
}

static bool origin_refused(const struct field_lines *origin, const struct config *config)
{
	if (origin->count == 0 || defect(origin_ignored))
		return false;
	if (list_has(&config->origins_denied, origin->v[0], false))
		return true;
	return config->origins.count > 0 && !list_has(&config->origins, origin->v[0], defect(origin_prefix_match));
}

static bool origin_matters(const struct handshake_request *r, const struct handshake_verdict *v, const struct config *config)
{
	enum origin_rule rule = v->route ? v->route->origin : ORIGIN_ANY;

	if (rule == ORIGIN_LISTED && defect(security_origin_ignored))
		return false;
	if (rule == ORIGIN_LISTED_IF_ASKED && strcmp(config->origins_echo, "checked") != 0)
		return false;
	return rule != ORIGIN_ANY && r->origin.count > 0;
}

/* RFC 6455 4.2.2 step 4: the first offered name that is known, spelled as offered. */
static struct text choose_subprotocol(const struct field_lines *offer, const struct config_list *known)
{
	if (defect(subprotocol_invented) && offer->count == 0)
		return text_from("wsquall.v1");
	for (unsigned i = 0; i < offer->count; i++) {
		struct text rest = offer->v[i];
		struct text element;

		if (defect(subprotocol_offer_repeated))
			return rest;
		while (rule_list_next(&rest, &element)) {
			if (defect(subprotocol_first_offered))
				return element;
			for (unsigned k = 0; k < known->count; k++) {
				if (text_equal(element, known->items[k]))
					return element;
				if (defect(subprotocol_case_folded) && text_equal_nocase(element, known->items[k]))
					return text_from(known->items[k]);
			}
		}
		if (defect(subprotocol_first_line_only))
			break;
	}
	return text_of("", 0);
}

static bool method_is_get(struct text method)
{
	if (defect(method_ignored))
		return true;
	return defect(method_case_folded) ? text_equal_nocase(method, "GET") : text_equal(method, "GET");
}

static struct handshake_verdict judge_plain(const struct handshake_request *r, struct handshake_verdict v,
					    const struct config *config)
{
	if (origin_matters(r, &v, config) && r->origin.count > 1)
		return refuse(v, 400, "more than one Origin field");
	if (!v.route)
		return refuse(v, 404, "no such path");
	if (!(http_method_of(r->method) & v.route->methods))
		return refuse(v, 405, v.route->methods & HTTP_POST ? "only POST" : "only GET");
	if (v.route->websocket) {
		v.upgrade_attempt = true;
		v.version_field = true;
		return refuse(v, 426, "this path speaks WebSocket only");
	}
	if (origin_matters(r, &v, config) && origin_refused(&r->origin, config))
		return refuse(v, 403, "this origin is not allowed");
	return refuse(v, 200, "alive");
}

static struct handshake_verdict judge_upgrade(const struct handshake_request *r, struct handshake_verdict v,
					      const struct config *config)
{
	const struct config_list *known;

	if (!v.route || !v.route->websocket)
		return refuse(v, 404, "no WebSocket at this path");
	if (!method_is_get(r->method))
		return refuse(v, 405, "only GET can upgrade");
	if (!version_is_13(&r->version)) {
		v.version_field = true;
		return refuse(v, 426, "only version 13 is spoken");
	}
	if (origin_matters(r, &v, config) && origin_refused(&r->origin, config)) {
		v.close_at_once = defect(origin_closed_after_open);
		if (!v.close_at_once)
			return refuse(v, 403, "this origin is not allowed");
	}
	v.status = 101;
	v.key = r->key.count > 0 ? r->key.v[0] : text_of("", 0);
	v.deflate = deflate_choose(&r->extensions);
	known = v.route->subprotocols ? v.route->subprotocols : &config->subprotocols;
	v.subprotocol = choose_subprotocol(&r->protocol, known);
	return v;
}

struct handshake_verdict handshake_judge_routes(const struct handshake_request *r, const struct config *config,
						const struct http_routes *routes)
{
	struct handshake_verdict v = { .upgrade_attempt = true };
	const char *fault = head_fault(r, &v, routes);

	if (fault)
		return refuse(v, 400, fault);
	v.origin_allowed = r->origin.count == 1 && !origin_refused(&r->origin, config);
	v.upgrade_attempt = upgrade_asked(r);
	if (!v.upgrade_attempt && !lines_all(&r->upgrade, rule_upgrade_list)) {
		v.upgrade_attempt = true;
		return refuse(v, 400, "the Upgrade field is malformed");
	}
	fault = v.upgrade_attempt ? upgrade_fault(r, &v) : NULL;
	if (!fault && v.route && v.route->fault)
		fault = v.route->fault(r, v.rest, v.query);
	if (fault)
		return refuse(v, 400, fault);
	return v.upgrade_attempt ? judge_upgrade(r, v, config) : judge_plain(r, v, config);
}

struct handshake_verdict handshake_judge(const struct handshake_request *r, const struct config *config, bool refusing)
{
	struct handshake_verdict v = handshake_judge_routes(r, config, &naive_routes);

	v.deflate.accepted = false;
	return v.status == 101 && refusing ? refuse(v, 503, "the server is draining") : v;
}
