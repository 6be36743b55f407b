/* The table of the options, and what can be asked of a row. */
#include "server-under-test/config/config_options.h"

#include "server-under-test/store/store.h"

#define KIB 1024.0
#define GIB (1024.0 * 1024 * 1024)
#define MS 0.001
#define MANY 1e9 /* the largest count */
#define LONG 2678400.0 /* 31 days */
#define WORKERS_MAX 64
#define HEADER_MIN 256
#define HEADER_MAX (1024 * KIB)

#define FIELD(name) offsetof(struct config, name)

/* Options whose keys begin with the same word stand together: --help makes a group of them. */
const struct option config_options[] = {
	/* clang-format off */
	{ "port", OPTION_COUNT, FIELD(port), 0, 65535, "9001", "N",
	  "port to listen on; 0 takes a free one, told by the event server.ready" },
	{ "bind", OPTION_TEXT, FIELD(bind), 0, 0, "127.0.0.1", "ADDRESS", "IPv4 or IPv6 address to listen on" },
	{ "node", OPTION_TEXT, FIELD(node), 0, 0, "a", "NAME", "name of this node, in its log and in `welcome`" },
	{ "workers", OPTION_COUNT, FIELD(workers), 1, WORKERS_MAX, "1", "N",
	  "processes that share the port; more than 1 needs --store redis" },
	{ "engine", OPTION_CHOICE, FIELD(engine), 0, 0, NULL, "lws|naive",
	  "lws: libwebsockets (default); naive: the small engine that the defects on the wire live in, with /echo only" },
	{ "log", OPTION_TEXT, FIELD(log), 0, 0, "-", "FILE|-", "JSON lines; - is standard output" },
	{ "tls.cert", OPTION_TEXT, FIELD(tls_cert), 0, 0, NULL, "FILE",
	  "certificate chain (PEM): serve wss; read again on SIGHUP" },
	{ "tls.key", OPTION_TEXT, FIELD(tls_key), 0, 0, NULL, "FILE", "private key (PEM)" },
	{ "header.max", OPTION_SIZE, FIELD(header_max), HEADER_MIN, HEADER_MAX, "8KiB", "SIZE", "largest request head" },
	{ "handshake.timeout", OPTION_SECONDS, FIELD(handshake_timeout_s), MS, LONG, "10s", "TIME",
	  "for the whole opening handshake" },
	{ "close.timeout", OPTION_SECONDS, FIELD(close_timeout_s), MS, LONG, "5s", "TIME", "for the answer to a Close" },
	{ "close.trigger", OPTION_TEXT, FIELD(close_trigger), 0, 0, NULL, "TEXT",
	  "a text message that makes /echo close with 1001 instead of echoing it: for tests of a close by the server" },
	{ "origins", OPTION_LIST, FIELD(origins), 0, 0, NULL, "LIST",
	  "the only origins allowed; a missing Origin is allowed" },
	{ "origins.denied", OPTION_LIST, FIELD(origins_denied), 0, 0, NULL, "LIST", "origins refused with 403" },
	{ "origins.echo", OPTION_CHOICE, FIELD(origins_echo), 0, 0, "ignored", "ignored|checked",
	  "whether the two lists apply to /echo" },
	{ "subprotocols", OPTION_LIST, FIELD(subprotocols), 0, 0, "wsquall.v1", "LIST", "subprotocols known on /echo" },
	{ "trusted_proxies", OPTION_LIST, FIELD(trusted_proxies), 0, 0, NULL, "LIST",
	  "addresses or networks (10.0.0.0/8) whose X-Forwarded-For is believed" },
	{ "auth.key", OPTION_TEXT, FIELD(auth_key), 0, 0, NULL, "FILE",
	  "key that tokens are checked with: the secret of HS256, else a public key (PEM); credentials are needed then" },
	{ "auth.algorithm", OPTION_CHOICE, FIELD(auth_algorithm), 0, 0, "HS256", "HS256|RS256|ES256",
	  "the only algorithm a token may use" },
	{ "store", OPTION_CHOICE, FIELD(store), 0, 0, "memory", "memory|redis", "where messages are ordered and kept" },
	{ "redis.address", OPTION_TEXT, FIELD(redis_address), 0, 0, "127.0.0.1:6379", "HOST:PORT|unix:PATH",
	  "of --store redis" },
	{ "redis.password_file", OPTION_TEXT, FIELD(redis_password_file), 0, 0, NULL, "FILE",
	  "holds the password of Redis" },
	{ "redis.prefix", OPTION_TEXT, FIELD(redis_prefix), 0, 0, "wsquall:", "TEXT", "of every key in Redis" },
	{ "redis.timeout", OPTION_SECONDS, FIELD(redis_timeout_s), MS, LONG, "2s", "TIME",
	  "without an answer after which Redis counts as away" },
	{ "echo.max", OPTION_SIZE, FIELD(echo_max), 1, GIB, "16MiB", "SIZE",
	  "largest message on /echo; a larger one is closed with 1009" },
	{ "message.max", OPTION_SIZE, FIELD(message_max), KIB, GIB, "1MiB", "SIZE",
	  "largest message on /ws; a larger one is closed with 1009" },
	{ "channel.max_data", OPTION_SIZE, FIELD(channel_max_data), 0, GIB, "0", "SIZE",
	  "largest data of one publish; 0: no limit of its own" },
	{ "window", OPTION_COUNT, FIELD(window), 1, MANY, "256", "N",
	  "un-acked messages in flight per connection and channel" },
	{ "subscriptions.max", OPTION_COUNT, FIELD(subscriptions_max), 1, SESSION_CHANNELS_MAX, "1000", "N",
	  "channels one connection may be subscribed to" },
	{ "retention.messages", OPTION_COUNT, FIELD(retention_messages), 1, MANY, "1000", "N",
	  "messages kept of a channel" },
	{ "retention.time", OPTION_SECONDS, FIELD(retention_time_s), MS, LONG, "10m", "TIME",
	  "for which a message is kept" },
	{ "retention.bytes", OPTION_SIZE, FIELD(retention_bytes), KIB, GIB, "64MiB", "SIZE",
	  "of messages kept of a channel" },
	{ "session.ttl", OPTION_SECONDS, FIELD(session_ttl_s), 0, LONG, "300s", "TIME",
	  "for which a session outlives its connection" },
	{ "heartbeat.interval", OPTION_SECONDS, FIELD(heartbeat_interval_s), 0, LONG, "25s", "TIME",
	  "between Pings; 0: none" },
	{ "heartbeat.timeout", OPTION_SECONDS, FIELD(heartbeat_timeout_s), MS, LONG, "10s", "TIME",
	  "for the Pong; then 4010" },
	{ "slow_consumer.bytes", OPTION_SIZE, FIELD(slow_consumer_bytes), 1, GIB, "1MiB", "SIZE",
	  "unsent, which a client without a window may have" },
	{ "slow_consumer.grace", OPTION_SECONDS, FIELD(slow_consumer_grace_s), 0, LONG, "5s", "TIME",
	  "above that, until 4008" },
	{ "fragment.timeout", OPTION_SECONDS, FIELD(fragment_timeout_s), 0, LONG, "10s", "TIME",
	  "for all of a message once begun; then 4009; 0: none" },
	{ "rate.messages", OPTION_COUNT, FIELD(rate_messages), 0, MANY, "100", "N",
	  "messages a second of one connection; 0: no limit" },
	{ "rate.burst", OPTION_COUNT, FIELD(rate_burst), 1, MANY, "200", "N", "messages at once" },
	{ "rate.strikes", OPTION_COUNT, FIELD(rate_strikes), 1, MANY, "50", "N", "errors rate_limited before 4029" },
	{ "limit.connections", OPTION_COUNT, FIELD(limit_connections), 0, MANY, "0", "N",
	  "open WebSockets; 0: what the descriptor limit allows" },
	{ "limit.per_address", OPTION_COUNT, FIELD(limit_per_address), 0, MANY, "1000", "N",
	  "open WebSockets of one IPv4 address or IPv6 /64; 0: no limit" },
	{ "limit.handshakes", OPTION_COUNT, FIELD(limit_handshakes), 0, MANY, "200", "N",
	  "opening handshakes a second; 0: no limit" },
	{ "drain.notice", OPTION_SECONDS, FIELD(drain_notice_s), 0, LONG, "1s", "TIME",
	  "between SIGTERM and the first Close" },
	{ "drain.spread", OPTION_SECONDS, FIELD(drain_spread_s), 0, LONG, "2s", "TIME",
	  "over which the Closes are spread" },
	{ "drain.timeout", OPTION_SECONDS, FIELD(drain_timeout_s), 0, LONG, "30s", "TIME",
	  "after which a drain ends in any case" },
	{ "defect", OPTION_LIST, FIELD(defects), 0, 0, NULL, "LIST",
	  "switch deliberate bugs on, of one kind; those on the wire mean --engine naive" },
	/* clang-format on */
};

