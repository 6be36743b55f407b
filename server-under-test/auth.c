/*
 * Tokens (JWT, RFC 7519) are checked by libjwt, but three things are done before and after it: the library takes the
 * algorithm from the token, so a token that names another one than ours never reaches it (otherwise an HS256 token
 * "signed" with a public RSA key would pass); it looks at no claim; and it reads a wrong type as 0.
 */
#include "server-under-test/auth.h"

#include <errno.h>
#include <jansson.h>
#include <jwt.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "server-under-test/defects.h"
#include "server-under-test/store/store.h"

#define KEY_FILE_MAX (16 * 1024) /* bytes */
#define RSA_BITS_MIN 2048 /* RFC 7518 3.3 */

struct auth {
	const char *algorithm; /* as in the header of a token */
	jwt_alg_t number;
	unsigned char key[KEY_FILE_MAX + 1]; /* PEM ends in a NUL */
	size_t key_len;
};

static int key_read(struct auth *auth, const char *path, struct err *err)
{
	FILE *file = fopen(path, "re");
	int r = file ? 0 : -errno;

	if (file) {
		auth->key_len = fread(auth->key, 1, sizeof(auth->key), file);
		r = ferror(file) ? -errno : 0;
		fclose(file);
	}
	if (r < 0) {
		err_set(err, "cannot read the key of option --auth-key, %s: %s", path, strerror(-r));
		return -EINVAL;
	}
	if (auth->key_len > KEY_FILE_MAX) {
		err_set(err, "the key of option --auth-key, %s, is longer than %d bytes", path, KEY_FILE_MAX);
		return -EINVAL;
	}
	auth->key[auth->key_len] = '\0';
	return 0;
}

static int secret_check(struct auth *auth, const char *path, struct err *err)
{
	if (auth->key_len > 0 && auth->key[auth->key_len - 1] == '\n')
		auth->key_len--;
	if (auth->key_len > 0 && auth->key[auth->key_len - 1] == '\r')
		auth->key_len--;
	if (auth->key_len == 0) {
		err_set(err, "the secret of option --auth-key, %s, is empty", path);
		return -EINVAL;
	}
	if (auth->key_len > 11 && memcmp(auth->key, "-----BEGIN ", 11) == 0) {
		err_set(err, "%s of option --auth-key is a PEM file, which HS256 would take for a secret: set --auth-algorithm",
			path);
		return -EINVAL;
	}
	return 0;
}

static const char *public_key_fault(const struct auth *auth, EVP_PKEY *key)
{
	char curve[64] = "";

	if (!key)
		return "holds no public key (PEM, BEGIN PUBLIC KEY)";
	if (auth->number == JWT_ALG_RS256) {
		if (EVP_PKEY_base_id(key) != EVP_PKEY_RSA)
			return "holds no RSA key, which RS256 needs";
		return EVP_PKEY_bits(key) < RSA_BITS_MIN ? "holds an RSA key of fewer than 2048 bits" : NULL;
	}
	if (EVP_PKEY_base_id(key) != EVP_PKEY_EC || !EVP_PKEY_get_group_name(key, curve, sizeof(curve), NULL) ||
	    strcmp(curve, "prime256v1") != 0)
		return "holds no key on the curve P-256, which ES256 needs";
	return NULL;
}

static int public_key_check(const struct auth *auth, const char *path, struct err *err)
{
	BIO *bio = BIO_new_mem_buf(auth->key, (int)auth->key_len);
	EVP_PKEY *key = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
	const char *fault = public_key_fault(auth, key);

	EVP_PKEY_free(key);
	BIO_free(bio);
	if (!fault)
		return 0;
	err_set(err, "%s of option --auth-key %s", path, fault);
	return -EINVAL;
}

int auth_open(struct auth **ret, const struct config *config, struct err *err)
{
	struct auth *auth;
	int r;

	*ret = NULL;
	if (!config->auth_key)
		return 0;
	auth = calloc(1, sizeof(*auth));
	if (!auth)
		abort();
	auth->algorithm = config->auth_algorithm;
	auth->number = jwt_str_alg(auth->algorithm);
	r = key_read(auth, config->auth_key, err);
	if (r == 0 && auth->number == JWT_ALG_HS256)
		r = secret_check(auth, config->auth_key, err);
	else if (r == 0)
		r = public_key_check(auth, config->auth_key, err);
	if (r < 0) {
		auth_close(auth);
		return r;
	}
	*ret = auth;
	return 0;
}

void auth_close(struct auth *auth)
{
	if (!auth)
		return;
	OPENSSL_cleanse(auth->key, sizeof(auth->key));
	free(auth);
}

static int base64url_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

/* Length of what was decoded, or -1. RFC 7515 2: without padding. */
static ssize_t base64url_decode(const char *text, size_t len, char *buffer)
{
	uint32_t bits = 0;
	size_t out = 0;

	if (len % 4 == 1)
		return -1;
	for (size_t i = 0; i < len; i++) {
		int value = base64url_value(text[i]);

		if (value < 0)
			return -1;
		bits = bits << 6 | (uint32_t)value;
		if (i % 4 != 0)
			buffer[out++] = (char)(bits >> (6 - 2 * (i % 4)));
	}
	return (ssize_t)out;
}

