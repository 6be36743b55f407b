/*
 * A cable is pulled, a port is switched off, a virtual machine's card is taken away. With `carrier` the node's
 * interface keeps its addresses and routes and only has no carrier; with `admin` it is set down itself, and programs on
 * it are told at once that the network is unreachable.
 */
#include "faults/link.h"

enum link_down_how { HOW_AUTO, HOW_CARRIER, HOW_ADMIN };
static const char *const how_choices[] = {"auto", "carrier", "admin", NULL};

struct link_down_options {
	int how;
};

static const struct opt link_down_options[] = {
	{.name = "how",
	 .type = OPT_ENUM,
	 .offset = offsetof(struct link_down_options, how),
	 .def = "auto",
	 .choices = how_choices,
	 .help = "carrier: at the other end, in a topology; admin: the interface itself; auto: what can be"},
	{0},
};

static int on_start(struct fault_run *run, struct err *e)
{
	const struct link_down_options *o = run->options;
	bool plain = run->site->interface != NULL;
	struct links l;
	if (plain && o->how == HOW_CARRIER)
		return err_set(e, EINVAL, "how=carrier needs a topology: set the interface at the other end of the link down");
	bool admin = plain || o->how == HOW_ADMIN;
	int r = links_find(run->site, admin ? LINK_FROM : LINK_TO, &l, e);
	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < l.n; i++) {
		r = step_down(run->state, run, &l.ends[i], e);
		if (r == 0)
			fault_tell(run, "hit", l.ends[i].node, 0, "how=%s", admin ? "admin" : "carrier");
	}
	links_fini(&l);
	if (r < 0)
		steps_undo(run->state);
	return r;
}

static void on_stop(struct fault_run *run)
{
	steps_undo(run->state);
}

static void on_probe(const struct fault_site *site, struct fault_probe *ret)
{
	(void)site;
	link_probe(0, "by rtnetlink, with the addresses and routes put back", ret);
}

static const struct fault_action link_down_action = {
	.state_size = sizeof(struct steps),
	.undo = "the interface is set up and gets back its addresses and routes",
	.probe = on_probe,
	.start = on_start,
	.stop = on_stop,
};
static const struct fault_link link_down_link = {.action = &link_down_action};

const struct fault fault_link_down = {
	.name = "link_down",
	.about = "the link goes down",
	.known_as = "pulled cables, switched-off ports",
	.options = link_down_options,
	.options_size = sizeof(struct link_down_options),
	.link = &link_down_link,
};
