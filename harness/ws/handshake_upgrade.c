/*
 * Is a 101 a right answer to what we asked? RFC 6455 4.1, the client's six checks, and what 4.2.2 and 11.3 forbid
 * the server besides.
 */
#include "harness/ws/handshake.h"

/* Walks the elements of one comma-separated list (RFC 9110 5.6.1); a comma in a quoted string does not separate. */
static bool take_element(struct span *rest, struct span *ret_element)
{
	while (rest->len) {
		size_t i = 0;
		bool quoted = false;
		for (; i < rest->len && (quoted || rest->p[i] != ','); i++) {
			if (rest->p[i] == '"')
				quoted = !quoted;
			else if (quoted && rest->p[i] == '\\' && i + 1 < rest->len)
				i++;
		}
		struct span element = span_trim(span_sub(*rest, 0, i));
		*rest = span_sub(*rest, i + 1, rest->len);
		if (element.len) {
			*ret_element = element;
			return true;
		}
	}
	return false;
}

static struct span without_parameters(struct span element)
{
	const uint8_t *semicolon = element.len ? memchr(element.p, ';', element.len) : NULL;
	return span_trim(semicolon ? span_of(element.p, (size_t)(semicolon - element.p)) : element);
}

size_t handshake_reply_count(const struct handshake_reply *r, const char *name, struct span *ret_value)
{
	size_t n = 0;
	for (size_t i = 0; i < r->n_fields; i++)
		if (span_eq_nocase(r->fields[i].name, span_str(name)) && n++ == 0 && ret_value)
			*ret_value = r->fields[i].value;
	return n;
}

/*
 * Walks the joined list; start with {0}. Linear, because a hostile list may have as many elements as the head has
 * octets.
 */
struct list_walk {
	size_t next_field;
	struct span rest;
};

static bool list_next(struct list_walk *w, const struct handshake_reply *r, const char *name, struct span *ret_element)
{
	while (!take_element(&w->rest, ret_element)) {
		while (w->next_field < r->n_fields && !span_eq_nocase(r->fields[w->next_field].name, span_str(name)))
			w->next_field++;
		if (w->next_field == r->n_fields)
			return false;
		w->rest = r->fields[w->next_field++].value;
	}
	return true;
}

bool handshake_reply_has_token(const struct handshake_reply *r, const char *name, const char *token)
{
	struct span element;
	for (struct list_walk w = {0}; list_next(&w, r, name, &element);)
		if (span_eq_nocase(without_parameters(element), span_str(token)))
			return true;
	return false;
}

bool handshake_reply_element(const struct handshake_reply *r, const char *name, size_t n, struct span *ret_element)
{
	struct span element;
	for (struct list_walk w = {0}; list_next(&w, r, name, &element);) {
		if (n-- == 0) {
			*ret_element = element;
			return true;
		}
	}
	return false;
}

/* Value of a line of raw octets when it is a field with this name. */
static bool take_raw_value(struct span *rest, struct span name, struct span *ret_value)
{
	while (rest->len) {
		const uint8_t *lf = memchr(rest->p, '\n', rest->len);
		struct span line = span_of(rest->p, lf ? (size_t)(lf - rest->p) : rest->len);
		*rest = span_sub(*rest, line.len + 1, rest->len);
		if (line.len && line.p[line.len - 1] == '\r')
			line.len--;
		const uint8_t *colon = line.len ? memchr(line.p, ':', line.len) : NULL;
		if (!colon || !span_eq_nocase(span_trim(span_of(line.p, (size_t)(colon - line.p))), name))
			continue;
		*ret_value = span_trim(span_sub(line, (size_t)(colon - line.p) + 1, line.len));
		return true;
	}
	return false;
}

/* The n-th value that was sent under this name, also in raw octets. */
static bool sent_value(const struct handshake_request *q, const char *name, size_t n, struct span *ret_value)
{
	struct span rest = q->raw;
	if (q->raw.p) {
		while (take_raw_value(&rest, span_str(name), ret_value))
			if (n-- == 0)
				return true;
		return false;
	}
	for (size_t i = 0; i < q->n_fields; i++) {
		const struct handshake_field *f = &q->fields[i];
		if (f->raw.p) {
			for (rest = f->raw; take_raw_value(&rest, span_str(name), ret_value);)
				if (n-- == 0)
					return true;
		} else if (span_eq_nocase(f->name, span_str(name)) && n-- == 0) {
			*ret_value = span_trim(f->value);
			return true;
		}
	}
	return false;
}

