#ifndef SERVER_TLS_H
#define SERVER_TLS_H

#include <ev.h>

#include "server-under-test/config/config.h"
#include "server-under-test/base/err.h"

/*
 * TLS in front of everything: takes the accepted socket, does the TLS handshake, and gives the engine one end of a
 * socket pair that carries the plain octets, so that requests and frames are read by the same code with TLS and
 * without. TLS 1.2 and later, ALPN http/1.1.
 */
struct tls;

#define TLS_BUFFER_MAX (64u * 1024) /* octets held in each direction of one connection */

int tls_start(struct tls **ret, struct ev_loop *loop, const struct config *config, struct err *err);
void tls_stop(struct tls *tls); /* NULL: nothing */

/*
 * Takes over fd; the plain end, non-blocking, goes to on_open once the TLS handshake is done, which it must be within
 * config->handshake_timeout_s.
 */
void tls_accept(struct tls *tls, int fd, const char *ip, void (*on_open)(void *arg, int fd, const char *ip), void *arg);

/* Reads certificate and key again; new connections use them, open ones go on. When they are bad the old ones stay. */
int tls_reload(struct tls *tls, struct err *err);

#endif
