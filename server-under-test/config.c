/*
 * The options: one row each, from which the parser and --help are made. The key is the dotted name a configuration
 * file uses; the flag is the key with dashes in place of the dots.
 */
#include "server-under-test/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

enum option_kind {
	OPTION_TEXT,
	OPTION_CHOICE, /* text, one of .value separated by | */
	OPTION_PORT,
	OPTION_COUNT,
	OPTION_SIZE,
	OPTION_SECONDS,
	OPTION_LIST,
};

struct option {
	const char *key;
	enum option_kind kind;
	size_t offset;
	const char *initial; /* NULL: none */
	const char *value; /* how --help names the value */
	const char *help;
};

#define FIELD(name) offsetof(struct config, name)

static const struct option options[] = {
	{ "port", OPTION_PORT, FIELD(port), "9001", "N",
	  "port to listen on; 0 takes a free one, told by the event server.ready" },
	{ "bind", OPTION_TEXT, FIELD(bind), "127.0.0.1", "ADDRESS", "IPv4 or IPv6 address to listen on" },
	{ "node", OPTION_TEXT, FIELD(node), "a", "NAME", "name of this node in the log" },
	{ "tls.cert", OPTION_TEXT, FIELD(tls_cert), NULL, "FILE", "certificate chain (PEM): serve wss" },
	{ "tls.key", OPTION_TEXT, FIELD(tls_key), NULL, "FILE", "private key (PEM)" },
	{ "log", OPTION_TEXT, FIELD(log), "-", "FILE|-", "JSON lines; - is standard output" },
	{ "engine", OPTION_CHOICE, FIELD(engine), NULL, "lws|naive",
	  "lws: libwebsockets (default); naive: the small engine that defects live in" },
	{ "handshake.timeout", OPTION_SECONDS, FIELD(handshake_timeout_s), "10s", "TIME", "for the whole opening handshake" },
	{ "close.timeout", OPTION_SECONDS, FIELD(close_timeout_s), "5s", "TIME", "for the answer to a Close" },
	{ "drain.notice", OPTION_SECONDS, FIELD(drain_notice_s), "1s", "TIME", "between SIGTERM and the first Close" },
	{ "drain.spread", OPTION_SECONDS, FIELD(drain_spread_s), "2s", "TIME", "over which the Closes are spread" },
	{ "drain.timeout", OPTION_SECONDS, FIELD(drain_timeout_s), "30s", "TIME", "after which a drain ends in any case" },
	{ "echo.max", OPTION_SIZE, FIELD(echo_max), "16MiB", "SIZE", "largest message; a larger one is closed with 1009" },
	{ "close.trigger", OPTION_TEXT, FIELD(close_trigger), NULL, "TEXT",
	  "a text message that makes /echo close with 1001 instead of echoing it: for tests of a close by the server" },
	{ "header.max", OPTION_SIZE, FIELD(header_max), "8KiB", "SIZE", "largest request head" },
	{ "subprotocols", OPTION_LIST, FIELD(subprotocols), "wsquall.v1", "LIST", "subprotocols known on /echo" },
	{ "origins", OPTION_LIST, FIELD(origins), NULL, "LIST", "the only origins allowed; a missing Origin is allowed" },
	{ "origins.denied", OPTION_LIST, FIELD(origins_denied), NULL, "LIST", "origins refused with 403" },
	{ "store", OPTION_CHOICE, FIELD(store), "memory", "memory|redis", "where messages are ordered and kept" },
	{ "redis.address", OPTION_TEXT, FIELD(redis_address), "127.0.0.1:6379", "HOST:PORT|unix:PATH", "of --store redis" },
	{ "redis.password_file", OPTION_TEXT, FIELD(redis_password_file), NULL, "FILE", "holds the password of Redis" },
	{ "redis.prefix", OPTION_TEXT, FIELD(redis_prefix), "wsquall:", "TEXT", "of every key in Redis" },
	{ "redis.timeout", OPTION_SECONDS, FIELD(redis_timeout_s), "2s", "TIME",
	  "without an answer after which Redis counts as away" },
	{ "workers", OPTION_COUNT, FIELD(workers), "1", "N", "processes that share the port; more than 1 needs --store redis" },
	{ "auth.key", OPTION_TEXT, FIELD(auth_key), NULL, "FILE",
	  "key that tokens are checked with: the secret of HS256, else a public key (PEM); credentials are needed from then on" },
	{ "auth.algorithm", OPTION_CHOICE, FIELD(auth_algorithm), "HS256", "HS256|RS256|ES256", "the only algorithm a token may use" },
	{ "trusted_proxies", OPTION_LIST, FIELD(trusted_proxies), NULL, "LIST",
	  "addresses or networks (10.0.0.0/8) whose X-Forwarded-For is believed" },
	{ "window", OPTION_COUNT, FIELD(window), "256", "N", "un-acked messages in flight per connection and channel" },
	{ "message.max", OPTION_SIZE, FIELD(message_max), "1MiB", "SIZE", "largest message on /ws; a larger one is closed with 1009" },
	{ "channel.max_data", OPTION_SIZE, FIELD(channel_max_data), "0", "SIZE", "largest data of one publish; 0: no limit of its own" },
	{ "subscriptions.max", OPTION_COUNT, FIELD(subscriptions_max), "1000", "N", "channels one connection may be subscribed to" },
	{ "retention.messages", OPTION_COUNT, FIELD(retention_messages), "1000", "N", "messages kept of a channel" },
	{ "retention.time", OPTION_SECONDS, FIELD(retention_time_s), "10m", "TIME", "for which a message is kept" },
	{ "retention.bytes", OPTION_SIZE, FIELD(retention_bytes), "64MiB", "SIZE", "of messages kept of a channel" },
	{ "session.ttl", OPTION_SECONDS, FIELD(session_ttl_s), "300s", "TIME", "for which a session outlives its connection" },
	{ "heartbeat.interval", OPTION_SECONDS, FIELD(heartbeat_interval_s), "25s", "TIME", "between Pings; 0: none" },
	{ "heartbeat.timeout", OPTION_SECONDS, FIELD(heartbeat_timeout_s), "10s", "TIME", "for the Pong; then 4010" },
	{ "slow_consumer.bytes", OPTION_SIZE, FIELD(slow_consumer_bytes), "1MiB", "SIZE", "unsent, which a client without a window may have" },
	{ "slow_consumer.grace", OPTION_SECONDS, FIELD(slow_consumer_grace_s), "5s", "TIME", "above that, until 4008" },
	{ "fragment.timeout", OPTION_SECONDS, FIELD(fragment_timeout_s), "10s", "TIME", "for all of a message once begun; then 4009; 0: none" },
	{ "rate.messages", OPTION_COUNT, FIELD(rate_messages), "100", "N", "messages a second of one connection; 0: no limit" },
	{ "rate.burst", OPTION_COUNT, FIELD(rate_burst), "200", "N", "messages at once" },
	{ "rate.strikes", OPTION_COUNT, FIELD(rate_strikes), "50", "N", "errors rate_limited before 4029" },
	{ "limit.connections", OPTION_COUNT, FIELD(limit_connections), "0", "N", "open WebSockets; 0: what the descriptor limit allows" },
	{ "limit.per_address", OPTION_COUNT, FIELD(limit_per_address), "1000", "N", "open WebSockets of one address; 0: no limit" },
	{ "limit.handshakes", OPTION_COUNT, FIELD(limit_handshakes), "200", "N", "opening handshakes a second; 0: no limit" },
	{ "defect", OPTION_LIST, FIELD(defects), NULL, "LIST", "switch deliberate bugs on; means --engine naive" },
};

