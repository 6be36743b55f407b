#pragma once
/*
 * What a scenario was like, in figures: how long clients were away, how they came back, with which close codes
 * connections ended as clients saw it and as the target logged it, how long messages took. For the report; nothing is
 * judged here.
 */
#include "harness/base/buf.h"
#include "harness/base/hist.h"
#include "harness/history/event.h"
#include "harness/run/result.h"

enum {
	FIGURES_CODES = 5000,      /* close codes are below */
	FIGURES_SECONDS = 7200,    /* of a run that are told apart; later ones count with the last */
};

struct figures;

/* clients: how many there are. -ENOMEM. */
int figures_new(uint32_t clients, struct figures **ret_figures);
/* NULL is fine. */
void figures_free(struct figures *f);
void figures_event(struct figures *f, const struct event *e);
/* One line: "away at most 1.9 s, 412 reconnects in the fullest second". Nothing when nobody was away. */
int figures_line(const struct figures *f, struct buf *b);
/*
 * The same in bars, in the arena: how long each client was away in all, when they tried to come back, the close codes,
 * how long messages took. Those that would be empty are left out. The number of charts, or -ENOMEM.
 */
int figures_charts(const struct figures *f, struct arena *a, struct result_chart ret_charts[RESULT_CHARTS_MAX]);
/* All of it as a text for people. */
int figures_print(const struct figures *f, const struct result_chart *charts, size_t n, struct buf *b);
