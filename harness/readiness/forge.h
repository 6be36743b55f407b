#pragma once
/*
 * JSON Web Tokens (RFC 7519, 7515) as one who has no key makes them out of a good one: what a server must refuse. Pure.
 */
#include "harness/base/arena.h"

/*
 * credential: a token, perhaps behind a scheme ("Bearer x.y.z"), which is kept. In the arena; NULL: it is no such
 * token, or without memory.
 */
/* One bit of the signature is another. */
const char *forge_signature(const char *credential, struct arena *a);
/* {"alg":"none"} and no signature. */
const char *forge_unsigned(const char *credential, struct arena *a);

/* The other way round, for a server that we started ourselves: a token of HS256. claims: a JSON object. NULL without
 * memory. */
const char *forge_token(const char *key, const char *claims, struct arena *a);
