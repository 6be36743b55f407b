/* Ghosts that only the gauge shows: their sockets are closed, and what counted them was forgotten. */
#include "harness/check/heartbeat_gauge.h"

#include "harness/check/track.h"

enum {
	SAMPLES_MIN = 3,
	SPAN_MIN_US = 4000000,     /* a gauge that is made anew every few seconds has caught up by then */
	MOST_PERCENT = 75,         /* of those who vanished: as many are counted still */
};

void heartbeat_gauge_sample(struct check_run *run, struct heartbeat_gauge *g, const struct event *e, uint64_t vanished,
			    uint64_t living)
{
	const struct track *t = check_track(run);
	double more = gauge_note(&g->gauge, e) - (double)living;
	if (t->phase == TRACK_WARM && !t->n_faults && (!g->began || more > g->others)) {
		g->others = more;
		g->began = true;
	}
	if (!vanished || !g->began || t->phase >= TRACK_END || gauge_is_of_others(g->others, living))
		return;
	more -= g->others;
	if (!g->samples++) {
		g->from_us = e->at_us;
		g->least = more;
		g->at = check_moment(run, e, 0, 0);
	}
	g->to_us = e->at_us;
	g->least = more < g->least ? more : g->least;
}

void heartbeat_gauge_end(struct check_run *run, struct heartbeat_gauge *g, const char *id, uint64_t vanished)
{
	struct check_moment *at = TAKE_PTR(g->at);
	if (g->samples >= SAMPLES_MIN && g->to_us - g->from_us >= SPAN_MIN_US) {
		check_samples(run, id, 1);
		if (g->least >= 1 && g->least * 100 >= (double)vanished * MOST_PERCENT) {
			check_fail_then(run, id, at, NULL, 0, 0,
					"%llu clients vanished, and for %.1f s after the last must be gone the target counted %.0f "
					"connections more than there were", (unsigned long long)vanished,
					(double)(g->to_us - g->from_us) / 1e6, g->least);
			return;
		}
	}
	check_moment_drop(run, at);
}
