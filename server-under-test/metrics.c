/*
 * The figures of GET /metrics. Every worker counts in a slot of its own, without locks, in memory that all of them
 * map; whichever worker is asked adds the slots up. Memory and descriptors are read from /proc at that moment.
 */
#include "server-under-test/metrics.h"

#include <assert.h>
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define LINE_MAX_BYTES 256 /* of one line of the answer */

static struct metrics alone = { .pid = 0 };
static struct metrics *slots = &alone;
static unsigned slot_count = 1;
struct metrics *metrics = &alone;

static const double bucket_bounds_s[METRICS_BUCKETS] = {
	0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5,
};

/* Shown also while they are 0, so that a rate over them has a beginning. The other codes appear when first counted. */
static const unsigned closes_shown[] = { 1000, 1001, 1006 };
static const unsigned refused_shown[] = { 400, 401, 403, 404, 405, 408, 426, 429, 431, 503 };

#define WAY_IN 1
#define WAY_OUT 2

static const struct {
	const char *name;
	unsigned ways; /* in which it is shown also while it is 0 */
} message_types[MESSAGE_TYPE_COUNT] = {
#define ROW(name, ways) [MESSAGE_TYPE_##name] = { #name, ways }
	ROW(subscribe, WAY_IN),     ROW(unsubscribe, WAY_IN),       ROW(publish, WAY_IN),
	ROW(ack, WAY_IN),           ROW(history, WAY_IN | WAY_OUT), ROW(auth, WAY_IN),
	ROW(ping, WAY_IN),          ROW(invalid, WAY_IN),           ROW(text, WAY_IN | WAY_OUT),
	ROW(binary, WAY_IN | WAY_OUT), ROW(welcome, WAY_OUT),       ROW(subscribed, WAY_OUT),
	ROW(message, WAY_OUT),      ROW(published, WAY_OUT),        ROW(unsubscribed, WAY_OUT),
	ROW(authenticated, WAY_OUT), ROW(pong, WAY_OUT),            ROW(error, WAY_OUT),
#undef ROW
};

void metrics_share(unsigned workers)
{
	struct metrics *shared;

	assert(workers > 0 && slots == &alone);
	shared = mmap(NULL, workers * sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		abort();
	slots = shared;
	slot_count = workers;
	metrics = &slots[0];
}

void metrics_forget(unsigned index)
{
	struct metrics *slot = &slots[index];

	assert(index < slot_count);
	slot->pid = 0;
	slot->connections_active = 0;
	slot->send_queue_bytes = 0;
	slot->backplane_up = false;
}

void metrics_use(unsigned index)
{
	metrics_forget(index);
	metrics = &slots[index];
	metrics->pid = (int)getpid();
}

void metrics_observe_duration(double seconds)
{
	unsigned i = 0;

	while (i < METRICS_BUCKETS && seconds > bucket_bounds_s[i])
		i++;
	metrics->duration_buckets[i]++;
	metrics->duration_sum_s += seconds;
}

int64_t metrics_connections_active(void)
{
	int64_t sum = 0;

	for (unsigned i = 0; i < slot_count; i++)
		sum += __atomic_load_n(&slots[i].connections_active, __ATOMIC_RELAXED);
	return sum;
}

static void add_all(uint64_t *to, const uint64_t *from, size_t count)
{
	for (size_t i = 0; i < count; i++)
		to[i] += __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

static void add_slot(struct metrics *sum, const struct metrics *slot)
{
	sum->connections_active += slot->connections_active;
	sum->connections_total += slot->connections_total;
	add_all(sum->refused, slot->refused, METRICS_STATUS_MAX);
	add_all(sum->messages_in, slot->messages_in, MESSAGE_TYPE_COUNT);
	add_all(sum->messages_out, slot->messages_out, MESSAGE_TYPE_COUNT);
	add_all(sum->duration_buckets, slot->duration_buckets, METRICS_BUCKETS + 1);
	sum->duration_sum_s += slot->duration_sum_s;
	add_all(sum->closes, slot->closes, METRICS_CODES_MAX);
	sum->slow_consumers += slot->slow_consumers;
	sum->resumes_recovered += slot->resumes_recovered;
	sum->resumes_lost += slot->resumes_lost;
	sum->send_queue_bytes += slot->send_queue_bytes;
}

/* The process that counts in the slot; 0: none, its worker has crashed or not started yet. */
static int slot_pid(unsigned index)
{
	return slots == &alone ? (int)getpid() : slots[index].pid;
}

static uint64_t resident_bytes(int pid)
{
	char path[64];
	unsigned long pages = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/statm", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%*s %lu", &pages) != 1)
		pages = 0;
	fclose(file);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t open_descriptors(int pid)
{
	char path[64];
	uint64_t count = 0;
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	folder = opendir(path);
	if (!folder)
		return 0;
	for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder))
		count += entry->d_name[0] != '.';
	closedir(folder);
	return count - (pid == (int)getpid() && count > 0); /* the one that reads the folder */
}

static uint64_t over_workers(uint64_t (*of)(int pid))
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < slot_count; i++)
		if (slot_pid(i))
			sum += of(slot_pid(i));
	return sum;
}

__attribute__((format(printf, 2, 3)))
static void line(struct bytes *out, const char *format, ...)
{
	char text[LINE_MAX_BYTES];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	assert(len > 0 && (size_t)len < sizeof(text));
	bytes_append(out, text, (size_t)len);
}

