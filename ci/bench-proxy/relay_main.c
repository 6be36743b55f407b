/*
 * For ci/bench proxy: two proxies and nothing else, so that what is measured is the way of the octets.
 *
 *	relay UPSTREAM UPSTREAM [FAULT [KEY=VALUE...]]  prints "ready PORT PORT"; the fault is put on both; runs until killed
 */
#include <stdio.h>
#include <string.h>

#include "harness/base/opt.h"
#include "harness/proxy/proxy.h"

struct words {
	char **words;
	int n;
};

static int fill(const void *from, const struct fault *f, void *options, struct arena *a, struct err *e)
{
	const struct words *given = from;
	for (int i = 0; i < given->n; i++) {
		char *equals = strchr(given->words[i], '=');
		if (!equals)
			return err_set(e, EINVAL, "'%s' is not KEY=VALUE", given->words[i]);
		*equals = 0;
		const struct opt *row = opt_find(f->options, given->words[i], OPT_IN_FILE);
		int r = row ? opt_set(row, options, equals + 1, a, e) : err_set(e, EINVAL, "no option '%s'", given->words[i]);
		*equals = '=';
		if (r < 0)
			return r;
	}
	return 0;
}

static int put_on(struct proxy *p, char **words, int n, struct err *e)
{
	struct words given = {words + 1, n - 1};
	struct toxic_spec spec = {.fault = fault_find(words[0]), .toxicity = 1, .fill = fill,
				  .from = &given};
	if (!spec.fault)
		return err_set(e, EINVAL, "there is no fault '%s'", words[0]);
	return proxy_toxic_add(p, &spec, NULL, e);
}

static int start(struct proxies *set, const char *name, char **argv, int upstream, int argc, struct err *e)
{
	struct proxy_options wanted = {.name = name, .listen = "127.0.0.1:0", .upstream = argv[upstream], .enabled = true};
	struct proxy *p = NULL;
	int r = proxy_new(set, &wanted, &p, e);
	if (r == 0 && argc > 3)
		r = put_on(p, argv + 3, argc - 3, e);
	return r;
}

int main(int argc, char **argv)
{
	struct loop loop;
	struct err e = {"two upstreams are wanted"};
	struct proxies *set = NULL;
	struct proxies_options options = {.loop = &loop, .seed = 1};
	if (argc < 3 || loop_init(&loop) < 0 || proxies_new(&options, &set, &e) < 0 ||
	    start(set, "echo", argv, 1, argc, &e) < 0 || start(set, "sink", argv, 2, argc, &e) < 0) {
		fprintf(stderr, "relay: %s\n", e.text);
		return 1;
	}
	printf("ready %s %s\n", strrchr(proxy_listen(proxies_find(set, "echo")), ':') + 1,
	       strrchr(proxy_listen(proxies_find(set, "sink")), ':') + 1);
	fflush(stdout);
	loop_run(&loop);
	return 0;
}
