/* Faults by the clock of a phase. */
#include "harness/scenario/weather.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/clock.h"
#include "harness/scenario/care.h"

enum { FAULT_NAME_MAX = 96, OWN_SETS = 2 };

/* One fault of the phase. */
struct slot {
	struct weather *weather;
	const struct opt_call *call;
	char name[FAULT_NAME_MAX];
	struct timer begin, heal;
	struct toxic *toxic[OWN_SETS]; /* in the set of subscribers, of publishers */
	struct fault_run *run;
	bool in_force, spent;
};

struct set {
	struct weather *weather;
	struct toxics toxics;
	bool publishers;
};

struct weather {
	struct site *site;
	const struct scenario *scenario;
	struct weather_owner o;
	struct set sets[OWN_SETS];
	struct fault_site fault_site;
	struct slot slots[SCENARIO_FAULTS_MAX];
	size_t n;
	struct err failed;         /* the first that did; empty: none */
	char set_names[OWN_SETS][SCENARIO_NAME_MAX + 16];
};

static void tell(struct weather *w, struct event *e)
{
	e->kind = EVENT_FAULT;
	e->at_us = w->o.now_us(w->o.owner);
	history_add(w->o.history, e);
}

static void fail(struct weather *w, const char *name, const char *why)
{
	if (!w->failed.text[0])
		err_set(&w->failed, EIO, "%s: %s", name, why);
	tell(w, &(struct event){.type = EVENT_FAIL, .text = name, .note = why});
}

/* Begin and end are told by the slots, for toxics come and go in two sets; what they do in between, here. */
static bool is_own_word(const char *what)
{
	return strcmp(what, "start") == 0 || strcmp(what, "stop") == 0;
}

static const char *note_of(const struct fault_event *e, char *to, size_t len)
{
	snprintf(to, len, "%s%s%s%s%s", e->what, e->node ? " " : "", e->node ? e->node : "", e->detail ? " " : "",
		 e->detail ? e->detail : "");
	return to;
}

static void on_toxic_event(void *owner, const struct fault_event *from)
{
	struct set *set = owner;
	char note[TOXIC_DETAIL_MAX + 64];
	struct event e = {.type = EVENT_INFO, .text = from->name ? from->name : from->fault};
	if (is_own_word(from->what))
		return;
	e.note = note_of(from, note, sizeof(note));
	if (from->connection)
		set->weather->o.where(set->weather->o.owner, set->publishers, from->connection, &e.client, &e.connection);
	tell(set->weather, &e);
}

static void on_fault_event(void *owner, const struct fault_event *from)
{
	struct weather *w = owner;
	char note[ERR_TEXT_MAX + 64];
	if (is_own_word(from->what))
		return;
	note_of(from, note, sizeof(note));
	if (strcmp(from->what, "failed") == 0 || strcmp(from->what, "node.failed") == 0)
		return fail(w, from->name ? from->name : from->fault, note);
	tell(w, &(struct event){.type = EVENT_INFO, .text = from->name ? from->name : from->fault, .note = note,
				.node = site_node_number(w->site, from->node)});
}

/* Toxics ------------------------------------------------------------------------------------------------------- */

static const struct scenario_fault *common(const struct slot *s)
{
	return s->call->common;
}

/* The scenario outlives its weather, so a copy of the struct is enough. */
static int fill(const void *from, const struct fault *f, void *options, struct arena *a, struct err *e)
{
	(void)a;
	(void)e;
	memcpy(options, from, f->options_size);
	return 0;
}

static bool wants(const struct slot *s, bool publishers)
{
	int on = common(s)->on;
	return on == SCENARIO_ON_ALL || (on == SCENARIO_ON_PUBLISHERS) == publishers;
}

static int start_toxics(struct slot *s, struct err *e)
{
	double share = care_toxicity(s->weather->site, common(s)->toxicity);
	struct toxic_spec spec = {.fault = scenario_fault_of(s->call), .name = s->name, .toxicity = share, .fill = fill,
				  .streams = (unsigned)common(s)->stream, .from = s->call->options};
	int r = 0;
	for (size_t i = 0; r == 0 && i < OWN_SETS; i++)
		if (wants(s, i == 1))
			r = toxics_add(&s->weather->sets[i].toxics, &spec, clock_now_us(), &s->toxic[i], e);
	return r;
}

static void stop_toxics(struct slot *s)
{
	for (size_t i = 0; i < OWN_SETS; i++)
		if (s->toxic[i])
			toxics_remove(&s->weather->sets[i].toxics, TAKE_PTR(s->toxic[i]), clock_now_us());
}

/* Slots -------------------------------------------------------------------------------------------------------- */

