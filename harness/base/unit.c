/*
 * Half of all timeouts set wrong are milliseconds read as seconds: numbers here carry their unit and are converted
 * exactly or refused.
 */
#include "harness/base/unit.h"

#include <stdio.h>

enum { FRACTION_MAX = 15 }; /* digits behind the point, zeros at the end not counted */

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit durations[] = {
	{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1},
};

static const struct unit micros[] = {
	{"d", 86400000000}, {"h", 3600000000}, {"m", 60000000}, {"s", 1000000}, {"ms", 1000}, {"us", 1},
};

/* For printing, the first that divides is taken. */
static const struct unit sizes[] = {
	{"TiB", 1ull << 40}, {"TB", 1000000000000}, {"GiB", 1 << 30}, {"GB", 1000000000}, {"MiB", 1 << 20},
	{"MB", 1000000},     {"KiB", 1 << 10},      {"kB", 1000},     {"KB", 1000},       {"B", 1},
};

static const struct unit rates[] = {{"/s", 1}, {"/m", 60}, {"/h", 3600}};

static const char expected_duration[] = "expected a duration with its unit (ms, s, m, h, d), such as 25s";
static const char expected_micros[] = "expected a duration with its unit (us, ms, s, m, h, d), such as 25ms";
static const char expected_percent[] = "expected a share in percent, 0% to 100%, such as 0.1%";
static const char expected_size[] =
	"expected a size with its unit (B, kB, MB, GB, TB, KiB, MiB, GiB, TiB), such as 64KiB";
static const char expected_rate[] = "expected a rate with its unit (/s, /m, /h), such as 100/s";

struct number {
	uint64_t digits;      /* the value without its point */
	uint64_t denominator; /* 10 to the number of digits behind the point */
	struct span rest;
};

static bool is_digit(struct span s, size_t at)
{
	return at < s.len && s.p[at] >= '0' && s.p[at] <= '9';
}

/* 0, -EINVAL when it is no number, -ERANGE when it has too many digits. */
static int number_parse(struct span s, struct number *ret)
{
	struct number n = {.denominator = 1};
	size_t at = 0;
	for (; is_digit(s, at); at++)
		if (__builtin_mul_overflow(n.digits, 10, &n.digits) ||
		    __builtin_add_overflow(n.digits, (uint64_t)(s.p[at] - '0'), &n.digits))
			return -ERANGE;
	if (at == 0)
		return -EINVAL;
	if (at < s.len && s.p[at] == '.' && is_digit(s, at + 1)) {
		size_t end = ++at;
		size_t last = at; /* behind the last digit that is not zero */
		for (; is_digit(s, end); end++)
			if (s.p[end] != '0')
				last = end + 1;
		if (last - at > FRACTION_MAX)
			return -ERANGE;
		for (; at < last; at++, n.denominator *= 10)
			if (__builtin_mul_overflow(n.digits, 10, &n.digits) ||
			    __builtin_add_overflow(n.digits, (uint64_t)(s.p[at] - '0'), &n.digits))
				return -ERANGE;
		at = end;
	}
	n.rest = span_sub(s, at, s.len);
	*ret = n;
	return 0;
}

static const struct unit *unit_find(const struct unit *units, size_t n, struct span name)
{
	for (size_t i = 0; i < n; i++)
		if (span_eq(span_str(units[i].name), name))
			return &units[i];
	return NULL;
}

static int whole_parse(struct span text, const struct unit *units, size_t n_units, const char *expected,
		       const char *smallest, uint64_t *ret, struct err *e)
{
	struct number n;
	int r = number_parse(text, &n);
	if (r == -ERANGE)
		return err_set(e, EINVAL, "%s, with fewer digits", expected);
	const struct unit *u = r < 0 ? NULL : unit_find(units, n_units, n.rest);
	if (!u)
		return err_set(e, EINVAL, "%s", expected);
	__extension__ unsigned __int128 product = (unsigned __int128)n.digits * u->factor;
	if (product % n.denominator)
		return err_set(e, EINVAL, "%s, in whole %s", expected, smallest);
	product /= n.denominator;
	if (product > UINT64_MAX)
		return err_set(e, EINVAL, "%s, below 2 to the 64 %s", expected, smallest);
	*ret = (uint64_t)product;
	return 0;
}

int unit_duration_parse(struct span text, uint64_t *ret_ms, struct err *e)
{
	return whole_parse(text, durations, ARRAY_LEN(durations), expected_duration, "milliseconds", ret_ms, e);
}

