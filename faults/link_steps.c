/* What link faults do to an interface, as steps that can be undone: each is told to the guard before it is taken. */
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "faults/link.h"
#include "harness/base/guard.h"
#include "harness/net/hex.h"
#include "harness/net/interface.h"
#include "harness/net/netlink.h"
#include "harness/net/route.h"
#include "harness/net/wall.h"

static void undo_until(struct steps *s, const struct step *before)
{
	while (s->last && s->last != before) {
		struct step *step = s->last;
		s->last = step->before;
		step->undo(step);
	}
}

void steps_undo(struct steps *s)
{
	undo_until(s, NULL);
}

static void push(struct steps *s, struct step *step)
{
	step->before = s->last;
	s->last = step;
}

/* Tells the guard, unless it all ends with us anyway. The id, 0 for none. */
static int tell(const struct fault_run *run, const struct link_end *end, const struct guard_kind *kind,
		const char *const *words, struct err *e)
{
	return run->site->guard && end->where[0] ? guard_add(run->site->guard, kind->name, words, e) : 0;
}

/* r: how the undo went, 0 when there was nothing to undo. What failed stays with the guard, which tries it again. */
static void forget(struct guard *g, int id, int r)
{
	if (g && id > 0 && r >= 0)
		guard_drop(g, id);
}

/* Shapes
 * --------------------------------------------------------------------------------------------------------------- */

struct step_shape {
	struct step step; /* first */
	struct shape *shape;
};

static void unshape(struct step *step)
{
	shape_remove(((struct step_shape *)step)->shape);
	free(step);
}

int step_shape(struct steps *s, struct fault_run *run, const struct link_end *end, bool cut, struct err *e)
{
	struct step_shape *made = calloc(1, sizeof(*made));
	if (!made)
		return err_set(e, ENOMEM, "out of memory");
	int r = shape_add(run, end, cut, &made->shape, e);
	made->step.undo = unshape;
	if (r < 0)
		free(made);
	else
		push(s, &made->step);
	return r;
}

/* Walls
 * ---------------------------------------------------------------------------------------------------------------- */

enum { WALL_NAME_MAX = 40 };

struct step_wall {
	struct step step; /* first */
	struct netlink *nl;
	char name[WALL_NAME_MAX];
	struct guard *guard;
	int undo;
};

static void step_wall_free(struct step_wall *w, int undone)
{
	forget(w->guard, w->undo, undone);
	netlink_close(w->nl);
	free(w);
}

static void unwall(struct step *step)
{
	struct step_wall *w = (struct step_wall *)step;
	step_wall_free(w, wall_remove(w->nl, w->name, NULL));
}

static int step_wall(struct steps *s, struct fault_run *run, const struct link_end *end, struct wall *wall,
		     struct err *e)
{
	static unsigned made; /* in this process */
	struct step_wall *w = calloc(1, sizeof(*w));
	if (!w)
		return err_set(e, ENOMEM, "out of memory");
	*w = (struct step_wall){.step.undo = unwall, .guard = run->site->guard};
	snprintf(w->name, sizeof(w->name), GUARD_NAMES "%d-%u", (int)getpid(), ++made);
	wall->name = w->name;
	wall->interface = end->interface;
	const char *words[] = {end->where, w->name, NULL};
	int r = netlink_open(&end->netns, NETLINK_NETFILTER, &w->nl, e);
	if (r == 0)
		w->undo = r = tell(run, end, &undo_wall, words, e);
	if (r >= 0)
		r = wall_build(w->nl, wall, e);
	if (r < 0)
		step_wall_free(w, 0);
	else
		push(s, &w->step);
	return r < 0 ? r : 0;
}

int step_drop(struct steps *s, struct fault_run *run, const struct link_end *end, struct err *e)
{
	struct wall w = {.in = true, .style = WALL_DROP};
	return step_wall(s, run, end, &w, e);
}

int step_reject(struct steps *s, struct fault_run *run, const struct link_end *end, bool in, bool out, struct err *e)
{
	struct wall w = {.in = in, .out = out, .style = WALL_REJECT};
	return step_wall(s, run, end, &w, e);
}

