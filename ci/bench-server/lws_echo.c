/*
 * An echo on bare libwebsockets at its best: what came is written at once, from where it came. Its documentation
 * wants it kept until a writeable callback, which measured a tenth to a fifth slower; the reference server is to be
 * compared with the faster one.
 */
#include <string.h>

#include "ci/bench-server/lws_main.h"

#define MESSAGE_MAX 4096 /* octets; more in one piece ends the connection */

static int echo(struct lws *wsi, const void *data, size_t len)
{
	unsigned char room[LWS_PRE + MESSAGE_MAX];

	if (len > MESSAGE_MAX)
		return -1;
	memcpy(room + LWS_PRE, data, len);
	return lws_write(wsi, room + LWS_PRE, len, LWS_WRITE_TEXT) < 0 ? -1 : 0;
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	return reason == LWS_CALLBACK_RECEIVE ? echo(wsi, in, len) : lws_callback_http_dummy(wsi, reason, user, in, len);
}

const struct lws_protocols lws_main_protocol = { "echo", callback, 0, MESSAGE_MAX, 0, NULL, 0 };
