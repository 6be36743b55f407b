/*
 * The modes of very many connections, idle and broadcast. One process may have too few descriptors for them, so
 * several share them: each holds its part and counts into shared memory, the first process watches and publishes.
 * They end with it, however it ends.
 */
#include <stdatomic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ci/bench-server/channel.h"
#include "ci/bench-server/fail.h"
#include "ci/bench-server/load.h"
#include "ci/bench-server/pool.h"
#include "ci/bench-server/usage.h"

#define PROCESSES_MAX 16
#define TURN_MS 20
#define SETTLE_US 1000000 /* before memory is read: what the handshakes left behind is freed by then */
#define GRACE_S 15.0 /* for what is still under way when the last message was published */
#define STEPS 16 /* of a latency per power of two: read within 6 % */
#define BUCKETS (STEPS * 40)
#define PUBLISHED_MAX 1000000

/* One process's part; its own but for `end`. Read by the first process at any time. */
struct part {
	_Atomic unsigned ready; /* connections open, and subscribed if that was asked */
	_Atomic uint64_t delivered, gaps;
	uint64_t latency[BUCKETS]; /* of microseconds; read when it has ended */
	uint64_t worst_us;
};

struct crowd {
	const struct load *load;
	pid_t pids[PROCESSES_MAX];
	_Atomic bool end;
	struct part parts[PROCESSES_MAX];
	_Atomic double at_s[PUBLISHED_MAX]; /* when message N was published */
};

struct member {
	struct crowd *crowd;
	struct part *part;
	bool subscribe;
};

static unsigned bucket_of(uint64_t us)
{
	unsigned power = 0;

	while (us >> power >= 2 * STEPS)
		power++;
	return us < 2 * STEPS ? (unsigned)us : power * STEPS + (unsigned)(us >> power);
}

static uint64_t bucket_us(unsigned bucket)
{
	unsigned power = bucket < 2 * STEPS ? 0 : bucket / STEPS - 1;

	return (uint64_t)(bucket - power * STEPS + 1) << power;
}

static void member_open(struct pool *pool, struct peer *peer)
{
	struct member *member = pool->arg;

	if (member->subscribe)
		channel_subscribe(peer);
	else
		member->part->ready++;
}

static void member_delivered(struct member *member, struct peer *peer, uint32_t number)
{
	struct part *part = member->part;
	double us;

	if (number >= PUBLISHED_MAX)
		fail("message %u was not published", number);
	us = (monotonic_s() - member->crowd->at_s[number]) * 1e6;
	atomic_store_explicit(&part->delivered, part->delivered + 1, memory_order_relaxed);
	if (number != peer->seen)
		part->gaps++;
	peer->seen = number + 1;
	part->latency[bucket_of((uint64_t)us)]++;
	if ((uint64_t)us > part->worst_us)
		part->worst_us = (uint64_t)us;
}

static void member_message(struct pool *pool, struct peer *peer, const uint8_t *payload, size_t len)
{
	struct member *member = pool->arg;
	uint32_t number = 0;

	switch (channel_event(payload, len, member->crowd->load->size, &number)) {
	case CHANNEL_SUBSCRIBED:
		member->part->ready += !peer->subscribed;
		peer->subscribed = true;
		break;
	case CHANNEL_MESSAGE:
		member_delivered(member, peer, number);
		break;
	case CHANNEL_OTHER:
		break;
	}
}

static unsigned share_of(const struct load *load, unsigned index)
{
	return (unsigned)(load->connections / load->processes + (index < load->connections % load->processes));
}

static void member_run(struct crowd *crowd, unsigned index, bool subscribe)
{
	const struct load *load = crowd->load;
	struct member member = { .crowd = crowd, .part = &crowd->parts[index], .subscribe = subscribe };
	unsigned sources = (unsigned)(load->connections / load->processes / POOL_PER_SOURCE) + 1;
	struct pool pool;

	pool_init(&pool, (unsigned)load->port, load->path, share_of(load, index), load->source + 1 + index * sources);
	pool.on_open = member_open;
	pool.on_message = member_message;
	pool.arg = &member;
	while (!crowd->end)
		pool_turn(&pool, TURN_MS);
	pool_fini(&pool);
	_exit(0);
}

static unsigned crowd_ready(struct crowd *crowd)
{
	unsigned ready = 0;

	for (unsigned i = 0; i < crowd->load->processes; i++)
		ready += crowd->parts[i].ready;
	return ready;
}

/* A process that ended has said why. */
static void crowd_alive(struct crowd *crowd)
{
	if (waitpid(-1, NULL, WNOHANG) != 0)
		fail("%u of %zu connections were there", crowd_ready(crowd), crowd->load->connections);
}

