/*
 * Our files are also read by editors and by other YAML libraries; a plain word must mean the same to them as to us.
 * YAML 1.2.2, 10.3.2.
 */
#include <string.h>

#include "harness/base/conf_tree.h"

static bool is_one_of(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(text, *words) == 0)
			return true;
	return false;
}

static const char *digits(const char *p, const char *set)
{
	return p + strspn(p, set);
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? ; whole numbers are among these */
static bool is_decimal(const char *p)
{
	static const char ten[] = "0123456789";
	if (*p == '-' || *p == '+')
		p++;
	const char *whole = p;
	p = digits(p, ten);
	bool any = p > whole;
	if (*p == '.') {
		const char *fraction = ++p;
		p = digits(p, ten);
		any = any || p > fraction;
	}
	if (any && (*p == 'e' || *p == 'E')) {
		p++;
		if (*p == '-' || *p == '+')
			p++;
		const char *exponent = p;
		p = digits(p, ten);
		any = p > exponent;
	}
	return any && *p == 0;
}

static bool is_based(const char *p)
{
	if (p[0] != '0' || (p[1] != 'o' && p[1] != 'x') || !p[2])
		return false;
	return *digits(p + 2, p[1] == 'o' ? "01234567" : "0123456789abcdefABCDEF") == 0;
}

const char *conf_plain_type(const char *text)
{
	static const char *const nothing[] = {"", "~", "null", "Null", "NULL", NULL};
	static const char *const truth[] = {"true", "True", "TRUE", "false", "False", "FALSE", NULL};
	static const char *const special[] = {".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN", NULL};
	if (is_one_of(text, nothing))
		return "nothing";
	if (is_one_of(text, truth))
		return "a truth value";
	bool sign = *text == '-' || *text == '+';
	bool infinite = sign && (text[1] == '.') && is_one_of(text + 1, special) && (text[2] | 32) == 'i';
	if (infinite || is_one_of(text, special) || is_decimal(text) || is_based(text))
		return "a number";
	return NULL;
}
