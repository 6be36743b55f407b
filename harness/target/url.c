/* URLs of targets. Strict: what we do not understand is refused before anything is sent. */
#include "harness/target/url.h"

#include <stdlib.h>
#include <string.h>

#include "harness/base/span.h"

static int parse_port(const char *text, size_t len, uint16_t *ret_port)
{
	unsigned long port = 0;
	if (len == 0 || len > 5)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		port = port * 10 + (unsigned long)(text[i] - '0');
	}
	if (port == 0 || port > 65535)
		return -EINVAL;
	*ret_port = (uint16_t)port;
	return 0;
}

static int check_octets(const char *text, struct err *e)
{
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f)
			return err_set(e, EINVAL, "the URL holds a space, a control character or a character outside ASCII at column %d", (int)(c - text) + 1);
	if (strchr(text, '#'))
		return err_set(e, EINVAL, "a WebSocket URL has no fragment (#...); write %%23 if the path really holds a #");
	return 0;
}

static int parse_authority(const char *at, size_t len, struct arena *a, struct url *u, struct err *e)
{
	if (memchr(at, '@', len))
		return err_set(e, EINVAL, "user and password do not belong into a target URL; use `headers:` in a target file");
	const char *host = at, *end = at + len, *host_end;
	bool bracket = len && *at == '[';
	if (bracket) {
		host++;
		host_end = memchr(host, ']', (size_t)(end - host));
		if (!host_end)
			return err_set(e, EINVAL, "the IPv6 address in the URL has no closing bracket");
		at = host_end + 1;
	} else {
		host_end = memchr(host, ':', len);
		if (!host_end)
			host_end = end;
		at = host_end;
	}
	if (host == host_end)
		return err_set(e, EINVAL, "the URL has no host");
	bool with_port = at < end;
	if (with_port && (*at != ':' || parse_port(at + 1, (size_t)(end - at - 1), &u->port) < 0))
		return err_set(e, EINVAL, "expected a port from 1 to 65535 after the host in the URL");
	u->host = arena_printf(a, "%.*s", (int)(host_end - host), host);
	bool standard = !with_port || u->port == (u->tls ? 443 : 80);
	const char *open = bracket ? "[" : "", *close = bracket ? "]" : "";
	u->host_field = !u->host ? NULL : standard ? arena_printf(a, "%s%s%s", open, u->host, close)
						   : arena_printf(a, "%s%s%s:%u", open, u->host, close, u->port);
	return u->host_field ? 0 : -ENOMEM;
}

int url_parse(const char *text, struct arena *a, struct url *ret_url, struct err *e)
{
	struct url u = {.text = arena_strdup(a, text)};
	const char *rest;
	if (strncasecmp(text, "ws://", 5) == 0)
		rest = text + 5;
	else if (strncasecmp(text, "wss://", 6) == 0)
		rest = text + 6;
	else
		return err_set(e, EINVAL, "expected a ws:// or wss:// URL, got '%.100s'", text);
	u.tls = rest == text + 6;
	u.port = u.tls ? 443 : 80;
	int r = check_octets(text, e);
	if (r < 0)
		return r;
	size_t len = strcspn(rest, "/?");
	r = parse_authority(rest, len, a, &u, e);
	if (r < 0)
		return r;
	const char *path = rest + len;
	u.target = *path == '/' ? arena_strdup(a, path) : arena_printf(a, "/%s", path);
	if (!u.target || !u.text)
		return -ENOMEM;
	*ret_url = u;
	return 0;
}

int url_resolve(const struct url *base, const char *path, struct arena *a, struct url *ret_url, struct err *e)
{
	if (path[0] != '/')
		return url_parse(path, a, ret_url, e);
	int r = check_octets(path, e);
	if (r < 0)
		return r;
	struct url u = *base;
	u.target = arena_strdup(a, path);
	u.text = arena_printf(a, "%s://%s%s", base->tls ? "wss" : "ws", base->host_field, path);
	if (!u.target || !u.text)
		return -ENOMEM;
	*ret_url = u;
	return 0;
}