static void *option_field(const struct option *option, struct config *config)
{
	return (char *)config + option->offset;
}

/* "tls.cert" is spelled --tls-cert. */
static bool option_matches(const struct option *option, const char *name, size_t len)
{
	if (strlen(option->key) != len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (name[i] != (option->key[i] == '.' || option->key[i] == '_' ? '-' : option->key[i]))
			return false;
	return true;
}

static const struct option *option_find(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (option_matches(&options[i], name, len))
			return &options[i];
	return NULL;
}

static int parse_unit(const char *value, const char *const *units, const double *factors, double max, double *ret)
{
	char *rest;
	double number;

	if (*value < '0' || *value > '9')
		return -EINVAL;
	errno = 0;
	number = strtod(value, &rest);
	for (unsigned i = 0; units[i]; i++) {
		if (strcmp(rest, units[i]) == 0 && number * factors[i] <= max && errno == 0) {
			*ret = number * factors[i];
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_seconds(const char *value, double *ret)
{
	static const char *const units[] = { "", "s", "ms", "m", NULL };
	static const double factors[] = { 1, 1, 0.001, 60 };

	return parse_unit(value, units, factors, 86400, ret);
}

static int parse_size(const char *value, size_t *ret)
{
	static const char *const units[] = { "", "B", "KiB", "MiB", "GiB", NULL };
	static const double factors[] = { 1, 1, 1024, 1024 * 1024, 1024 * 1024 * 1024 };
	double number;

	if (parse_unit(value, units, factors, 1024.0 * 1024 * 1024, &number) < 0)
		return -EINVAL;
	*ret = (size_t)number;
	return 0;
}

static int parse_port(const char *value, size_t *ret)
{
	size_t port = 0;

	if (*value == '\0' || strlen(value) > 5)
		return -EINVAL;
	for (; *value; value++) {
		if (*value < '0' || *value > '9')
			return -EINVAL;
		port = port * 10 + (size_t)(*value - '0');
	}
	if (port > 65535)
		return -EINVAL;
	*ret = port;
	return 0;
}

static int parse_count(const char *value, size_t *ret)
{
	size_t count = 0;

	if (*value == '\0' || strlen(value) > 9)
		return -EINVAL;
	for (; *value; value++) {
		if (*value < '0' || *value > '9')
			return -EINVAL;
		count = count * 10 + (size_t)(*value - '0');
	}
	*ret = count;
	return 0;
}

static int parse_choice(const char *value, const char *choices)
{
	size_t len = strlen(value);

	for (const char *c = choices; c; c = strchr(c, '|') ? strchr(c, '|') + 1 : NULL)
		if (len > 0 && strncmp(c, value, len) == 0 && (c[len] == '|' || c[len] == '\0'))
			return 0;
	return -EINVAL;
}

static int parse_list(const char *value, struct config_list *list)
{
	while (*value) {
		size_t len = strcspn(value, ",");

		if (len == 0 || list->count == CONFIG_LIST_MAX)
			return -EINVAL;
		list->items[list->count] = strndup(value, len);
		if (!list->items[list->count])
			abort();
		list->count++;
		value += len;
		value += *value == ',';
	}
	return 0;
}

static void list_clear(struct config_list *list)
{
	for (unsigned i = 0; i < list->count; i++)
		free(list->items[i]);
	list->count = 0;
}

static int option_set(const struct option *option, struct config *config, const char *value)
{
	void *field = option_field(option, config);

	switch (option->kind) {
	case OPTION_CHOICE:
		if (parse_choice(value, option->value) < 0)
			return -EINVAL;
		*(const char **)field = value;
		return 0;
	case OPTION_TEXT:
		if (*value == '\0')
			return -EINVAL;
		*(const char **)field = value;
		return 0;
	case OPTION_PORT:
		return parse_port(value, field);
	case OPTION_COUNT:
		return parse_count(value, field);
	case OPTION_SIZE:
		return parse_size(value, field);
	case OPTION_SECONDS:
		return parse_seconds(value, field);
	case OPTION_LIST:
		return parse_list(value, field);
	}
	return -EINVAL;
}

static void config_defaults(struct config *config)
{
	*config = (struct config){ 0 };
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (options[i].initial && option_set(&options[i], config, options[i].initial) < 0)
			abort();
}

/*
 * Takes one "--name value" or "--name=value"; returns how many arguments it used. A list given once replaces its
 * default.
 */
static int parse_argument(struct config *config, int argc, char **argv, bool *seen, struct err *err)
{
	const char *name = argv[0];
	size_t len = strcspn(name, "=");
	const struct option *option = strncmp(name, "--", 2) == 0 ? option_find(name + 2, len - 2) : NULL;
	const char *value = name[len] == '=' ? name + len + 1 : argc > 1 ? argv[1] : NULL;

	if (!option) {
		err_set(err, "unknown option %s (--help lists them)", name);
		return -EINVAL;
	}
	if (!value) {
		err_set(err, "option %.*s needs a value: %s", (int)len, name, option->value);
		return -EINVAL;
	}
	if (option->kind == OPTION_LIST && !seen[option - options])
		list_clear(option_field(option, config));
	seen[option - options] = true;
	if (option_set(option, config, value) < 0) {
		err_set(err, "option %.*s cannot be \"%s\"; it takes %s", (int)len, name, value, option->value);
		return -EINVAL;
	}
	return name[len] == '=' ? 1 : 2;
}

static int config_check(struct config *config, struct err *err)
{
	if (config->defects.count > 0 && config->engine && strcmp(config->engine, "naive") != 0) {
		err_set(err, "option --defect needs --engine naive: the defects live there");
		return -EINVAL;
	}
	if (!config->engine)
		config->engine = config->defects.count > 0 ? "naive" : "lws";
	if (!config->tls_cert != !config->tls_key) {
		err_set(err, "options --tls-cert and --tls-key go together: one of them is missing");
		return -EINVAL;
	}
	if (config->tls_cert && strcmp(config->engine, "naive") == 0) {
		err_set(err, "the naive engine has no TLS: leave out --tls-cert and --tls-key, or use --engine lws");
		return -EINVAL;
	}
	if (config->header_max < 256) {
		err_set(err, "option --header-max must be at least 256 bytes");
		return -EINVAL;
	}
	return 0;
}

int config_parse(struct config *config, int argc, char **argv, enum config_command *ret_command, struct err *err)
{
	bool seen[ARRAY_LEN(options)] = { false };
	int used;

	config_defaults(config);
	*ret_command = CONFIG_RUN;
	for (int i = 1; i < argc; i += used) {
		used = 1;
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			*ret_command = CONFIG_HELP;
		else if (strcmp(argv[i], "--version") == 0)
			*ret_command = CONFIG_VERSION;
		else if (strcmp(argv[i], "--list-defects") == 0)
			*ret_command = CONFIG_LIST_DEFECTS;
		else
			used = parse_argument(config, argc - i, argv + i, seen, err);
		if (used < 0)
			return used;
	}
	return *ret_command == CONFIG_RUN ? config_check(config, err) : 0;
}

void config_fini(struct config *config)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (options[i].kind == OPTION_LIST)
			list_clear(option_field(&options[i], config));
}

void config_print_help(void)
{
	puts("wsquall-server: the reference server of wsquall. /echo echoes messages, /healthz tells that it lives.\n\n"
	     "usage: wsquall-server [options]\n");
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		const struct option *o = &options[i];
		char flag[64];
		size_t len = 0;

		for (const char *k = o->key; *k && len < sizeof(flag) - 1; k++)
			flag[len++] = *k == '.' || *k == '_' ? '-' : *k;
		flag[len] = '\0';
		printf("  --%s %s\n        %s", flag, o->value, o->help);
		if (o->initial)
			printf("; default %s", o->initial);
		putchar('\n');
	}
	puts("  --list-defects\n        print the deliberate bugs as a JSON array\n"
	     "  --version\n  --help\n\n"
	     "SIGTERM drains (Close 1001), SIGUSR2 drains for a restart (Close 1012), a second signal ends at once.\n"
	     "Exit: 0 ended or drained, 64 usage error, 69 the address cannot be had, 70 our own error.");
}
