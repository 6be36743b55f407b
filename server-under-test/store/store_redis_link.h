#ifndef SERVER_STORE_REDIS_LINK_H
#define SERVER_STORE_REDIS_LINK_H

#include <ev.h>
#include <hiredis/hiredis.h>
#include <sys/socket.h>

#include "server-under-test/base/bytes.h"
#include "server-under-test/base/list.h"
#include "server-under-test/base/text.h"

/*
 * One connection to Redis (RESP2, https://redis.io/docs/reference/protocol-spec/): commands are answered in their
 * order; a published message may come between any two answers. Nothing of it calls back from within the call that
 * caused it, but redis_link_close.
 */
struct redis_link;

/* reply NULL: the connection ended before the answer. Borrowed for the call. */
typedef void (*redis_reply_fn)(void *arg, const struct redisReply *reply);

struct redis_link_ops {
	void (*opened)(struct redis_link *link); /* TCP is there; nothing has been said yet */
	void (*published)(struct redis_link *link, struct text channel, struct text payload);
	void (*failed)(struct redis_link *link); /* it must be closed; commands still wait */
};

struct redis_link {
	struct ev_loop *loop;
	const struct redis_link_ops *ops;
	void *arg; /* the owner's */
	int fd; /* negative: closed */
	bool connected;
	struct ev_io reading, writing;
	struct ev_prepare flushing; /* before a client is told anything that rests on what is sent here */
	struct bytes out;
	struct redisReader *reader;
	struct link waiting; /* commands whose answers are owed, oldest first */
	unsigned silent; /* redis_link_tick calls in a row without an octet that was owed */
};

void redis_link_init(struct redis_link *link, struct ev_loop *loop, const struct redis_link_ops *ops, void *arg);

/* Starts to connect, without waiting. 0 or negative errno. It must be closed. */
int redis_link_open(struct redis_link *link, const struct sockaddr *address, socklen_t address_len);

/* Closes and answers everything that waits with NULL. Harmless when closed. */
void redis_link_close(struct redis_link *link);

/* Sends a command: leaves with others at the end of the loop's turn. It must be open; fn is called exactly once. */
void redis_link_send(struct redis_link *link, redis_reply_fn fn, void *arg, int count, const struct text *words);
/* The same of octets that are a command already. */
void redis_link_send_raw(struct redis_link *link, redis_reply_fn fn, void *arg, const char *command, size_t len);

/* Waits, blocking, until everything was answered, the link failed, or the time is over. */
void redis_link_finish(struct redis_link *link, double timeout_s);

/*
 * Call it regularly: how many times in a row nothing came though something was owed. Counted, not timed, so that a
 * process that was itself stopped for a while does not blame Redis.
 */
unsigned redis_link_tick(struct redis_link *link);

#endif
