/* Target files. What the table does not say is not in the format. */
#include "harness/target/target.h"

#include <libgen.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/conf.h"
#include "harness/base/escape.h"
#include "harness/base/limits.h"

#define ROW(T, field_name, field, opt_type, help_text, ...) \
	{.name = field_name, .type = opt_type, .offset = offsetof(struct T, field), .help = help_text, ##__VA_ARGS__}

static const struct opt origins_table[] = {
	ROW(target_origins, "allowed", allowed, OPT_STRING, "an Origin that must be let in"),
	ROW(target_origins, "forbidden", forbidden, OPT_STRING, "an Origin that must be refused"),
	{0},
};

static const struct opt paths_table[] = {
	ROW(target_paths, "absent", absent, OPT_STRING, "a path that does not exist"),
	ROW(target_paths, "protected", protected_, OPT_STRING, "a path that asks for HTTP authentication"),
	ROW(target_paths, "redirect", redirect, OPT_STRING, "a path that redirects"),
	ROW(target_paths, "text_only", text_only, OPT_STRING, "a path that accepts text messages only"),
	ROW(target_paths, "other", other, OPT_STRING, "a path with another service than the echo"),
	{0},
};

static const struct opt tls_table[] = {
	ROW(target_tls, "ca", ca, OPT_STRING, "PEM file with the authorities to trust; a relative path is taken from the target file's folder"),
	ROW(target_tls, "server_name", server_name, OPT_STRING, "name to send (SNI) and to verify, when it is not the URL's host"),
	ROW(target_tls, "insecure", insecure, OPT_FLAG, "do not verify the certificate; the report says so"),
	{0},
};

static const struct opt known_table[] = {
	ROW(target_known, "case", id, OPT_STRING, "id of the case", .flags = OPT_REQUIRED),
	ROW(target_known, "flaky", flaky, OPT_FLAG, "it does not happen every time: that it passes does not mean that it is gone"),
	ROW(target_known, "reason", reason, OPT_STRING, "why this deviation is accepted", .flags = OPT_REQUIRED),
	{0},
};

const struct opt target_table[] = {
	ROW(target, "wsquall", version, OPT_INT, "version of the file format", .min = 1, .max = 1, .flags = OPT_REQUIRED),
	ROW(target, "name", name, OPT_STRING, "what reports call the target"),
	ROW(target, "url", url_text, OPT_STRING, "ws:// or wss:// URL", .flags = OPT_REQUIRED),
	ROW(target, "echo", echo_text, OPT_STRING, "URL or path that echoes every message, or: none"),
	ROW(target, "headers", headers, OPT_MAP, "header fields to send with every opening handshake", .flags = OPT_SECRET),
	ROW(target, "subprotocols", subprotocols, OPT_STRINGS, "subprotocols that the target supports, the preferred one first"),
	ROW(target, "origins", origins, OPT_SECTION, "what the origin policy does", .sub = origins_table),
	ROW(target, "paths", paths, OPT_SECTION, "paths that behave in a known way", .sub = paths_table),
	ROW(target, "close_trigger", close_trigger, OPT_STRING, "a text message that makes the target close the connection"),
	ROW(target, "tls", tls, OPT_SECTION, "how to trust the target", .sub = tls_table),
	ROW(target, "contract", contract, OPT_SECTION, "what the target promises", .sub = contract_table),
	ROW(target, "timeout", timeout_ms, OPT_DURATION, "deadline of one answer", .def = "5s", .min = 1, .max = 600000),
	ROW(target, "source", source, OPT_STRING, "local address to connect from"),
	ROW(target, "nodes", nodes, OPT_SECTIONS, "processes of the target that may be ended and started again", .sub = target_node_table,
	    .item_size = sizeof(struct target_node)),
	ROW(target, "backplane", backplane, OPT_SECTIONS, "the same of the broker behind it", .sub = target_node_table,
	    .item_size = sizeof(struct target_node)),
	ROW(target, "hooks", hooks, OPT_MAP, "commands for what only the owner can do, run by /bin/sh -c in this file's folder"),
	ROW(target, "dialect", dialect, OPT_STRING,
	    "the application's protocol: a built-in dialect ('wsquall list dialects'), or a path such as ./my-dialect.yaml"),
	ROW(target, "variables", variables, OPT_MAP, "values for the dialect's templates, such as a token", .flags = OPT_SECRET),
	ROW(target, "credentials", credentials, OPT_SECTION, "who a client says it is, good and bad", .sub = target_credentials_table),
	ROW(target, "peak", peak, OPT_SECTION, "the most that is expected; load is tested at twice this", .sub = target_peak_table),
	ROW(target, "logs", logs, OPT_SECTION, "how to read the target's log", .sub = target_logs_table),
	ROW(target, "id_header", id_header, OPT_STRING,
	    "header field of the opening handshake's answer that holds the connection's id, as the log has it"),
	ROW(target, "metrics", metrics, OPT_SECTION, "where the target's metrics are and what they are called", .sub = target_metrics_table),
	ROW(target, "guard", guard, OPT_SECTION, "how much may be hurt, and when never", .sub = target_guard_table),
	ROW(target, "front", front, OPT_SECTION, "what stands in front of the nodes: a load balancer, a proxy", .sub = target_front_table),
	ROW(target, "restart", restart, OPT_SECTION, "what a client sees when a node is told to end", .sub = target_restart_table),
	ROW(target, "fallback", fallback, OPT_SECTION, "how clients without WebSockets get the same", .sub = target_fallback_table),
	ROW(target, "known", known, OPT_SECTIONS, "deviations that are accepted", .sub = known_table, .item_size = sizeof(struct target_known)),
	{0},
};

static int resolve_echo(struct target *t, struct arena *a, struct err *e)
{
	t->echo = t->url;
	if (!t->echo_text)
		return 0;
	t->echo_known = true;
	if (strcmp(t->echo_text, "none") == 0)
		return 0;
	t->has_echo = true;
	return url_resolve(&t->url, t->echo_text, a, &t->echo, e);
}

/* A path in a target file is relative to that file. */
static int resolve_file(const char **path, const char *of, struct arena *a)
{
	if (!*path || (*path)[0] == '/')
		return 0;
	char *copy = arena_strdup(a, of);
	if (!copy)
		return -ENOMEM;
	*path = arena_printf(a, "%s/%s", dirname(copy), *path);
	return *path ? 0 : -ENOMEM;
}

static int bad_name(const char *name, struct err *e)
{
	struct buf shown;
	buf_init(&shown, ERR_TEXT_MAX);
	escape_text_max(&shown, span_str(name), 60);
	err_set(e, EINVAL, "headers: '%s' is no name of a header field", buf_cstr(&shown));
	buf_fini(&shown);
	return -EINVAL;
}

/* They go into every request as they are: RFC 9110 5.1 and 5.5. A value may be a secret, so it is not repeated. */
static int check_headers(const struct opt_map *headers, struct err *e)
{
	static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	for (size_t i = 0; i < headers->len; i++) {
		const char *name = headers->items[i].key;
		if (!*name || name[strspn(name, token)])
			return bad_name(name, e);
		for (const char *c = headers->items[i].value; *c; c++)
			if (((unsigned char)*c < ' ' && *c != '\t') || *c == 0x7f)
				return err_set(e, EINVAL, "headers: the value of '%.80s' holds a line break or another control character", name);
	}
	return 0;
}

static int finish(struct target *t, struct arena *a, struct err *e)
{
	if (check_headers(&t->headers, e) < 0)
		return -EINVAL;
	int r = url_parse(t->url_text, a, &t->url, e);
	if (r < 0)
		return r;
	if (!t->name)
		t->name = t->url.text;
	r = target_nodes_check(t, a, e);
	if (r == 0)
		r = target_evidence_check(t, e);
	return r < 0 ? r : resolve_echo(t, a, e);
}

/* Nodes and hooks run there, also when it is the guard that runs them, whose folder is another. */
static int resolve_folder(struct target *t, const char *path, struct arena *a, struct err *e)
{
	char *copy = arena_strdup(a, path);
	char *folder = copy ? realpath(dirname(copy), NULL) : NULL;
	if (!folder)
		return err_set(e, errno, "%s: its folder cannot be found: %s", path, strerror(errno));
	t->folder = arena_strdup(a, folder);
	free(folder);
	int r = t->folder ? target_nodes_resolve(t, a) : -ENOMEM;
	return r < 0 ? r : target_evidence_resolve(t, a);
}

static int load_file(const char *path, struct arena *a, struct target *t, struct err *e)
{
	int r = conf_read_file(path, target_table, t, a, e);
	if (r < 0)
		return r;
	struct err why;
	r = finish(t, a, &why);
	if (r < 0)
		return err_set(e, -r, "%s: %s", path, why.text);
	r = resolve_file(&t->tls.ca, path, a);
	return r < 0 ? r : resolve_folder(t, path, a, e);
}

int target_load_text(struct span text, const char *name, struct arena *a, struct target *ret_target, struct err *e)
{
	struct target t = {0};
	int r = opt_defaults(target_table, &t, a);
	if (r == 0)
		r = conf_read_text(text, name, target_table, &t, a, e);
	if (r == 0)
		r = finish(&t, a, e);
	if (r == 0)
		*ret_target = t;
	return r;
}

const struct target_known *target_known_find(const struct target *t, const char *id)
{
	const struct target_known *known = t->known.items;
	for (size_t i = 0; i < t->known.len; i++)
		if (strcmp(known[i].id, id) == 0)
			return &known[i];
	return NULL;
}

int target_load(const char *url_or_path, struct arena *a, struct target *ret_target, struct err *e)
{
	struct target t = {0};
	int r = opt_defaults(target_table, &t, a);
	if (r < 0)
		return r;
	if (strstr(url_or_path, "://")) {
		t.url_text = url_or_path;
		r = finish(&t, a, e);
	} else {
		r = load_file(url_or_path, a, &t, e);
	}
	if (r < 0)
		return r;
	*ret_target = t;
	return 0;
}
