#ifndef SERVER_AUTH_H
#define SERVER_AUTH_H

#include "server-under-test/config/config.h"
#include "server-under-test/base/text.h"

#define AUTH_TOKEN_MAX 8192 /* bytes of a token that is looked at */
#define AUTH_LEEWAY_S 5.0

/* Who a token speaks for. */
struct identity {
	char *subject;
	double expires_at; /* Unix time of `exp`, without the leeway */
	char **channels; /* exact names, or prefixes ending in *; NULL: every channel */
	unsigned channel_count;
};
void identity_free(struct identity *identity); /* NULL: nothing */
bool identity_allows(const struct identity *identity, struct text channel); /* identity NULL: no key is configured */

struct auth;

/* NULL in *ret when no key is configured. 0 or -EINVAL with the sentence in err, which never holds the key. */
int auth_open(struct auth **ret, const struct config *config, struct err *err);
void auth_close(struct auth *auth); /* NULL: nothing */

/*
 * Checks signature, the configured algorithm, sub, exp and nbf against now_s (Unix time). NULL when it is not good, with
 * *ret_why a short static sentence that holds nothing of the token.
 */
struct identity *auth_check(const struct auth *auth, struct text token, double now_s, const char **ret_why);

/*
 * The credentials of a request: Authorization: Bearer before ?token= before the cookie wsquall_token. len 0: none.
 * buffer takes the percent-decoded query value.
 */
struct text auth_credentials(struct text authorization, struct text query, struct text cookie,
			     char buffer[AUTH_TOKEN_MAX]);

/*
 * Value of the first cookie or query parameter of that name. False: not there. The query's is percent-decoded into
 * buffer; one that is not properly encoded, or longer than max when decoded, comes as it is: a caller that checks length
 * and characters refuses it.
 */
bool cookie_value(struct text cookie, const char *name, struct text *ret);
bool query_value(struct text query, const char *name, char *buffer, size_t max, struct text *ret);

#endif
