/* One place for what probe, listener and cases have in common. */
#include "harness/run/approach.h"

#include "harness/base/limits.h"

struct dial_options approach_dial(const struct case_env *env, bool plain)
{
	const struct target *t = env->target;
	struct dial_options o = {.addresses = &env->echo_addresses, .source = t->source, .connect_timeout_ms = env->timeout_ms};
	if (t->echo.tls && !plain) {
		o.tls = env->tls;
		o.server_name = t->tls.server_name ? t->tls.server_name : t->echo.host;
	}
	return o;
}

void approach_request(const struct case_env *env, struct rng *rng, struct arena *a, struct handshake_request *ret_request)
{
	const struct target *t = env->target;
	uint8_t nonce[16];
	char *key = arena_alloc(a, HANDSHAKE_KEY_LEN + 1);
	rng_fill(rng, nonce, sizeof(nonce));
	handshake_key(nonce, key);
	handshake_request_init(ret_request, span_str(t->echo.target), span_str(t->echo.host_field), span_str(key));
	for (size_t i = 0; i < t->headers.len; i++)
		handshake_request_set(ret_request, t->headers.items[i].key, span_str(t->headers.items[i].value));
}

void approach_write(struct conn *c, const struct handshake_request *q)
{
	struct buf b;
	buf_init(&b, HANDSHAKE_REPLY_MAX);
	if (handshake_request_write(q, &b) == 0)
		conn_write(c, buf_span(&b));
	buf_fini(&b);
}
