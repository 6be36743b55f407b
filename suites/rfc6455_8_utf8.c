/*
 * RFC 6455 5.6 and 8.1: text is UTF-8. One table, whose rows stand in three files: valid text, invalid text, and both
 * in pieces.
 */

static const struct test_case rfc6455_8_utf8_cases[] = {
#include "suites/rfc6455_8_utf8_valid.def"
#include "suites/rfc6455_8_utf8_invalid.def"
#include "suites/rfc6455_8_utf8_split.def"
};
