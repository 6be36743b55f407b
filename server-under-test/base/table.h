#ifndef SERVER_TABLE_H
#define SERVER_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "server-under-test/base/text.h"

/*
 * A hash table by text through nodes that sit in its members; it grows with what is in it. Zero is a valid empty
 * table. Names come from peers, so the hash is SipHash-1-3 (Aumasson and Bernstein, "SipHash", 2012) with a key of this
 * process.
 */
struct table_node {
	struct table_node *next;
	uint64_t hash;
	struct text key; /* borrowed from the member */
};

struct table {
	struct table_node **buckets;
	size_t size; /* buckets; a power of two, or 0 */
	size_t count;
};

#define TABLE_ENTRY(node, type, field) ((type *)(void *)((char *)(node) - offsetof(type, field)))

struct table_node *table_find(const struct table *table, struct text key); /* NULL: not there */
/* node->key is set by the caller and not in the table yet. Out of memory ends the process. */
void table_add(struct table *table, struct table_node *node);
void table_remove(struct table *table, struct table_node *node); /* it is in the table */
struct table_node *table_any(const struct table *table); /* one of them; NULL when empty. To empty it at the end */
void table_fini(struct table *table); /* the nodes are their owners' */

/* Calls it for every member; it may remove the one it is called with, and add or remove no other. */
void table_each(const struct table *table, void (*call)(struct table_node *node, void *arg), void *arg);

#endif
