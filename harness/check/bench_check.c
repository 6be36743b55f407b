/*
 * For ci/bench check: a synthetic run of messages through every checker, as a scenario would feed them. Says deliveries
 * a second of one core's time, and how much memory grew after the first tenth.
 *
 *	bench_check [MESSAGES [SUBSCRIBERS [CHANNELS]]]     delivered messages; default 10,000,000, 1,000 and 50
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "harness/base/err.h"
#include "harness/check/check.h"

enum { PUBLISHERS_EACH = 2, RECONNECT_EVERY = 20000 };

struct bench {
	struct check_set *set;
	uint32_t subscribers, channels;
	uint64_t now_us, number, deliveries;
	uint64_t *seqs, *indexes;          /* by channel; by channel and publisher */
	uint32_t *connections;             /* by subscriber */
};

static double cpu_s(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static size_t resident_kib(void)
{
	char line[128] = "";
	FILE *f = fopen("/proc/self/statm", "r");
	if (f && !fgets(line, sizeof(line), f))
		line[0] = 0;
	if (f)
		fclose(f);
	const char *second = strchr(line, ' ');
	return second ? strtoul(second, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE) / 1024 : 0;
}

static void tell(struct bench *b, struct event e)
{
	e.at_us = b->now_us;
	e.number = ++b->number;
	check_set_event(b->set, &e);
}

static uint32_t channel_of(const struct bench *b, uint32_t subscriber)
{
	return (subscriber - 1) % b->channels + 1;
}

static void come(struct bench *b, uint32_t client, bool resumes)
{
	uint32_t channel = channel_of(b, client), connection = ++b->connections[client - 1];
	uint64_t seq = b->seqs[channel - 1];
	char id[32];
	snprintf(id, sizeof(id), "c%u-%u", client, connection);
	struct event e = {.kind = EVENT_CONNECT, .type = EVENT_OK, .client = client, .connection = connection, .id = id,
			  .node = connection % 3 + 1};
	tell(b, e);
	e = (struct event){.kind = EVENT_SUBSCRIBE, .type = EVENT_INVOKE, .client = client, .connection = connection,
			   .channel = channel, .seq = resumes ? seq : 0, .epoch = resumes};
	tell(b, e);
	e.type = EVENT_OK;
	e.seq = seq;
	e.epoch = 1;
	e.recovered = resumes ? RECOVERED_YES : RECOVERED_UNTOLD;
	tell(b, e);
}

static void go(struct bench *b, uint32_t client)
{
	char id[32];
	snprintf(id, sizeof(id), "c%u-%u", client, b->connections[client - 1]);
	struct event e = {.kind = EVENT_END, .type = EVENT_OK, .client = client, .connection = b->connections[client - 1],
			  .code = 1001, .by = END_BY_SERVER, .clean = true, .id = id};
	tell(b, e);
	tell(b, (struct event){.kind = EVENT_LOG, .type = EVENT_OK, .text = "disconnect", .code = 1001, .id = id});
}

/* One message to everybody on its channel. */
static void publish(struct bench *b, uint32_t channel, uint32_t which)
{
	uint32_t publisher = b->subscribers + (channel - 1) * PUBLISHERS_EACH + which + 1;
	uint64_t index = ++b->indexes[(channel - 1) * PUBLISHERS_EACH + which], seq = ++b->seqs[channel - 1];
	struct event e = {.kind = EVENT_PUBLISH, .type = EVENT_INVOKE, .client = publisher, .connection = 1,
			  .channel = channel, .publisher = publisher, .index = index, .sent_us = b->now_us};
	tell(b, e);
	e.type = EVENT_OK;
	e.seq = seq;
	e.epoch = 1;
	tell(b, e);
	e = (struct event){.kind = EVENT_DELIVER, .type = EVENT_OK, .channel = channel, .publisher = publisher, .index = index,
			   .sent_us = b->now_us, .said_channel = channel, .seq = seq, .epoch = 1};
	for (uint32_t client = channel; client <= b->subscribers; client += b->channels) {
		b->now_us++;
		e.client = client;
		e.connection = b->connections[client - 1];
		tell(b, e);
		b->deliveries++;
	}
}

static void run(struct bench *b, uint64_t until)
{
	static const char *const names[] = {"warm", "chaos"};
	uint64_t turn = 0, next_reconnect = b->deliveries + RECONNECT_EVERY;
	tell(b, (struct event){.kind = EVENT_PHASE, .type = EVENT_OK, .text = names[b->deliveries > 0],
			       .note = names[b->deliveries > 0]});
	while (b->deliveries < until) {
		publish(b, (uint32_t)(turn % b->channels) + 1, (uint32_t)(turn / b->channels % PUBLISHERS_EACH));
		turn++;
		if (b->deliveries < next_reconnect)
			continue;
		next_reconnect += RECONNECT_EVERY;
		uint32_t client = (uint32_t)(turn % b->subscribers) + 1;
		go(b, client);
		come(b, client, true);
	}
}

static int judge(struct bench *b)
{
	const struct check_result *results;
	size_t n, failed = 0;
	check_set_end(b->set, &results, &n);
	for (size_t i = 0; i < n; i++)
		if (results[i].outcome == CHECK_FAIL) {
			printf("%s failed: %s\n", results[i].row->id, results[i].findings[0].seen);
			failed++;
		}
	printf("%zu checks, %zu failed\n", n, failed);
	return failed ? 1 : 0;
}

int main(int argc, char **argv)
{
	static const struct contract contract = {
		.delivery = DELIVERY_AT_LEAST_ONCE, .ordered = true, .total_order = true, .numbered = true, .contiguous = true,
		.resumes = true, .tells_recovered = true, .resume_window_ms = 60000, .resume_messages = 1000,
		.heartbeat_ms = 25000, .heartbeat_timeout_ms = 10000, .recovery_ms = 5000,
	};
	uint64_t messages = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000000;
	struct bench b = {.subscribers = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 1000,
			  .channels = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 50};
	struct err e;
	if (!messages || !b.subscribers || !b.channels || b.channels > b.subscribers ||
	    check_set_new(&contract, &b.set, &e) < 0)
		return 70;
	for (size_t i = 0; i < checkers_len; i++)
		if (check_set_add(b.set, checkers[i], NULL, &e) < 0)
			return 70;
	b.seqs = calloc(b.channels, sizeof(*b.seqs));
	b.indexes = calloc((size_t)b.channels * PUBLISHERS_EACH, sizeof(*b.indexes));
	b.connections = calloc(b.subscribers, sizeof(*b.connections));
	for (uint32_t i = 1; i <= b.channels * PUBLISHERS_EACH; i++)
		tell(&b, (struct event){.kind = EVENT_CONNECT, .type = EVENT_OK, .client = b.subscribers + i, .connection = 1});
	for (uint32_t i = 1; i <= b.subscribers; i++)
		come(&b, i, false);
	run(&b, messages / 10);
	size_t before = resident_kib();
	double from_s = cpu_s();
	uint64_t from = b.deliveries;
	run(&b, messages);
	double took_s = cpu_s() - from_s;
	printf("%llu deliveries to %u subscribers on %u channels through %zu checkers\n", (unsigned long long)b.deliveries,
	       b.subscribers, b.channels, checkers_len);
	printf("%.0f deliveries a second on one core (wanted: 500000)\n", (double)(b.deliveries - from) / took_s);
	printf("resident %zu KiB after a tenth, %+zd KiB since\n", before, (ssize_t)resident_kib() - (ssize_t)before);
	int r = judge(&b);
	check_set_free(b.set);
	free(b.seqs);
	free(b.indexes);
	free(b.connections);
	return r;
}