static void heal(struct slot *s)
{
	if (!s->in_force)
		return;
	s->in_force = false;
	timer_stop(&s->heal);
	stop_toxics(s);
	fault_stop(TAKE_PTR(s->run));
	tell(s->weather, &(struct event){.type = EVENT_OK, .text = s->name});
}

static void look_whether_spent(struct weather *w)
{
	for (size_t i = 0; i < w->n; i++)
		if (!w->slots[i].spent)
			return;
	if (w->n)
		w->o.on_spent(w->o.owner);
}

/* A fault with an end of its own, such as a rolling restart that is through. */
static void on_done(struct fault_run *run, int error)
{
	struct slot *s = run->owner;
	if (error < 0)
		fail(s->weather, s->name, strerror(-error));
	s->spent = true;
	heal(s);
	look_whether_spent(s->weather);
}

static void on_heal(void *owner)
{
	heal(owner);
}

static int start(struct slot *s, struct err *e)
{
	enum fault_plane plane = scenario_plane_of(s->call);
	if (plane == FAULT_STREAM)
		return start_toxics(s, e);
	int r = fault_start(&s->weather->fault_site, scenario_fault_of(s->call), plane, s->name, s->call->options, 0,
			    &s->run, e);
	if (r < 0)
		return r;
	s->run->owner = s;
	s->run->on_done = on_done;
	return 0;
}

static void on_begin(void *owner)
{
	struct slot *s = owner;
	struct weather *w = s->weather;
	const struct scenario_fault *k = common(s);
	struct err e;
	if (k->every_ms)
		timer_start(&s->begin, w->site->loop, k->every_ms, on_begin, s);
	if (s->in_force)
		return;
	tell(w, &(struct event){.type = EVENT_INVOKE, .text = s->name, .note = s->call->callee.about});
	s->in_force = true;
	if (start(s, &e) < 0) {
		fail(w, s->name, e.text);
		heal(s);
		return;
	}
	if (k->for_ms)
		timer_start(&s->heal, w->site->loop, k->for_ms, on_heal, s);
}

/* The second one of a name in a phase is NAME-2. */
static void name_slot(struct weather *w, struct slot *s)
{
	unsigned same = 1;
	for (const struct slot *o = w->slots; o < s; o++)
		same += o->call->callee.what == s->call->callee.what;
	snprintf(s->name, sizeof(s->name), same > 1 ? "%s-%u" : "%s", s->call->callee.name, same);
}

void weather_begin(struct weather *w, const struct scenario_phase *phase)
{
	weather_end(w);
	w->n = phase->faults.len;
	for (size_t i = 0; i < w->n; i++) {
		struct slot *s = &w->slots[i];
		*s = (struct slot){.weather = w, .call = &phase->faults.items[i]};
		name_slot(w, s);
		timer_start(&s->begin, w->site->loop, common(s)->at_ms, on_begin, s);
	}
}

void weather_end(struct weather *w)
{
	for (size_t i = w->n; i-- > 0;) {
		timer_fini(&w->slots[i].begin);
		heal(&w->slots[i]);
		timer_fini(&w->slots[i].heal);
	}
	w->n = 0;
}

/* ---------------------------------------------------------------------------------------------------------------- */

int weather_new(struct site *site, const struct scenario *scenario, const struct weather_owner *o,
		struct weather **ret_weather)
{
	struct weather *w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	*w = (struct weather){.site = site, .scenario = scenario, .o = *o};
	for (size_t i = 0; i < OWN_SETS; i++) {
		struct set *set = &w->sets[i];
		*set = (struct set){.weather = w, .publishers = i == 1};
		snprintf(w->set_names[i], sizeof(w->set_names[i]), "%s/%s", scenario->name, i ? "publishers" : "subscribers");
		toxics_init(&set->toxics, site->seed, w->set_names[i]);
		set->toxics.on_event = on_toxic_event;
		set->toxics.owner = set;
	}
	site_fault_site(site, &w->fault_site);
	w->fault_site.on_event = on_fault_event;
	w->fault_site.owner = w;
	*ret_weather = w;
	return 0;
}

struct toxics *weather_toxics(struct weather *w, bool publishers)
{
	return &w->sets[publishers].toxics;
}

size_t weather_in_force(const struct weather *w)
{
	size_t n = 0;
	for (size_t i = 0; i < w->n; i++)
		n += w->slots[i].in_force;
	return n;
}

const char *weather_name(const struct weather *w, size_t i)
{
	for (size_t k = 0; k < w->n; k++)
		if (w->slots[k].in_force && i-- == 0)
			return w->slots[k].name;
	return "";
}

const char *weather_failed(const struct weather *w)
{
	return w->failed.text[0] ? w->failed.text : NULL;
}

void weather_free(struct weather *w)
{
	if (!w)
		return;
	weather_end(w);
	for (size_t i = 0; i < OWN_SETS; i++)
		toxics_fini(&w->sets[i].toxics);
	free(w);
}
