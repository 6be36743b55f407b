/* The service of /echo: messages go back as they came. It needs no credential and speaks no subprotocol of its own. */
#include <stdlib.h>
#include <string.h>
#include <ev.h>

#include "server-under-test/auth.h"
#include "server-under-test/defects.h"
#include "server-under-test/limits.h"
#include "server-under-test/metrics.h"
#include "server-under-test/server.h"
#include "server-under-test/wire.h"

#define ECHO_QUEUE_MAX (4u * 1024 * 1024) /* unsent octets above which the peer is not read */

static void echo_opened(struct wire *wire, const struct wire_opening *opening)
{
	struct server *server = wire_server(wire);

	identity_free(opening->identity);
	log_connect(server->log, wire_info(wire));
	if (server->config->rate_messages > 0) {
		struct bucket *bucket = calloc(1, sizeof(*bucket));

		if (!bucket)
			abort();
		wire_set_user(wire, bucket);
	}
}

static bool rate_ok(struct wire *wire)
{
	struct server *server = wire_server(wire);
	struct bucket *bucket = wire_user(wire);

	return !bucket || defect(limit_rate_ignored) ||
	       bucket_take(bucket, (double)server->config->rate_messages, (double)server->config->rate_burst,
				      ev_now(server->loop));
}

static bool is_close_trigger(struct wire *wire, bool binary, const uint8_t *data, size_t len)
{
	const char *trigger = wire_server(wire)->config->close_trigger;

	return trigger && !binary && len == strlen(trigger) && memcmp(data, trigger, len) == 0;
}

static void echo_message(struct wire *wire, bool binary, const uint8_t *data, size_t len)
{
	enum message_type type = binary ? MESSAGE_TYPE_binary : MESSAGE_TYPE_text;

	metrics->messages_in[type]++;
	if (!rate_ok(wire)) {
		wire_close(wire, 4029, "rate limited");
		return;
	}
	if (is_close_trigger(wire, binary, data, len)) {
		wire_close(wire, 1001, "going away");
		return;
	}
	wire_send_copy(wire, binary, data, len);
	metrics->messages_out[type]++;
	if (wire_queued(wire) > ECHO_QUEUE_MAX)
		wire_pause(wire, true);
}

static void echo_pong(struct wire *wire)
{
	(void)wire;
}

static void echo_drained(struct wire *wire)
{
	wire_pause(wire, false);
}

static void echo_closed(struct wire *wire, const struct conn_end *end)
{
	(void)end;
	free(wire_user(wire));
}

static size_t echo_message_max(const struct config *config)
{
	return config->echo_max;
}

const struct service service_echo = {
	.path = "/echo",
	.opened = echo_opened,
	.message = echo_message,
	.pong = echo_pong,
	.drained = echo_drained,
	.closed = echo_closed,
	.message_max = echo_message_max,
};