const size_t config_option_count = sizeof(config_options) / sizeof(config_options[0]);

_Static_assert(sizeof(config_options) / sizeof(config_options[0]) <= OPTIONS_MAX, "raise OPTIONS_MAX");

void *option_field(const struct option *option, struct config *config)
{
	return (char *)config + option->offset;
}

bool option_is_set(const struct option *option, const struct config *config)
{
	const void *field = (const char *)config + option->offset;

	if (option->kind == OPTION_LIST)
		return ((const struct config_list *)field)->count > 0;
	if (option->kind == OPTION_TEXT || option->kind == OPTION_CHOICE)
		return *(const char *const *)field != NULL;
	return true;
}

static char flag_char(char c)
{
	return c == '.' || c == '_' ? '-' : c;
}

const struct option *option_by_key(struct text key)
{
	for (size_t i = 0; i < config_option_count; i++)
		if (text_equal(key, config_options[i].key))
			return &config_options[i];
	return NULL;
}

static bool flag_matches(const char *key, struct text flag)
{
	if (strlen(key) != flag.len)
		return false;
	for (size_t i = 0; i < flag.len; i++)
		if (flag.p[i] != flag_char(key[i]))
			return false;
	return true;
}

const struct option *option_by_flag(struct text flag)
{
	for (size_t i = 0; i < config_option_count; i++)
		if (flag_matches(config_options[i].key, flag))
			return &config_options[i];
	return NULL;
}

