/* Tokens with and without a right to be one. */
#include "harness/readiness/forge.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>


static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Without padding, RFC 7515 2. NULL without memory. */
static char *base64url(struct span in, struct arena *a)
{
	char *out = arena_alloc(a, in.len * 4 / 3 + 4);
	size_t n = 0;
	uint32_t bits = 0;
	unsigned have = 0;
	for (size_t i = 0; out && i < in.len; i++) {
		bits = bits << 8 | in.p[i];
		for (have += 8; have >= 6; have -= 6)
			out[n++] = letters[bits >> (have - 6) & 63];
	}
	if (out && have)
		out[n++] = letters[bits << (6 - have) & 63];
	return out;
}

/* Where the three parts of a token begin; false: it is none. */
static bool cut(const char *credential, const char *ret_parts[3])
{
	const char *blank = credential ? strrchr(credential, ' ') : NULL;
	const char *at = blank ? blank + 1 : credential;
	for (size_t i = 0; at && i < 3; i++) {
		size_t len = strspn(at, letters);
		ret_parts[i] = at;
		if (len < 2 || at[len] != (i < 2 ? '.' : 0))
			return false;
		at += len + 1;
	}
	return at;
}

const char *forge_signature(const char *credential, struct arena *a)
{
	const char *parts[3];
	if (!cut(credential, parts))
		return NULL;
	char *token = arena_strdup(a, credential);
	/* The first letter: the last one may hold bits that mean nothing. */
	char *letter = token ? token + (parts[2] - credential) : NULL;
	if (letter)
		*letter = letters[(size_t)(strchr(letters, *letter) - letters) ^ 1];
	return token;
}

const char *forge_unsigned(const char *credential, struct arena *a)
{
	const char *parts[3];
	if (!cut(credential, parts))
		return NULL;
	const char *head = base64url(SPAN_LIT("{\"alg\":\"none\",\"typ\":\"JWT\"}"), a);
	return head ? arena_printf(a, "%.*s%s.%.*s.", (int)(parts[0] - credential), credential, head,
				   (int)(parts[2] - 1 - parts[1]), parts[1]) : NULL;
}

const char *forge_token(const char *key, const char *claims, struct arena *a)
{
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	const char *head = base64url(SPAN_LIT("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"), a),
		   *body = base64url(span_str(claims), a);
	const char *text = head && body ? arena_printf(a, "%s.%s", head, body) : NULL;
	if (!text || !HMAC(EVP_sha256(), key, (int)strlen(key), (const uint8_t *)text, strlen(text), mac, &len))
		return NULL;
	const char *signature = base64url(span_of(mac, len), a);
	return signature ? arena_printf(a, "%s.%s", text, signature) : NULL;
}
