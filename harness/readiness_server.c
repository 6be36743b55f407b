/* A server that promises everything: short times and low limits, so that all of it can be put to the test in seconds.
 */
#include "harness/readiness_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "harness/base/rng.h"
#include "harness/cmd.h"
#include "harness/readiness/forge.h"
#include "readiness_target.h"

enum {
	KEY_OCTETS = 32,
	LONG_S = 24 * 60 * 60,
	SOON_S = 2,                /* beyond which the server is lenient for 5 s: expiring_within of the target file is more */
};

/* What readiness.yaml promises. */
static const char *const promised[] = {
	"--origins=https://app.example", "--close-trigger=please close", "--message-max=256KiB", "--fragment-timeout=2s",
	"--handshake-timeout=2s", "--close-timeout=2s", "--rate-messages=20", "--rate-burst=60", "--limit-connections=120",
	"--limit-per-address=60", "--limit-handshakes=100", "--heartbeat-interval=2s", "--heartbeat-timeout=2s",
};

/* Nobody else needs the key, and it is gone with us: a file in memory that the server inherits. */
static int make_key(struct rng *rng, char key[2 * KEY_OCTETS + 1], struct err *e)
{
	int fd = memfd_create("wsquall-key", 0);
	for (size_t i = 0; i < KEY_OCTETS; i++)
		snprintf(key + 2 * i, 3, "%02x", (unsigned)rng_below(rng, 256));
	if (fd >= 0 && write(fd, key, 2 * KEY_OCTETS) == 2 * KEY_OCTETS)
		return fd;
	if (fd >= 0)
		close(fd);
	return err_set(e, errno, "no key for the reference server: %s", strerror(errno));
}

static void set_token(const char *variable, const char *key, time_t expires, struct arena *a)
{
	const char *claims = arena_printf(a, "{\"sub\":\"wsquall\",\"exp\":%lld}", (long long)expires);
	const char *token = claims ? forge_token(key, claims, a) : NULL;
	setenv(variable, token ? token : "", 1);
}

static void set_tokens(const char *key, struct arena *a)
{
	time_t now = time(NULL);
	set_token("WSQ_TOKEN", key, now + LONG_S, a);
	set_token("WSQ_TOKEN_RENEWED", key, now + LONG_S + 1, a);
	set_token("WSQ_TOKEN_EXPIRED", key, now - LONG_S, a);
	set_token("WSQ_TOKEN_EXPIRING", key, now + SOON_S, a);
	set_token("WSQ_TOKEN_WRONG", "another key than the server has, of some length", now + LONG_S, a);
}

static void set_places(unsigned port, int log)
{
	char text[64];
	snprintf(text, sizeof(text), "ws://127.0.0.1:%u/ws", port);
	setenv("WSQ_URL", text, 1);
	snprintf(text, sizeof(text), "http://127.0.0.1:%u/metrics", port);
	setenv("WSQ_METRICS", text, 1);
	snprintf(text, sizeof(text), "/proc/self/fd/%d", log);
	setenv("WSQ_LOG", text, 1);
}

static int start(struct readiness_server *s, const char *key_path, const struct opt_strings *more, struct err *e)
{
	char path[1024];
	const char *args[ARRAY_LEN(s->process.args)] = {key_path};
	size_t n = 1;
	for (size_t i = 0; i < ARRAY_LEN(promised); i++)
		args[n++] = promised[i];
	for (size_t i = 0; i < more->len && n < ARRAY_LEN(args) - 1; i++)
		args[n++] = more->items[i];
	process_beside_us("wsquall-server", path, sizeof(path));
	return process_start(&s->process, path, args, 0, e);
}

static int load(struct arena *a, struct target *ret_target, struct err *e)
{
	return target_load_text(span_of(readiness_target, sizeof(readiness_target) - 1), "reference", a, ret_target, e);
}

int readiness_server_start(struct readiness_server *s, const struct site *like, const struct opt_strings *more,
			   struct err *e)
{
	char key[2 * KEY_OCTETS + 1], key_path[64];
	struct rng rng;
	*s = (struct readiness_server){.process = {.out = -1}};
	rng_init(&rng, rng_fresh_seed(), "key");
	int fd = make_key(&rng, key, e);
	if (fd < 0)
		return EXIT_OURS;
	snprintf(key_path, sizeof(key_path), "--auth-key=/proc/self/fd/%d", fd);
	int r = start(s, key_path, more, e);
	close(fd);
	if (r < 0)
		return EXIT_OURS;
	set_places(s->process.port, s->process.out);
	set_tokens(key, like->arena);
	r = load(like->arena, &s->target, e);
	if (r == 0)
		r = secrets_of(&s->target, like->arena, &s->secrets);
	s->site = (struct site){.loop = like->loop, .arena = like->arena, .target = &s->target, .seed = like->seed};
	if (r == 0)
		r = site_init(&s->site, e);
	return r < 0 ? EXIT_OURS : 0;
}

int readiness_server_describe(struct arena *a, struct target *ret_target, struct err *e)
{
	set_places(1, 0);
	set_tokens("none", a);
	return load(a, ret_target, e);
}

void readiness_server_stop(struct readiness_server *s)
{
	if (!s->process.path[0])
		return;
	site_fini(&s->site);
	process_stop(&s->process);
}