/* An interface without what it had
 * ---------------------------------------------------------------------------------------- */

struct step_saved {
	struct step step; /* first */
	struct netlink *nl;
	struct interface_saved saved;
	struct guard *guard;
	int undo[1 + INTERFACE_ADDRESSES_MAX + ROUTES_MAX]; /* of the guard */
	size_t n_undo;
};

static void step_saved_free(struct step_saved *d, int undone)
{
	while (d->n_undo > 0)
		forget(d->guard, d->undo[--d->n_undo], undone);
	interface_saved_fini(&d->saved);
	netlink_close(d->nl);
	free(d);
}

static void put_back(struct step *step)
{
	struct step_saved *d = (struct step_saved *)step;
	int up = d->saved.interface.flags & IFF_UP ? interface_set_up(d->nl, d->saved.interface.name, true, NULL) : 0;
	int addresses = interface_addresses_restore(d->nl, &d->saved, NULL);
	int routes = interface_routes_restore(d->nl, &d->saved, NULL);
	step_saved_free(d, up < 0 || addresses < 0 || routes < 0 ? -EIO : 0);
}

static int tell_one(struct step_saved *d, const struct fault_run *run, const struct link_end *end,
		    const struct guard_kind *kind, const char *first, const char *second, struct err *e)
{
	char index[16];
	const char *words[] = {end->where, end->interface, index, first, second, NULL};
	snprintf(index, sizeof(index), "%u", d->saved.interface.index);
	int id = tell(run, end, kind, words, e);
	if (id > 0)
		d->undo[d->n_undo++] = id;
	return id;
}

/* In the order opposite to that in which it is to come back: routes, addresses, up. */
static int tell_saved(struct step_saved *d, const struct fault_run *run, const struct link_end *end, struct err *e)
{
	char hex[ROUTE_UNDO_TEXT], text[INTERFACE_ADDRESS_TEXT];
	int r = 0;
	for (size_t i = d->saved.n_routes; i-- > 0 && r >= 0;)
		r = tell_one(d, run, end, &undo_route, hex_write(d->saved.routes[i].octets, d->saved.routes[i].len, hex), NULL, e);
	for (size_t i = d->saved.n_addresses; i-- > 0 && r >= 0;)
		r = tell_one(d, run, end, &undo_address, "add", interface_address_text(&d->saved.addresses[i], text), e);
	if (r >= 0 && (d->saved.interface.flags & IFF_UP))
		r = tell_one(d, run, end, &undo_up, "up", NULL, e);
	return r < 0 ? r : 0;
}

static int save(struct fault_run *run, const struct link_end *end, struct step_saved **ret_saved, struct err *e)
{
	struct step_saved *d = calloc(1, sizeof(*d));
	if (!d)
		return err_set(e, ENOMEM, "out of memory");
	d->step.undo = put_back;
	d->guard = run->site->guard;
	int r = netlink_open(&end->netns, NETLINK_ROUTE, &d->nl, e);
	if (r == 0)
		r = interface_save(d->nl, end->interface, &d->saved, e);
	if (r == 0)
		r = tell_saved(d, run, end, e);
	if (r < 0)
		step_saved_free(d, 0);
	else
		*ret_saved = d;
	return r;
}

int step_down(struct steps *s, struct fault_run *run, const struct link_end *end, struct err *e)
{
	struct step_saved *d = NULL;
	int r = save(run, end, &d, e);
	if (r < 0)
		return r;
	r = interface_set_up(d->nl, end->interface, false, e);
	if (r < 0)
		step_saved_free(d, 0);
	else
		push(s, &d->step);
	return r;
}

/* Another address
 * ------------------------------------------------------------------------------------------------------ */

struct step_address {
	struct step step; /* first */
	struct netlink *nl;
	unsigned index;
	struct interface_address address;
	struct guard *guard;
	int undo;
};

static void step_address_free(struct step_address *a, int undone)
{
	forget(a->guard, a->undo, undone);
	netlink_close(a->nl);
	free(a);
}

static void take_off(struct step *step)
{
	struct step_address *a = (struct step_address *)step;
	step_address_free(a, interface_address_delete(a->nl, a->index, &a->address, NULL));
}

