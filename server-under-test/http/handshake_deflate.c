/*
 * Which permessage-deflate offers the server takes. Messages are compressed once for all subscribers (frame.h), each
 * without what came before, so server_no_context_takeover is true of everybody; who asks for a smaller window than
 * ours is sent uncompressed messages, which RFC 7692 6 leaves to the sender.
 */
#include "server-under-test/http/handshake_deflate.h"

#include "server-under-test/http/handshake_rules.h"

enum value_rule {
	VALUE_NONE,
	VALUE_BITS,
	VALUE_BITS_OR_NONE,
};

enum {
	SERVER_TAKEOVER,
	CLIENT_TAKEOVER,
	SERVER_BITS,
	CLIENT_BITS,
};

static const struct parameter {
	const char *name;
	enum value_rule value;
} parameters[] = {
	[SERVER_TAKEOVER] = { "server_no_context_takeover", VALUE_NONE },
	[CLIENT_TAKEOVER] = { "client_no_context_takeover", VALUE_NONE },
	[SERVER_BITS] = { "server_max_window_bits", VALUE_BITS },
	[CLIENT_BITS] = { "client_max_window_bits", VALUE_BITS_OR_NONE },
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

/* RFC 7692 7.1.2.1: "a decimal integer value without leading zeroes between 8 to 15 inclusive". 0: it is not. */
static unsigned bits_of(struct text value)
{
	if (value.len > 1 && value.p[0] == '"' && value.p[value.len - 1] == '"')
		value = text_of(value.p + 1, value.len - 2);
	if (value.len == 1)
		return value.p[0] == '8' || value.p[0] == '9' ? (unsigned)(value.p[0] - '0') : 0;
	return value.len == 2 && value.p[0] == '1' && value.p[1] >= '0' && value.p[1] <= '5' ? 10u + (unsigned)(value.p[1] - '0') : 0;
}

static bool value_ok(enum value_rule rule, bool has_value, struct text value)
{
	if (!has_value)
		return rule != VALUE_BITS;
	return rule != VALUE_NONE && bits_of(value) > 0;
}

/* RFC 7692 7.1: decline an offer with an unknown name, an invalid value or a repeated name. */
static bool parameter_ok(struct text part, unsigned *seen, struct deflate_answer *answer)
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
		if (i == SERVER_TAKEOVER)
			answer->server_no_context_takeover = true;
		else if (i == SERVER_BITS)
			answer->server_max_window_bits = bits_of(value);
		return value_ok(parameters[i].value, equals != NULL, value);
	}
	return false;
}

static struct deflate_answer answer_offer(struct text offer)
{
	struct deflate_answer answer = { .accepted = true };
	unsigned seen = 0;

	if (!text_equal(take_part(&offer), "permessage-deflate"))
		answer.accepted = false;
	while (offer.len > 0 && answer.accepted)
		answer.accepted = parameter_ok(take_part(&offer), &seen, &answer);
	return answer;
}

struct deflate_answer deflate_choose(const struct field_lines *extensions)
{
	for (unsigned i = 0; i < extensions->count; i++) {
		struct text rest = extensions->v[i];
		struct text offer;

		while (rule_list_next(&rest, &offer)) {
			struct deflate_answer answer = answer_offer(offer);

			if (answer.accepted)
				return answer;
		}
	}
	return (struct deflate_answer){ .accepted = false };
}
