/* A ring of messages, a hash to find them, and an order that is mended when an edge goes against it. */
#include "harness/check/precedence.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "harness/check/map.h"

enum { W = PRECEDENCE_WINDOW, NOBODY = UINT16_MAX };

struct node {
	uint64_t id, rank, index;
	uint64_t next[PRECEDENCE_NEXT]; /* ids */
	uint32_t who[PRECEDENCE_NEXT];
	uint32_t publisher;
	uint16_t chain;            /* the next one of the same hash */
	uint8_t n_next;
	bool reached;
};

struct precedence {
	struct node nodes[W];
	uint64_t ids, ranks;
	uint16_t heads[W];
};

struct precedence *precedence_new(void)
{
	struct precedence *p = calloc(1, sizeof(*p));
	for (size_t i = 0; p && i < W; i++)
		p->heads[i] = NOBODY;
	return p;
}

void precedence_free(struct precedence *p)
{
	free(p);
}

static uint16_t *head(struct precedence *p, uint32_t publisher, uint64_t index)
{
	return &p->heads[map_hash(map_pair(publisher, 1) + index) % W];
}

static struct node *node_of(struct precedence *p, uint64_t id)
{
	return p->nodes[id % W].id == id ? &p->nodes[id % W] : NULL;
}

static void unlink_node(struct precedence *p, struct node *n)
{
	uint16_t *at = head(p, n->publisher, n->index), self = (uint16_t)(n - p->nodes);
	while (*at != self)
		at = &p->nodes[*at].chain;
	*at = n->chain;
}

uint64_t precedence_message(struct precedence *p, uint32_t publisher, uint64_t index)
{
	uint16_t *at = head(p, publisher, index);
	for (uint16_t i = *at; i != NOBODY; i = p->nodes[i].chain)
		if (p->nodes[i].index == index && p->nodes[i].publisher == publisher)
			return p->nodes[i].id;
	uint64_t id = ++p->ids;
	struct node *n = &p->nodes[id % W];
	if (n->id)
		unlink_node(p, n);
	*n = (struct node){.id = id, .rank = ++p->ranks, .index = index, .publisher = publisher, .chain = *at};
	*at = (uint16_t)(n - p->nodes);
	return id;
}

static void add_edge(struct node *x, uint64_t after, uint32_t who)
{
	unsigned i = x->n_next < PRECEDENCE_NEXT ? x->n_next++ : (unsigned)(after % PRECEDENCE_NEXT);
	x->next[i] = after;
	x->who[i] = who;
}

/* Marks what comes behind `from` and is not above `rank`; true when x is among it. */
static bool reach(struct precedence *p, struct node *from, uint64_t rank, const struct node *x)
{
	struct node *stack[W];
	size_t depth = 0;
	bool found = false;
	from->reached = true;
	stack[depth++] = from;
	while (depth) {
		struct node *n = stack[--depth];
		for (unsigned i = 0; i < n->n_next; i++) {
			struct node *next = node_of(p, n->next[i]);
			if (!next || next->reached || next->rank > rank)
				continue;
			found |= next == x;
			next->reached = true;
			stack[depth++] = next;
		}
	}
	return found;
}

static int by_rank(const void *a, const void *b)
{
	const struct node *const *x = a, *const *y = b;
	return ((*x)->rank > (*y)->rank) - ((*x)->rank < (*y)->rank);
}

/* What was reached goes behind the rest of what lies between the two ranks. */
static void reorder(struct precedence *p, uint64_t low, uint64_t high)
{
	struct node *between[W], *order[W];
	uint64_t ranks[W];
	size_t n = 0, k = 0;
	for (size_t i = 0; i < W; i++)
		if (p->nodes[i].id && p->nodes[i].rank >= low && p->nodes[i].rank <= high)
			between[n++] = &p->nodes[i];
	qsort((void *)between, n, sizeof(between[0]), by_rank);
	for (size_t i = 0; i < n; i++)
		ranks[i] = between[i]->rank;
	for (int reached = 0; reached <= 1; reached++)
		for (size_t i = 0; i < n; i++)
			if (between[i]->reached == reached)
				order[k++] = between[i];
	for (size_t i = 0; i < n; i++)
		order[i]->rank = ranks[i];
}

/* Who saw y right before x, if anybody did. */
static uint32_t witness(const struct node *y, uint64_t x)
{
	for (unsigned i = 0; i < y->n_next; i++)
		if (y->next[i] == x)
			return y->who[i];
	return UINT32_MAX;
}

uint32_t precedence_saw(struct precedence *p, uint32_t who, uint64_t before, uint64_t after)
{
	struct node *x = node_of(p, before), *y = node_of(p, after);
	if (!x || !y || x == y)
		return 0;
	for (unsigned i = 0; i < x->n_next; i++)
		if (x->next[i] == after)
			return 0;
	if (x->rank > y->rank) {
		bool contradicts = reach(p, y, x->rank, x);
		if (!contradicts)
			reorder(p, y->rank, x->rank);
		for (size_t i = 0; i < W; i++)
			p->nodes[i].reached = false;
		if (contradicts)
			return witness(y, before);
	}
	add_edge(x, after, who);
	return 0;
}
