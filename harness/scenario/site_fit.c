/* How much a scenario publishes where the contract says how much the target keeps. */
#include "harness/scenario/site.h"

#include <math.h>

enum {
	FOR_MAX_MS = 60000,        /* a phase that is made longer */
	USED_PERCENT = 85,         /* of a phase, at most: its end waits for the last answers */
	WINDOW_PERCENT = 50,       /* of the time in which a subscription can go on, at most */
};

/* The rate stays the scenario's own, which any target takes; so the phase becomes longer. */
static const char *fit_phase(struct site *s, double rate, const struct contract *contract, struct scenario_phase *p)
{
	double kept = (double)contract->resume_messages, messages = ceil(kept * (double)p->kept_percent / 100);
	double needed_ms = messages / rate * 100000 / USED_PERCENT;
	double window_ms = (double)contract->resume_window_ms * WINDOW_PERCENT / 100;
	if (needed_ms > FOR_MAX_MS || (needed_ms > (double)p->for_ms && needed_ms > window_ms))
		return arena_printf(s->arena, "its contract keeps %.0f messages of a channel for %.0f s, and to publish "
				    "%.0f takes %.0f s, which is too long", kept, (double)contract->resume_window_ms / 1000, messages,
				    needed_ms / 1000);
	p->messages = (uint64_t)messages;
	p->for_ms = needed_ms > (double)p->for_ms ? (uint64_t)needed_ms : p->for_ms;
	return NULL;
}

static bool asks_for_kept(const struct scenario *s)
{
	const struct scenario_phase *p = s->phases.items;
	size_t i = 0;
	while (i < s->phases.len && !p[i].kept_percent)
		i++;
	return i < s->phases.len && s->workload.rate > 0;
}

const char *site_fit(struct site *s, struct scenario *scenario)
{
	struct scenario_phase *p = scenario->phases.items;
	struct site_speech speech;
	struct err e;
	const char *why = NULL;
	if (!asks_for_kept(scenario))
		return NULL;
	if (site_speech(s, scenario, &speech, &e) < 0)
		return arena_strdup(s->arena, e.text);
	for (size_t i = 0; !why && i < scenario->phases.len; i++)
		if (p[i].kept_percent && speech.contract.resume_messages)
			why = fit_phase(s, scenario->workload.rate, &speech.contract, &p[i]);
	return why;
}