/* Starts the processes and waits until every connection is there. */
static struct crowd *crowd_new(const struct load *load, bool subscribe)
{
	struct crowd *crowd = mmap(NULL, sizeof(*crowd), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t parent = getpid();

	if (crowd == MAP_FAILED || load->processes > PROCESSES_MAX)
		fail("cannot share the load among %zu processes", load->processes);
	crowd->load = load;
	for (unsigned i = 0; i < load->processes; i++) {
		crowd->pids[i] = fork();
		if (crowd->pids[i] < 0)
			fail("cannot start a process");
		if (crowd->pids[i] > 0)
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		member_run(crowd, i, subscribe);
	}
	while (crowd_ready(crowd) < load->connections) {
		crowd_alive(crowd);
		usleep(1000);
	}
	return crowd;
}

static void crowd_end(struct crowd *crowd)
{
	crowd->end = true;
	for (unsigned i = 0; i < crowd->load->processes; i++)
		waitpid(crowd->pids[i], NULL, 0);
}

void load_idle(const struct load *load)
{
	struct usage before = usage_of((pid_t)load->server_pid), after;
	double start_s = monotonic_s(), wall_s;
	struct crowd *crowd = crowd_new(load, load->subscribe != 0);

	wall_s = monotonic_s() - start_s;
	usleep(SETTLE_US);
	crowd_alive(crowd);
	after = usage_of((pid_t)load->server_pid);
	crowd_end(crowd);
	printf("{\"opened\":%u,\"resident_before\":%llu,\"resident\":%llu,\"processes\":%u,\"wall_s\":%.4f,\"cpu_s\":%.3f}\n",
	       crowd_ready(crowd), (unsigned long long)before.resident, (unsigned long long)after.resident,
	       after.processes, wall_s, after.cpu_s - before.cpu_s);
}

static uint64_t crowd_delivered(const struct crowd *crowd)
{
	uint64_t delivered = 0;

	for (unsigned i = 0; i < crowd->load->processes; i++)
		delivered += crowd->parts[i].delivered;
	return delivered;
}

/* The publisher: a connection of its own. Returns how many it published. */
static uint32_t crowd_publish(struct crowd *crowd)
{
	const struct load *load = crowd->load;
	uint32_t count = (uint32_t)(load->rate * load->seconds), done = 0;
	double start_s, until_s;
	struct pool pool;

	pool_init(&pool, (unsigned)load->port, load->path, 1, load->source);
	while (pool.opened == 0)
		pool_turn(&pool, TURN_MS);
	start_s = monotonic_s();
	while (done < count) {
		pool_turn(&pool, 1);
		while (done < count && monotonic_s() >= start_s + (double)done / (double)load->rate) {
			crowd->at_s[done] = monotonic_s();
			channel_publish(pool.peers, done++, load->size);
		}
	}
	until_s = monotonic_s() + GRACE_S;
	while (crowd_delivered(crowd) < (uint64_t)count * load->connections && monotonic_s() < until_s)
		pool_turn(&pool, TURN_MS);
	crowd_alive(crowd);
	pool_fini(&pool);
	return count;
}

/* The upper end of the bucket, but never more than the worst there was. */
static double crowd_percentile_ms(const struct crowd *crowd, double share, uint64_t worst_us)
{
	uint64_t wanted = (uint64_t)((double)crowd_delivered(crowd) * share), sum = 0;

	for (unsigned bucket = 0; bucket < BUCKETS; bucket++) {
		for (unsigned i = 0; i < crowd->load->processes; i++)
			sum += crowd->parts[i].latency[bucket];
		if (sum > wanted)
			return (double)(bucket_us(bucket) < worst_us ? bucket_us(bucket) : worst_us) / 1000;
	}
	return 0;
}

void load_broadcast(const struct load *load)
{
	pid_t server = (pid_t)load->server_pid;
	struct usage before = usage_of(server), start, end;
	struct crowd *crowd;
	double start_s, wall_s;
	uint64_t gaps = 0, worst_us = 0;
	uint32_t published;

	if (load->rate == 0 || load->rate * load->seconds > PUBLISHED_MAX)
		fail("cannot publish more than %u messages", PUBLISHED_MAX);
	crowd = crowd_new(load, true);
	usleep(SETTLE_US);
	start = usage_of(server);
	start_s = monotonic_s();
	published = crowd_publish(crowd);
	wall_s = monotonic_s() - start_s;
	end = usage_of(server);
	crowd_end(crowd);
	for (unsigned i = 0; i < load->processes; i++) {
		gaps += crowd->parts[i].gaps;
		worst_us = crowd->parts[i].worst_us > worst_us ? crowd->parts[i].worst_us : worst_us;
	}
	printf("{\"expected\":%llu,\"delivered\":%llu,\"gaps\":%llu,\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"worst_ms\":%.2f,"
	       "\"resident_before\":%llu,\"resident\":%llu,\"resident_end\":%llu,\"processes\":%u,\"wall_s\":%.4f,"
	       "\"cpu_s\":%.3f,\"load_cpu_s\":%.3f}\n",
	       (unsigned long long)published * load->connections, (unsigned long long)crowd_delivered(crowd),
	       (unsigned long long)gaps, crowd_percentile_ms(crowd, 0.5, worst_us),
	       crowd_percentile_ms(crowd, 0.99, worst_us),
	       (double)worst_us / 1000, (unsigned long long)before.resident, (unsigned long long)start.resident,
	       (unsigned long long)end.resident, end.processes, wall_s, end.cpu_s - start.cpu_s, usage_own_cpu_s());
}
