/* wsquall-server: the reference server, and with --engine naive the server whose bugs can be switched on. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "server-under-test/defects.h"
#include "server-under-test/limits.h"
#include "server-under-test/metrics.h"
#include "server-under-test/process.h"
#include "server-under-test/http/trusted_proxies.h"
#include "server-under-test/workers.h"

static int run(const struct config *config, struct err *err)
{
	struct trusted_proxies proxies;
	struct listener listener;
	int r;

	for (unsigned i = 0; i < config->defects.count; i++)
		if (defects_enable(config->defects.items[i], err) < 0)
			return complain(EXIT_USAGE, err);
	if (trusted_proxies_parse(&proxies, &config->trusted_proxies, err) < 0)
		return complain(EXIT_USAGE, err);
	signal(SIGPIPE, SIG_IGN);
	metrics_share((unsigned)config->workers);
	limits_share((unsigned)config->workers);
	if (config->workers > 1)
		return workers_run(config);
	r = listener_open(&listener, config->bind, (unsigned)config->port, LISTENER_ALONE, err);
	if (r < 0)
		return complain(r == -EINVAL ? EXIT_USAGE : EXIT_UNAVAILABLE, err);
	return process_run(config, &listener, NULL);
}

int main(int argc, char **argv)
{
	struct config config;
	struct err err;
	enum config_command command;
	int r = config_parse(&config, argc, argv, &command, &err);

	if (r < 0)
		r = complain(EXIT_USAGE, &err);
	else if (command == CONFIG_HELP)
		config_print_help();
	else if (command == CONFIG_VERSION)
		puts("wsquall-server " WSQUALL_VERSION);
	else if (command == CONFIG_LIST_DEFECTS)
		r = defects_print() < 0 ? EXIT_SOFTWARE : 0;
	else if (command == CONFIG_LIST_OPTIONS)
		config_print_options();
	else if (command == CONFIG_PRINT)
		config_print(&config);
	else
		r = run(&config, &err);
	config_fini(&config);
	return r;
}
