/* wsquall proxy: a proxy with faults on its connections, steered by an HTTP API that answers Toxiproxy's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <uv.h>

#include "harness/base/file.h"
#include "harness/cmd.h"
#include "harness/net/loop.h"
#include "harness/proxy/api.h"
#include "harness/proxy/api_admit.h"
#include "harness/proxy/config.h"

enum { HOST_MAX = 256, TOKEN_FILE_MAX = API_TOKEN_MAX + 2 };

struct front {
	struct config o;
	struct loop loop;
	struct event_log *log;
	struct api *api;
	json_t *proxies;
	char token[API_TOKEN_MAX + 1];
	uv_signal_t signals[2];
	bool loop_open, signals_open;
};

/* The token of the file, else of the environment, else none. */
static int read_token(struct front *f, struct err *e)
{
	struct buf text CLEANUP(buf_fini) = {0};
	const char *token = getenv("WSQUALL_PROXY_TOKEN");
	if (f->o.token_file) {
		int r = file_read(f->o.token_file, TOKEN_FILE_MAX, &text, e);
		if (r < 0)
			return r;
		while (text.len && (text.p[text.len - 1] == '\n' || text.p[text.len - 1] == '\r'))
			text.len--;
		token = buf_cstr(&text);
		if (strlen(token) != text.len)
			return err_set(e, EINVAL, "%s: expected text without NUL", f->o.token_file);
	}
	if (!token || (!f->o.token_file && !token[0]))
		return 0;
	struct err why;
	if (api_token_check(token, &why) < 0)
		return err_set(e, EINVAL, "%s: %s", f->o.token_file ? f->o.token_file : "WSQUALL_PROXY_TOKEN", why.text);
	snprintf(f->token, sizeof(f->token), "%s", token);
	return 0;
}

static int read_plan(struct front *f, struct arena *a, struct plan *ret, struct err *e)
{
	struct err why;
	int r = plan_read(f->proxies, a, ret, &why);
	if (r == 0)
		r = plan_check(ret, NULL, &why);
	if (r == 0)
		return 0;
	/* Of a body that nobody sent, only what is wrong with it is told. */
	static const char body[] = "bad request body: ";
	const char *text = strncmp(why.text, body, sizeof(body) - 1) == 0 ? why.text + sizeof(body) - 1 : why.text;
	return err_set(e, -r, "%s%s%s", f->o.config ? f->o.config : "", f->o.config ? ": " : "", text);
}

static int check_only(struct front *f)
{
	struct buf b;
	char *text = json_dumps(f->proxies, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
	buf_init(&b, HTTP_ANSWER_MAX);
	buf_printf(&b, "{\"listen_api\": \"%s\", \"token\": %s, \"proxies\": %s}\n", f->o.listen_api,
		   f->token[0] ? "true" : "false", text ? text : "null");
	free(text);
	return cmd_print(&b);
}

/* Signals -------------------------------------------------------------------------------------------------------------- */

static void on_signal(uv_signal_t *handle, int number)
{
	(void)number;
	uv_stop(handle->loop);
}

static void catch_signals(struct front *f)
{
	static const int numbers[] = {SIGINT, SIGTERM};
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		uv_signal_init(&f->loop.uv, &f->signals[i]);
		uv_signal_start(&f->signals[i], on_signal, numbers[i]);
	}
	f->signals_open = true;
}

/* Running -------------------------------------------------------------------------------------------------------------- */

static int start(struct front *f, const struct plan *plan, struct err *e)
{
	char host[HOST_MAX];
	struct api_listen l = {.host = host, .token = f->token[0] ? f->token : NULL,
			       .request_ms = (uint32_t)f->o.api_timeout_ms};
	struct err why;
	int r = config_split_address(f->o.listen_api, host, sizeof(host), &l.port, &why);
	if (r < 0)
		return err_set(e, -r, "--listen-api: %s", why.text);
	r = loop_init(&f->loop);
	if (r < 0)
		return err_set(e, -r, "no event loop: %s", strerror(-r));
	f->loop_open = true;
	r = event_log_new(&f->loop, f->o.event_log, f->o.event_times, &f->log, e);
	if (r < 0)
		return r;
	struct api_options o = {.loop = &f->loop, .seed = f->o.seed, .log = f->log};
	r = api_new(&o, &f->api, e);
	if (r == 0)
		r = api_listen(f->api, &l, e);
	if (r == 0)
		r = api_apply(f->api, plan, API_CREATE, e);
	return r;
}

static void tell_ready(struct front *f)
{
	bool log_on_stdout = f->o.event_log && strcmp(f->o.event_log, "-") == 0;
	json_t *ready = json_pack("{s:s, s:s, s:I, s:I}", "event", "proxy.ready", "version", WSQUALL_VERSION, "seed",
				  (json_int_t)f->o.seed, "proxies", (json_int_t)api_proxies_count(f->api));
	if (f->o.event_times) {
		json_object_set_new(ready, "api", json_string(api_address(f->api)));
		json_object_set_new(ready, "port", json_integer(api_port(f->api)));
	}
	event_log_tell(f->log, ready);
	fprintf(log_on_stdout ? stderr : stdout, "wsquall proxy: API on http://%s, proxies: %zu, seed %llu\n",
		api_address(f->api), api_proxies_count(f->api), (unsigned long long)f->o.seed);
	fflush(stdout);
}

static void finish(struct front *f)
{
	api_free(f->api);
	for (size_t i = 0; f->signals_open && i < ARRAY_LEN(f->signals); i++)
		uv_close((uv_handle_t *)&f->signals[i], NULL);
	event_log_free(f->log);
	if (f->loop_open)
		loop_fini(&f->loop);
	json_decref(f->proxies);
}

static int run(const struct command *c, struct front *f, struct arena *a)
{
	struct plan plan;
	struct err e;
	int r = read_token(f, &e);
	if (r == 0)
		r = read_plan(f, a, &plan, &e);
	if (r < 0)
		return cmd_usage_error(c, &e);
	if (f->o.check_config)
		return check_only(f);
	if (!f->o.seed_given && getrandom(&f->o.seed, sizeof(f->o.seed), 0) == (ssize_t)sizeof(f->o.seed))
		f->o.seed >>= 33; /* short enough to be typed */
	r = start(f, &plan, &e);
	if (r < 0)
		return cmd_usage_error(c, &e);
	catch_signals(f);
	tell_ready(f);
	loop_run(&f->loop);
	return EXIT_PASSED;
}

int cmd_proxy(const struct command *c, int argc, char **argv)
{
	static struct front f;
	struct opt_strings words;
	struct arena a;
	struct err e;
	int code;
	arena_init(&a, 64 << 20);
	if (config_read(argc, argv, &a, &f.o, &words, &f.proxies, &e) < 0) {
		code = cmd_usage_error(c, &e);
	} else if (f.o.help) {
		code = cmd_print_help(c);
	} else if (words.len) {
		err_set(&e, EINVAL, "proxy takes no arguments, only options; a proxy is --proxy NAME=LISTEN=UPSTREAM");
		code = cmd_usage_error(c, &e);
	} else {
		code = run(c, &f, &a);
	}
	finish(&f);
	arena_fini(&a);
	return code;
}
