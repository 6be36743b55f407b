/* A node's own word about itself, taken down with the time at which it changed. */
#include "harness/target/node_watch.h"

#include <stdlib.h>

#include "harness/net/address.h"
#include "harness/net/ready.h"

enum { DOOR_ARENA_MAX = 64 << 10 };

struct watched {
	struct node_watch *all;
	const char *name;
	uint32_t node;
	struct ready ready;
	struct ready_wait wait;
	struct timer next;
	int is;                        /* as node_watch_ready() */
	bool again;                    /* the connection broke while it was asked: the port may be closed now */
	bool door;                     /* it is asked at the port that clients go to */
	uint64_t asked_us, good_us;    /* the last question, and the last one that it answered: time of the history */
};

struct node_watch {
	struct node_watch_options o;
	size_t n;
	struct watched list[TARGET_NODES_MAX];
};

static void ask(void *owner);

static void on_answer(void *owner, int error)
{
	struct watched *w = owner;
	const struct node_watch_options *o = &w->all->o;
	int is = error == 0;
	if (!is && w->is == 1 && ready_wait_broken(&w->wait) && !w->again) {
		w->again = true;
		return ask(w);
	}
	w->again = false;
	if (is != w->is) {
		struct event e = {.kind = EVENT_NODE, .type = EVENT_OK, .at_us = o->now_us(o->owner), .node = w->node, .value = is,
				  .text = w->name};
		if (!is && w->door && ready_wait_refused(&w->wait))
			e.note = "refused";
		if (!is)
			e.sent_us = w->good_us;
		w->is = is;
		history_add(o->history, &e);
	}
	if (is)
		w->good_us = w->asked_us;
	timer_start(&w->next, o->loop, NODE_WATCH_MS, ask, w);
}

static void ask(void *owner)
{
	struct watched *w = owner;
	w->asked_us = w->all->o.now_us(w->all->o.owner);
	if (ready_wait_start(&w->wait, w->all->o.loop, &w->ready, 0, on_answer, w) < 0)
		timer_start(&w->next, w->all->o.loop, NODE_WATCH_MS, ask, w);
}

/* `ready` and the node's own URL, or the target's when there is but this node, name one port of one machine. */
static bool is_door(const struct target *t, const struct target_node *node, const struct ready *ready)
{
	struct arena a;
	struct url url = t->url;
	struct dial_addresses door = {.n = 0};
	bool is = false;
	if (!node->url && t->nodes.len > 1)
		return false;
	arena_init(&a, DOOR_ARENA_MAX);
	if ((!node->url || url_parse(node->url, &a, &url, NULL) == 0) && url.host)
		dial_resolve(url.host, url.port, &door, NULL);
	for (size_t i = 0; i < door.n * ready->at.n && !is; i++)
		is = address_eq(&door.list[i % door.n], &ready->at.list[i / door.n]);
	arena_fini(&a);
	return is;
}

bool node_watch_possible(const struct target *t)
{
	const struct target_node *nodes = t->nodes.items;
	for (size_t i = 0; i < t->nodes.len; i++)
		if (nodes[i].ready)
			return true;
	return false;
}

int node_watch_new(const struct node_watch_options *o, struct node_watch **ret, struct err *e)
{
	const struct target_node *nodes = o->target->nodes.items;
	struct node_watch *all = calloc(1, sizeof(*all));
	int r = 0;
	if (!all)
		return err_set(e, ENOMEM, "no memory to watch nodes");
	all->o = *o;
	for (size_t i = 0; r == 0 && i < o->target->nodes.len; i++) {
		struct watched *w = &all->list[all->n];
		struct err why;
		if (!nodes[i].ready)
			continue;
		*w = (struct watched){.all = all, .name = nodes[i].name, .node = (uint32_t)i + 1, .is = -1};
		r = ready_parse(nodes[i].ready, &w->ready, &why);
		w->door = r == 0 && is_door(o->target, &nodes[i], &w->ready);
		if (r < 0)
			err_set(e, -r, "nodes: %s: %.400s", nodes[i].name, why.text);
		else if ((r = timer_start(&w->next, o->loop, 0, ask, w)) < 0)
			err_set(e, -r, "no memory to watch nodes");
		else
			all->n++;
	}
	if (r < 0)
		node_watch_free(all);
	else
		*ret = all;
	return r;
}

void node_watch_free(struct node_watch *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->n; i++) {
		ready_wait_stop(&w->list[i].wait);
		timer_fini(&w->list[i].next);
	}
	free(w);
}

int node_watch_ready(const struct node_watch *w, uint32_t node)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->list[i].node == node)
			return w->list[i].is;
	return -1;
}
