#pragma once
/*
 * For the tests of TLS that is ended in the proxy: a client that is not ours, a thread with OpenSSL on a blocking
 * socket, which follows a script.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "harness/proxy/test_bed.h"

enum { MUCH = 8 << 20 };

/*
 * "> text" sends, "< text" expects, "send much" and "expect much" are MUCH octets of bed_pattern(.., 0, 1), "wait" is
 * for client_go(), "close" is close_notify; behind the last step it waits for the end, but not behind "rst". What goes
 * wrong, and the end, is in `said`.
 */
struct tls_client {
	const char *const *script;
	const char *alpn;
	bool plain;                /* speaks no TLS */

	char said[256];

	/* internal */
	int fd;
	pthread_t thread;
	sem_t go;
	atomic_bool done;
};

/* Connects it to the bed's proxy. */
void client_start(struct tls_client *c, struct bed *b);
void client_go(struct tls_client *c);
/* Until it is through; what it says must end in `said`, NULL: anything. */
void client_join(struct tls_client *c, struct bed *b, const char *said);
