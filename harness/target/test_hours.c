/* Hours in which nothing is hurt: how they are written, and which minutes of a week they cover. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "harness/target/hours.h"

static int parse(const char *list, struct hours *h, struct err *e)
{
	static char text[256];
	const char *items[8];
	struct opt_strings s = {.items = items};
	snprintf(text, sizeof(text), "%s", list);
	for (char *at = text; at && *at;) {
		char *next = strchr(at, ',');
		if (next)
			*next++ = 0;
		items[s.len++] = at;
		at = next;
	}
	return hours_parse(&s, h, e);
}

enum { MON, TUE, WED, THU, FRI, SAT, SUN };
#define AT(day, hour, minute) ((day) * HOURS_DAY + (hour) * 60 + (minute))

struct cover_row {
	const char *list;
	unsigned at;
	bool covered;
	unsigned until;
};

static const struct cover_row cover_rows[] = {
	{"", AT(WED, 3, 0), false, HOURS_WEEK},
	{"Fri 16:00,Mon 08:00", AT(FRI, 15, 59), false, 1},
	{"Fri 16:00,Mon 08:00", AT(FRI, 16, 0), true, 0},
	{"Fri 16:00,Mon 08:00", AT(SUN, 23, 59), true, 0},
	{"Fri 16:00,Mon 08:00", AT(MON, 7, 59), true, 0},
	{"Fri 16:00,Mon 08:00", AT(MON, 8, 0), false, 4 * HOURS_DAY + 8 * 60},
	{"Fri 16:00-Mon 08:00", AT(SAT, 12, 0), true, 0},
	{"fri 16:00 - mon 08:00", AT(THU, 16, 0), false, HOURS_DAY},
	{"Mon 08:00-Fri 16:00", AT(TUE, 0, 0), true, 0},
	{"Mon 08:00-Fri 16:00", AT(SAT, 0, 0), false, 2 * HOURS_DAY + 8 * 60},
	{"22:00-06:00", AT(TUE, 23, 0), true, 0},
	{"22:00-06:00", AT(WED, 5, 59), true, 0},
	{"22:00-06:00", AT(WED, 6, 0), false, 16 * 60},
	{"22:00,06:00", AT(SUN, 22, 0), true, 0},
	{"12:00-24:00", AT(SUN, 23, 59), true, 0},
	{"12:00-24:00", AT(MON, 0, 0), false, 12 * 60},
	{"Sun 12:00-Sun 24:00", AT(SUN, 23, 59), true, 0},
	{"Sun 12:00-Sun 24:00", AT(MON, 0, 0), false, 6 * HOURS_DAY + 12 * 60},
	{"Mon 10:00,Mon 11:00,Tue 10:00,Tue 11:00", AT(TUE, 10, 30), true, 0},
	{"Mon 10:00,Mon 11:00,Tue 10:00,Tue 11:00", AT(MON, 11, 30), false, 22 * 60 + 30},
	{"Mon 10:00-Mon 11:00,Tue 10:00,Tue 11:00", AT(TUE, 10, 30), true, 0},
};

static void minutes_are_covered(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cover_rows); i++) {
		const struct cover_row *row = &cover_rows[i];
		struct hours h;
		struct err e = {0};
		if (parse(row->list, &h, &e) != 0)
			fail_msg("%s: %s", row->list, e.text);
		if (hours_cover(&h, row->at) != row->covered || hours_until(&h, row->at) != row->until)
			fail_msg("row %zu: %s at %u: %d, %u", i, row->list, row->at, hours_cover(&h, row->at), hours_until(&h, row->at));
	}
}

#define EXPECTED "expected a time such as \"Fri 16:00\", or a span such as \"Fri 16:00-Mon 08:00\" or \"22:00-06:00\", not "

static const struct {
	const char *list, *sentence;
} bad_rows[] = {
	{"Fri 16:00", "'Fri 16:00' has no end: times come in pairs, from and to"},
	{"Mon 10:00-Mon 11:00,Fri 16:00", "'Fri 16:00' has no end: times come in pairs, from and to"},
	{"Fri 16:00,08:00", "'Fri 16:00 - 08:00': both ends have a day, or none has"},
	{"Fri 16:00-Fri 16:00", "'Fri 16:00-Fri 16:00' begins when it ends; leave the nodes out of a target that may never be hurt"},
	{"Friday 16:00,Mon 08:00", EXPECTED "'Friday 16:00'"},
	{"Fri 25:00,Mon 08:00", EXPECTED "'Fri 25:00'"},
	{"Fri 16:60,Mon 08:00", EXPECTED "'Fri 16:60'"},
	{"Fri 24:01,Mon 08:00", EXPECTED "'Fri 24:01'"},
	{"Fri 9:00,Mon 08:00", EXPECTED "'Fri 9:00'"},
	{"Fri 16:00,Mon 08:00x", EXPECTED "'Mon 08:00x'"},
	{"Fri 16:00,Mon 08:00-Tue 09:00", EXPECTED "'Mon 08:00-Tue 09:00'"},
	{"Fri 16:00-", EXPECTED "''"},
	{"Fri", EXPECTED "'Fri'"},
};

static void what_is_no_time_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_rows); i++) {
		struct hours h = {.n = 7};
		struct err e = {0};
		if (parse(bad_rows[i].list, &h, &e) != -EINVAL || strcmp(e.text, bad_rows[i].sentence) != 0)
			fail_msg("%s: %s", bad_rows[i].list, e.text);
		assert_int_equal(h.n, 7);
	}
}

static void a_minute_of_the_week(void **state)
{
	struct tm tm = {.tm_wday = 0, .tm_hour = 23, .tm_min = 59};
	(void)state;
	assert_int_equal(hours_week_minute(&tm), AT(SUN, 23, 59));
	tm.tm_wday = 1;
	assert_int_equal(hours_week_minute(&tm), AT(MON, 23, 59));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(minutes_are_covered),
		cmocka_unit_test(what_is_no_time_is_refused),
		cmocka_unit_test(a_minute_of_the_week),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
