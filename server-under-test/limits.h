#ifndef SERVER_LIMITS_H
#define SERVER_LIMITS_H

#include <stdbool.h>

#include "server-under-test/config/config.h"

#define LIMITS_ADDRESSES_MAX 65536 /* addresses counted at once; beyond it an address is not counted */

/* A token bucket on the caller's clock (seconds, monotonic). rate 0: no limit. Zero it before use. */
struct bucket {
	double tokens;
	double at_s;
	bool started;
};
bool bucket_take(struct bucket *bucket, double rate, double burst, double now_s);
double bucket_wait_s(const struct bucket *bucket, double rate); /* until the next token */

enum admission {
	ADMIT_OK,
	ADMIT_HANDSHAKES, /* 429 */
	ADMIT_PER_ADDRESS, /* 429 */
	ADMIT_FULL, /* 503 */
};

/*
 * May one more WebSocket from this address be opened? Counted across workers. OK counts it in, and limits_release
 * must follow. *ret_retry_s: whole seconds for Retry-After.
 */
enum admission limits_admit(const struct config *config, const char *ip, double now_s, unsigned *ret_retry_s);
void limits_release(const char *ip);

void limits_share(unsigned workers); /* before the fork, once */
void limits_use(unsigned index); /* forgets what a crashed predecessor held */

#endif
