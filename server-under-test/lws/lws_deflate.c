/*
 * permessage-deflate (RFC 7692) as the library is told of it: it answers the offer, with the parameters it is offered,
 * and lets RSV1 through, and the payload comes as it is; lws_input.c inflates it. The peer keeps no context, so nothing
 * is kept for it here.
 */
#include <stdio.h>

#include "server-under-test/lws/lws_engine.h"

static int on_extension(struct lws_context *context, const struct lws_extension *extension, struct lws *wsi,
			enum lws_extension_callback_reasons reason, void *user, void *in, size_t len)
{
	static const struct lws_ext_options options[] = {
		{ "client_no_context_takeover", EXTARG_NONE },
		{ "server_no_context_takeover", EXTARG_NONE },
		{ "server_max_window_bits=10", EXTARG_NONE }, /* the library repeats none with a value but as a name */
		{ "server_max_window_bits=11", EXTARG_NONE },
		{ "server_max_window_bits=12", EXTARG_NONE },
		{ "server_max_window_bits=13", EXTARG_NONE },
		{ "server_max_window_bits=14", EXTARG_NONE },
		{ "server_max_window_bits=15", EXTARG_NONE },
		{ "server_max_window_bits=8", EXTARG_NONE },
		{ "server_max_window_bits=9", EXTARG_NONE },
		{ NULL, 0 },
	};

	(void)context;
	(void)extension;
	(void)wsi;
	(void)len;
	if (reason == LWS_EXT_CB_CONSTRUCT) {
		*(void **)user = NULL;
		*(const struct lws_ext_options **)in = options;
	}
	return 0;
}

const struct lws_extension lws_deflate_extensions[] = {
	{ "permessage-deflate", on_extension, "permessage-deflate" },
	{ NULL, NULL, NULL },
};

void lws_deflate_offer(char field[LWS_EXTENSIONS_MAX], const struct deflate_answer *deflate)
{
	int len = snprintf(field, LWS_EXTENSIONS_MAX, "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover%s",
			   deflate->server_no_context_takeover ? "; server_no_context_takeover" : "");

	if (deflate->server_max_window_bits)
		len += snprintf(field + len, LWS_EXTENSIONS_MAX - (size_t)len, "; server_max_window_bits=%u",
				deflate->server_max_window_bits);
	snprintf(field + len, LWS_EXTENSIONS_MAX - (size_t)len, "\r\n");
}
