#pragma once
/*
 * The live part of a terminal: lines at its bottom on stderr, drawn over again and again. Nothing where stderr is no
 * terminal. Whoever prints to the terminal clears them first; the next drawing brings them back.
 */
#include <stdbool.h>
#include <stdint.h>

#include "harness/base/span.h"

enum {
	LIVE_INTERVAL_US = 60000,  /* not more often than that */
	LIVE_BAR = 24,             /* columns of a bar, at most */
	LIVE_BAR_LEN = LIVE_BAR * 3 + 1,
	LIVE_TEXT_MAX = 16 << 10,
};

struct live {
	bool on;
	unsigned drawn;            /* lines that stand there */
	uint64_t drawn_us;
};

void live_init(struct live *l, bool wanted);
/* It is time to draw again. */
bool live_due(const struct live *l);
/*
 * Lines, each with its '\n'. What is wider than the terminal is cut, what is higher is left out from below; control
 * characters are shown as '?'.
 */
void live_draw(struct live *l, struct span text);
void live_clear(struct live *l);
/* A bar of `columns` (at most LIVE_BAR) with the part done of all filled; UTF-8, into to[LIVE_BAR_LEN]. */
const char *live_bar(char *to, unsigned columns, uint64_t done, uint64_t all);
/* Columns of the terminal behind a descriptor; `otherwise` where there is none. */
unsigned live_columns(int fd, unsigned otherwise);
