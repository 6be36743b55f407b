/* A chaos run against staging is bounded by what its owner wrote down. */
#include "harness/scenario/care.h"

#include <string.h>

static bool names_all(const struct opt_strings *words)
{
	for (size_t i = 0; i < words->len; i++)
		if (strcmp(words->items[i], "all") == 0)
			return true;
	return false;
}

/* Nodes that a fault on processes hurts at the same time; 0: it is none, or takes them in turn. */
static size_t nodes_at_once(const struct site *s, const struct opt_call *call)
{
	const struct opt *row = opt_find(call->callee.options, "nodes", OPT_IN_FILE);
	if (scenario_plane_of(call) != FAULT_PROCESS)
		return 0;
	if (strcmp(call->callee.name, "rolling_restart") == 0)
		return 1;
	if (!row || row->type != OPT_STRINGS)
		return s->target->nodes.len;
	const struct opt_strings *words = (const struct opt_strings *)((const char *)call->options + row->offset);
	return names_all(words) ? s->target->nodes.len : words->len;
}

const char *care_forbids(const struct site *s, const struct scenario *scenario)
{
	const struct scenario_phase *p = scenario->phases.items;
	double most = s->target->guard.max_affected * (double)s->target->nodes.len;
	if (s->target->guard.max_affected <= 0)
		return NULL;
	for (size_t i = 0; i < scenario->phases.len; i++)
		for (size_t k = 0; k < p[i].faults.len; k++) {
			const struct opt_call *call = &p[i].faults.items[k];
			size_t n = nodes_at_once(s, call);
			if ((double)n > most)
				return arena_printf(s->arena, "%s would hurt %zu of %zu nodes at once, and the target file's "
						    "guard allows %.0f%%", call->callee.name, n, s->target->nodes.len,
						    s->target->guard.max_affected * 100);
		}
	return NULL;
}

double care_toxicity(const struct site *s, double wanted)
{
	double most = s->target->guard.max_affected;
	return most > 0 && most < wanted ? most : wanted;
}

const char *care_never_now(const struct site *s, time_t now, uint64_t for_ms)
{
	const struct hours *never = &s->target->guard.never;
	struct tm local;
	if (!never->n)
		return NULL;
	localtime_r(&now, &local);
	unsigned minutes = hours_until(never, hours_week_minute(&local));
	if (minutes == 0)
		return "the target file's guard forbids it at this hour (`never_between`)";
	if ((uint64_t)minutes * 60000 < for_ms)
		return arena_printf(s->arena, "the target file's guard forbids it from %u minutes on (`never_between`), and the run "
				    "may last longer", minutes);
	return NULL;
}

bool care_enough(struct care_watch *w, const struct site *s, double up, uint64_t now_us)
{
	const struct target_abort_if *a = &s->target->guard.abort_if;
	if (a->connections_lost <= 0)
		return false;
	if (up > w->most)
		w->most = up;
	if (w->most <= 0 || (w->most - up) / w->most < a->connections_lost) {
		w->lost_since_us = 0;
		return false;
	}
	if (!w->lost_since_us)
		w->lost_since_us = now_us;
	return now_us - w->lost_since_us >= a->for_ms * 1000;
}
