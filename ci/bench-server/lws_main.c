/*
 * The frame of the servers on bare libwebsockets that the reference server is compared with: as its own examples
 * write it, on the libev loop, port 0. "ready PORT" on stdout; ends on TERM as any program does.
 */
#include "ci/bench-server/lws_main.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The library falls back to poll() in silence when its plug-in is missing, which would be another comparison. */
static bool runs_on_libev(void)
{
	char line[512];
	bool found = false;
	FILE *maps = fopen("/proc/self/maps", "re");

	while (maps && !found && fgets(line, sizeof(line), maps))
		found = strstr(line, "evlib_ev") != NULL;
	if (maps)
		fclose(maps);
	return found;
}

int main(void)
{
	struct lws_protocols protocols[2] = { lws_main_protocol };
	struct lws_context_creation_info info = {
		.port = 0,
		.iface = "127.0.0.1",
		.protocols = protocols,
		.options = LWS_SERVER_OPTION_LIBEV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS,
		.gid = (int)-1,
		.uid = (int)-1,
		.vhost_name = "default",
	};
	struct lws_context *context;
	struct lws_vhost *vhost;

	lws_set_log_level(LLL_ERR, NULL);
	context = lws_create_context(&info);
	vhost = context ? lws_create_vhost(context, &info) : NULL;
	if (!vhost || !runs_on_libev()) {
		fputs("no libwebsockets with its libev plug-in here\n", stderr);
		return 69;
	}
	printf("ready %d\n", lws_get_vhost_listen_port(vhost));
	fflush(stdout);
	while (lws_service(context, 0) >= 0)
		;
	return 0;
}
