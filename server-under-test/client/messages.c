/* Every message but `message` itself, which message.c makes once for all. Written by hand: their shapes are fixed. */
#include "server-under-test/client/messages.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "server-under-test/hub/message.h"

#define ESCAPED_MAX 1024 /* octets of a text of ours once escaped; what is longer is cut */
#define NUMBER_MAX 24
#define LITERAL(s) text_of("" s, sizeof(s) - 1)
#define JOIN(...) \
	frame_join((struct text[]){ __VA_ARGS__ }, sizeof((struct text[]){ __VA_ARGS__ }) / sizeof(struct text))

struct number {
	char digits[NUMBER_MAX];
};

static struct text number_text(struct number *number, uint64_t value)
{
	int len = snprintf(number->digits, sizeof(number->digits), "%" PRIu64, value);

	return text_of(number->digits, (size_t)len);
}

static struct text boolean_text(bool value)
{
	return value ? LITERAL("true") : LITERAL("false");
}

/* A text that is not known to be free of quotes: of the command line, of the store. */
static struct text escape(char buffer[ESCAPED_MAX], const char *string)
{
	size_t len = 0;

	for (; *string && len + 6 < ESCAPED_MAX; string++) {
		unsigned char c = (unsigned char)*string;

		if (c >= 0x20 && c != '"' && c != '\\')
			buffer[len++] = *string;
		else
			len += (size_t)snprintf(buffer + len, ESCAPED_MAX - len, "\\u%04x", c);
	}
	return text_of(buffer, len);
}

static struct text id_name(struct text id)
{
	return id.len ? LITERAL(",\"id\":") : LITERAL("");
}

struct frame *messages_welcome(const struct welcome *welcome)
{
	char session[ESCAPED_MAX], node[ESCAPED_MAX];
	struct number heartbeat, max, window;

	return JOIN(LITERAL("{\"type\":\"welcome\",\"session\":\""), escape(session, welcome->session),
		    LITERAL("\",\"resumed\":"), boolean_text(welcome->resumed), LITERAL(",\"node\":\""),
		    escape(node, welcome->node), LITERAL("\",\"heartbeat_ms\":"),
		    number_text(&heartbeat, welcome->heartbeat_ms), LITERAL(",\"max_message\":"),
		    number_text(&max, welcome->max_message), LITERAL(",\"window\":"), number_text(&window, welcome->window),
		    LITERAL("}"));
}

struct frame *messages_subscribed(struct text id, const char *channel, const struct subscribed *answer)
{
	struct number seq;

	return JOIN(LITERAL("{\"type\":\"subscribed\""), id_name(id), id, LITERAL(",\"channel\":\""), text_from(channel),
		    LITERAL("\",\"epoch\":\""), text_from(answer->newest.epoch), LITERAL("\",\"seq\":"),
		    number_text(&seq, answer->newest.seq),
		    answer->has_recovered ? LITERAL(",\"recovered\":") : LITERAL(""),
		    answer->has_recovered ? boolean_text(answer->recovered) : LITERAL(""), LITERAL("}"));
}

struct frame *messages_unsubscribed(struct text id, const char *channel)
{
	return JOIN(LITERAL("{\"type\":\"unsubscribed\""), id_name(id), id, LITERAL(",\"channel\":\""), text_from(channel),
		    LITERAL("\"}"));
}

struct frame *messages_published(struct text id, const char *channel, const struct position *at)
{
	struct number seq;

	return JOIN(LITERAL("{\"type\":\"published\""), id_name(id), id, LITERAL(",\"channel\":\""), text_from(channel),
		    LITERAL("\",\"epoch\":\""), text_from(at->epoch), LITERAL("\",\"seq\":"), number_text(&seq, at->seq),
		    LITERAL("}"));
}

struct frame *messages_history(struct text id, const char *channel, const struct history *answer)
{
	size_t count = 0;
	struct text *pieces = calloc(8 + answer->count * 5, sizeof(*pieces));
	struct number *seqs = calloc(answer->count + 1, sizeof(*seqs));
	struct frame *frame;

	if (!pieces || !seqs)
		abort();
	pieces[count++] = LITERAL("{\"type\":\"history\"");
	pieces[count++] = id_name(id);
	pieces[count++] = id;
	pieces[count++] = LITERAL(",\"channel\":\"");
	pieces[count++] = text_from(channel);
	pieces[count++] = LITERAL("\",\"epoch\":\"");
	pieces[count++] = text_from(answer->epoch);
	for (size_t i = 0; i < answer->count; i++) {
		pieces[count++] = i == 0 ? LITERAL("\",\"messages\":[{\"seq\":") : LITERAL(",{\"seq\":");
		pieces[count++] = number_text(&seqs[i], answer->messages[i]->seq);
		pieces[count++] = LITERAL(",\"data\":");
		pieces[count++] = message_data(answer->messages[i]);
		pieces[count++] = LITERAL("}");
	}
	if (answer->count == 0)
		pieces[count++] = answer->complete ? LITERAL("\",\"messages\":[],\"complete\":true}") :
						     LITERAL("\",\"messages\":[],\"complete\":false}");
	else
		pieces[count - 1] = answer->complete ? LITERAL("}],\"complete\":true}") :
						       LITERAL("}],\"complete\":false}");
	frame = frame_join(pieces, count);
	free(pieces);
	free(seqs);
	return frame;
}

struct frame *messages_authenticated(struct text id, int64_t expires_at)
{
	char digits[NUMBER_MAX];

	snprintf(digits, sizeof(digits), "%" PRId64, expires_at);
	return JOIN(LITERAL("{\"type\":\"authenticated\""), id_name(id), id, LITERAL(",\"expires_at\":"),
		    text_from(digits), LITERAL("}"));
}

struct frame *messages_pong(struct text id, uint64_t ts_ms)
{
	struct number ts;

	return JOIN(LITERAL("{\"type\":\"pong\""), id_name(id), id, LITERAL(",\"ts\":"), number_text(&ts, ts_ms),
		    LITERAL("}"));
}

struct frame *messages_error(struct text id, enum error_code code, const char *reason)
{
	static const char *const codes[] = {
		[ERROR_BAD_REQUEST] = "bad_request",
		[ERROR_UNKNOWN_TYPE] = "unknown_type",
		[ERROR_UNAUTHORIZED] = "unauthorized",
		[ERROR_FORBIDDEN] = "forbidden",
		[ERROR_RATE_LIMITED] = "rate_limited",
		[ERROR_TOO_LARGE] = "too_large",
		[ERROR_NOT_FOUND] = "not_found",
		[ERROR_UNAVAILABLE] = "unavailable",
	};
	char escaped[ESCAPED_MAX];

	return JOIN(LITERAL("{\"type\":\"error\""), id_name(id), id, LITERAL(",\"code\":\""), text_from(codes[code]),
		    LITERAL("\",\"reason\":\""), escape(escaped, reason), LITERAL("\"}"));
}
