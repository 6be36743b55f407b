/* What is signed is put together by hand: no library knows how Pusher wants it. */
#include "harness/target/sign.h"

#include <errno.h>
#include <inttypes.h>

#include "harness/base/err.h"
#include "harness/net/digest.h"

enum { SIGNED_MAX = 64 << 10 };        /* octets of what is signed */

int sign_pusher(const struct sign_request *r, struct buf *target)
{
	char md5[DIGEST_MD5_LEN + 1], signature[DIGEST_SHA256_LEN + 1];
	struct buf query CLEANUP(buf_fini), text CLEANUP(buf_fini);
	buf_init(&query, SIGNED_MAX);
	buf_init(&text, SIGNED_MAX);
	int got = digest_md5(r->body, md5);
	if (got == 0)
		got = buf_printf(&query, "auth_key=%.*s&auth_timestamp=%" PRIu64 "&auth_version=1.0&body_md5=%s",
				 (int)r->key.len, (const char *)r->key.p, r->unix_s, md5);
	if (got == 0)
		got = buf_printf(&text, "%s\n%s\n%s", r->method, buf_cstr(target), buf_cstr(&query));
	if (got == 0)
		got = digest_hmac_sha256(r->secret, buf_span(&text), signature);
	if (got == 0)
		got = buf_printf(target, "?%s&auth_signature=%s", buf_cstr(&query), signature);
	return got;
}
