#ifndef SERVER_WORKERS_H
#define SERVER_WORKERS_H

#include "server-under-test/config/config.h"
#include "server-under-test/base/err.h"

/*
 * Serves with config->workers processes, which share the port (SO_REUSEPORT, one listening socket each, opened here: the
 * connections that wait in a socket outlive its worker). Signals are handed on; a worker that dies is replaced, up to
 * WORKERS_RESPAWNS_MAX times a minute. Returns the exit code: that of a worker that failed, else 0.
 */
#define WORKERS_RESPAWNS_MAX 10
#define WORKERS_GRACE_S 5.0 /* after drain.timeout, or a second signal, until workers are killed */

int workers_run(const struct config *config);

#endif