static void lift(struct step *step)
{
	struct step_address *a = (struct step_address *)step;
	step_address_free(a, source_lift(a->nl, &a->address, NULL));
}

/* With its socket, and told to the guard. */
static int step_address_new(struct fault_run *run, const struct link_end *end, const struct interface_address *a,
			    const struct guard_kind *kind, const char *const *words, struct step_address **ret_made,
			    struct err *e)
{
	struct step_address *made = calloc(1, sizeof(*made));
	if (!made)
		return err_set(e, ENOMEM, "out of memory");
	*made = (struct step_address){.address = *a, .guard = run->site->guard};
	int r = netlink_open(&end->netns, NETLINK_ROUTE, &made->nl, e);
	if (r == 0)
		made->undo = r = tell(run, end, kind, words, e);
	if (r < 0)
		step_address_free(made, 0);
	else
		*ret_made = made;
	return r < 0 ? r : 0;
}

/* What still has this source address goes nowhere. */
static int ban_source(struct steps *s, struct fault_run *run, const struct link_end *end,
		      const struct interface_address *a, struct err *e)
{
	char text[INTERFACE_ADDRESS_TEXT];
	const char *words[] = {end->where, "source", interface_address_text(a, text), NULL};
	struct step_address *made = NULL;
	int r = step_address_new(run, end, a, &undo_ban, words, &made, e);
	if (r < 0)
		return r;
	r = source_ban(made->nl, a, e);
	made->step.undo = lift;
	if (r < 0)
		step_address_free(made, 0);
	else
		push(s, &made->step);
	return r;
}

/* Its addresses go; put_back() is what undoes it, also when only some are gone. */
static int take(struct step_saved *d, struct err *e)
{
	struct interface_address left[INTERFACE_ADDRESSES_MAX] = {0};
	char text[INTERFACE_ADDRESS_TEXT];
	int r = 0;
	for (size_t i = 0; i < d->saved.n_addresses && r == 0; i++)
		r = interface_address_delete(d->nl, d->saved.interface.index, &d->saved.addresses[i], e);
	/* One that is gone already is none to delete: the last of a network takes others with it. */
	if (r == 0)
		r = interface_addresses(d->nl, d->saved.interface.index, left, e);
	return r <= 0 ? r
		      : err_set(e, EBUSY, "the interface %s still has the address %s", d->saved.interface.name,
				interface_address_text(&left[0], text));
}

int step_addresses_take(struct steps *s, struct fault_run *run, const struct link_end *end,
			const struct interface_saved **ret_saved, struct err *e)
{
	struct step_saved *d = NULL;
	struct step *before = s->last;
	int r = save(run, end, &d, e);
	if (r < 0)
		return r;
	push(s, &d->step);
	r = take(d, e);
	/* A socket of IPv6 goes on sending from an address that is gone, where a route still leads. */
	for (size_t i = 0; i < d->saved.n_addresses && r == 0; i++)
		if (d->saved.addresses[i].family == AF_INET6)
			r = ban_source(s, run, end, &d->saved.addresses[i], e);
	if (r < 0)
		undo_until(s, before);
	else
		*ret_saved = &d->saved;
	return r;
}

int step_address_give(struct steps *s, struct fault_run *run, const struct link_end *end,
		      const struct interface_saved *had, const struct interface_address *a, struct err *e)
{
	char index[16], text[INTERFACE_ADDRESS_TEXT];
	const char *words[] = {end->where, end->interface, index, "delete", interface_address_text(a, text), NULL};
	struct step_address *made = NULL;
	snprintf(index, sizeof(index), "%u", had->interface.index);
	int r = step_address_new(run, end, a, &undo_address, words, &made, e);
	if (r < 0)
		return r;
	made->index = had->interface.index;
	made->step.undo = take_off;
	r = interface_address_add(made->nl, made->index, a, e);
	if (r == 0 && had->interface.flags & IFF_UP)
		r = interface_address_wait(made->nl, made->index, a, e);
	if (r < 0) {
		take_off(&made->step);
		return r;
	}
	/* Those that name the old address as their source stay away. */
	interface_routes_restore(made->nl, had, NULL);
	push(s, &made->step);
	return 0;
}
