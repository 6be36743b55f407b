/* Channels, idempotency keys and sessions are found by names that peers choose: nobody may make them collide. */
#include "server-under-test/base/table.h"

#include <stdlib.h>

#include "server-under-test/base/random.h"

#define TABLE_SIZE_MIN 16

static uint64_t hash_key[2];

static uint64_t rotate(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static uint64_t hash_of(struct text key)
{
	uint64_t v[4] = { hash_key[0] ^ 0x736f6d6570736575, hash_key[1] ^ 0x646f72616e646f6d,
			  hash_key[0] ^ 0x6c7967656e657261, hash_key[1] ^ 0x7465646279746573 };
	uint64_t word = 0;

	for (size_t i = 0; i < key.len; i++) {
		word |= (uint64_t)(uint8_t)key.p[i] << (i % 8 * 8);
		if (i % 8 == 7) {
			v[3] ^= word;
			sip_round(v);
			v[0] ^= word;
			word = 0;
		}
	}
	word |= (uint64_t)key.len << 56;
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
	v[2] ^= 0xff;
	for (unsigned i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct table_node *table_find(const struct table *table, struct text key)
{
	uint64_t hash;

	if (!table->count)
		return NULL;
	hash = hash_of(key);
	for (struct table_node *node = table->buckets[hash & (table->size - 1)]; node; node = node->next)
		if (node->hash == hash && node->key.len == key.len &&
		    (key.len == 0 || memcmp(node->key.p, key.p, key.len) == 0))
			return node;
	return NULL;
}

static void table_grow(struct table *table)
{
	size_t size = table->size ? table->size * 2 : TABLE_SIZE_MIN;
	struct table_node **buckets = calloc(size, sizeof(struct table_node *));

	if (!buckets)
		abort();
	for (size_t i = 0; i < table->size; i++) {
		for (struct table_node *node = table->buckets[i], *next; node; node = next) {
			next = node->next;
			node->next = buckets[node->hash & (size - 1)];
			buckets[node->hash & (size - 1)] = node;
		}
	}
	free(table->buckets);
	table->buckets = buckets;
	table->size = size;
}

void table_add(struct table *table, struct table_node *node)
{
	struct table_node **bucket;

	if (!hash_key[0])
		random_fill(hash_key, sizeof(hash_key));
	if (table->count >= table->size)
		table_grow(table);
	node->hash = hash_of(node->key);
	bucket = &table->buckets[node->hash & (table->size - 1)];
	node->next = *bucket;
	*bucket = node;
	table->count++;
}

void table_remove(struct table *table, struct table_node *node)
{
	struct table_node **at = &table->buckets[node->hash & (table->size - 1)];

	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
	table->count--;
}

struct table_node *table_any(const struct table *table)
{
	for (size_t i = 0; table->count && i < table->size; i++)
		if (table->buckets[i])
			return table->buckets[i];
	return NULL;
}

void table_fini(struct table *table)
{
	free(table->buckets);
	*table = (struct table){ 0 };
}

void table_each(const struct table *table, void (*call)(struct table_node *node, void *arg), void *arg)
{
	for (size_t i = 0; i < table->size; i++) {
		for (struct table_node *node = table->buckets[i], *next; node; node = next) {
			next = node->next;
			call(node, arg);
		}
	}
}
