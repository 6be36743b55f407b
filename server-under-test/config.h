#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "server-under-test/err.h"

#define CONFIG_LIST_MAX 32 /* entries of one list option */

/* Texts of one list option, each owned by the list. */
struct config_list {
	char *items[CONFIG_LIST_MAX];
	unsigned count;
};

/*
 * What the server was told. Every field is a row of the table in config.c, which holds its name, default, unit and
 * help.
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
	struct config_list defects;
};

enum config_command {
	CONFIG_RUN,
	CONFIG_HELP,
	CONFIG_VERSION,
	CONFIG_LIST_DEFECTS,
};

/*
 * Reads the command line over the defaults. 0 with *ret_command, or -EINVAL with the sentence in err.
 * The texts stay owned by argv; config_fini frees the lists, also after a failure.
 */
int config_parse(struct config *config, int argc, char **argv, enum config_command *ret_command, struct err *err);
void config_fini(struct config *config);

/* The text of --help, made from the same table. */
void config_print_help(void);

#endif
