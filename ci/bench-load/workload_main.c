/*
 * A workload without a scenario, for ci/bench load and for trying a target by hand:
 *
 *	bench_workload PORT DIALECT SECONDS [TARGET] [KEY=VALUE...]
 *
 * opens the clients to 127.0.0.1:PORT, publishes for so long, waits until everything has arrived and says in one
 * line of JSON what was done, at what cost. Keys are those of a workload, and `history`, a file. Exit status 1 and a
 * sentence on any trouble, also when it does not come up or settle.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "harness/base/clock.h"
#include "harness/load/workload.h"

enum { ARENA_MAX = 64 << 20, LOOK_US = 5000, WAIT_MS = 60000 };

static struct loop loop;
static struct alarm look;
static struct workload *workload;
static uint64_t from_us, until_us;
static bool (*until)(void);
static bool reached;

static uint64_t now_us(void *owner)
{
	(void)owner;
	return clock_now_us() - from_us;
}

static void fail(const char *what) __attribute__((noreturn));
static void fail(const char *what)
{
	struct workload_state s = {0};
	if (workload)
		workload_state(workload, &s);
	fprintf(stderr, "workload: %s (up %llu of %llu, subscribed %llu of %llu, waiting %llu, missing %llu)\n", what,
		(unsigned long long)s.up, (unsigned long long)s.clients, (unsigned long long)s.subscribed,
		(unsigned long long)s.wanted, (unsigned long long)s.waiting, (unsigned long long)s.missing);
	exit(1);
}

static bool is_up(void)
{
	struct workload_state s;
	workload_state(workload, &s);
	return s.up == s.clients && s.subscribed == s.wanted;
}

static bool is_settled(void)
{
	return workload_settled(workload);
}

static bool is_closed(void)
{
	return workload_closed(workload);
}

static void on_look(void *owner, uint64_t now)
{
	reached = until && until();
	if (reached || now > until_us)
		loop_stop(&loop);
	else
		alarm_set(&look, owner, now + LOOK_US, on_look, owner);
}

static bool run(struct alarms *alarms, uint64_t ms, bool (*condition)(void))
{
	until = condition;
	until_us = clock_now_us() + ms * 1000;
	alarm_set(&look, alarms, clock_now_us() + LOOK_US, on_look, alarms);
	loop_run(&loop);
	return reached;
}

static double cpu_s(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static double resident_mb(void)
{
	unsigned long long size = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");
	int n = f ? fscanf(f, "%llu %llu", &size, &resident) : 0;
	if (f)
		fclose(f);
	return n == 2 ? (double)resident * (double)sysconf(_SC_PAGESIZE) / 1e6 : 0;
}

static const char *option(struct workload_options *o, const char *text, struct arena *a)
{
	char key[64];
	struct err e;
	const char *value = strchr(text, '=');
	bool sub = strncmp(text, "reconnect.", 10) == 0;
	if (!value || (size_t)(value - text) >= sizeof(key))
		fail("KEY=VALUE is expected");
	snprintf(key, sizeof(key), "%.*s", (int)(value - text), text);
	if (strcmp(key, "history") == 0)
		return value + 1;
	const struct opt *row = opt_find(sub ? backoff_table : workload_table, key + (sub ? 10 : 0), OPT_IN_FILE);
	if (!row)
		fail("unknown key");
	if (opt_set(row, sub ? (void *)&o->reconnect : (void *)o, value + 1, a, &e) < 0)
		fail(e.text);
	return NULL;
}

static void publish_and_tell(struct alarms *alarms, uint64_t ms, double idle_mb, double empty_mb)
{
	struct workload_state s;
	double cpu = cpu_s();
	uint64_t begun_us = clock_now_us();
	workload_publish(workload, true);
	run(alarms, ms, NULL);
	workload_publish(workload, false);
	uint64_t took_us = clock_now_us() - begun_us;
	if (!run(alarms, WAIT_MS, is_settled))
		fail("it does not settle");
	double settle_s = (double)(clock_now_us() - begun_us - took_us) / 1e6;
	workload_state(workload, &s);
	double work = (double)(s.published + s.delivered), used = cpu_s() - cpu, s_all = (double)took_us / 1e6 + settle_s;
	printf("{\"clients\": %llu, \"published\": %llu, \"unsure\": %llu, \"refused\": %llu, \"skipped\": %llu, "
	       "\"delivered\": %llu, \"reconnects\": %llu, \"seconds\": %.2f, \"settle_s\": %.3f, \"cpu_s\": %.2f, "
	       "\"per_s\": %.0f, \"per_cpu_s\": %.0f, \"empty_mb\": %.1f, \"idle_mb\": %.1f, \"kb_a_client\": %.2f}\n",
	       (unsigned long long)s.clients, (unsigned long long)s.published, (unsigned long long)s.unsure,
	       (unsigned long long)s.refused, (unsigned long long)s.skipped, (unsigned long long)s.delivered,
	       (unsigned long long)s.reconnects, (double)took_us / 1e6, settle_s, used, work / s_all,
	       used > 0 ? work / used : 0, empty_mb, idle_mb, (idle_mb - empty_mb) * 1000 / (double)s.clients);
}

int main(int argc, char **argv)
{
	struct arena a;
	struct alarms *alarms;
	struct workload_options o;
	struct dial_addresses addresses;
	struct workload_way way = {.addresses = &addresses, .target = "/ws", .http_target = "/"};
	struct workload_site site = {.loop = &loop, .now_us = now_us, .seed = 1, .ways = &way, .n_ways = 1};
	const char *history = NULL;
	char host[32];
	struct err e = {"usage: bench_workload PORT DIALECT SECONDS [TARGET] [KEY=VALUE...]"};
	from_us = clock_now_us();
	site.seed = rng_fresh_seed();
	arena_init(&a, ARENA_MAX);
	if (argc < 4 || loop_init(&loop) < 0 || alarms_new(&loop, &alarms) < 0 ||
	    opt_defaults(workload_table, &o, &a) < 0 || dialect_load(argv[2], NULL, &a, &site.dialect, &e) < 0 ||
	    dial_resolve("127.0.0.1", (uint16_t)atoi(argv[1]), &addresses, &e) < 0)
		fail(e.text);
	for (int i = 4; i < argc; i++) {
		const char *file = argv[i][0] == '/' ? NULL : option(&o, argv[i], &a);
		history = file ? file : history;
		way.target = argv[i][0] == '/' ? argv[i] : way.target;
	}
	snprintf(host, sizeof(host), "127.0.0.1:%s", argv[1]);
	way.host = host;
	site.alarms = alarms;
	if (history_log_new(history, NULL, &site.history, &e) < 0)
		fail(e.text);
	double empty_mb = resident_mb();
	if (workload_new(&site, &o, &workload, &e) < 0)
		fail(e.text);
	workload_open(workload);
	if (!run(alarms, WAIT_MS, is_up))
		fail("it does not come up");
	publish_and_tell(alarms, (uint64_t)(atof(argv[3]) * 1000), resident_mb(), empty_mb);
	workload_close(workload);
	bool closed = run(alarms, WAIT_MS, is_closed);
	workload_free(workload);
	history_log_free(site.history);
	alarms_free(alarms);
	loop_fini(&loop);
	arena_fini(&a);
	return closed ? 0 : 1;
}
