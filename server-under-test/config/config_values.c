/* Values as people write them (64KiB, 500ms, a,b) to what the fields hold, and back. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "server-under-test/config/config_options.h"

#define DIGITS_MAX 15 /* of a number, its point included: a double holds them exactly enough */

/* Units from the smallest to the largest; the first is what a bare number has. */
struct unit {
	const char *name;
	double factor;
};

static const struct unit no_units[] = { { "", 1 }, { NULL, 0 } };
static const struct unit sizes[] = {
	{ "", 1 }, { "B", 1 }, { "KiB", 1024 }, { "MiB", 1024.0 * 1024 }, { "GiB", 1024.0 * 1024 * 1024 }, { NULL, 0 },
};
static const struct unit times[] = {
	{ "", 1 }, { "ms", 0.001 }, { "s", 1 }, { "m", 60 }, { "h", 3600 }, { "d", 86400 }, { NULL, 0 },
};

/* What is said of each kind; NULL units: it is no number. */
static const struct {
	const char *words;
	const struct unit *units;
	unsigned shown; /* index of the smallest unit option_show uses */
} kinds[OPTION_KIND_COUNT] = {
	[OPTION_TEXT] = { "a text", NULL, 0 },
	[OPTION_CHOICE] = { "one of", NULL, 0 },
	[OPTION_COUNT] = { "a whole number", no_units, 0 },
	[OPTION_SIZE] = { "a size (such as 512, 64KiB, 1MiB)", sizes, 0 },
	[OPTION_SECONDS] = { "a time (such as 500ms, 10s, 5m)", times, 1 },
	[OPTION_LIST] = { "a list", NULL, 0 },
};

static int parse_number(const char *value, const struct unit *units, double *ret)
{
	size_t whole = strspn(value, "0123456789");
	size_t digits = whole;
	double number;

	if (value[whole] == '.')
		digits += 1 + strspn(value + whole + 1, "0123456789");
	if (whole == 0 || digits > DIGITS_MAX || value[digits - 1] == '.')
		return -EINVAL;
	number = strtod(value, NULL);
	for (const struct unit *unit = units; unit->name; unit++) {
		if (strcmp(value + digits, unit->name) == 0) {
			*ret = number * unit->factor;
			return 0;
		}
	}
	return -EINVAL;
}

static int set_number(const struct option *option, void *field, const char *value)
{
	double number;

	if (parse_number(value, kinds[option->kind].units, &number) < 0 || number < option->min || number > option->max)
		return -EINVAL;
	if (option->kind == OPTION_SECONDS) {
		*(double *)field = number;
		return 0;
	}
	if (number != (double)(size_t)number)
		return -EINVAL;
	*(size_t *)field = (size_t)number;
	return 0;
}

static bool choice_has(const char *choices, const char *value)
{
	size_t len = strlen(value);

	for (const char *c = choices; c; c = strchr(c, '|') ? strchr(c, '|') + 1 : NULL)
		if (len > 0 && strncmp(c, value, len) == 0 && (c[len] == '|' || c[len] == '\0'))
			return true;
	return false;
}

int option_list_add(struct config_list *list, const char *item, size_t len)
{
	if (len == 0 || list->count == CONFIG_LIST_MAX)
		return -EINVAL;
	list->items[list->count] = strndup(item, len);
	if (!list->items[list->count])
		abort();
	list->count++;
	return 0;
}

static int set_list(struct config_list *list, const char *value)
{
	while (*value) {
		size_t len = strcspn(value, ",");

		if (option_list_add(list, value, len) < 0)
			return -EINVAL;
		value += len;
		value += *value == ',';
	}
	return 0;
}

void option_list_clear(struct config_list *list)
{
	for (unsigned i = 0; i < list->count; i++)
		free(list->items[i]);
	list->count = 0;
}

int option_set(const struct option *option, struct config *config, const char *value)
{
	void *field = option_field(option, config);

	switch (option->kind) {
	case OPTION_CHOICE:
		if (!choice_has(option->value, value))
			return -EINVAL;
		*(const char **)field = value;
		return 0;
	case OPTION_TEXT:
		if (*value == '\0')
			return -EINVAL;
		*(const char **)field = value;
		return 0;
	case OPTION_LIST:
		return set_list(field, value);
	default:
		return set_number(option, field, value);
	}
}

/* With the largest unit that leaves a whole number. */
static void show_number(const struct option *option, double number, char *buffer, size_t size)
{
	const struct unit *units = kinds[option->kind].units;
	const struct unit *best = &units[kinds[option->kind].shown];

	for (const struct unit *unit = best; number > 0 && unit->name; unit++) {
		double count = number / unit->factor;

		if (count >= 1 && count == (double)(unsigned long long)count)
			best = unit;
	}
	if (number == 0)
		best = units;
	snprintf(buffer, size, "%.15g%s", number / best->factor, best->name);
}

void option_show(const struct option *option, const struct config *config, char *buffer, size_t size)
{
	const void *field = (const char *)config + option->offset;

	if (kinds[option->kind].units)
		show_number(option, option->kind == OPTION_SECONDS ? *(const double *)field : (double)*(const size_t *)field,
			    buffer, size);
	else
		snprintf(buffer, size, "%s", *(const char *const *)field);
}

void option_expectation(const struct option *option, char *buffer, size_t size)
{
	char from[OPTION_NAME_MAX], to[OPTION_NAME_MAX];
	const char *words = kinds[option->kind].words;

	if (option->kind == OPTION_CHOICE)
		snprintf(buffer, size, "%s %s", words, option->value);
	else if (option->kind == OPTION_LIST)
		snprintf(buffer, size, "%s of at most %d texts", words, CONFIG_LIST_MAX);
	else if (!kinds[option->kind].units)
		snprintf(buffer, size, "%s (%s)", words, option->value);
	else {
		show_number(option, option->min, from, sizeof(from));
		show_number(option, option->max, to, sizeof(to));
		snprintf(buffer, size, "%s from %s to %s", words, from, to);
	}
}
