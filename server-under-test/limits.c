/*
 * How many WebSockets may be open, in all and from one address, and how many handshakes a second, counted across the
 * workers. Each worker writes only a table of its own, and a check adds the tables up: so what a crashed worker held is
 * forgotten by emptying its table. A robust mutex makes check and count one step; whatever a worker killed while
 * holding it left half done lies in its own table.
 */
#include "server-under-test/limits.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>

#include "server-under-test/defects.h"

#define DESCRIPTORS_MAX (1u << 20) /* the library allocates by the soft limit, which may be a billion in a container */
#define DESCRIPTORS_KEPT_MIN 32u /* of each process for plain HTTP, the log, Redis, and sockets not admitted yet */
#define DESCRIPTORS_KEPT_MAX 1024u
#define DESCRIPTORS_PLAIN 1u /* of one WebSocket */
#define DESCRIPTORS_TLS 3u /* and the socket pair of tls.h */
#define RETRY_S 5u /* Retry-After when only somebody's leaving makes room */
#define TABLE_SIZE (2u * LIMITS_ADDRESSES_MAX) /* a power of two */

/* An IPv4 address as ::ffff:a.b.c.d; of an IPv6 address the upper half, for a /64 is one customer. */
struct address {
	uint64_t high, low;
};

struct row {
	struct address address;
	uint32_t held; /* 0: the row is free */
};

struct holder {
	bool used;
	uint32_t held; /* WebSockets of this worker */
	uint32_t addresses; /* rows in use */
	struct row rows[TABLE_SIZE]; /* by hash, linear probing */
};

struct limits {
	pthread_mutex_t lock;
	struct bucket handshakes;
	uint64_t seed; /* of the hash: nobody can choose addresses that collide */
	unsigned workers;
	unsigned descriptors; /* one process may open */
	struct holder holders[];
};

static struct limits *limits;
static struct holder *own;

bool bucket_take(struct bucket *bucket, double rate, double burst, double now_s)
{
	if (rate <= 0)
		return true;
	if (!bucket->started)
		*bucket = (struct bucket){ .tokens = burst, .at_s = now_s, .started = true };
	if (now_s > bucket->at_s) {
		bucket->tokens = fmin(burst, bucket->tokens + (now_s - bucket->at_s) * rate);
		bucket->at_s = now_s;
	}
	if (bucket->tokens < 1)
		return false;
	bucket->tokens -= 1;
	return true;
}

double bucket_wait_s(const struct bucket *bucket, double rate)
{
	if (rate <= 0 || !bucket->started || bucket->tokens >= 1)
		return 0;
	return (1 - bucket->tokens) / rate;
}

/* The soft limit is raised to the hard one; one beyond DESCRIPTORS_MAX is lowered to that. */
static unsigned raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return DESCRIPTORS_KEPT_MAX;
	limit.rlim_cur = limit.rlim_max < DESCRIPTORS_MAX ? limit.rlim_max : DESCRIPTORS_MAX;
	setrlimit(RLIMIT_NOFILE, &limit);
	return (unsigned)limit.rlim_cur;
}

void limits_share(unsigned workers)
{
	size_t size = sizeof(*limits) + workers * sizeof(struct holder);
	pthread_mutexattr_t attributes;

	assert(workers > 0 && !limits);
	limits = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (limits == MAP_FAILED)
		abort();
	if (pthread_mutexattr_init(&attributes) != 0 ||
	    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) != 0 ||
	    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) != 0 ||
	    pthread_mutex_init(&limits->lock, &attributes) != 0)
		abort();
	pthread_mutexattr_destroy(&attributes);
	if (getrandom(&limits->seed, sizeof(limits->seed), 0) < 0)
		limits->seed = (uint64_t)(uintptr_t)limits;
	limits->workers = workers;
	limits->descriptors = raise_descriptors();
	own = &limits->holders[0];
	own->used = true;
}

static void lock(void)
{
	int r;

	if (!limits)
		limits_share(1);
	r = pthread_mutex_lock(&limits->lock);
	if (r == EOWNERDEAD)
		r = pthread_mutex_consistent(&limits->lock);
	if (r != 0)
		abort();
}

static void unlock(void)
{
	if (pthread_mutex_unlock(&limits->lock) != 0)
		abort();
}

void limits_use(unsigned index)
{
	lock();
	assert(index < limits->workers);
	own = &limits->holders[index];
	if (own->used)
		memset(own, 0, sizeof(*own));
	own->used = true;
	unlock();
}

static bool address_parse(const char *ip, struct address *ret)
{
	uint8_t octets[16] = { [10] = 0xff, [11] = 0xff };
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (inet_pton(AF_INET, ip, octets + 12) != 1) {
		if (inet_pton(AF_INET6, ip, octets) != 1)
			return false;
		if (memcmp(octets, mapped, sizeof(mapped)) != 0)
			memset(octets + 8, 0, 8);
	}
	memcpy(&ret->high, octets, 8);
	memcpy(&ret->low, octets + 8, 8);
	return true;
}

