/* Many servers have no metrics, but whoever runs them on his own machine can see what they take. */
#include "harness/target/proc_sample.h"

#include <stdlib.h>

#include "harness/base/proc.h"

enum { SAMPLE_TREE_MAX = 256 };        /* processes of one node */

struct sampled {
	const char *pidfile;           /* or NULL */
	uint16_t port;                 /* or 0 */
	uint32_t node;
	struct proc_id tree[SAMPLE_TREE_MAX];
	int n;                         /* of tree; 0: to be found */
	unsigned looks;                /* with this tree */
};

struct proc_sample {
	struct proc_sample_options o;
	struct timer next;
	size_t n;
	struct sampled list[TARGET_NODES_MAX];
};

static uint16_t local_port(const char *text, struct arena *a)
{
	struct url url;
	if (!text || url_parse(text, a, &url, NULL) < 0)
		return 0;
	bool local = strcmp(url.host, "localhost") == 0 || strncmp(url.host, "127.", 4) == 0 || strcmp(url.host, "::1") == 0;
	return local ? url.port : 0;
}

/* How many there are to look at; list may be NULL. */
static size_t find_nodes(const struct target *t, struct sampled *list)
{
	const struct target_node *nodes = t->nodes.items;
	struct arena scratch;
	size_t n = 0;
	if (t->metrics.url)
		return 0;
	arena_init(&scratch, 1 << 20);
	for (size_t i = 0; i < t->nodes.len; i++) {
		struct sampled s = {.pidfile = nodes[i].pidfile, .node = (uint32_t)i + 1};
		s.port = s.pidfile ? 0 : local_port(nodes[i].url, &scratch);
		if (nodes[i].metrics || (!s.pidfile && !s.port))
			continue;
		if (list)
			list[n] = s;
		n++;
	}
	uint16_t port = t->nodes.len == 0 ? local_port(t->url_text, &scratch) : 0;
	if (port && list)
		list[0] = (struct sampled){.port = port};
	arena_fini(&scratch);
	return port ? 1 : n;
}

static void find_tree(struct sampled *s)
{
	struct proc_id root;
	s->n = s->looks = 0;
	int r = s->pidfile ? proc_from_pidfile(s->pidfile, &root) : proc_listening(s->port, &root);
	if (r < 0)
		return;
	s->n = proc_tree(root, s->tree, SAMPLE_TREE_MAX);
	if (s->n <= 0) { /* below us, or too many: the one alone */
		s->tree[0] = root;
		s->n = 1;
	}
}

/* False: one has ended. */
static bool add_up(const struct sampled *s, struct proc_use *ret)
{
	*ret = (struct proc_use){0};
	for (int i = 0; i < s->n; i++) {
		struct proc_use use;
		int r = proc_use(s->tree[i], &use);
		if (r < 0)
			return false;
		ret->resident += use.resident;
		ret->descriptors += use.descriptors;
	}
	return s->n > 0;
}

static void tell(struct proc_sample *p, uint32_t node, enum target_metric metric, uint64_t value)
{
	struct event e = {.kind = EVENT_METRIC, .type = EVENT_OK, .at_us = p->o.now_us(p->o.owner), .node = node,
			  .text = target_metric_text(metric), .value = (double)value};
	history_add(p->o.history, &e);
}

void proc_sample_now(struct proc_sample *p)
{
	for (size_t i = 0; i < p->n; i++) {
		struct sampled *s = &p->list[i];
		struct proc_use use;
		if (s->n == 0 || s->looks++ >= PROC_SAMPLE_FIND_EVERY)
			find_tree(s);
		if (!add_up(s, &use)) {
			find_tree(s);
			if (!add_up(s, &use)) {
				s->n = 0;
				continue;
			}
		}
		tell(p, s->node, TARGET_METRIC_memory, use.resident);
		tell(p, s->node, TARGET_METRIC_descriptors, use.descriptors);
	}
}

static void on_next(void *owner)
{
	struct proc_sample *p = owner;
	proc_sample_now(p);
	timer_start(&p->next, p->o.loop, p->o.target->metrics.every_ms, on_next, p);
}

bool proc_sample_possible(const struct target *t)
{
	return find_nodes(t, NULL) > 0;
}

int proc_sample_new(const struct proc_sample_options *o, struct proc_sample **ret, struct err *e)
{
	struct proc_sample *p = calloc(1, sizeof(*p));
	if (!p)
		return err_set(e, ENOMEM, "no memory to look at processes");
	p->o = *o;
	p->n = find_nodes(o->target, p->list);
	int r = timer_start(&p->next, o->loop, 0, on_next, p);
	if (r < 0) {
		proc_sample_free(p);
		return err_set(e, -r, "no memory to look at processes");
	}
	*ret = p;
	return 0;
}

void proc_sample_free(struct proc_sample *p)
{
	if (!p)
		return;
	timer_fini(&p->next);
	free(p);
}
