/* The one place where a channel's message becomes JSON and a frame, so that no subscriber costs another copy of it. */
#include "server-under-test/hub/message.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "server-under-test/defects.h"

#define SEQ_DIGITS_MAX 20
#define LARGE 65536 /* octets of data, of text_large_damaged */

/* Bugs: the data, in a buffer of its size, as who puts messages together by hand sends it. */
static struct text damaged(struct text data, char *buffer)
{
	size_t len = 0, from = defect(text_large_damaged) ? LARGE : SIZE_MAX;

	for (size_t i = 0; i < data.len; i++) {
		char c = data.p[i], next = i + 1 < data.len ? data.p[i + 1] : '\0';
		bool escape = c == '\\';

		if (defect(text_ascii_only) && (c & 0x80))
			c = '?';
		if (i >= from && c >= 'A' && c <= 'Z') {
			c = c == 'A' ? 'B' : 'A';
			from = SIZE_MAX;
		}
		if (!escape || next != '"' || !defect(text_quotes_unescaped))
			buffer[len++] = c;
		if (escape && next)
			buffer[len++] = data.p[++i];
	}
	return text_of(buffer, len);
}

static struct message *make(const char *channel, const char *epoch, const struct stored *stored)
{
	char seq[SEQ_DIGITS_MAX + 1];
	struct text pieces[] = {
		text_from("{\"type\":\"message\",\"channel\":\""), text_from(channel), text_from("\",\"epoch\":\""),
		text_from(epoch), text_from("\",\"seq\":"), { 0 }, text_from(",\"data\":"), stored->data, text_from("}"),
	};
	struct message *message;

	snprintf(seq, sizeof(seq), "%llu", (unsigned long long)stored->seq);
	pieces[5] = text_from(seq);
	message = malloc(sizeof(*message) + stored->key.len);
	if (!message)
		abort();
	*message = (struct message){ .refs = 1, .seq = stored->seq, .at_s = stored->at_s, .data_len = stored->data.len,
				     .key_len = stored->key.len };
	for (size_t i = 0; i < 7; i++)
		message->data_start += pieces[i].len;
	message->frame = frame_join(pieces, sizeof(pieces) / sizeof(pieces[0]));
	if (stored->key.len)
		memcpy(message->key, stored->key.p, stored->key.len);
	return message;
}

struct message *message_make(const char *channel, const char *epoch, const struct stored *stored)
{
	struct stored other = *stored;
	struct message *message;
	char *buffer;

	if (stored->message)
		return message_ref(stored->message);
	if (!defect(text_ascii_only) && !defect(text_quotes_unescaped) && !defect(text_large_damaged))
		return make(channel, epoch, stored);
	buffer = malloc(stored->data.len + 1);
	if (!buffer)
		abort();
	other.data = damaged(stored->data, buffer);
	message = make(channel, epoch, &other);
	free(buffer);
	return message;
}

struct message *message_ref(struct message *message)
{
	message->refs++;
	return message;
}

void message_unref(struct message *message)
{
	if (!message)
		return;
	assert(message->refs > 0);
	if (--message->refs > 0)
		return;
	frame_unref(message->frame);
	free(message);
}
