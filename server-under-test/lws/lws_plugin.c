/* Is the libev plug-in of libwebsockets in this process? Apart, because <link.h> and <ev.h> do not go together. */
#include <link.h>
#include <stdbool.h>
#include <string.h>

#include "server-under-test/lws/lws_plugin.h"

static int find_plugin(struct dl_phdr_info *info, size_t size, void *found)
{
	(void)size;
	if (info->dlpi_name && strstr(info->dlpi_name, "evlib_ev"))
		*(bool *)found = true;
	return 0;
}

bool lws_plugin_loaded(void)
{
	bool found = false;

	dl_iterate_phdr(find_plugin, &found);
	return found;
}
