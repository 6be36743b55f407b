/* What Redis answers, looked at before it is used: a server that was set up wrongly may answer anything. */
#include "server-under-test/store/store_redis_reply.h"

#include <assert.h>
#include <stdlib.h>

char *redis_command(int count, const struct text *words, size_t *ret_len)
{
	const char *argv[REDIS_WORDS_MAX];
	size_t lens[REDIS_WORDS_MAX];
	char *command = NULL;
	int len;

	assert(count > 0 && count <= REDIS_WORDS_MAX);
	for (int i = 0; i < count; i++) {
		argv[i] = words[i].p ? words[i].p : "";
		lens[i] = words[i].len;
	}
	len = redisFormatCommandArgv(&command, count, argv, lens);
	if (len < 0)
		abort();
	*ret_len = (size_t)len;
	return command;
}

bool redis_is_array(const struct redisReply *reply, size_t count)
{
	return reply && reply->type == REDIS_REPLY_ARRAY && reply->elements >= count;
}

bool redis_is_error(const struct redisReply *reply, const char *code)
{
	size_t len = strlen(code);

	return reply && reply->type == REDIS_REPLY_ERROR && reply->len >= len && memcmp(reply->str, code, len) == 0 &&
	       (reply->len == len || reply->str[len] == ' ');
}

bool redis_text(const struct redisReply *reply, struct text *ret)
{
	if (!reply || (reply->type != REDIS_REPLY_STRING && reply->type != REDIS_REPLY_STATUS))
		return false;
	*ret = text_of(reply->str, reply->len);
	return true;
}

bool redis_number(const struct redisReply *reply, uint64_t *ret)
{
	struct text text;

	if (reply && reply->type == REDIS_REPLY_INTEGER && reply->integer >= 0) {
		*ret = (uint64_t)reply->integer;
		return true;
	}
	return redis_text(reply, &text) && text_number(text, ret);
}

bool redis_epoch(const struct redisReply *reply, char ret[EPOCH_MAX + 1])
{
	struct text text;

	return redis_text(reply, &text) && text_epoch(text, ret);
}

bool text_number(struct text text, uint64_t *ret)
{
	uint64_t n = 0;

	if (text.len == 0 || text.len > 16)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(text.p[i] - '0');
	}
	if (n > 1ull << 53)
		return false;
	*ret = n;
	return true;
}

bool text_epoch(struct text text, char ret[EPOCH_MAX + 1])
{
	if (text.len == 0 || text.len > EPOCH_MAX)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text_lower(text.p[i]);

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9'))
			return false;
	}
	memcpy(ret, text.p, text.len);
	ret[text.len] = '\0';
	return true;
}

bool text_word(struct text *rest, struct text *ret)
{
	const char *blank = rest->len ? memchr(rest->p, ' ', rest->len) : NULL;

	if (!blank)
		return false;
	*ret = text_of(rest->p, (size_t)(blank - rest->p));
	*rest = text_of(blank + 1, rest->len - ret->len - 1);
	return true;
}
