#ifndef SERVER_MESSAGE_H
#define SERVER_MESSAGE_H

#include "server-under-test/hub/hub.h"
#include "server-under-test/store/store.h"

/*
 * The message of what the store handed over, with the `message` object of PROTOCOL as its frame; stored->message itself
 * when there is one. The caller gets a reference. channel and epoch need no escaping in JSON, data is JSON already.
 */
struct message *message_make(const char *channel, const char *epoch, const struct stored *stored);

static inline struct text message_data(const struct message *message)
{
	return text_of(frame_payload(message->frame) + message->data_start, message->data_len);
}

static inline struct text message_key(const struct message *message)
{
	return text_of(message->key, message->key_len);
}

/* What it counts for in retention_bytes and in the limits of an answer. */
static inline size_t message_size(const struct message *message)
{
	return message->data_len;
}

#endif
