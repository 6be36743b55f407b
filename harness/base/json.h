#pragma once
/* What jansson leaves to us: strings from hostile octets, and files that are never half-written. */
#include <jansson.h>

#include "harness/base/buf.h"
#include "harness/base/err.h"

/*
 * A JSON string that shows s: well-formed UTF-8 is kept (NUL and control characters too; in the file they become
 * \uNNNN), each octet that is not part of a well-formed character becomes one U+FFFD. So "\xe2\x82" gives two of them,
 * and "\xff" one. Lossy by design: evidence that must be exact is written with escape_hex. A new reference, NULL
 * without memory.
 */
json_t *json_text(struct span s);

/*
 * For values put together of many: each takes the new reference `value`, NULL being a failure, and leaves -ENOMEM in *r
 * when it fails, so that a caller looks once; json_finish() is then the value, or NULL with everything freed.
 */
void json_put(json_t *object, int *r, const char *key, json_t *value);
void json_add(json_t *array, int *r, json_t *value);
json_t *json_finish(json_t *value, int r);

/*
 * Appends the value in one line, keys in the order they were set, only ASCII control characters escaped. No newline at
 * the end. 0, -ENOBUFS, -ENOMEM, -EINVAL for NULL.
 */
int json_append(struct buf *b, const json_t *value);

/*
 * The value indented by two, with a newline at the end, by file_write_atomic. At most RESULT_FILE_MAX octets: -EFBIG.
 * 0, or a negative errno with a sentence.
 */
int json_write_file(const json_t *value, const char *path, struct err *e);
