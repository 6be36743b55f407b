/*
 * The store that several nodes share. Two connections, one of them for SUBSCRIBE; they live and die together, because
 * a node that hears nothing, or cannot ask, is of no use. Coming back means: greet, subscribe again, fetch what was
 * missed, and only then be up.
 */
#include "server-under-test/store/store_redis.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server-under-test/base/random.h"

#define PASSWORD_MAX 512

void store_redis_unavailable(struct store_op *op)
{
	struct store_answer answer = { .status = HUB_UNAVAILABLE };

	op->done(op, &answer);
}

/* Between half and all of 100 ms, doubled for every attempt in vain. */
static double backoff_s(unsigned attempts)
{
	double s = REDIS_BACKOFF_MIN_S;
	unsigned random = 0;

	while (attempts-- && s < REDIS_BACKOFF_MAX_S)
		s *= 2;
	random_fill(&random, sizeof(random));
	if (s > REDIS_BACKOFF_MAX_S)
		s = REDIS_BACKOFF_MAX_S;
	return s * (0.5 + (random % 1000) / 2000.0);
}

static void retry_in(struct store *store, double s)
{
	ev_timer_stop(store->loop, &store->retry);
	ev_timer_set(&store->retry, s, 0.);
	ev_timer_start(store->loop, &store->retry);
}

static void links_close(struct store *store)
{
	redis_link_close(&store->events);
	redis_link_close(&store->commands);
	redis_calls_fail(store);
	redis_live_down(store);
}

void store_redis_fail(struct store *store)
{
	bool was_up = store->state == REDIS_UP;

	if (store->state == REDIS_AWAY)
		return;
	store->state = REDIS_AWAY;
	links_close(store);
	retry_in(store, backoff_s(store->attempts++));
	if (was_up)
		store->sink.up(store->sink.arg, false);
}

static void store_sync(struct store *store)
{
	store->state = REDIS_SYNCING;
	store->behind = 1; /* so that it is not up before all have begun */
	redis_sessions_resync(store);
	redis_live_resync(store);
	store_redis_caught_up(store);
}

void store_redis_caught_up(struct store *store)
{
	if (store->state != REDIS_SYNCING || --store->behind > 0)
		return;
	store->state = REDIS_UP;
	store->attempts = 0;
	store->sink.up(store->sink.arg, true);
}

static void greeted(struct store *store)
{
	if (store->state == REDIS_CONNECTING && --store->greeting == 0)
		store_sync(store);
}

/* A Redis that loads its data, wants another password, or is a replica, is one that is not there. */
static void on_auth(void *arg, const struct redisReply *reply)
{
	if (!reply || reply->type == REDIS_REPLY_ERROR)
		store_redis_fail(arg);
}

static void on_role(void *arg, const struct redisReply *reply)
{
	struct text role;

	if (redis_is_array(reply, 1) && redis_text(reply->element[0], &role) && !text_equal(role, "master"))
		store_redis_fail(arg);
}

static void on_loaded(void *arg, const struct redisReply *reply)
{
	struct store *store = arg;
	struct text sha;

	if (!redis_text(reply, &sha) || sha.len != sizeof(store->sha) - 1) {
		store_redis_fail(store);
		return;
	}
	memcpy(store->sha, sha.p, sha.len);
	greeted(store);
}

static void on_listening(void *arg, const struct redisReply *reply)
{
	if (redis_is_array(reply, 3))
		greeted(arg);
	else
		store_redis_fail(arg);
}

/* The first line of the file, read again for every connection, so that a password can be changed. */
static int password_read(const char *path, char ret[PASSWORD_MAX])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), r = 0;
	ssize_t n = fd < 0 ? -1 : read(fd, ret, PASSWORD_MAX - 1);

	if (n < 0)
		r = -errno;
	if (fd >= 0)
		close(fd);
	if (r < 0)
		return r;
	ret[n] = '\0';
	ret[strcspn(ret, "\r\n")] = '\0';
	return ret[0] ? 0 : -ENODATA;
}

static void on_opened(struct redis_link *link)
{
	struct store *store = link->arg;
	char password[PASSWORD_MAX];

	if (store->config->redis_password_file) {
		if (password_read(store->config->redis_password_file, password) < 0) {
			store_redis_fail(store);
			return;
		}
		redis_link_send(link, on_auth, store, 2, (struct text[]){ text_from("AUTH"), text_from(password) });
		explicit_bzero(password, sizeof(password));
	}
	if (link == &store->commands) {
		redis_link_send(link, on_role, store, 1, (struct text[]){ text_from("ROLE") });
		redis_calls_load(store, on_loaded);
	} else {
		redis_link_send(link, on_listening, store, 2,
				(struct text[]){ text_from("SUBSCRIBE"), text_from(store->takeovers) });
	}
}

