/*
 * Which permessage-deflate offers the server takes. It answers every one of them with the same response without
 * parameters: messages are compressed once for all subscribers (frame.h), so nobody gets a window of his own.
 */
#include "server-under-test/http/handshake_deflate.h"

#include "server-under-test/http/handshake_rules.h"

enum value_rule {
	VALUE_NONE,
	VALUE_BITS,
	VALUE_BITS_OR_NONE,
};

static const struct parameter {
	const char *name;
	enum value_rule value;
	bool plain; /* can be answered without a parameter */
} parameters[] = {
	{ "server_no_context_takeover", VALUE_NONE, false },
	{ "client_no_context_takeover", VALUE_NONE, true },
	{ "server_max_window_bits", VALUE_BITS, false },
	{ "client_max_window_bits", VALUE_BITS_OR_NONE, true },
};

#define PARAMETER_COUNT (sizeof(parameters) / sizeof(parameters[0]))

/* Takes what stands before the next semicolon; values are tokens, quoted or not, so none is inside quotes. */
static struct text take_part(struct text *rest)
{
	const char *end = rest->len > 0 ? memchr(rest->p, ';', rest->len) : NULL;
	size_t len = end ? (size_t)(end - rest->p) : rest->len;
	struct text part = text_trim(text_of(rest->p, len));

	len += end != NULL;
	*rest = text_of(rest->p + len, rest->len - len);
	return part;
}

/* RFC 7692 7.1.2.1: "a decimal integer value without leading zeroes between 8 to 15 inclusive" */
static bool is_bits(struct text value)
{
	if (value.len > 1 && value.p[0] == '"' && value.p[value.len - 1] == '"')
		value = text_of(value.p + 1, value.len - 2);
	if (value.len == 1)
		return value.p[0] == '8' || value.p[0] == '9';
	return value.len == 2 && value.p[0] == '1' && value.p[1] >= '0' && value.p[1] <= '5';
}

static bool value_ok(enum value_rule rule, bool has_value, struct text value)
{
	if (!has_value)
		return rule != VALUE_BITS;
	return rule != VALUE_NONE && is_bits(value);
}

/* RFC 7692 7.1: decline an offer with an unknown name, an invalid value or a repeated name. */
static bool parameter_ok(struct text part, unsigned *seen)
{
	const char *equals = part.len > 0 ? memchr(part.p, '=', part.len) : NULL;
	size_t name_len = equals ? (size_t)(equals - part.p) : part.len;
	struct text name = text_trim(text_of(part.p, name_len));
	struct text value = equals ? text_trim(text_of(equals + 1, part.len - name_len - 1)) : text_of("", 0);

	for (unsigned i = 0; i < PARAMETER_COUNT; i++) {
		if (!text_equal(name, parameters[i].name))
			continue;
		if (*seen & 1u << i)
			return false;
		*seen |= 1u << i;
		return parameters[i].plain && value_ok(parameters[i].value, equals != NULL, value);
	}
	return false;
}

static bool offer_acceptable(struct text offer)
{
	unsigned seen = 0;

	if (!text_equal(take_part(&offer), "permessage-deflate"))
		return false;
	while (offer.len > 0)
		if (!parameter_ok(take_part(&offer), &seen))
			return false;
	return true;
}

bool deflate_acceptable(const struct field_lines *extensions)
{
	for (unsigned i = 0; i < extensions->count; i++) {
		struct text rest = extensions->v[i];
		struct text offer;

		while (rule_list_next(&rest, &offer))
			if (offer_acceptable(offer))
				return true;
	}
	return false;
}
