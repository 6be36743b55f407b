/* Netem-like faults in force: each is a shape on every end that the site means. */
#include <stdio.h>

#include "faults/link.h"

struct link_netem {
	struct shape *shapes[LINK_ENDS_MAX];
	size_t n;
};

static void on_probe(const struct fault_site *site, struct fault_probe *ret)
{
	bool arriving = site && site->interface && site->link_direction != LINK_FROM;
	link_probe(LINK_NEED_NETEM | (arriving ? LINK_NEED_IFB : 0), "by the kernel's netem on the interface", ret);
}

static void on_stop(struct fault_run *run)
{
	struct link_netem *s = run->state;
	while (s->n > 0)
		shape_remove(s->shapes[--s->n]);
}

static int on_start(struct fault_run *run, struct err *e)
{
	struct link_netem *s = run->state;
	struct netem alone = {0};
	struct buf text CLEANUP(buf_fini) = {0};
	struct links l = {.n = 0};
	int r = run->fault->link->netem(run->options, &alone, e);
	if (r == 0)
		r = links_find(run->site, run->site->link_direction, &l, e);
	if (r < 0)
		return r;
	buf_init(&text, ERR_TEXT_MAX);
	netem_print(&alone, &text);
	for (size_t i = 0; i < l.n && r == 0; i++) {
		r = shape_add(run, &l.ends[i], false, &s->shapes[s->n], e);
		if (r < 0)
			break;
		s->n++;
		fault_tell(run, "hit", l.ends[i].node, 0, "direction=%s netem=%s", link_end_direction(&l.ends[i]), buf_cstr(&text));
	}
	links_fini(&l);
	if (r < 0)
		on_stop(run);
	return r;
}

const struct fault_action link_netem = {
	.state_size = sizeof(struct link_netem),
	.undo = "the interface gets back the root qdisc it had",
	.probe = on_probe,
	.start = on_start,
	.stop = on_stop,
};
