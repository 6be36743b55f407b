#ifndef SERVER_PROCESS_H
#define SERVER_PROCESS_H

#include "server-under-test/server.h"

#define EXIT_USAGE 64
#define EXIT_UNAVAILABLE 69
#define EXIT_SOFTWARE 70

/* What the parent writes into a worker's control pipe, one octet each. Its end: the parent is gone. */
enum control {
	CONTROL_DRAIN = 'd', /* Close 1001 */
	CONTROL_RESTART = 'r', /* Close 1012 */
	CONTROL_RELOAD = 'l', /* the certificate */
};

/* Which of several processes this one is. */
struct worker_place {
	unsigned index;
	int control_fd; /* read end, non-blocking; the process's from now on */
	int ready_fd; /* gets one octet when connections are accepted; the process's from now on */
};

/*
 * Serves on the socket of listener, which becomes this process's, until it is drained; returns the exit code, complaints
 * have gone to stderr. place NULL: the only process, which listens to signals itself and logs server.ready and
 * server.drain.
 */
int process_run(const struct config *config, const struct listener *listener, const struct worker_place *place);

/* Writes the sentence to stderr and returns exit_code. */
int complain(int exit_code, const struct err *err);

#endif
