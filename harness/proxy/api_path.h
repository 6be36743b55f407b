#pragma once
/*
 * The path and the query of a request of the API, decoded (RFC 3986 2.1, 3.3, 3.4). Names are compared octet by octet
 * after decoding, so "%2F" is a slash in a name and no separator.
 */
#include "harness/base/arena.h"
#include "harness/base/err.h"

enum { API_PATH_SEGMENTS_MAX = 8, API_TARGET_MAX = 8192 };

struct api_path {
	const char *segments[API_PATH_SEGMENTS_MAX]; /* "/" has none */
	size_t n;
	const char *query;         /* behind the '?', still encoded; "" */
};

/*
 * target: as in the request line, "/proxies/a%20b?how=rst". -EINVAL with a sentence: no slash at the beginning, an
 * empty segment, too many, a wrong percent sign, NUL, a control character, or what is not UTF-8. -ENOMEM.
 */
int api_path_read(const char *target, struct arena *a, struct api_path *ret, struct err *e);
/* The decoded value of a key of the query, NULL when it is not there. -EINVAL, -ENOMEM as above. */
int api_query_get(const char *query, const char *key, struct arena *a, const char **ret, struct err *e);
