#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "server-under-test/base/err.h"

#define CONFIG_LIST_MAX 32 /* entries of one list option */

/* Texts of one list option, each owned by the list. */
struct config_list {
	char *items[CONFIG_LIST_MAX];
	unsigned count;
};

struct config_kept;

/*
 * What the server was told. Every field is a row of the table in config_options.c, which holds its name, default,
 * limits and help.
 */
struct config {
	size_t port; /* 0: the kernel chooses */
	const char *bind;
	const char *node;
	const char *tls_cert; /* NULL: plain */
	const char *tls_key;
	const char *log;
	const char *engine; /* "lws" or "naive"; NULL until config_parse has settled it */
	double handshake_timeout_s;
	double close_timeout_s;
	double drain_notice_s;
	double drain_spread_s;
	double drain_timeout_s;
	size_t echo_max; /* bytes of one message */
	size_t header_max; /* bytes of one request head */
	struct config_list subprotocols;
	const char *close_trigger; /* text message that makes the server close with 1001; NULL: none */
	struct config_list origins; /* empty: every origin */
	struct config_list origins_denied;
	const char *origins_echo; /* "ignored" or "checked" */
	struct config_list defects;

	const char *store; /* "memory" or "redis" */
	const char *redis_address; /* host:port or unix:/path */
	const char *redis_password_file; /* NULL: none */
	const char *redis_prefix; /* of every key */
	double redis_timeout_s;
	size_t workers;
	const char *auth_key; /* file; NULL: no credentials are needed */
	const char *auth_algorithm; /* "HS256", "RS256" or "ES256" */
	struct config_list trusted_proxies; /* addresses, or networks as 10.0.0.0/8 */
	size_t window; /* un-acked messages */
	size_t message_max; /* bytes of one message on /ws */
	size_t channel_max_data; /* bytes of data; 0: no limit but message_max */
	size_t subscriptions_max;
	size_t retention_messages;
	double retention_time_s;
	size_t retention_bytes;
	double session_ttl_s;
	double heartbeat_interval_s; /* 0: none */
	double heartbeat_timeout_s;
	size_t slow_consumer_bytes;
	double slow_consumer_grace_s;
	double fragment_timeout_s; /* 0: none */
	size_t rate_messages; /* a second; 0: no limit */
	size_t rate_burst;
	size_t rate_strikes; /* rate_limited errors after which 4029 follows */
	size_t limit_connections; /* 0: what the descriptor limit allows */
	size_t limit_per_address; /* 0: no limit */
	size_t limit_handshakes; /* a second; 0: no limit */

	struct config_kept *kept; /* texts of the file */
};

enum config_command {
	CONFIG_RUN,
	CONFIG_HELP,
	CONFIG_VERSION,
	CONFIG_LIST_DEFECTS,
	CONFIG_LIST_OPTIONS,
	CONFIG_PRINT, /* config is complete */
};

/*
 * Reads the file of --config over the defaults, and the flags over both. 0 with *ret_command, or -EINVAL with the
 * sentence in err. The texts of flags stay owned by argv; config_fini frees the rest, also after a failure.
 */
int config_parse(struct config *config, int argc, char **argv, enum config_command *ret_command, struct err *err);
void config_fini(struct config *config);

void config_print_help(void); /* the text of --help, made from the same table */
void config_print(struct config *config); /* as a file that --config reads */
void config_print_options(void); /* JSON: an array of {key, flag, value, takes, default, help} */

#endif
