/* The TLS of a proxy, from a user's words to the two contexts that its connections share. */
#include "harness/proxy/credentials.h"

#include <stdlib.h>
#include <string.h>

enum { TEXTS_MAX = 64 << 10 }; /* octets of what a user says of TLS */

static int check(const struct proxy_tls *o, struct err *e)
{
	if (!o->terminate && (o->upstream || o->certificate || o->key))
		return err_set(e, EINVAL, "TLS options are for a proxy that ends TLS: tls wants \"terminate\"");
	if (!o->certificate != !o->key)
		return err_set(e, EINVAL, "a certificate and its key are given both or not at all");
	if (!o->upstream && (o->upstream_ca || o->upstream_insecure || o->upstream_name))
		return err_set(e, EINVAL, "TLS options of the upstream, but no TLS towards it");
	return 0;
}

/* Copies the texts; those that are NULL stay so. */
static int keep(struct credentials *c, const struct proxy_tls *o)
{
	c->o = *o;
	const char **texts[] = {&c->o.certificate, &c->o.key, &c->o.upstream_ca, &c->o.upstream_name, &c->o.alpn};
	arena_init(&c->arena, TEXTS_MAX);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (*texts[i] && !(*texts[i] = arena_strdup(&c->arena, *texts[i])))
			return -ENOMEM;
	return 0;
}

int credentials_new(const struct proxy_tls *o, const char *host, struct credentials **ret, struct err *e)
{
	struct tls_server_options server = {.certificate = o->certificate, .key = o->key, .alpn = o->alpn};
	struct tls_options client = {.ca_file = o->upstream_ca, .insecure = o->upstream_insecure, .alpn = o->alpn};
	int r = check(o, e);
	if (r < 0)
		return r;
	if (!o->terminate) {
		*ret = NULL;
		return 0;
	}
	struct credentials *c = calloc(1, sizeof(*c));
	if (!c || keep(c, o) < 0 || !(c->name = strdup(o->upstream_name ? o->upstream_name : host))) {
		credentials_free(c);
		return err_set(e, ENOMEM, "out of memory");
	}
	r = tls_server_context_new(&server, &c->server, e);
	if (r == 0 && o->upstream)
		r = tls_context_new(&client, &c->client, e);
	if (r < 0) {
		credentials_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

void credentials_free(struct credentials *c)
{
	if (!c)
		return;
	tls_context_free(c->server);
	tls_context_free(c->client);
	free(c->name);
	arena_fini(&c->arena);
	free(c);
}

void credentials_set_host(struct credentials *c, const char *host)
{
	char *name = c->o.upstream_name ? NULL : strdup(host);
	if (!name)
		return;
	free(c->name);
	c->name = name;
}
