/* What a poll asks and what its answer means, as a target file tells it. */
#include "harness/readiness/poll.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/buf.h"
#include "harness/base/err.h"

const json_t *poll_at(const json_t *v, const char *pointer)
{
	char step[128];
	while (v && *pointer == '/') {
		size_t n = 0;
		for (pointer++; *pointer && *pointer != '/'; pointer++) {
			bool escape = pointer[0] == '~' && (pointer[1] == '0' || pointer[1] == '1');
			char c = escape ? (*++pointer == '0' ? '~' : '/') : *pointer;
			if (n < sizeof(step) - 1)
				step[n++] = c;
		}
		step[n] = 0;
		v = json_is_array(v) ? json_array_get(v, strtoul(step, NULL, 10)) : json_object_get(v, step);
	}
	return v;
}

/* A scalar as it stands in a URL. */
static void append_value(struct buf *b, const json_t *v)
{
	if (json_is_string(v))
		buf_printf(b, "%s", json_string_value(v));
	else if (json_is_integer(v))
		buf_printf(b, "%lld", (long long)json_integer_value(v));
}

const char *poll_position(const char *since, const json_t *answer, struct arena *a)
{
	struct buf b CLEANUP(buf_fini) = {.max = 4096};
	char pointer[256];
	for (const char *at = since; *at;) {
		const char *end = *at == '{' ? strchr(at, '}') : NULL;
		if (!end) {
			buf_append_u8(&b, (uint8_t)*at++);
			continue;
		}
		snprintf(pointer, sizeof(pointer), "%.*s", (int)(end - at - 1), at + 1);
		append_value(&b, poll_at(answer, pointer));
		at = end + 1;
	}
	return arena_strdup(a, buf_cstr(&b));
}

const char *poll_path(const char *path, const char *channel, const char *since, struct arena *a)
{
	struct buf b CLEANUP(buf_fini) = {.max = 16 << 10};
	while (*path) {
		bool is_channel = strncmp(path, "{channel}", 9) == 0, is_since = strncmp(path, "{since}", 7) == 0;
		if (is_channel || is_since) {
			buf_printf(&b, "%s", is_channel ? channel : since);
			path += is_channel ? 9 : 7;
		} else {
			buf_append_u8(&b, (uint8_t)*path++);
		}
	}
	return arena_strdup(a, buf_cstr(&b));
}
