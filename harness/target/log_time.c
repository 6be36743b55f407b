/* Clocks of logs: every framework writes its own, and the reader has to make one time of them. */
#include "harness/target/log_line.h"

#include <math.h>
#include <stdlib.h>

static bool number_at(struct span s, size_t at, size_t digits, int *ret)
{
	int n = 0;
	if (at + digits > s.len)
		return false;
	for (size_t i = at; i < at + digits; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		n = n * 10 + (s.p[i] - '0');
	}
	*ret = n;
	return true;
}

/* Days since 1970-01-01 in the Gregorian calendar, from year 1 on. */
static long days_of(int year, int month, int day)
{
	long y = month <= 2 ? year - 1 : year, era = y / 400, of_era = y - era * 400;
	long of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* "Z", "+01:00", "-0530", " UTC" or nothing; false for anything else. */
static bool read_zone(struct span s, double *ret_s)
{
	int hours, minutes;
	*ret_s = 0;
	if (s.len == 0 || span_eq_nocase(s, SPAN_LIT("Z")) || span_eq_nocase(span_trim(s), SPAN_LIT("UTC")))
		return true;
	s = span_trim(s);
	if (s.p[0] != '+' && s.p[0] != '-')
		return false;
	size_t at = s.len == 6 && s.p[3] == ':' ? 4 : 3;
	if (s.len != at + 2 || !number_at(s, 1, 2, &hours) || !number_at(s, at, 2, &minutes) || minutes > 59)
		return false;
	*ret_s = (s.p[0] == '-' ? 1 : -1) * (hours * 3600.0 + minutes * 60.0);
	return true;
}

/* ".678" or ",678" at the beginning; the octets it takes. */
static size_t read_fraction(struct span s, double *ret_s)
{
	size_t n = 1;
	double scale = 0.1;
	*ret_s = 0;
	if (s.len < 2 || (s.p[0] != '.' && s.p[0] != ','))
		return 0;
	for (; n < s.len && s.p[n] >= '0' && s.p[n] <= '9'; n++, scale /= 10)
		*ret_s += (s.p[n] - '0') * scale;
	return n;
}

static double calendar(struct span s)
{
	int year, month, day, hour, minute, second;
	double fraction, zone;
	bool is = s.len >= 19 && s.p[4] == s.p[7] && (s.p[4] == '-' || s.p[4] == '/') &&
		  (s.p[10] == 'T' || s.p[10] == 't' || s.p[10] == ' ') && s.p[13] == ':' && s.p[16] == ':' &&
		  number_at(s, 0, 4, &year) && number_at(s, 5, 2, &month) && number_at(s, 8, 2, &day) &&
		  number_at(s, 11, 2, &hour) && number_at(s, 14, 2, &minute) && number_at(s, 17, 2, &second);
	if (!is || year < 1970 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60)
		return 0;
	struct span rest = span_sub(s, 19, s.len);
	rest = span_sub(rest, read_fraction(rest, &fraction), rest.len);
	if (!read_zone(rest, &zone))
		return 0;
	return (double)days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second + fraction + zone;
}

double log_time_parse(struct span text)
{
	char copy[40], *end;
	text = span_trim(text);
	if (text.len == 0 || text.len >= sizeof(copy))
		return 0;
	if (text.p[0] < '0' || text.p[0] > '9')
		return 0;
	memcpy(copy, text.p, text.len);
	copy[text.len] = 0;
	double n = strtod(copy, &end);
	if (*end || end != copy + text.len || !isfinite(n))
		return calendar(text);
	/* Seconds stay below 1e11 until the year 5138; then come milli-, micro- and nanoseconds. */
	for (int unit = 0; unit < 3 && n > 1e11; unit++)
		n /= 1000;
	return n > 1e11 ? 0 : n;
}