int unit_micros_parse(struct span text, uint64_t *ret_us, struct err *e)
{
	return whole_parse(text, micros, ARRAY_LEN(micros), expected_micros, "microseconds", ret_us, e);
}

int unit_size_parse(struct span text, uint64_t *ret_octets, struct err *e)
{
	return whole_parse(text, sizes, ARRAY_LEN(sizes), expected_size, "octets", ret_octets, e);
}

int unit_rate_parse(struct span text, double *ret_per_second, struct err *e)
{
	struct number n;
	int r = number_parse(text, &n);
	if (r == -ERANGE)
		return err_set(e, EINVAL, "%s, with fewer digits", expected_rate);
	const struct unit *u = r < 0 ? NULL : unit_find(rates, ARRAY_LEN(rates), n.rest);
	if (!u)
		return err_set(e, EINVAL, "%s", expected_rate);
	*ret_per_second = (double)n.digits / (double)n.denominator / (double)u->factor;
	return 0;
}

int unit_percent_parse(struct span text, double *ret_share, struct err *e)
{
	struct number n;
	if (number_parse(text, &n) < 0 || !span_eq(n.rest, SPAN_LIT("%")) || n.digits / 100 > n.denominator ||
	    (double)n.digits / (double)n.denominator > 100)
		return err_set(e, EINVAL, "%s", expected_percent);
	*ret_share = (double)n.digits / ((double)n.denominator * 100);
	return 0;
}

int unit_duration_print(struct buf *b, uint64_t ms)
{
	if (ms == 0)
		return buf_append(b, "0s", 2);
	for (size_t i = 0; i < ARRAY_LEN(durations) - 1; i++)
		if (ms % durations[i].factor == 0)
			return buf_printf(b, "%llu%s", (unsigned long long)(ms / durations[i].factor),
					  durations[i].name);
	if (ms < 1000)
		return buf_printf(b, "%llums", (unsigned long long)ms);
	unsigned fraction = (unsigned)(ms % 1000), digits = 3;
	for (; fraction % 10 == 0; fraction /= 10)
		digits--;
	return buf_printf(b, "%llu.%0*us", (unsigned long long)(ms / 1000), (int)digits, fraction);
}

int unit_micros_print(struct buf *b, uint64_t us)
{
	if (us % 1000 == 0)
		return unit_duration_print(b, us / 1000);
	if (us < 1000)
		return buf_printf(b, "%lluus", (unsigned long long)us);
	unsigned fraction = (unsigned)(us % 1000), digits = 3;
	for (; fraction % 10 == 0; fraction /= 10)
		digits--;
	return buf_printf(b, "%llu.%0*ums", (unsigned long long)(us / 1000), (int)digits, fraction);
}

int unit_size_print(struct buf *b, uint64_t octets)
{
	if (octets == 0)
		return buf_append(b, "0B", 2);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		if (octets % sizes[i].factor == 0)
			return buf_printf(b, "%llu%s", (unsigned long long)(octets / sizes[i].factor), sizes[i].name);
	return 0; /* not reached: 1 divides */
}

/* The shortest decimals that, a unit later, read back to the same value; never an exponent. */
static bool rate_text(char *text, size_t size, double value, const struct unit *u)
{
	for (int decimals = 0; decimals <= FRACTION_MAX; decimals++) {
		int len = snprintf(text, size, "%.*f%s", decimals, value * (double)u->factor, u->name);
		double back;
		if (len > 0 && (size_t)len < size && unit_rate_parse(span_str(text), &back, NULL) == 0 && back == value)
			return true;
	}
	return false;
}

int unit_rate_print(struct buf *b, double per_second)
{
	char text[64];
	for (size_t i = 0; i < ARRAY_LEN(rates); i++)
		if (rate_text(text, sizeof(text), per_second, &rates[i]))
			return buf_printf(b, "%s", text);
	return buf_printf(b, "%.*f/s", FRACTION_MAX, per_second);
}

int unit_percent_print(struct buf *b, double share)
{
	char text[64];
	for (int decimals = 0; decimals <= FRACTION_MAX; decimals++) {
		int len = snprintf(text, sizeof(text), "%.*f%%", decimals, share * 100);
		double back;
		if (len > 0 && unit_percent_parse(span_str(text), &back, NULL) == 0 && back == share)
			return buf_printf(b, "%s", text);
	}
	return buf_printf(b, "%.*f%%", FRACTION_MAX, share * 100);
}
