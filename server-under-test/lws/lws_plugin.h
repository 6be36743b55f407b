#ifndef SERVER_LWS_PLUGIN_H
#define SERVER_LWS_PLUGIN_H

#include <stdbool.h>

/* True once libwebsockets has loaded its libev plug-in. */
bool lws_plugin_loaded(void);

#endif
