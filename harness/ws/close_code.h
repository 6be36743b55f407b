#pragma once
/* Close codes, RFC 6455 7.4 and the IANA registry, made from close_codes.def. */
#include <stdbool.h>
#include <stdint.h>

enum { CLOSE_NO_CODE = 1005, CLOSE_ABNORMAL = 1006 };

/*
 * May an endpoint put this code on the wire? False: below 1000, 1004, 1005, 1006, 1015, and above 4999.
 * 1016-2999 are unassigned: not known, but a later registration may make them legal, so they count as sendable here.
 */
bool close_code_sendable(uint16_t code);
/* In the table, or in 3000-4999. */
bool close_code_known(uint16_t code);
/* "normal", "unassigned", "library or application", "private", "outside the registry"; never NULL. */
const char *close_code_name(uint16_t code);
