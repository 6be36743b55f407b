#pragma once
/* Digests for requests that are signed, in lower-case hexadecimal. */
#include "harness/base/span.h"

enum { DIGEST_MD5_LEN = 32, DIGEST_SHA256_LEN = 64 };

/* -ENOTSUP: this OpenSSL does not have it (MD5 in FIPS mode). */
int digest_md5(struct span text, char ret[DIGEST_MD5_LEN + 1]);
int digest_hmac_sha256(struct span key, struct span text, char ret[DIGEST_SHA256_LEN + 1]);
