/* Digests of OpenSSL as text: nothing above this folder includes it. */
#include "harness/net/digest.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "harness/net/hex.h"

int digest_md5(struct span text, char ret[DIGEST_MD5_LEN + 1])
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	if (!EVP_Digest(text.p, text.len, sum, &len, EVP_md5(), NULL))
		return -ENOTSUP;
	assert(len == DIGEST_MD5_LEN / 2);
	hex_write(sum, len, ret);
	return 0;
}

int digest_hmac_sha256(struct span key, struct span text, char ret[DIGEST_SHA256_LEN + 1])
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	/* A key without octets is one, NULL is none. */
	const void *p = key.len ? key.p : (const void *)"";
	if (key.len > INT_MAX || !HMAC(EVP_sha256(), p, (int)key.len, text.p, text.len, sum, &len))
		return -ENOTSUP;
	assert(len == DIGEST_SHA256_LEN / 2);
	hex_write(sum, len, ret);
	return 0;
}
