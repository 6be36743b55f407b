#ifndef SERVER_JSON_SCAN_H
#define SERVER_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server-under-test/base/text.h"

#define JSON_SCAN_DEPTH_MAX 128 /* arrays and objects within each other */

/*
 * A strict reader of JSON (RFC 8259) that leaves values as the text they came as: an id is echoed as it was sent, and
 * the data of a message keeps numbers that no machine type holds. Input is UTF-8 already. A string with half of a
 * surrogate pair is refused, for UTF-8 cannot carry it; names that stand twice are refused among those asked for.
 */
enum scan_kind {
	SCAN_ABSENT,
	SCAN_NULL,
	SCAN_BOOL,
	SCAN_NUMBER,
	SCAN_STRING,
	SCAN_ARRAY,
	SCAN_OBJECT,
};

/* One value as it was sent, without the blanks around it; a string with its quotes. Borrowed from the input. */
struct scan_value {
	enum scan_kind kind;
	struct text raw;
};

/* A member wanted of an object; its value is SCAN_ABSENT when the object has no such name. */
struct scan_member {
	const char *name;
	struct scan_value value;
};

/*
 * Reads one object and nothing behind it but blanks. False when it is not well-formed or not an object: *ret_why is a
 * static sentence then.
 */
bool json_scan_object(struct text in, struct scan_member *members, size_t count, const char **ret_why);

/* Octets of a string once its escapes are resolved; SIZE_MAX for anything but a string. */
size_t json_scan_string_len(const struct scan_value *value);
/* The string itself, which must be at most max octets long; it may hold NUL. False: not a string, or longer. */
bool json_scan_string(const struct scan_value *value, char *buffer, size_t max, struct text *ret);

/* A whole number from 0 to INT64_MAX, written without fraction and exponent. */
bool json_scan_seq(const struct scan_value *value, uint64_t *ret);

/* Copies a well-formed value without the blanks outside its strings; out holds raw.len. Returns the octets written. */
size_t json_scan_compact(struct text raw, char *out);

#endif