void option_flag(const struct option *option, char buffer[OPTION_NAME_MAX])
{
	size_t len = 0;

	for (const char *k = option->key; *k && len < OPTION_NAME_MAX - 1; k++)
		buffer[len++] = flag_char(*k);
	buffer[len] = '\0';
}

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	unsigned two = a < b ? a : b;

	return two < c ? two : c;
}

/* Levenshtein's distance; the ways to write a separator are one. */
static unsigned distance(struct text name, const char *key)
{
	unsigned row[OPTION_NAME_MAX + 1];
	size_t len = strlen(key);

	for (size_t j = 0; j <= len; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= name.len; i++) {
		unsigned corner = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= len; j++) {
			unsigned change = corner + (flag_char(text_lower(name.p[i - 1])) != flag_char(key[j - 1]));

			corner = row[j];
			row[j] = least(row[j] + 1, row[j - 1] + 1, change);
		}
	}
	return row[len];
}

void nearest_begin(struct nearest *nearest, struct text name)
{
	*nearest = (struct nearest){ .name = name, .distance = name.len < 6 ? 3 : (unsigned)(name.len / 3 + 1) };
}

bool nearest_try(struct nearest *nearest, const char *word)
{
	unsigned far;

	if (nearest->name.len > OPTION_NAME_MAX)
		return false;
	far = distance(nearest->name, word);
	if (far >= nearest->distance || far >= nearest->name.len)
		return false;
	nearest->distance = far;
	nearest->word = word;
	return true;
}

const struct option *option_nearest(struct text name)
{
	const struct option *option = NULL;
	struct nearest nearest;

	nearest_begin(&nearest, name);
	for (size_t i = 0; i < config_option_count; i++)
		if (nearest_try(&nearest, config_options[i].key))
			option = &config_options[i];
	return option;
}
