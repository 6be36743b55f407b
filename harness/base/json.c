/* jansson refuses invalid UTF-8 and writes files in place; a report about a misbehaving server can afford neither. */
#include "harness/base/json.h"

#include "harness/base/file.h"
#include "harness/base/rune.h"

json_t *json_text(struct span s)
{
	static const char replacement[] = "\xef\xbf\xbd";
	if (rune_first_bad(s) == s.len)
		return json_stringn_nocheck(s.len ? (const char *)s.p : "", s.len);
	if (s.len > SIZE_MAX / 4)
		return NULL;
	struct buf b CLEANUP(buf_fini) = {0};
	buf_init(&b, s.len * 3);
	while (s.len) {
		size_t good = rune_first_bad(s);
		if (buf_append(&b, s.p, good) < 0)
			return NULL;
		if (good < s.len && buf_append(&b, replacement, 3) < 0)
			return NULL;
		s = span_sub(s, good + (good < s.len), s.len);
	}
	return json_stringn_nocheck((const char *)b.p, b.len);
}

void json_put(json_t *object, int *r, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value) < 0)
		*r = -ENOMEM;
}

void json_add(json_t *array, int *r, json_t *value)
{
	if (json_array_append_new(array, value) < 0)
		*r = -ENOMEM;
}

json_t *json_finish(json_t *value, int r)
{
	if (r == 0)
		return value;
	json_decref(value);
	return NULL;
}

struct sink {
	struct buf *b;
	int r;
};

static int append(const char *text, size_t len, void *data)
{
	struct sink *sink = data;
	sink->r = buf_append(sink->b, text, len);
	return sink->r < 0 ? -1 : 0;
}

static int dump(struct buf *b, const json_t *value, size_t flags)
{
	struct sink sink = {.b = b};
	if (json_dump_callback(value, append, &sink, flags | JSON_ENCODE_ANY) == 0)
		return 0;
	return sink.r < 0 ? sink.r : -EINVAL;
}

int json_append(struct buf *b, const json_t *value)
{
	return dump(b, value, JSON_COMPACT);
}

int json_write_file(const json_t *value, const char *path, struct err *e)
{
	struct buf b CLEANUP(buf_fini) = {0};
	buf_init(&b, RESULT_FILE_MAX);
	int r = dump(&b, value, JSON_INDENT(2));
	if (r == 0)
		r = buf_append_u8(&b, '\n');
	if (r == -ENOBUFS)
		return err_set(e, EFBIG, "%s: cannot be written: it would have more than %d octets", path,
			       (int)RESULT_FILE_MAX);
	if (r < 0)
		return err_set(e, -r, "%s: cannot be written: %s", path,
			       r == -ENOMEM ? "out of memory" : "it is not JSON");
	return file_write_atomic(path, buf_span(&b), e);
}
