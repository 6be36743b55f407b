/*
 * tls_expired: the certificate that nobody renewed. New connections are shown the usual one of the proxy, with the same
 * key and names, but its time is over. Clients must refuse it, say so, and keep from trying again as fast as they can;
 * monitoring must have told it weeks before. Connections that are open have verified already.
 */
#include "faults/authority.h"
#include "faults/filter.h"
#include "harness/net/tls.h"

#define TLS_EXPIRED_AGO_MAX_MS 315360000000 /* ten years */

struct tls_expired_options {
	uint64_t ago_ms;
	struct authority authority;
};

static const struct opt tls_expired_options[] = {
	{.name = "ago", .type = OPT_DURATION, .offset = offsetof(struct tls_expired_options, ago_ms), .def = "1h",
	 .min = 1000, .max = TLS_EXPIRED_AGO_MAX_MS, .help = "how long it has been over when the toxic comes"},
	AUTHORITY_ROWS(struct tls_expired_options, authority),
	{0},
};

static int check(const void *options, struct err *e)
{
	const struct tls_expired_options *o = options;
	return authority_check(&o->authority, e);
}

static int make_certificate(const void *options, const struct tls_context *usual, struct tls_context **ret,
			    struct err *e)
{
	const struct tls_expired_options *o = options;
	struct tls_copy_options copy = {.ended_s = o->ago_ms / 1000, .authority = o->authority.certificate,
					.authority_key = o->authority.key};
	return tls_server_copy_new(usual, &copy, ret, e);
}

static void on_data(struct filter *f, enum direction d, struct span octets)
{
	filter_pass(f, d, octets);
}

static const struct filter_ops tls_expired_stream = {.data = on_data, .certificate = make_certificate};

const struct fault fault_tls_expired = {
	.name = "tls_expired",
	.about = "a proxy that ends TLS shows new connections a certificate that has expired",
	.known_as = "certificates that nobody renewed",
	.options = tls_expired_options,
	.options_size = sizeof(struct tls_expired_options),
	.check = check,
	.stream = &tls_expired_stream,
};