/* The finalizer of MurmurHash3 over both halves. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdull;
	x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53ull;
	return x ^ (x >> 33);
}

static uint32_t place_of(const struct address *address)
{
	return (uint32_t)mix(mix(address->high ^ limits->seed) + (address->low ^ limits->seed)) & (TABLE_SIZE - 1);
}

static bool same(const struct address *a, const struct address *b)
{
	return a->high == b->high && a->low == b->low;
}

/* The row of the address, or the free one where it would go; NULL only for a table a crash left full. */
static struct row *row_find(struct holder *holder, const struct address *address)
{
	uint32_t at = place_of(address);

	for (uint32_t i = 0; i < TABLE_SIZE; i++) {
		struct row *row = &holder->rows[(at + i) & (TABLE_SIZE - 1)];

		if (row->held == 0 || same(&row->address, address))
			return row;
	}
	return NULL;
}

static void row_add(const struct address *address)
{
	struct row *row = row_find(own, address);

	if (!row || (row->held == 0 && own->addresses >= LIMITS_ADDRESSES_MAX))
		return;
	if (row->held == 0)
		own->addresses++;
	row->address = *address;
	row->held++;
}

/* Frees the row; rows behind it that had to make way for it move up, so that a free row always ends a search. */
static void row_free(struct row *row)
{
	uint32_t hole = (uint32_t)(row - own->rows);

	for (uint32_t i = 1; i < TABLE_SIZE; i++) {
		uint32_t at = ((uint32_t)(row - own->rows) + i) & (TABLE_SIZE - 1);
		uint32_t wish;

		if (own->rows[at].held == 0)
			break;
		wish = place_of(&own->rows[at].address);
		if (((at - wish) & (TABLE_SIZE - 1)) < ((at - hole) & (TABLE_SIZE - 1)))
			continue;
		own->rows[hole] = own->rows[at];
		hole = at;
	}
	own->rows[hole].held = 0;
	own->addresses--;
}

static void row_remove(const struct address *address)
{
	struct row *row = row_find(own, address);

	if (!row || row->held == 0)
		return; /* it came when the table was full */
	if (row->held > 1)
		row->held--;
	else
		row_free(row);
}

static size_t held_by_address(const struct address *address)
{
	size_t sum = 0;

	for (unsigned i = 0; i < limits->workers; i++) {
		const struct row *row = limits->holders[i].used ? row_find(&limits->holders[i], address) : NULL;

		sum += row ? row->held : 0;
	}
	return sum;
}

/* WebSockets one process has descriptors for. */
static size_t room(const struct config *config)
{
	unsigned all = limits->descriptors;
	unsigned kept = all / 8;

	if (kept < DESCRIPTORS_KEPT_MIN)
		kept = DESCRIPTORS_KEPT_MIN;
	if (kept > DESCRIPTORS_KEPT_MAX)
		kept = DESCRIPTORS_KEPT_MAX;
	if (all <= kept)
		return 1;
	return (all - kept) / (config->tls_cert ? DESCRIPTORS_TLS : DESCRIPTORS_PLAIN);
}

static bool is_full(const struct config *config)
{
	size_t sum = 0;

	if (own->held >= room(config))
		return true;
	for (unsigned i = 0; i < limits->workers; i++)
		sum += limits->holders[i].held;
	return config->limit_connections > 0 && sum >= config->limit_connections;
}

static enum admission judge(const struct config *config, const struct address *address, double now_s,
			    unsigned *ret_retry_s)
{
	double rate = (double)config->limit_handshakes;

	*ret_retry_s = RETRY_S;
	if (defect(limit_handshakes_ignored))
		rate = 0;
	if (!bucket_take(&limits->handshakes, rate, rate, now_s)) {
		*ret_retry_s = (unsigned)ceil(bucket_wait_s(&limits->handshakes, rate));
		return ADMIT_HANDSHAKES;
	}
	if (defect(limit_per_address_ignored))
		address = NULL;
	if (address && config->limit_per_address > 0 && held_by_address(address) >= config->limit_per_address)
		return ADMIT_PER_ADDRESS;
	if (is_full(config) && !defect(limit_connections_ignored))
		return ADMIT_FULL;
	*ret_retry_s = 0;
	return ADMIT_OK;
}

enum admission limits_admit(const struct config *config, const char *ip, double now_s, unsigned *ret_retry_s)
{
	struct address address;
	bool known = address_parse(ip, &address);
	enum admission admission;

	lock();
	admission = judge(config, known ? &address : NULL, now_s, ret_retry_s);
	if (admission == ADMIT_OK) {
		own->held++;
		if (known)
			row_add(&address);
	}
	unlock();
	return admission;
}

void limits_release(const char *ip)
{
	struct address address;

	lock();
	assert(own->held > 0);
	own->held--;
	if (address_parse(ip, &address))
		row_remove(&address);
	unlock();
}
