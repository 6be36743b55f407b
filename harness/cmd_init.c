/* wsquall init: looks at a server and writes a commented target file. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/file.h"
#include "harness/cmd.h"
#include "harness/init.h"

enum { INIT_ARENA_MAX = 32 << 20, INIT_FILE_MAX = 256 << 10 };

struct init_command {
	const char *output, *ca;
	struct opt_map headers;
	uint64_t timeout_ms;
	bool force, insecure, quiet, help;
};

#define ROW(field_name, field, opt_type, help_text, ...)                                                               \
	{                                                                                                              \
		.name = field_name, .type = opt_type, .offset = offsetof(struct init_command, field),                  \
		.help = help_text, ##__VA_ARGS__                                                                       \
	}

const struct opt cmd_init_options[] = {
	ROW("output", output, OPT_STRING, "the file to write; without it, standard output", .letter = 'o',
	    .metavar = "FILE"),
	ROW("force", force, OPT_FLAG, "write over a file that is there"),
	ROW("header", headers, OPT_MAP,
	    "field to send with every handshake; in the file, its value is a variable of the environment",
	    .flags = OPT_SECRET, .metavar = "NAME=VALUE"),
	ROW("ca", ca, OPT_STRING, "PEM file with the authorities to trust", .metavar = "FILE"),
	ROW("insecure", insecure, OPT_FLAG, "do not verify the certificate"),
	ROW("timeout", timeout_ms, OPT_DURATION, "deadline of one answer", .def = "5s", .min = 1, .max = 600000),
	ROW("quiet", quiet, OPT_FLAG, "on a terminal, do not show what is looked at", .letter = 'q'),
	ROW("help", help, OPT_FLAG, "this text", .letter = 'h', .flags = OPT_STOP),
	{0},
};

static int check_headers(const struct opt_map *headers, struct err *e)
{
	for (size_t i = 0; i < headers->len; i++) {
		if (!handshake_is_token(span_str(headers->items[i].key)))
			return err_set(e, EINVAL, "--header: expected NAME=VALUE with the name of a header field");
		for (const char *at = headers->items[i].value; *at; at++)
			if ((unsigned char)*at < ' ' || *at == 0x7f)
				return err_set(e, EINVAL, "--header: the value of '%.80s' holds a control character",
					       headers->items[i].key);
	}
	return 0;
}

static int check_output(const struct init_command *o, struct err *e)
{
	if (!o->output || o->force || access(o->output, F_OK) != 0)
		return 0;
	return err_set(e, EEXIST, "%s is there already; --force writes over it", o->output);
}

/* A path in a target file is relative to that file; one on the command line is not. */
static const char *absolute(const char *path, struct arena *a)
{
	char *whole CLEANUP(cleanup_free) = realpath(path, NULL);
	return whole ? arena_strdup(a, whole) : path;
}

/* Below 0: go on. */
static int prepare(struct init *in, const struct init_command *o, const char *url, struct err *e)
{
	if (check_headers(&o->headers, e) < 0 || check_output(o, e) < 0)
		return EXIT_USAGE;
	if (!strstr(url, "://"))
		return err_set(e, EINVAL, "expected a ws:// or wss:// URL, got '%.200s'", url), EXIT_USAGE;
	if (target_load(url, &in->arena, &in->target, e) < 0)
		return EXIT_USAGE;
	in->headers = &o->headers;
	in->ca = o->ca ? absolute(o->ca, &in->arena) : NULL;
	in->insecure = o->insecure;
	in->timeout_ms = (uint32_t)o->timeout_ms;
	rng_init(&in->rng, rng_fresh_seed(), "init");
	const struct tls_options tls = {.ca_file = o->ca, .insecure = o->insecure, .alpn = "http/1.1"};
	if (in->target.url.tls && tls_context_new(&tls, &in->tls, e) < 0)
		return EXIT_USAGE;
	live_init(&in->live, !o->quiet);
	init_tell(in, "up %s", in->target.url.host);
	if (dial_resolve(in->target.url.host, in->target.url.port, &in->addresses, e) < 0)
		return EXIT_UNREACHABLE;
	return -1;
}

static int look(struct init *in, struct err *e)
{
	init_tell(in, "at the handshake of %s", in->target.url.text);
	int r = init_look_plain(in, e);
	if (r == -EHOSTUNREACH)
		return EXIT_UNREACHABLE;
	if (r == 0)
		init_look_subprotocols(in);
	init_look_dialect(in);
	if (r < 0 && !in->found.dialect)
		return EXIT_UNREACHABLE;
	if (r < 0)
		init_look_subprotocols(in);
	init_look_again(in);
	init_tell(in, "at what it refuses: paths, origins, extensions");
	init_look_refusals(in);
	init_look_http(in);
	init_look_process(in);
	return 0;
}

/* Never over a file that came meanwhile. */
static int write_new(const char *path, struct span text, struct err *e)
{
	int fd CLEANUP(cleanup_fd) = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return err_set(e, errno, "%s cannot be written: %s", path, strerror(errno));
	for (size_t at = 0; at < text.len;) {
		ssize_t n = write(fd, text.p + at, text.len - at);
		if (n < 0)
			return err_set(e, errno, "%s cannot be written: %s", path, strerror(errno));
		at += (size_t)n;
	}
	return 0;
}

static int put(const struct init_command *o, struct buf *text, struct err *e)
{
	if (!o->output)
		return cmd_print(text);
	int r = o->force ? file_write_atomic(o->output, buf_span(text), e) : write_new(o->output, buf_span(text), e);
	if (r < 0)
		return EXIT_USAGE;
	printf("%s written. Next: wsquall certify %s --dry-run\n", o->output, o->output);
	return EXIT_PASSED;
}

static int init_run(struct init *in, const struct init_command *o, const char *url, struct err *e)
{
	struct buf text CLEANUP(buf_fini) = {0};
	int code = prepare(in, o, url, e);
	if (code < 0)
		code = look(in, e);
	live_clear(&in->live);
	if (code)
		return code;
	buf_init(&text, INIT_FILE_MAX);
	if (init_write(in, &text) < 0)
		return err_set(e, ENOBUFS, "what was found is too much for one file"), EXIT_OURS;
	return put(o, &text, e);
}

int cmd_init(const struct command *c, int argc, char **argv)
{
	struct init in = {.timeout_ms = 0};
	struct init_command o;
	struct opt_strings words;
	struct err e = {0};
	arena_init(&in.arena, INIT_ARENA_MAX);
	int code = cmd_parse(c, argc, argv, &o, &o.help, &in.arena, 1,
			     "init takes one URL: ws://HOST:PORT/PATH or wss://...", &words);
	if (code < 0) {
		int r = loop_init(&in.loop);
		code = r < 0 ? EXIT_OURS : init_run(&in, &o, words.items[0], &e);
		if (code == EXIT_USAGE)
			cmd_usage_error(c, &e);
		else if (code)
			fprintf(stderr, "wsquall: %s\n", r < 0 ? strerror(-r) : e.text);
		tls_context_free(in.tls);
		if (r == 0)
			loop_fini(&in.loop);
	}
	arena_fini(&in.arena);
	return code;
}
