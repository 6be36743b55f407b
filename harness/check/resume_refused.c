/*
 * Blame goes to the situation in which resumes are refused most often, then to the next one for what is left. Where
 * they are refused as often without it, it is no matter of the situation.
 */
#include "harness/check/resume_refused.h"

#include <string.h>

enum { COMBINATIONS = 1 << RESUME_SITUATIONS };

void resume_recovered(struct resume_refused *r, unsigned situation)
{
	r->of[situation].recovered++;
}

void resume_refuse(struct check_run *run, struct resume_refused *r, unsigned situation, const struct event *at,
		   uint64_t away_us, uint64_t missed)
{
	if (r->of[situation].refused++)
		return;
	r->of[situation].moment = check_moment(run, at, at->client, at->channel);
	r->of[situation].client = at->client;
	r->of[situation].channel = at->channel;
	r->of[situation].away_us = away_us;
	r->of[situation].missed = missed;
}

/*
 * How often it was refused of how often it was tried, settled ones aside: where `flag` holds, or where it does not.
 * With nothing missed, or nothing received yet, is a world of its own: it only counts where it is the flag.
 */
static double share(const struct resume_refused *r, unsigned flag, bool holds, const bool *settled,
		    uint64_t *ret_refused)
{
	uint64_t refused = 0, recovered = 0;
	for (unsigned s = 0; s < COMBINATIONS; s++) {
		if (((s & flag) != 0) != holds || (s & (RESUME_ZERO | RESUME_EMPTY) & ~flag))
			continue;
		recovered += r->of[s].recovered;
		if (!settled[s])
			refused += r->of[s].refused;
	}
	*ret_refused = refused;
	return refused ? (double)refused / (double)(refused + recovered) : 0;
}

static void blame(struct check_run *run, struct resume_refused *r, unsigned s, const char *id)
{
	static const char *const words[] = {", with nothing missed", ", again", ", at once", ", on another node",
					    ", while its old connection was open",
					    ", before any message had come to it,",
					    ", every node's process having begun anew (`survives_restart`),"};
	char special[160] = "";
	for (unsigned i = 0; i < RESUME_SITUATIONS; i++)
		if (s & 1u << i)
			strncat(special, words[i], sizeof(special) - strlen(special) - 1);
	uint64_t n = r->of[s].refused;
	check_fail_then(run, id, r->of[s].moment, NULL, r->of[s].client, r->of[s].channel,
			"client %u came back after %.1f s%s and was told not recovered, though the contract promises it (%llu such)",
			r->of[s].client, (double)r->of[s].away_us / 1e6, special, (unsigned long long)n);
	r->of[s].moment = NULL;
}

/* The flags that explain most of what is not settled; several when they cannot be told apart. 0: none does. */
static unsigned worst(const struct resume_refused *r, const bool *settled)
{
	uint64_t most = 0, refused, without;
	double highest = 0;
	unsigned found = 0;
	for (unsigned flag = 1; flag < COMBINATIONS; flag <<= 1) {
		double of_flag = share(r, flag, true, settled, &refused);
		if (!refused || of_flag <= share(r, flag, false, settled, &without))
			continue;
		if (of_flag > highest || (of_flag == highest && refused > most)) {
			highest = of_flag;
			most = refused;
			found = flag;
		} else if (of_flag == highest && refused == most) {
			found |= flag;
		}
	}
	return found;
}

void resume_blame(struct check_run *run, struct resume_refused *r, const char *const *ids, const char *otherwise)
{
	bool settled[COMBINATIONS] = {false};
	for (unsigned flags; (flags = worst(r, settled));) {
		for (unsigned i = 0; i < RESUME_SITUATIONS; i++)
			for (unsigned s = 0; s < COMBINATIONS; s++)
				if ((flags & s & 1u << i) && !settled[s] && r->of[s].refused)
					blame(run, r, s, ids[i]);
		for (unsigned s = 0; s < COMBINATIONS; s++)
			settled[s] |= (s & flags) != 0;
	}
	for (unsigned s = 0; s < COMBINATIONS; s++)
		if (!settled[s] && r->of[s].refused)
			blame(run, r, s, otherwise);
}

void resume_refused_fini(struct check_run *run, struct resume_refused *r)
{
	for (unsigned s = 0; s < COMBINATIONS; s++)
		check_moment_drop(run, r->of[s].moment);
}
