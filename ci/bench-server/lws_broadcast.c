/*
 * A naive broadcast on bare libwebsockets, after its own ring example: a message is kept once, and each client gets
 * it by one lws_write() in its writeable callback. It speaks just enough of wsquall.v1 for the load: one channel, no
 * checks. Faster than the example in two ways: that walks all clients at every write to find the oldest message
 * still needed (a count per message here), and it writes one message a callback (all that are due here).
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ci/bench-server/lws_main.h"

#define MESSAGE_MAX 4096

struct message {
	struct message *next;
	unsigned left; /* clients that have yet to write it */
	size_t len;
	unsigned char room[]; /* LWS_PRE octets, then the message */
};

struct session {
	struct session *next, *prev; /* subscribers */
	struct lws *wsi;
	struct message *tail; /* the next to write */
	char answer[LWS_PRE + 128]; /* "subscribed", while answer_len > 0 */
	size_t answer_len;
	bool subscribed;
};

static struct session *sessions;
static unsigned subscribers;
static struct message *newest;
static unsigned long long seq;

static void subscribe(struct session *session)
{
	int n = snprintf(session->answer + LWS_PRE, sizeof(session->answer) - LWS_PRE,
			 "{\"type\":\"subscribed\",\"id\":1,\"channel\":\"bench\",\"epoch\":\"e\",\"seq\":%llu}", seq);

	session->answer_len = (size_t)n;
	session->subscribed = true;
	session->next = sessions;
	if (sessions)
		sessions->prev = session;
	sessions = session;
	subscribers++;
	lws_callback_on_writable(session->wsi);
}

/* data: from the member's name to the end of the object. */
static void publish(const char *data, size_t len)
{
	struct message *message = malloc(sizeof(*message) + LWS_PRE + MESSAGE_MAX);
	int n;

	if (!message)
		abort();
	n = snprintf((char *)message->room + LWS_PRE, MESSAGE_MAX,
		     "{\"type\":\"message\",\"channel\":\"bench\",\"epoch\":\"0123456789abcdef\",\"seq\":%llu,%.*s", ++seq,
		     (int)len, data);
	*message = (struct message){ .left = subscribers, .len = n < MESSAGE_MAX ? (size_t)n : MESSAGE_MAX - 1 };
	if (newest)
		newest->next = message;
	newest = message;
	for (struct session *s = sessions; s; s = s->next) {
		if (!s->tail)
			s->tail = message;
		lws_callback_on_writable(s->wsi);
	}
}

static void message_passed(struct message *message)
{
	if (--message->left > 0)
		return;
	if (newest == message)
		newest = NULL;
	free(message);
}

static int session_receive(struct session *session, const char *text, size_t len)
{
	static const char asks[] = "{\"type\":\"subscribe\"", data_key[] = "\"data\":";
	const char *data = memmem(text, len, data_key, sizeof(data_key) - 1);

	if (len >= sizeof(asks) - 1 && memcmp(text, asks, sizeof(asks) - 1) == 0 && !session->subscribed)
		subscribe(session);
	else if (data && subscribers > 0)
		publish(data, (size_t)(text + len - data));
	return 0;
}

static int session_write(struct session *session)
{
	struct message *message;

	if (session->answer_len > 0) {
		if (lws_write(session->wsi, (unsigned char *)session->answer + LWS_PRE, session->answer_len, LWS_WRITE_TEXT) < 0)
			return -1;
		session->answer_len = 0;
	}
	while ((message = session->tail) && !lws_send_pipe_choked(session->wsi)) {
		if (lws_write(session->wsi, message->room + LWS_PRE, message->len, LWS_WRITE_TEXT) < 0)
			return -1;
		session->tail = message->next;
		message_passed(message);
	}
	if (session->tail)
		lws_callback_on_writable(session->wsi);
	return 0;
}

static void session_end(struct session *session)
{
	if (!session->subscribed)
		return;
	while (session->tail) {
		struct message *message = session->tail;

		session->tail = message->next;
		message_passed(message);
	}
	if (session->prev)
		session->prev->next = session->next;
	else
		sessions = session->next;
	if (session->next)
		session->next->prev = session->prev;
	subscribers--;
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	struct session *session = user;

	switch (reason) {
	case LWS_CALLBACK_ESTABLISHED:
		session->wsi = wsi;
		return 0;
	case LWS_CALLBACK_RECEIVE:
		return session_receive(session, in, len);
	case LWS_CALLBACK_SERVER_WRITEABLE:
		return session_write(session);
	case LWS_CALLBACK_CLOSED:
		session_end(session);
		return 0;
	default:
		return lws_callback_http_dummy(wsi, reason, user, in, len);
	}
}

const struct lws_protocols lws_main_protocol = {
	"broadcast", callback, sizeof(struct session), MESSAGE_MAX, 0, NULL, 0,
};
