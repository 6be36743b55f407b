#pragma once
/*
 * Who signs the certificate that a fault makes: the options that the siblings tls_expired and tls_swap have in common.
 * Signed by itself it is refused by whoever verifies, whatever else is wrong with it; signed by the authority that the
 * clients trust, only for what is wrong.
 */
#include "faults/fault.h"

struct authority {
	const char *certificate, *key; /* PEM files; NULL: none */
};

/* The rows of an option table; `member` is the struct authority in the struct `options`. */
#define AUTHORITY_ROWS(options, member)                                                                                \
	{.name = "authority", .type = OPT_STRING, .offset = offsetof(options, member.certificate), .metavar = "FILE",  \
	 .help = "PEM certificate of the authority that signs it; none: it is signed by itself"},                      \
	{.name = "authority_key", .type = OPT_STRING, .offset = offsetof(options, member.key), .metavar = "FILE",      \
	 .help = "PEM key of the authority"}

/* Both or none. -EINVAL with a sentence. */
static inline int authority_check(const struct authority *a, struct err *e)
{
	if (!a->certificate != !a->key)
		return err_set(e, EINVAL, "authority and authority_key are given both or not at all");
	return 0;
}
