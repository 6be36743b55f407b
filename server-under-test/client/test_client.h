#ifndef SERVER_TEST_CLIENT_H
#define SERVER_TEST_CLIENT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "server-under-test/client/client.h"

/* What is heard, with a * for what a test cannot know. */
#define WELCOME(resumed, window) \
	"{\"type\":\"welcome\",\"session\":\"*\",\"resumed\":" resumed \
	",\"node\":\"a\",\"heartbeat_ms\":25000,\"max_message\":1048576,\"window\":" window "}"
#define ERROR(id, code) "{\"type\":\"error\",\"id\":" id ",\"code\":\"" code "\",\"reason\":\"*\"}"
#define MESSAGE(channel, seq, data) \
	"{\"type\":\"message\",\"channel\":\"" channel "\",\"epoch\":\"*\",\"seq\":" seq ",\"data\":" data "}"
#define PUBLISHED(id, channel, seq) \
	"{\"type\":\"published\",\"id\":" id ",\"channel\":\"" channel "\",\"epoch\":\"*\",\"seq\":" seq "}"
#define SUBSCRIBED(id, channel, seq, rest) \
	"{\"type\":\"subscribed\",\"id\":" id ",\"channel\":\"" channel "\",\"epoch\":\"*\",\"seq\":" seq rest "}"

#define PING "{\"type\":\"ping\",\"id\":0}"
#define PONG "{\"type\":\"pong\",\"id\":0,\"ts\":*}"

/*
 * A bench for the protocol of a connection: a wire that keeps what is said as lines, the real hub, and a store that is
 * the one in memory, or one that answers when it is told to.
 */
#define WIRES_MAX 4

/* Fresh server. `slow`: the store answers only in bench_answer. */
void bench_open(bool slow);
void bench_close(void);
extern struct config bench_config; /* may be changed by a test before what it governs happens */
extern struct server bench_server;

/* Connection number `n`, from 1. The cookie is "" for none; token NULL for none. */
void wire_open(unsigned n, const char *query, const char *cookie, const char *token);
void wire_drop(unsigned n); /* it is over */
void wire_say(unsigned n, const char *message);
void wire_say_octets(unsigned n, bool binary, const void *octets, size_t len);
void wire_pong(unsigned n);
void wire_set_queued(unsigned n, size_t octets); /* what wire_queued tells from now on */
struct client *wire_client(unsigned n);
bool wire_is_paused(unsigned n);
const char *wire_session(unsigned n); /* the session in its log lines */

/*
 * The next line must be this one, in which a * stands for any characters; "close 4000" and the like for what is not a
 * message. NULL: there must be none.
 */
void wire_expect(unsigned n, const char *pattern);
void wire_forget(unsigned n); /* what was said so far */
const char *wire_last(unsigned n); /* line said */

/* Runs lines "1>message" (connection 1 says) and "1<pattern" (and hears), to a NULL. Then nothing more is heard. */
void bench_dialog(const char *const *lines);

void bench_pump(void); /* what is due in the loop, without waiting */
extern const struct store_ops store_slow;
void store_slow_reset(void);
void store_say_taken_over(const char *session, const char *by_conn);
bool bench_answer(void); /* the slow store answers its oldest question; false: there is none */
void bench_answer_all(void);
void bench_down(void); /* the store goes away */
void bench_up(void);
unsigned bench_saves(void); /* sessions saved so far */

/* A token of `subject`. channels: JSON or NULL. */
void bench_token(char token[1024], const char *subject, const char *channels, long expires_in_s);
void bench_key(void); /* from now on credentials are needed */

#endif
