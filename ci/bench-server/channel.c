/* Told apart by how the texts begin, not parsed: the load has to be cheaper than the servers. */
#include "ci/bench-server/channel.h"

#include <stdio.h>
#include <string.h>

#include "ci/bench-server/fail.h"

#define STARTS(text, len, with) ((len) >= sizeof(with) - 1 && memcmp((text), (with), sizeof(with) - 1) == 0)

static const char subscribe[] = "{\"type\":\"subscribe\",\"id\":1,\"channel\":\"bench\"}";
static const char data_key[] = "\"data\":\"";

void channel_subscribe(struct peer *peer)
{
	pool_send_text(peer, subscribe, sizeof(subscribe) - 1);
}

void channel_publish(struct peer *peer, uint32_t number, size_t size)
{
	char text[CHANNEL_SIZE_MAX + 128];
	int fill = (int)size - CHANNEL_SIZE_MIN;
	int len = snprintf(text, sizeof(text), "{\"type\":\"publish\",\"id\":%u,\"channel\":\"bench\",\"data\":\"%08u%0*d\"}",
			   number, number, fill, 0);

	if (fill < 1 || (size_t)len >= sizeof(text))
		fail("a message has between %u and %u octets", CHANNEL_SIZE_MIN + 1, CHANNEL_SIZE_MAX);
	pool_send_text(peer, text, (size_t)len);
}

/* The data is the last member as a rule: looked for at its place first. NULL: there is none. */
static const uint8_t *data_of(const uint8_t *text, size_t len, size_t size)
{
	size_t key = sizeof(data_key) - 1;
	const uint8_t *at;

	if (len > size + key && memcmp(text + len - size - key, data_key, key) == 0)
		return text + len - size;
	at = memmem(text, len, data_key, key);
	return at && (size_t)(text + len - at) >= key + 8 ? at + key : NULL;
}

enum channel_event channel_event(const uint8_t *text, size_t len, size_t size, uint32_t *ret_number)
{
	const uint8_t *data;

	if (STARTS(text, len, "{\"type\":\"error\""))
		fail("the server says %.*s", (int)(len < 200 ? len : 200), (const char *)text);
	if (STARTS(text, len, "{\"type\":\"subscribed\""))
		return CHANNEL_SUBSCRIBED;
	if (!STARTS(text, len, "{\"type\":\"message\""))
		return CHANNEL_OTHER;
	data = data_of(text, len, size);
	if (!data)
		fail("a message without its data: %.*s", (int)(len < 200 ? len : 200), (const char *)text);
	*ret_number = 0;
	for (unsigned i = 0; i < 8; i++)
		*ret_number = *ret_number * 10 + (data[i] - '0');
	return CHANNEL_MESSAGE;
}
