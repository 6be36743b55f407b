/* All rows, and what a target must tell for each. */
#include "harness/readiness/rows.h"

const struct dialogue_row *const dialogue_rows[] = {
#define ROW(name) &dialogue_##name,
#include "harness/readiness/rows.def"
#undef ROW
};
const size_t dialogue_rows_len = ARRAY_LEN(dialogue_rows);

const struct dialogue_row *dialogue_row_find(const char *check)
{
	for (size_t i = 0; i < dialogue_rows_len; i++)
		if (strcmp(dialogue_rows[i]->check, check) == 0)
			return dialogue_rows[i];
	return NULL;
}

static bool has_metrics(const struct target *t)
{
	const struct target_node *nodes = t->nodes.items;
	for (size_t i = 0; i < t->nodes.len; i++)
		if (nodes[i].metrics)
			return true;
	return t->metrics.url;
}

static bool log_joins(const struct target *t)
{
	return target_has_logs(t) && t->logs.connection && t->id_header;
}

/* By itself: an adapter's process is more than a dialogue starts. */
static bool speaks(const struct site *s)
{
	return s->dialect && s->dialect->transport == DIALECT_WEBSOCKET;
}

bool dialogue_speaks(const struct dialogue *d)
{
	return speaks(d->r->site);
}

const char *dialogue_url_channel(const struct dialogue *d, const char *channel)
{
	return speaks(d->r->site) && d->r->site->dialect->channel_by == DIALECT_CHANNEL_BY_URL ? channel : NULL;
}

static bool has(const struct site *s, enum dialogue_need_bit need)
{
	const struct target *t = s->target;
	const struct contract *c = &s->contract;
	const char *const *names = t->metrics.names;
	switch (need) {
	case DIALOGUE_NEED_BIT_FOREIGN_ORIGIN:
		return t->origins.forbidden;
	case DIALOGUE_NEED_BIT_CREDENTIAL:
		return t->credentials.valid;
	case DIALOGUE_NEED_BIT_EXPIRED:
		return t->credentials.expired || t->credentials.expiring;
	case DIALOGUE_NEED_BIT_TLS:
		return t->url.tls;
	case DIALOGUE_NEED_BIT_WEBSOCKET:
		return !s->dialect || s->dialect->transport != DIALECT_SSE;
	case DIALOGUE_NEED_BIT_DIALECT:
		return speaks(s);
	case DIALOGUE_NEED_BIT_PUBLISH:
		return s->dialect && s->dialect->can_publish;
	case DIALOGUE_NEED_BIT_LOG:
		return log_joins(t) && t->logs.words[LOG_WORD_disconnect].len;
	case DIALOGUE_NEED_BIT_LOG_CODE:
		return t->logs.code;
	case DIALOGUE_NEED_BIT_LOG_ADDRESS:
		return log_joins(t) && t->logs.address && t->logs.words[LOG_WORD_connect].len;
	case DIALOGUE_NEED_BIT_MAX_MESSAGE:
		return c->max_message;
	case DIALOGUE_NEED_BIT_FRAGMENT_TIMEOUT:
		return c->fragment_timeout_ms;
	case DIALOGUE_NEED_BIT_CONNECTIONS:
		return c->max_connections || c->handshake_rate > 0;
	case DIALOGUE_NEED_BIT_PER_IP:
		return c->per_ip;
	case DIALOGUE_NEED_BIT_HANDSHAKE_TIMEOUT:
		return c->handshake_timeout_ms;
	case DIALOGUE_NEED_BIT_MESSAGE_RATE:
		return c->message_rate > 0;
	case DIALOGUE_NEED_BIT_HEARTBEAT:
		return c->heartbeat_ms;
	case DIALOGUE_NEED_BIT_HEARTBEAT_TIMEOUT:
		return c->heartbeat_timeout_ms;
	case DIALOGUE_NEED_BIT_CLOSES:
		return (t->close_trigger && t->has_echo) || c->max_message;
	case DIALOGUE_NEED_BIT_FRONT_IDLE:
		return t->front.idle_ms;
	case DIALOGUE_NEED_BIT_METRICS:
		return has_metrics(t);
	case DIALOGUE_NEED_BIT_METRIC_CONNECTIONS:
		return names[TARGET_METRIC_connections];
	case DIALOGUE_NEED_BIT_METRIC_MESSAGES:
		return names[TARGET_METRIC_received] || names[TARGET_METRIC_sent];
	case DIALOGUE_NEED_BIT_METRIC_LATENCY:
		return t->metrics.latency;
	case DIALOGUE_NEED_BIT_SSE:
		return t->fallback.sse;
	case DIALOGUE_NEED_BIT_POLL:
		return t->fallback.poll.first;
	case DIALOGUE_NEEDS:
		break;
	}
	return false;
}

const char *dialogue_lacks(const struct dialogue_row *row, const struct site *s)
{
	static const char *const why[] = {
#define NEED(NAME, text) [DIALOGUE_NEED_BIT_##NAME] = text,
#include "harness/readiness/needs.def"
#undef NEED
	};
	unsigned needs = row->needs | NEEDS_WEBSOCKET;
	for (unsigned i = 0; i < DIALOGUE_NEEDS; i++)
		if (needs & 1u << i && !has(s, (enum dialogue_need_bit)i))
			return why[i];
	return row->lacks ? row->lacks(s) : NULL;
}