static bool listed(const unsigned *list, size_t count, unsigned value)
{
	for (size_t i = 0; i < count; i++)
		if (list[i] == value)
			return true;
	return false;
}

#define LISTED(list, value) listed(list, sizeof(list) / sizeof((list)[0]), value)

static void show_refused(struct bytes *out, const char *name, const struct metrics *sum)
{
	for (unsigned i = 0; i < METRICS_STATUS_MAX; i++)
		if (sum->refused[i] > 0 || LISTED(refused_shown, i))
			line(out, "%s{status=\"%u\"} %llu\n", name, i, (unsigned long long)sum->refused[i]);
}

static void show_messages(struct bytes *out, const char *name, const struct metrics *sum)
{
	for (unsigned way = WAY_IN; way <= WAY_OUT; way++) {
		const uint64_t *counts = way == WAY_IN ? sum->messages_in : sum->messages_out;

		for (unsigned i = 0; i < MESSAGE_TYPE_COUNT; i++)
			if (counts[i] > 0 || (message_types[i].ways & way))
				line(out, "%s{direction=\"%s\",type=\"%s\"} %llu\n", name, way == WAY_IN ? "in" : "out",
				     message_types[i].name, (unsigned long long)counts[i]);
	}
}

static void show_durations(struct bytes *out, const char *name, const struct metrics *sum)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < METRICS_BUCKETS; i++) {
		count += sum->duration_buckets[i];
		line(out, "%s_bucket{le=\"%g\"} %llu\n", name, bucket_bounds_s[i], (unsigned long long)count);
	}
	count += sum->duration_buckets[METRICS_BUCKETS];
	line(out, "%s_bucket{le=\"+Inf\"} %llu\n", name, (unsigned long long)count);
	line(out, "%s_sum %.9g\n%s_count %llu\n", name, sum->duration_sum_s, name, (unsigned long long)count);
}

static void show_closes(struct bytes *out, const char *name, const struct metrics *sum)
{
	for (unsigned i = 0; i < METRICS_CODES_MAX; i++)
		if (sum->closes[i] > 0 || LISTED(closes_shown, i))
			line(out, "%s{code=\"%u\"} %llu\n", name, i, (unsigned long long)sum->closes[i]);
}

static void show_resumes(struct bytes *out, const char *name, const struct metrics *sum)
{
	line(out, "%s{outcome=\"recovered\"} %llu\n", name, (unsigned long long)sum->resumes_recovered);
	line(out, "%s{outcome=\"lost\"} %llu\n", name, (unsigned long long)sum->resumes_lost);
}

/* A family of one number. */
#define SHOW_ONE(function, expression) \
	static void function(struct bytes *out, const char *name, const struct metrics *sum) \
	{ \
		(void)sum; \
		line(out, "%s %lld\n", name, (long long)(expression)); \
	}

SHOW_ONE(show_active, sum->connections_active)
SHOW_ONE(show_connections, sum->connections_total)
SHOW_ONE(show_slow_consumers, sum->slow_consumers)
SHOW_ONE(show_send_queue, sum->send_queue_bytes)
SHOW_ONE(show_backplane, sum->backplane_up)
SHOW_ONE(show_resident, over_workers(resident_bytes))
SHOW_ONE(show_descriptors, over_workers(open_descriptors))

static const struct family {
	const char *name, *type, *help;
	void (*show)(struct bytes *out, const char *name, const struct metrics *sum);
} families[] = {
	{ "ws_connections_active", "gauge", "WebSockets that are open.", show_active },
	{ "ws_connections_total", "counter", "WebSockets opened.", show_connections },
	{ "ws_refused_total", "counter", "Upgrade attempts and malformed requests refused, by HTTP status.", show_refused },
	{ "ws_messages_total", "counter", "Data messages, by direction and type; control frames are not counted.",
	  show_messages },
	{ "ws_message_duration_seconds", "histogram", "From the last byte of a message to its answer queued.",
	  show_durations },
	{ "ws_closes_total", "counter", "WebSockets that ended, by close code.", show_closes },
	{ "ws_slow_consumers_total", "counter", "WebSockets closed because their peer did not read.", show_slow_consumers },
	{ "ws_resumes_total", "counter", "Channels resumed from a position, by what became of it.", show_resumes },
	{ "ws_send_queue_bytes", "gauge", "Octets queued that no socket has taken.", show_send_queue },
	{ "ws_backplane_up", "gauge", "Whether the store is there; 1 without a backplane.", show_backplane },
	{ "process_resident_memory_bytes", "gauge", "Resident memory of all workers.", show_resident },
	{ "process_open_fds", "gauge", "Open file descriptors of all workers.", show_descriptors },
};

bool metrics_backplane_up(void)
{
	for (unsigned i = 0; i < slot_count; i++)
		if (slot_pid(i) && !__atomic_load_n(&slots[i].backplane_up, __ATOMIC_RELAXED))
			return false; /* a worker that is not there says nothing */
	return true;
}

void metrics_render(struct bytes *out)
{
	struct metrics sum = { .backplane_up = metrics_backplane_up() };

	for (unsigned i = 0; i < slot_count; i++)
		add_slot(&sum, &slots[i]);
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		const struct family *family = &families[i];

		line(out, "# HELP %s %s\n# TYPE %s %s\n", family->name, family->help, family->name, family->type);
		family->show(out, family->name, &sum);
	}
}
