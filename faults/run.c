/*
 * One fault in force: its options copied, its seed derived, its duration counted, and healed once, whichever comes
 * first: its time is over, it has reached an end of its own, or its owner stops it.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "faults/fault.h"
#include "harness/net/loop.h"

enum { DETAIL_MAX = 512, OPTIONS_MAX = 1 << 20 };

struct running {
	struct fault_run run;      /* first: the owner's pointer is ours */
	const struct fault_action *action;
	struct arena arena;
	struct timer timer;
	bool started, healed, done;
};

static struct running *running_of(struct fault_run *run)
{
	return (struct running *)run;
}

void fault_tell(const struct fault_run *run, const char *what, const char *node, uint64_t connection,
		const char *detail_fmt, ...)
{
	char detail[DETAIL_MAX];
	if (!run->site->on_event)
		return;
	if (detail_fmt) {
		va_list ap;
		va_start(ap, detail_fmt);
		vsnprintf(detail, sizeof(detail), detail_fmt, ap);
		va_end(ap);
	}
	const struct fault_event event = {
		.fault = run->fault->name, .name = run->name, .plane = run->plane, .what = what, .node = node,
		.connection = connection, .detail = detail_fmt ? detail : NULL,
	};
	run->site->on_event(run->site->owner, &event);
}

static int copy_strings(struct opt_strings *to, struct arena *a)
{
	const char **items = to->len ? arena_alloc(a, to->len * sizeof(*items)) : NULL;
	if (to->len && !items)
		return -ENOMEM;
	for (size_t i = 0; i < to->len; i++) {
		items[i] = arena_strdup(a, to->items[i]);
		if (!items[i])
			return -ENOMEM;
	}
	*to = (struct opt_strings){.items = items, .len = to->len, .cap = to->len};
	return 0;
}

static int copy_map(struct opt_map *to, struct arena *a)
{
	struct opt_pair *items = to->len ? arena_alloc(a, to->len * sizeof(*items)) : NULL;
	if (to->len && !items)
		return -ENOMEM;
	for (size_t i = 0; i < to->len; i++) {
		items[i] = (struct opt_pair){arena_strdup(a, to->items[i].key), arena_strdup(a, to->items[i].value)};
		if (!items[i].key || !items[i].value)
			return -ENOMEM;
	}
	*to = (struct opt_map){.items = items, .len = to->len, .cap = to->len};
	return 0;
}

static int copy_field(const struct opt *o, char *options, struct arena *a)
{
	char **text = (char **)(options + o->offset);
	assert(o->type != OPT_SECTION && o->type != OPT_SECTIONS); /* a fault's options are flat */
	if (o->type == OPT_STRINGS)
		return copy_strings((struct opt_strings *)text, a);
	if (o->type == OPT_MAP)
		return copy_map((struct opt_map *)text, a);
	if (o->type != OPT_STRING || !*text)
		return 0;
	*text = arena_strdup(a, *text);
	return *text ? 0 : -ENOMEM;
}

/* With all that they point to: the caller's arena may go. */
static int copy_options(struct running *r, const void *options)
{
	const struct fault *f = r->run.fault;
	char *copy = arena_alloc(&r->arena, f->options_size ? f->options_size : 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, options, f->options_size);
	r->run.options = copy;
	for (const struct opt *o = f->options; o->name; o++)
		if (copy_field(o, copy, &r->arena) < 0)
			return -ENOMEM;
	return 0;
}

static void running_free(struct running *r)
{
	timer_fini(&r->timer);
	arena_fini(&r->arena);
	free(r);
}

static struct running *running_new(struct fault_site *site, const struct fault *f, enum fault_plane plane,
				   const char *name, const void *options)
{
	struct running *r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->action = fault_action(f, plane);
	r->run = (struct fault_run){.fault = f, .plane = plane, .site = site};
	arena_init(&r->arena, OPTIONS_MAX + r->action->state_size + f->options_size);
	r->run.name = arena_strdup(&r->arena, name ? name : f->name);
	r->run.state = arena_alloc(&r->arena, r->action->state_size ? r->action->state_size : 1);
	if (!r->run.name || !r->run.state || copy_options(r, options) < 0) {
		running_free(r);
		return NULL;
	}
	rng_init(&r->run.rng, site->seed, r->run.name);
	return r;
}

int fault_must_work_on(const struct fault *f, enum fault_plane plane, struct err *e)
{
	struct buf planes CLEANUP(buf_fini) = {0};
	if (fault_action(f, plane))
		return 0;
	buf_init(&planes, 512);
	for (enum fault_plane p = 0; p < FAULT_PLANES; p++)
		if (fault_has_plane(f, p))
			buf_printf(&planes, "%s%s", planes.len ? ", " : "", fault_plane_name(p));
	return err_set(e, EINVAL, "%s does not work on the plane '%s', only on: %s", f->name, fault_plane_name(plane),
		       buf_cstr(&planes));
}

static int admit(struct fault_site *site, const struct fault *f, enum fault_plane plane, const void *options,
		 struct err *e)
{
	struct fault_probe probe;
	int r = fault_must_work_on(f, plane, e);
	if (r == 0 && f->check)
		r = f->check(options, e);
	if (r < 0)
		return r;
	fault_probe(f, plane, site, &probe);
	if (probe.means == FAULT_MISSING)
		return err_set(e, ENOTSUP, "%s is not possible here: %s", f->name, probe.why);
	return 0;
}

static void heal(struct running *r)
{
	timer_stop(&r->timer);
	if (!r->started || r->healed)
		return;
	r->healed = true;
	r->action->stop(&r->run);
	fault_tell(&r->run, "stop", NULL, 0, NULL);
}

void fault_done(struct fault_run *run, int error)
{
	struct running *r = running_of(run);
	if (r->healed || r->done)
		return;
	r->done = true;
	if (run->on_done)
		run->on_done(run, error);
}

static void on_time(void *owner)
{
	struct running *r = owner;
	heal(r);
	/* Not through fault_done(): it is healed already. */
	if (!r->done && r->run.on_done) {
		r->done = true;
		r->run.on_done(&r->run, 0);
	}
}

int fault_start(struct fault_site *site, const struct fault *f, enum fault_plane plane, const char *name,
		const void *options, uint64_t duration_ms, struct fault_run **ret_run, struct err *e)
{
	int code = admit(site, f, plane, options, e);
	if (code < 0)
		return code;
	struct running *r = running_new(site, f, plane, name, options);
	if (!r)
		return err_set(e, ENOMEM, "no memory for the fault %s", f->name);
	fault_tell(&r->run, "start", NULL, 0, NULL);
	code = r->action->start(&r->run, e);
	if (code < 0) {
		fault_tell(&r->run, "failed", NULL, 0, NULL);
		running_free(r);
		return code;
	}
	r->started = true;
	if (duration_ms && timer_start(&r->timer, site->loop, duration_ms, on_time, r) < 0) {
		fault_stop(&r->run);
		return err_set(e, ENOMEM, "no memory for the duration of %s", f->name);
	}
	*ret_run = &r->run;
	return 0;
}

void fault_stop(struct fault_run *run)
{
	if (!run)
		return;
	heal(running_of(run));
	running_free(running_of(run));
}
