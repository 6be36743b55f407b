/* Whoever may not be disturbed on a weekend says so in a line that people read aright at the first look. */
#include "harness/target/hours.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

struct moment {
	int day;                   /* from Monday; -1: every day */
	unsigned minute;           /* of the day, up to HOURS_DAY */
};

static bool digits(const char *at, unsigned *ret)
{
	if (at[0] < '0' || at[0] > '9' || at[1] < '0' || at[1] > '9')
		return false;
	*ret = (unsigned)((at[0] - '0') * 10 + (at[1] - '0'));
	return true;
}

/* "Fri 16:00" or "16:00" at the beginning; what follows it, or NULL. */
static const char *read_moment(const char *at, struct moment *ret)
{
	static const char *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
	unsigned hour, minute;
	ret->day = -1;
	for (size_t i = 0; i < ARRAY_LEN(days); i++)
		if (strncasecmp(at, days[i], 3) == 0 && at[3] == ' ') {
			ret->day = (int)i;
			at += 4;
			break;
		}
	if (!digits(at, &hour) || at[2] != ':' || !digits(at + 3, &minute))
		return NULL;
	if (minute > 59 || hour > 24 || (hour == 24 && minute))
		return NULL;
	ret->minute = hour * 60 + minute;
	return at + 5;
}

static const char *skip_blanks(const char *at)
{
	return at + strspn(at, " ");
}

static int add_span(struct hours *h, struct moment from, struct moment to, const char *shown, struct err *e)
{
	if ((from.day < 0) != (to.day < 0))
		return err_set(e, EINVAL, "'%.60s': both ends have a day, or none has", shown);
	struct hours_span span = {.daily = from.day < 0};
	unsigned round = span.daily ? HOURS_DAY : HOURS_WEEK;
	span.from = (uint16_t)(((span.daily ? 0 : (unsigned)from.day * HOURS_DAY) + from.minute) % round);
	span.to = (uint16_t)(((span.daily ? 0 : (unsigned)to.day * HOURS_DAY) + to.minute) % round);
	if (span.from == span.to)
		return err_set(e, EINVAL, "'%.60s' begins when it ends; leave the nodes out of a target that may never be hurt",
			       shown);
	if (h->n == HOURS_SPANS_MAX)
		return err_set(e, EINVAL, "at most %d spans are possible", HOURS_SPANS_MAX);
	h->spans[h->n++] = span;
	return 0;
}

static int refuse(const char *item, struct err *e)
{
	return err_set(e, EINVAL, "expected a time such as \"Fri 16:00\", or a span such as \"Fri 16:00-Mon 08:00\" or "
			       "\"22:00-06:00\", not '%.60s'", item);
}

int hours_parse(const struct opt_strings *items, struct hours *ret_hours, struct err *e)
{
	struct hours h = {.n = 0};
	struct moment from, to;
	for (size_t i = 0; i < items->len; i++) {
		char shown[128];
		const char *item = items->items[i], *second, *rest = read_moment(item, &from);
		if (!rest)
			return refuse(item, e);
		rest = skip_blanks(rest);
		bool span = *rest == '-';
		if (*rest && !span)
			return refuse(item, e);
		if (!span && i + 1 == items->len)
			return err_set(e, EINVAL, "'%.60s' has no end: times come in pairs, from and to", item);
		second = span ? skip_blanks(rest + 1) : items->items[++i];
		rest = read_moment(second, &to);
		if (!rest || *rest)
			return refuse(second, e);
		snprintf(shown, sizeof(shown), "%.30s - %.30s", item, second);
		int r = add_span(&h, from, to, span ? item : shown, e);
		if (r < 0)
			return r;
	}
	*ret_hours = h;
	return 0;
}

bool hours_cover(const struct hours *h, unsigned week_minute)
{
	for (size_t i = 0; i < h->n; i++) {
		const struct hours_span *s = &h->spans[i];
		unsigned at = s->daily ? week_minute % HOURS_DAY : week_minute;
		if (s->from < s->to ? at >= s->from && at < s->to : at >= s->from || at < s->to)
			return true;
	}
	return false;
}

unsigned hours_until(const struct hours *h, unsigned week_minute)
{
	for (unsigned after = 0; after < HOURS_WEEK; after++)
		if (hours_cover(h, (week_minute + after) % HOURS_WEEK))
			return after;
	return HOURS_WEEK;
}

unsigned hours_week_minute(const struct tm *local)
{
	unsigned day = (unsigned)(local->tm_wday + 6) % 7; /* tm_wday counts from Sunday */
	return day * HOURS_DAY + (unsigned)local->tm_hour * 60 + (unsigned)local->tm_min;
}
