#ifndef SERVER_LOG_H
#define SERVER_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server-under-test/base/err.h"
#include "server-under-test/base/text.h"

#define LOG_TEXT_MAX 256 /* bytes kept of a path, an Origin, a subprotocol, a user */
#define LOG_ID_MAX 20
#define LOG_IP_MAX 46
#define LOG_REASON_MAX 123 /* RFC 6455 5.5: what fits a Close frame */

#define LOG_PATIENCE_MS 1000 /* for a reader that does not read, once; then lines are lost until it does */

/*
 * One JSON object a line; each line is one write(), so that lines of several processes never mix. A reader that is gone
 * or stuck ends nothing: lines are lost then, and the next one that can be written is preceded by `log.lost`.
 */
struct log {
	int fd; /* non-blocking, with an open file description of its own; where that cannot be had, the inherited one */
	bool owns_fd;
	bool stuck; /* the last line was lost */
	uint64_t lost; /* lines, not yet told */
	const char *node;
	uint32_t boot; /* random, makes connection ids differ between runs */
	uint32_t conns; /* ids given out */
};

/* What is known of one connection: the head fields of its log lines and its counters. Texts are NULL when not known. */
struct conn_info {
	char id[LOG_ID_MAX]; /* correlation id, also the response header X-Wsquall-Conn */
	char ip[LOG_IP_MAX]; /* the client's: of X-Forwarded-For when a trusted proxy says so */
	char *path, *origin, *subprotocol, *session, *user; /* owned */
	double opened_s; /* monotonic, when ws.connect was logged */
	uint64_t sent; /* data messages */
	uint64_t received;
};

enum initiator {
	INITIATOR_CLIENT,
	INITIATOR_SERVER,
	INITIATOR_NETWORK,
};

/* How a connection ended. code: 1005 for a Close without status, 1006 for no Close at all (RFC 6455 7.1.5). */
struct conn_end {
	unsigned code;
	char reason[LOG_REASON_MAX + 1];
	size_t reason_len;
	bool clean; /* Close frames went both ways */
	enum initiator initiator;
};

/* path "-": standard output. 0, or negative errno with the sentence in err. */
int log_open(struct log *log, const char *path, const char *node, struct err *err);
void log_close(struct log *log);

void conn_info_init(struct conn_info *info, struct log *log, const char *ip);
void conn_info_fini(struct conn_info *info);
/* Copies at most LOG_TEXT_MAX bytes over what was there; an empty value is NULL. */
void conn_info_set(char **field, struct text value);
void conn_end_set_reason(struct conn_end *end, const void *reason, size_t len);

void log_server_ready(struct log *log, unsigned port, bool tls, unsigned workers);
void log_server_drain(struct log *log, unsigned code, unsigned connections);
void log_backplane(struct log *log, bool up);
void log_tls_reload(struct log *log, const char *problem); /* NULL: new connections use the new certificate */
/* A worker died and is replaced unless the server ends. signum -1: it exited by itself. */
void log_worker_died(struct log *log, unsigned index, int pid, int signum, int exit_code);
void log_connect(struct log *log, struct conn_info *info); /* also starts the duration */
void log_disconnect(struct log *log, const struct conn_info *info, const struct conn_end *end);
void log_refused(struct log *log, const struct conn_info *info, unsigned status, const char *why);
void log_slow_consumer(struct log *log, const struct conn_info *info, size_t buffered); /* octets unsent */
void log_heartbeat_timeout(struct log *log, const struct conn_info *info);

#endif