static void on_published(struct redis_link *link, struct text channel, struct text payload)
{
	struct store *store = link->arg;

	if (text_equal(channel, store->takeovers))
		redis_session_event(store, payload);
	else
		redis_live_event(store, channel, payload);
}

static void on_failed(struct redis_link *link)
{
	store_redis_fail(link->arg);
}

static const struct redis_link_ops link_ops = { on_opened, on_published, on_failed };

static void store_connect(struct store *store)
{
	const struct sockaddr *address;
	socklen_t len;
	int r = redis_address_ready(&store->address, &address, &len);

	if (r == -EINPROGRESS) {
		retry_in(store, REDIS_LOOKUP_POLL_S);
		return;
	}
	store->greeting = 2;
	if (r < 0 || redis_link_open(&store->commands, address, len) < 0 ||
	    redis_link_open(&store->events, address, len) < 0)
		store_redis_fail(store);
}

static void on_retry(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct store *store = timer->data;

	(void)loop;
	(void)events;
	if (store->state == REDIS_AWAY) {
		store->state = REDIS_CONNECTING;
		redis_address_look_up(&store->address);
	}
	store_connect(store);
}

static void on_pong(void *arg, const struct redisReply *reply)
{
	if (reply && reply->type == REDIS_REPLY_ERROR)
		store_redis_fail(arg);
}

static void link_ping(struct redis_link *link)
{
	if (link->connected && list_empty(&link->waiting))
		redis_link_send(link, on_pong, link->arg, 1, (struct text[]){ text_from("PING") });
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct store *store = timer->data;
	double commands_s = redis_link_tick(&store->commands) * store->tick.repeat;
	double events_s = redis_link_tick(&store->events) * store->tick.repeat;

	(void)loop;
	(void)events;
	if (commands_s >= store->config->redis_timeout_s || events_s >= store->config->redis_timeout_s) {
		store_redis_fail(store);
		return;
	}
	link_ping(&store->commands);
	link_ping(&store->events);
	redis_sessions_tick(store);
}

static int redis_start(struct store **ret, struct ev_loop *loop, const struct config *config,
		       const struct store_sink *sink, struct err *err)
{
	double tick = config->redis_timeout_s / 4 < REDIS_TICK_MAX_S ? config->redis_timeout_s / 4 : REDIS_TICK_MAX_S;
	struct redis_address address;
	char password[PASSWORD_MAX];
	struct store *store;
	int r = redis_address_parse(&address, config->redis_address, err);

	if (r < 0)
		return r;
	r = config->redis_password_file ? password_read(config->redis_password_file, password) : 0;
	explicit_bzero(password, sizeof(password));
	if (r < 0) {
		err_set(err, "cannot read redis.password_file %s: %s", config->redis_password_file,
			r == -ENODATA ? "it is empty" : strerror(-r));
		return r;
	}
	store = calloc(1, sizeof(*store));
	if (!store || asprintf(&store->takeovers, "%stakeovers", config->redis_prefix) < 0)
		abort();
	store->loop = loop;
	store->config = config;
	store->sink = *sink;
	store->address = address;
	list_init(&store->calls);
	redis_channels_init(store);
	redis_sessions_init(store);
	redis_link_init(&store->commands, loop, &link_ops, store);
	redis_link_init(&store->events, loop, &link_ops, store);
	ev_timer_init(&store->retry, on_retry, 0., 0.);
	ev_timer_init(&store->tick, on_tick, tick, tick);
	store->retry.data = store;
	store->tick.data = store;
	*ret = store;
	ev_timer_start(loop, &store->tick);
	ev_timer_start(loop, &store->retry);
	return 0;
}

/* What was asked at the very end, the sessions of the last connections, still gets there. */
static void redis_stop(struct store *store)
{
	if (store->state == REDIS_UP)
		redis_link_finish(&store->commands, store->config->redis_timeout_s);
	store->state = REDIS_AWAY;
	links_close(store);
	ev_timer_stop(store->loop, &store->retry);
	ev_timer_stop(store->loop, &store->tick);
	redis_channels_fini(store);
	redis_sessions_fini(store);
	redis_address_fini(&store->address);
	free(store->takeovers);
	free(store);
}

const struct store_ops store_redis = {
	.name = "redis",
	.start = redis_start,
	.stop = redis_stop,
	.publish = redis_publish,
	.attach = redis_attach,
	.detach = redis_detach,
	.range = redis_range,
	.session_claim = redis_session_claim,
	.session_save = redis_session_save,
};
