/* Where a session stands, as the JSON that is kept of it: [["channel","epoch",seq],...]. */
#include "server-under-test/store/store_redis.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

char *redis_record_write(const struct session_record *record)
{
	json_t *list = json_array();
	char *text;

	for (unsigned i = 0; i < record->count; i++) {
		const struct session_cursor *cursor = &record->cursors[i];

		if (json_array_append_new(list, json_pack("[ssI]", cursor->channel, cursor->at.epoch,
							  (json_int_t)cursor->at.seq)) < 0)
			abort();
	}
	text = json_dumps(list, JSON_COMPACT);
	json_decref(list);
	if (!text)
		abort();
	return text;
}

static bool cursor_read(struct session_cursor *cursor, json_t *json)
{
	const char *channel, *epoch;
	json_int_t seq;

	if (json_unpack(json, "[s,s,I!]", &channel, &epoch, &seq) < 0 || seq < 0 ||
	    strlen(channel) > CHANNEL_NAME_MAX || strlen(epoch) > EPOCH_MAX)
		return false;
	snprintf(cursor->channel, sizeof(cursor->channel), "%s", channel);
	snprintf(cursor->at.epoch, sizeof(cursor->at.epoch), "%s", epoch);
	cursor->at.seq = (uint64_t)seq;
	return true;
}

bool redis_record_read(struct session_record *record, struct text text)
{
	json_t *list = json_loadb(text.p ? text.p : "", text.len, 0, NULL);
	size_t count = json_array_size(list);

	if (!json_is_array(list) || count > SESSION_CHANNELS_MAX) {
		json_decref(list);
		return false;
	}
	record->cursors = calloc(count + 1, sizeof(*record->cursors));
	if (!record->cursors)
		abort();
	for (; record->count < count; record->count++)
		if (!cursor_read(&record->cursors[record->count], json_array_get(list, record->count)))
			break;
	json_decref(list);
	if (record->count == count)
		return true;
	free(record->cursors);
	return false;
}
