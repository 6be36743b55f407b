/* What stands in a URL is hostile text: it is cut first and decoded then, so that no decoded octet can cut anew. */
#include "harness/proxy/api_path.h"

#include <string.h>

#include "harness/base/rune.h"

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_plain(const char *text, size_t len)
{
	struct span s = span_of(text, len);
	while (s.len) {
		uint32_t rune;
		size_t n = rune_decode(s, &rune);
		if (!n || rune_is_control(rune))
			return false;
		s = span_sub(s, n, s.len);
	}
	return true;
}

static int decode(const char *from, size_t len, struct arena *a, const char **ret, struct err *e)
{
	char *to = arena_alloc(a, len + 1);
	size_t n = 0;
	if (!to)
		return err_set(e, ENOMEM, "out of memory for the request");
	for (size_t i = 0; i < len; i++) {
		if (from[i] != '%') {
			to[n++] = from[i];
			continue;
		}
		int high = len - i > 2 ? hex(from[i + 1]) : -1, low = len - i > 2 ? hex(from[i + 2]) : -1;
		if (high < 0 || low < 0)
			return err_set(e, EINVAL, "expected two hexadecimal digits behind each percent sign of the URL");
		to[n++] = (char)(high << 4 | low);
		i += 2;
	}
	if (!is_plain(to, n))
		return err_set(e, EINVAL, "expected UTF-8 without control characters in the URL");
	*ret = to;
	return 0;
}

int api_path_read(const char *target, struct arena *a, struct api_path *ret, struct err *e)
{
	struct api_path path = {0};
	size_t len = strcspn(target, "?");
	if (strlen(target) > API_TARGET_MAX)
		return err_set(e, EINVAL, "expected a URL of at most %d octets", API_TARGET_MAX);
	if (target[0] != '/')
		return err_set(e, EINVAL, "expected a path that begins with a slash");
	path.query = target[len] ? target + len + 1 : "";
	for (size_t at = 1; len > 1 && at <= len;) {
		size_t end = at + strcspn(target + at, "/?");
		if (path.n == API_PATH_SEGMENTS_MAX)
			return err_set(e, EINVAL, "expected at most %d segments in the path", API_PATH_SEGMENTS_MAX);
		if (end == at)
			return err_set(e, EINVAL, "expected no empty segment in the path");
		int r = decode(target + at, end - at, a, &path.segments[path.n], e);
		if (r < 0)
			return r;
		path.n++;
		at = end + 1;
	}
	*ret = path;
	return 0;
}

int api_query_get(const char *query, const char *key, struct arena *a, const char **ret, struct err *e)
{
	size_t key_len = strlen(key);
	*ret = NULL;
	for (const char *at = query; *at;) {
		size_t len = strcspn(at, "&");
		if (len > key_len && strncmp(at, key, key_len) == 0 && at[key_len] == '=')
			return decode(at + key_len + 1, len - key_len - 1, a, ret, e);
		at += len + (at[len] == '&');
	}
	return 0;
}
