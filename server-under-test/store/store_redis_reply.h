#ifndef SERVER_STORE_REDIS_REPLY_H
#define SERVER_STORE_REDIS_REPLY_H

#include <hiredis/hiredis.h>

#include "server-under-test/hub/hub.h"

#define REDIS_WORDS_MAX 24 /* of one command */

/*
 * Commands as octets, and answers looked at: whatever Redis sends is checked before it is used, and false means that
 * it was something else.
 */

/* The octets of a command; free() them. At most REDIS_WORDS_MAX words. Out of memory ends the process. */
char *redis_command(int count, const struct text *words, size_t *ret_len);

/* An array of at least `count`. NULL is none. */
bool redis_is_array(const struct redisReply *reply, size_t count);
/* An error that begins with this code, as in "NOSCRIPT No matching script". */
bool redis_is_error(const struct redisReply *reply, const char *code);
bool redis_text(const struct redisReply *reply, struct text *ret);
/* A decimal number, as text or as an integer, up to 2^53. */
bool redis_number(const struct redisReply *reply, uint64_t *ret);
bool redis_epoch(const struct redisReply *reply, char ret[EPOCH_MAX + 1]);

bool text_number(struct text text, uint64_t *ret);
bool text_epoch(struct text text, char ret[EPOCH_MAX + 1]);
/* Takes what stands before the next blank off the front; false when there is no blank. */
bool text_word(struct text *rest, struct text *ret);

#endif
