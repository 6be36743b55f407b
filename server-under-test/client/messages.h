#ifndef SERVER_MESSAGES_H
#define SERVER_MESSAGES_H

#include "server-under-test/hub/hub.h"

/*
 * What the server says, as the frames PROTOCOL describes. Each returns a new reference. id is JSON text as the client
 * sent it, "null" for an unsolicited one; len 0 leaves it out (HTTP).
 */
enum error_code {
	ERROR_BAD_REQUEST,
	ERROR_UNKNOWN_TYPE,
	ERROR_UNAUTHORIZED,
	ERROR_FORBIDDEN,
	ERROR_RATE_LIMITED,
	ERROR_TOO_LARGE,
	ERROR_NOT_FOUND,
	ERROR_UNAVAILABLE,
};

#define MESSAGES_NULL text_from("null")

struct welcome {
	const char *session;
	bool resumed;
	const char *node;
	uint64_t heartbeat_ms;
	uint64_t max_message;
	uint64_t window;
};
struct frame *messages_welcome(const struct welcome *welcome);
struct frame *messages_subscribed(struct text id, const char *channel, const struct subscribed *answer);
struct frame *messages_unsubscribed(struct text id, const char *channel);
struct frame *messages_published(struct text id, const char *channel, const struct position *at);
struct frame *messages_history(struct text id, const char *channel, const struct history *answer);
struct frame *messages_authenticated(struct text id, int64_t expires_at);
struct frame *messages_pong(struct text id, uint64_t ts_ms);
struct frame *messages_error(struct text id, enum error_code code, const char *reason);

#endif
