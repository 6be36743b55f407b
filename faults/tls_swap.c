/*
 * tls_swap: another certificate than yesterday. Renewed by the same authority (authority), nobody may notice; with
 * another key and nobody's word for it (the default), or for another name (name), as from a wrong server behind the
 * address or somebody in between, clients must refuse it. Connections that are open have verified already.
 */
#include "faults/authority.h"
#include "faults/filter.h"
#include "harness/net/tls.h"

#define TLS_SWAP_NAME_MAX 253 /* RFC 1035 2.3.4, as text */

struct tls_swap_options {
	const char *certificate, *key, *name;
	struct authority authority;
};

static int check_name(const char *text, struct err *e)
{
	size_t len = strlen(text);
	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~')
			len = 0;
	if (len < 1 || len > TLS_SWAP_NAME_MAX)
		return err_set(e, EINVAL, "expected a DNS name, ASCII of 1 to %d octets", TLS_SWAP_NAME_MAX);
	return 0;
}

static const struct opt tls_swap_options[] = {
	{.name = "certificate", .type = OPT_STRING, .offset = offsetof(struct tls_swap_options, certificate),
	 .metavar = "FILE", .help = "PEM certificate chain that is shown; none: one made now, like the usual one"},
	{.name = "key", .type = OPT_STRING, .offset = offsetof(struct tls_swap_options, key), .metavar = "FILE",
	 .help = "PEM key of the certificate"},
	{.name = "name", .type = OPT_STRING, .offset = offsetof(struct tls_swap_options, name), .check = check_name,
	 .metavar = "NAME", .help = "the only DNS name in the one made; none: the names of the usual one"},
	AUTHORITY_ROWS(struct tls_swap_options, authority),
	{0},
};

static int check(const void *options, struct err *e)
{
	const struct tls_swap_options *o = options;
	if (!o->certificate != !o->key)
		return err_set(e, EINVAL, "certificate and key are given both or not at all");
	if (o->certificate && (o->name || o->authority.certificate || o->authority.key))
		return err_set(e, EINVAL, "name and authority are for a certificate that is made: leave out certificate and key");
	return authority_check(&o->authority, e);
}

static int make_certificate(const void *options, const struct tls_context *usual, struct tls_context **ret,
			    struct err *e)
{
	const struct tls_swap_options *o = options;
	struct tls_server_options given = {.certificate = o->certificate, .key = o->key};
	struct tls_copy_options copy = {.other_key = true, .name = o->name, .authority = o->authority.certificate,
					.authority_key = o->authority.key};
	return o->certificate ? tls_server_context_new(&given, ret, e) : tls_server_copy_new(usual, &copy, ret, e);
}

static void on_data(struct filter *f, enum direction d, struct span octets)
{
	filter_pass(f, d, octets);
}

static const struct filter_ops tls_swap_stream = {.data = on_data, .certificate = make_certificate};

const struct fault fault_tls_swap = {
	.name = "tls_swap",
	.about = "a proxy that ends TLS shows new connections another certificate",
	.known_as = "certificate renewals, the wrong server behind a name",
	.options = tls_swap_options,
	.options_size = sizeof(struct tls_swap_options),
	.check = check,
	.stream = &tls_swap_stream,
};
