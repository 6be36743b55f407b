#pragma once
/*
 * For the tests of the proxy's way of octets: one proxy, its upstream and its clients as bare kernel sockets of this
 * thread, none of the code under test. bed_turn() turns the proxy's loop; nothing waits longer than it must.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "harness/base/buf.h"
#include "harness/proxy/proxy.h"

struct bed {
	struct loop loop;
	struct proxies *set;
	struct proxy *proxy;
	int upstream;              /* a listening socket */
	struct sockaddr_storage upstream_address;
	struct buf events;         /* a line an event: "open 1", "end 1 by=client how=fin ..." */
	uint64_t deadline_us;
};

/* "%s": host:port of something of the bed's. */
void bed_init(struct bed *b, uint64_t seed);
void bed_fini(struct bed *b);
/* The proxy of the bed, named "p", from a free port to the upstream; `tls` may be NULL. */
void bed_proxy(struct bed *b, const struct proxy_tls *tls);
/* One turn of the loop; fails the test when it hangs. */
void bed_turn(struct bed *b);
/* A client's socket that the proxy will accept, non-blocking. */
int bed_connect(struct bed *b);
/* A connection through the proxy: both ends of it. */
void bed_pair(struct bed *b, int *ret_client, int *ret_server);
/* The next connection that came to the upstream. */
int bed_accept(struct bed *b);
void bed_send(struct bed *b, int fd, const void *octets, size_t len);
/* Reads until `ending`: exactly this text, then "fin", "rst" or "" (nothing more yet). */
void bed_expect(struct bed *b, int fd, const char *text, const char *ending);
void bed_fin(int fd);
void bed_rst(int *fd);
void bed_close(int *fd);
/* Until the event log ends in this line or has it. */
void bed_expect_event(struct bed *b, const char *line);
/* Options as "key=value key=value". */
struct toxic *bed_toxic(struct bed *b, const char *fault, const char *options, unsigned streams, uint64_t duration_ms);
/* Of `none`, on both streams. */
void bed_none(struct bed *b);
/*
 * Steps, with c for the client and s for the server: "c>abc" sends, "c|" ends with FIN, "c!" with RST, "c." closes;
 * "c<abc" expects this, "c<abc|" then FIN, "c<abc!" then RST.
 */
void bed_play(struct bed *b, int *client, int *server, const char *script);
/* As many connections as are in the list. */
size_t bed_count(struct bed *b);
/* In the order of octets: what stands at `at` of a test's stream. */
void bed_pattern(uint8_t *p, size_t len, uint64_t at, uint64_t which);
