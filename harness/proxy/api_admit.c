/* The door of the API. A Host that cannot be read is a stranger's. */
#include "harness/proxy/api_admit.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

int api_token_check(const char *token, struct err *e)
{
	size_t len = strlen(token);
	if (len < API_TOKEN_MIN || len > API_TOKEN_MAX)
		return err_set(e, EINVAL, "expected a token of %d to %d characters", API_TOKEN_MIN, API_TOKEN_MAX);
	for (size_t i = 0; i < len; i++)
		if (token[i] <= ' ' || token[i] > '~')
			return err_set(e, EINVAL, "expected a token of visible ASCII characters without blanks");
	return 0;
}

/* Takes as long for a wrong first character as for a wrong last one. */
static bool is_same(const char *token, const char *shown)
{
	size_t len = strlen(token), shown_len = strlen(shown);
	unsigned char differs = len != shown_len;
	for (size_t i = 0; i < len; i++)
		differs |= (unsigned char)(token[i] ^ (shown_len ? shown[i % shown_len] : 0));
	return !differs;
}

static bool shows_token(const char *token, const char *authorization)
{
	static const char scheme[] = "Bearer ";
	if (!authorization || strncasecmp(authorization, scheme, sizeof(scheme) - 1) != 0)
		return false;
	const char *shown = authorization + sizeof(scheme) - 1;
	return is_same(token, shown + strspn(shown, " "));
}

/* "localhost:8474", "127.0.0.1", "[::1]:8474" */
static bool is_local_host(const char *host)
{
	char name[64];
	struct in_addr four;
	struct in6_addr six;
	bool bracket = host[0] == '[';
	size_t len = strcspn(host + bracket, bracket ? "]" : ":");
	const char *rest = host + bracket + len;
	if (len >= sizeof(name) || (bracket && *rest++ != ']'))
		return false;
	if (*rest && (*rest != ':' || rest[1 + strspn(rest + 1, "0123456789")]))
		return false;
	memcpy(name, host + bracket, len);
	name[len] = 0;
	if (bracket)
		return inet_pton(AF_INET6, name, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
	if (inet_pton(AF_INET, name, &four) == 1)
		return ntohl(four.s_addr) >> 24 == 127;
	return strcasecmp(name, "localhost") == 0;
}

unsigned api_admit(const struct api_door *door, const struct http_request *q, struct err *e)
{
	unsigned status = 0;
	if (q->user_agent && strncmp(q->user_agent, "Mozilla/", 8) == 0) {
		status = 403;
		err_set(e, EPERM, "User agent not allowed: the API is not for browsers");
	} else if (q->origin || q->sec_fetch_site) {
		status = 403;
		err_set(e, EPERM, "%s not allowed: the API is not for pages in browsers", q->origin ? "Origin" : "Sec-Fetch-Site");
	} else if (door->local && q->host && !is_local_host(q->host)) {
		status = 403;
		err_set(e, EPERM, "expected a Host of this machine (localhost, 127.0.0.1, [::1]); a page whose name points "
				  "here is not let in");
	} else if (door->token && !shows_token(door->token, q->authorization)) {
		status = 401;
		err_set(e, EPERM, "expected the token of this proxy, as \"Authorization: Bearer TOKEN\"");
	}
	return status;
}