static bool accept_is_right(const struct handshake_request *q, struct span accept)
{
	struct span key;
	for (size_t n = 0; sent_value(q, "Sec-WebSocket-Key", n, &key); n++) {
		char want[HANDSHAKE_ACCEPT_LEN + 1];
		handshake_accept(key, want);
		if (span_eq(accept, span_str(want)))
			return true;
	}
	return false;
}

/*
 * Extension names fold case, subprotocols do not (RFC 6455 4.2.2: "the value chosen MUST be derived from the
 * client's handshake").
 */
static bool was_offered(const struct handshake_request *q, const char *name, struct span wanted, bool fold)
{
	struct span value, element;
	for (size_t n = 0; sent_value(q, name, n, &value); n++)
		while (take_element(&value, &element))
			if (fold ? span_eq_nocase(without_parameters(element), wanted) : span_eq(element, wanted))
				return true;
	return false;
}

static unsigned accept_faults(const struct handshake_request *q, const struct handshake_reply *r)
{
	unsigned faults = 0;
	size_t seen = 0;
	for (size_t i = 0; i < r->n_fields; i++) {
		if (!span_eq_nocase(r->fields[i].name, SPAN_LIT("Sec-WebSocket-Accept")))
			continue;
		seen++;
		if (!accept_is_right(q, r->fields[i].value))
			faults |= UPGRADE_FAULT_ACCEPT;
	}
	if (seen == 0)
		faults |= UPGRADE_FAULT_ACCEPT;
	return seen > 1 ? faults | UPGRADE_FAULT_ACCEPT_TWICE : faults;
}

static unsigned negotiation_faults(const struct handshake_request *q, const struct handshake_reply *r)
{
	unsigned faults = 0;
	struct span element;
	for (struct list_walk w = {0}; list_next(&w, r, "Sec-WebSocket-Extensions", &element);)
		if (!was_offered(q, "Sec-WebSocket-Extensions", without_parameters(element), true))
			faults |= UPGRADE_FAULT_EXTENSION;
	if (handshake_reply_count(r, "Sec-WebSocket-Protocol", NULL) > 1)
		faults |= UPGRADE_FAULT_PROTOCOL_TWICE;
	for (size_t i = 0; i < r->n_fields; i++) {
		if (!span_eq_nocase(r->fields[i].name, SPAN_LIT("Sec-WebSocket-Protocol")))
			continue;
		struct span protocol = r->fields[i].value;
		if (!handshake_is_token(protocol) || !was_offered(q, "Sec-WebSocket-Protocol", protocol, false))
			faults |= UPGRADE_FAULT_PROTOCOL;
	}
	return faults;
}

static bool has_body(const struct handshake_reply *r)
{
	if (handshake_reply_count(r, "Transfer-Encoding", NULL))
		return true;
	for (size_t i = 0; i < r->n_fields; i++) {
		if (!span_eq_nocase(r->fields[i].name, SPAN_LIT("Content-Length")))
			continue;
		struct span value = r->fields[i].value;
		for (size_t at = 0; at < value.len; at++)
			if (value.p[at] != '0')
				return true;
		if (value.len == 0)
			return true;
	}
	return false;
}

unsigned handshake_upgrade_faults(const struct handshake_request *request, const struct handshake_reply *reply)
{
	unsigned faults = accept_faults(request, reply) | negotiation_faults(request, reply);
	struct span upgrade;
	if (handshake_reply_count(reply, "Upgrade", &upgrade) != 1 || !span_eq_nocase(upgrade, SPAN_LIT("websocket")))
		faults |= UPGRADE_FAULT_UPGRADE;
	if (!handshake_reply_has_token(reply, "Connection", "upgrade"))
		faults |= UPGRADE_FAULT_CONNECTION;
	if (has_body(reply))
		faults |= UPGRADE_FAULT_BODY;
	if (reply->version_minor != 1)
		faults |= UPGRADE_FAULT_VERSION;
	if (reply->faults)
		faults |= UPGRADE_FAULT_HEAD;
	return faults;
}
