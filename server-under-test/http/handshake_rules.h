#ifndef SERVER_HANDSHAKE_RULES_H
#define SERVER_HANDSHAKE_RULES_H

#include <stdbool.h>

#include "server-under-test/base/text.h"

/* The grammars of the opening handshake, each a pure predicate on one field value or one element. */

bool rule_tchar(char c); /* RFC 9110 5.6.2 */
bool rule_token(struct text t);

/* Next element of a comma list, trimmed, empty elements skipped (RFC 2616 2.1). False at the end. */
bool rule_list_next(struct text *rest, struct text *ret_element);

bool rule_token_list(struct text list); /* 1#token */
bool rule_upgrade_list(struct text list); /* 1#(token ["/" token]) */
bool rule_extension_list(struct text list); /* RFC 6455 9.1; a quoted value must be a token once unquoted */
bool rule_host(struct text host); /* RFC 9110 7.2: uri-host [ ":" port ], not empty */

/*
 * Splits a request-target in origin form or absolute form (http, https) into path and query. False when it is
 * neither, or has a character a URI cannot have (RFC 3986).
 */
bool rule_target(struct text target, struct text *ret_path, struct text *ret_query);

bool rule_key(struct text key); /* base64 of 16 bytes; the unused bits of the last character may be set */
bool rule_version_number(struct text version); /* 0-255 without leading zeros (RFC 6455 4.3) */

#endif
