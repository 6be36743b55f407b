/* Who a client speaks for, and for how long. */
#include "server-under-test/client/client.h"

#include <math.h>
#include <stdlib.h>

#include "server-under-test/auth.h"
#include "server-under-test/defects.h"

#define EXPIRES_MAX 9007199254740992. /* 2^53: what JSON numbers keep */

/* Unix time becomes the client's clock once: what is done to the wall clock later moves no deadline. */
void client_set_identity(struct client *client, struct identity *identity)
{
	bool renewed = client->identity != NULL;

	identity_free(client->identity);
	client->identity = identity;
	if (renewed && defect(security_renewal_ignored))
		return;
	client->expires_s = INFINITY;
	if (identity && !defect(security_expiry_ignored))
		client->expires_s = clock_monotonic_s() + (identity->expires_at + AUTH_LEEWAY_S - clock_unix_s());
	client_arm(client);
}

static struct identity *check(struct client *client, const struct scan_value *value, const char **ret_why)
{
	struct identity *identity;
	struct text token;
	char *buffer;

	if (!client->server->auth) {
		*ret_why = "no key is configured";
		return NULL;
	}
	buffer = malloc(AUTH_TOKEN_MAX);
	if (!buffer)
		abort();
	*ret_why = "the token is too long";
	identity = NULL;
	if (json_scan_string(value, buffer, AUTH_TOKEN_MAX, &token))
		identity = auth_check(client->server->auth, token, clock_unix_s(), ret_why);
	free(buffer);
	return identity;
}

void client_on_auth(struct client *client, struct incoming *in)
{
	const struct scan_value *value = &in->fields[FIELD_TOKEN].value;
	struct identity *identity;
	const char *why;

	if (value->kind != SCAN_STRING) {
		client_refuse(client, in, ERROR_BAD_REQUEST, "\"token\" must be a string");
		return;
	}
	identity = check(client, value, &why);
	if (!identity) {
		client_refuse(client, in, ERROR_UNAUTHORIZED, why);
		return;
	}
	if (!client->identity || strcmp(identity->subject, client->identity->subject) != 0) {
		identity_free(identity);
		client_refuse(client, in, ERROR_FORBIDDEN, "the token is another subject's");
		return;
	}
	client_set_identity(client, identity);
	client_send(client, messages_authenticated(in->id, (int64_t)fmin(identity->expires_at, EXPIRES_MAX)),
		    MESSAGE_TYPE_authenticated);
	client_observe(in->at_s);
	client_drop_uncovered(client);
}
