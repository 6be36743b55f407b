/*
 * The client's address changes under it: walking from Wi-Fi to mobile, from one cell's network to the next. Old
 * connections get neither FIN nor RST, they just never hear of their peer again; both sides find out by their own
 * timeouts. New connections work, from the new address, after `gap`.
 */
#include <string.h>

#include "faults/link.h"
#include "harness/net/loop.h"
#include "harness/net/route.h"

/* Last octets that neither a node of a topology begins with nor its host has. */
enum { FIRST_NEW = 201, NEW_ADDRESSES = 49 };

_Static_assert(NEW_ADDRESSES == 49, "as the help of `address` says");

struct handover_options {
	const char *address;
	uint64_t gap_ms;
};

static int address_check(const char *text, struct err *e)
{
	struct interface_address a;
	return interface_address_parse(text, &a, e);
}

static const struct opt handover_options[] = {
	{.name = "address", .type = OPT_STRING, .offset = offsetof(struct handover_options, address), .check = address_check,
	 .help = "the new address with its prefix, 10.0.0.9/24; in a topology a free one is taken, for 49 nodes at once"},
	{.name = "gap", .type = OPT_DURATION, .offset = offsetof(struct handover_options, gap_ms), .def = "0ms",
	 .help = "how long there is no address at all"},
	{0},
};

struct handover {
	struct steps steps;
	struct links links;
	const struct interface_saved *had[LINK_ENDS_MAX];
	unsigned slots[LINK_ENDS_MAX]; /* each end's new address, of `taken` */
	size_t n_slots;
	struct timer timer;
};

/* The new addresses that are in use, by any handover of this process. */
static bool taken[NEW_ADDRESSES];

/* For every end one, before anything is changed. */
static int slots_take(struct handover *s, struct err *e)
{
	static unsigned next; /* not the one again that was given back last: old connections would find it */
	for (unsigned tries = 0; tries < NEW_ADDRESSES && s->n_slots < s->links.n; tries++) {
		unsigned n = next++ % NEW_ADDRESSES;
		if (!taken[n])
			s->slots[s->n_slots++] = n;
		taken[n] = true;
	}
	return s->n_slots == s->links.n
		       ? 0
		       : err_set(e, EADDRNOTAVAIL, "there are new addresses for %d nodes at once: name fewer", NEW_ADDRESSES);
}

static void slots_give_back(struct handover *s)
{
	while (s->n_slots > 0)
		taken[s->slots[--s->n_slots]] = false;
}

/* Another one of the same network. */
static struct interface_address another(const struct interface_address *old, unsigned n)
{
	struct interface_address a = *old;
	if (a.family == AF_INET)
		a.octets[3] = (uint8_t)(FIRST_NEW + n);
	else
		a.octets[14] = (uint8_t)(1 + n);
	return a;
}

static int give(struct fault_run *run, size_t which, const struct interface_address *a, struct err *e)
{
	struct handover *s = run->state;
	const struct link_end *end = &s->links.ends[which];
	char text[INTERFACE_ADDRESS_TEXT];
	int r = step_address_give(&s->steps, run, end, s->had[which], a, e);
	if (r == 0)
		fault_tell(run, "hit", end->node, 0, "address=%s", interface_address_text(a, text));
	return r;
}

/* The new addresses, of all ends. */
static int arrive(struct fault_run *run, struct err *e)
{
	const struct handover_options *o = run->options;
	struct handover *s = run->state;
	struct interface_address a;
	int r = 0;
	for (size_t i = 0; i < s->links.n && r == 0; i++) {
		if (o->address) {
			r = interface_address_parse(o->address, &a, e);
			if (r == 0)
				r = give(run, i, &a, e);
			continue;
		}
		for (size_t k = 0; k < s->had[i]->n_addresses && r == 0; k++) {
			a = another(&s->had[i]->addresses[k], s->slots[i]);
			r = give(run, i, &a, e);
		}
	}
	return r;
}

static void on_time(void *owner)
{
	struct fault_run *run = owner;
	struct err e;
	int r = arrive(run, &e);
	if (r < 0) {
		fault_tell(run, "failed", NULL, 0, "%s", e.text);
		fault_done(run, r);
	}
}

static void on_stop(struct fault_run *run)
{
	struct handover *s = run->state;
	timer_fini(&s->timer);
	steps_undo(&s->steps);
	links_fini(&s->links);
	slots_give_back(s);
}

static int leave(struct fault_run *run, struct err *e)
{
	struct handover *s = run->state;
	int r = 0;
	for (size_t i = 0; i < s->links.n && r == 0; i++) {
		r = step_addresses_take(&s->steps, run, &s->links.ends[i], &s->had[i], e);
		if (r == 0)
			fault_tell(run, "hit", s->links.ends[i].node, 0, "addresses=none");
	}
	return r;
}

static int on_start(struct fault_run *run, struct err *e)
{
	const struct handover_options *o = run->options;
	struct handover *s = run->state;
	if (run->site->interface && !o->address)
		return err_set(e, EINVAL, "handover of an interface needs the new address: address=10.0.0.9/24");
	int r = links_find(run->site, LINK_FROM, &s->links, e);
	if (r < 0)
		return r;
	if (o->address && s->links.n > 1)
		r = err_set(e, EINVAL, "one address is not for %zu nodes: leave it out, or name one node", s->links.n);
	if (r == 0 && !o->address)
		r = slots_take(s, e);
	if (r == 0)
		r = leave(run, e);
	if (r == 0)
		r = o->gap_ms ? timer_start(&s->timer, run->site->loop, o->gap_ms, on_time, run) : arrive(run, e);
	if (r < 0)
		on_stop(run);
	return r;
}

static void on_probe(const struct fault_site *site, struct fault_probe *ret)
{
	(void)site;
	link_probe(0, "by rtnetlink: addresses taken and given", ret);
}

static const struct fault_action handover_action = {
	.state_size = sizeof(struct handover),
	.undo = "the old address comes back, the new one goes",
	.probe = on_probe,
	.start = on_start,
	.stop = on_stop,
};
static const struct fault_link handover_link = {.action = &handover_action};

const struct fault fault_handover = {
	.name = "handover",
	.about = "the address changes, and old connections die silently",
	.known_as = "walking between cell towers, from Wi-Fi to mobile",
	.options = handover_options,
	.options_size = sizeof(struct handover_options),
	.link = &handover_link,
};
