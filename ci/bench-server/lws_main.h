#pragma once
/* What a comparison server adds to lws_main.c: its one protocol, defined in its own file. */

#include <libwebsockets.h>

extern const struct lws_protocols lws_main_protocol;