/* One of the first two parts of a token as a JSON object; NULL when it is none. The reference is the caller's. */
static json_t *part_parse(const char *part, size_t len)
{
	char buffer[AUTH_TOKEN_MAX];
	ssize_t n = base64url_decode(part, len, buffer);
	json_t *json = n < 0 ? NULL : json_loadb(buffer, (size_t)n, JSON_REJECT_DUPLICATES, NULL);

	if (json_is_object(json))
		return json;
	json_decref(json);
	return NULL;
}

/* RFC 7515 4.1.11: a `crit` field names extensions that must be understood; none are. */
static const char *header_fault(const struct auth *auth, json_t *header)
{
	const char *algorithm = json_string_value(json_object_get(header, "alg"));

	if (!header)
		return "the token is malformed";
	if (!algorithm || strcmp(algorithm, auth->algorithm) != 0)
		return "the token has another algorithm";
	if (json_object_get(header, "crit"))
		return "the token needs an extension";
	return NULL;
}

static const char *signature_fault(const struct auth *auth, const char *token)
{
	jwt_t *jwt = NULL;
	const char *fault = NULL;

	if (defect(security_token_unverified))
		return NULL;
	if (jwt_decode(&jwt, token, auth->key, (int)auth->key_len) != 0)
		fault = "the token's signature is not good";
	else if (jwt_get_alg(jwt) != auth->number)
		fault = "the token has another algorithm";
	jwt_free(jwt);
	return fault;
}

static const char *times_fault(json_t *claims, double now_s)
{
	json_t *exp = json_object_get(claims, "exp");
	json_t *nbf = json_object_get(claims, "nbf");

	if (!json_is_number(exp))
		return "the token has no time of expiry";
	if (now_s >= json_number_value(exp) + AUTH_LEEWAY_S && !defect(security_expired_accepted))
		return "the token has expired";
	if (nbf && !json_is_number(nbf))
		return "the token's nbf is not a number";
	if (nbf && now_s < json_number_value(nbf) - AUTH_LEEWAY_S)
		return "the token is not valid yet";
	return NULL;
}

static const char *claims_fault(json_t *claims, double now_s)
{
	json_t *subject = json_object_get(claims, "sub");
	json_t *channels = json_object_get(claims, "channels");
	json_t *name;
	size_t i;

	if (!claims)
		return "the token is malformed";
	if (!json_is_string(subject) || json_string_length(subject) == 0)
		return "the token has no subject";
	if (json_string_length(subject) > USER_MAX)
		return "the token's subject is too long";
	if (channels && !json_is_array(channels))
		return "the token's channels are not a list";
	json_array_foreach(channels, i, name)
		if (!json_is_string(name))
			return "the token's channels are not a list of names";
	return times_fault(claims, now_s);
}

static char *copy(json_t *string)
{
	char *text = strdup(json_string_value(string));

	if (!text)
		abort();
	return text;
}

static struct identity *identity_new(json_t *claims)
{
	struct identity *identity = calloc(1, sizeof(*identity));
	json_t *channels = json_object_get(claims, "channels");
	json_t *name;
	size_t i;

	if (!identity)
		abort();
	identity->subject = copy(json_object_get(claims, "sub"));
	identity->expires_at = json_number_value(json_object_get(claims, "exp"));
	if (channels)
		identity->channels = calloc(json_array_size(channels) + 1, sizeof(*identity->channels));
	if (channels && !identity->channels)
		abort();
	json_array_foreach(channels, i, name)
		identity->channels[identity->channel_count++] = copy(name);
	return identity;
}

struct identity *auth_check(const struct auth *auth, struct text token, double now_s, const char **ret_why)
{
	char buffer[AUTH_TOKEN_MAX + 1];
	const char *dot, *second;
	json_t *header, *claims = NULL;
	struct identity *identity = NULL;

	*ret_why = token.len == 0 ? "there is no token" : "the token is malformed";
	if (token.len == 0 || token.len > AUTH_TOKEN_MAX || memchr(token.p, '\0', token.len))
		return NULL;
	memcpy(buffer, token.p, token.len);
	buffer[token.len] = '\0';
	dot = strchr(buffer, '.');
	second = dot ? strchr(dot + 1, '.') : NULL;
	if (!second || strchr(second + 1, '.'))
		return NULL;
	header = part_parse(buffer, (size_t)(dot - buffer));
	*ret_why = header_fault(auth, header);
	if (!*ret_why)
		*ret_why = signature_fault(auth, buffer);
	if (!*ret_why) {
		claims = part_parse(dot + 1, (size_t)(second - dot - 1));
		*ret_why = claims_fault(claims, now_s);
	}
	if (!*ret_why)
		identity = identity_new(claims);
	json_decref(header);
	json_decref(claims);
	return identity;
}

void identity_free(struct identity *identity)
{
	if (!identity)
		return;
	free(identity->subject);
	for (unsigned i = 0; i < identity->channel_count; i++)
		free(identity->channels[i]);
	free(identity->channels);
	free(identity);
}

bool identity_allows(const struct identity *identity, struct text channel)
{
	if (!identity || !identity->channels)
		return true;
	for (unsigned i = 0; i < identity->channel_count; i++) {
		const char *name = identity->channels[i];
		size_t len = strlen(name);

		if (text_equal(channel, name))
			return true;
		if (len > 0 && name[len - 1] == '*' && channel.len >= len - 1 &&
		    (len == 1 || memcmp(channel.p, name, len - 1) == 0))
			return true;
	}
	return false;
}
