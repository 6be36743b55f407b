#pragma once
/*
 * Hours in which nothing may be hurt: `guard.never_between` of a target file. Times are local (TZ), of the machine that
 * runs wsquall; from the first minute, up to and without the last. Written as
 *	["Fri 16:00", "Mon 08:00"]      from Friday 16:00 to Monday 08:00: two times are one span, four are two
 *	["Fri 16:00-Mon 08:00"]         the same as one item
 *	["22:00-06:00"]                 without a day: every night
 * Days: Mon Tue Wed Thu Fri Sat Sun, in any case. 24:00 is the end of a day.
 */
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "harness/base/err.h"
#include "harness/base/opt.h"

enum {
	HOURS_SPANS_MAX = 32,
	HOURS_DAY = 24 * 60,       /* minutes */
	HOURS_WEEK = 7 * HOURS_DAY,
};

struct hours_span {
	bool daily;                /* from and to are minutes of a day, else of a week that begins with Monday */
	uint16_t from, to;         /* to may be before from: it goes round */
};

struct hours {
	struct hours_span spans[HOURS_SPANS_MAX];
	size_t n;
};

/* -EINVAL with a sentence: an item that is no time, a time without its partner, a span without minutes. */
int hours_parse(const struct opt_strings *items, struct hours *ret_hours, struct err *e);
/* week_minute: 0 to HOURS_WEEK - 1. */
bool hours_cover(const struct hours *h, unsigned week_minute);
/* Minutes from week_minute to the next one that is covered: 0 when this one is; HOURS_WEEK: none ever is. */
unsigned hours_until(const struct hours *h, unsigned week_minute);
unsigned hours_week_minute(const struct tm *local);
