#pragma once
/* Between log_rules.c and log_line.c only: the rules made ready for many lines. */
#include <regex.h>

#include "harness/target/log_line.h"

/* Where a value is. A JSON pointer is cut into its steps, unescaped; a key of logfmt is one step; a group a number. */
struct log_place {
	const char *steps[LOG_POINTER_STEPS_MAX];
	size_t n;                  /* 0: nowhere */
	bool told;
	size_t group;
};

enum {
	LOG_AT_EVENT, LOG_AT_CONNECTION, LOG_AT_CODE, LOG_AT_REASON, LOG_AT_LEVEL, LOG_AT_TIME, LOG_AT_NODE, LOG_AT_ADDRESS,
	LOG_AT_INITIATOR,
	LOG_PLACES
};

struct log_rules {
	enum log_format format;
	struct log_place places[LOG_PLACES];
	struct opt_strings words[LOG_WORDS];
	regex_t regex;
	bool regex_made;
	struct arena arena;
};

/*
 * Makes a POSIX extended expression of one with named groups: (?<name>...) becomes (...). names[i] is the name of group
 * i or NULL; ret_groups counts groups. -EINVAL with a sentence for what POSIX has not: (?:, back references.
 */
int log_pattern_plain(const char *pattern, struct arena *a, const char **ret_plain, const char *names[LOG_GROUPS_MAX],
		      size_t *ret_groups, struct err *e);

/*
 * Reads a line of JSON that is a flat object of plain values; the spans point into it. False: it is something else, or
 * no JSON; values may have been written.
 */
bool log_flat_read(const struct log_rules *r, struct span line, struct span values[LOG_PLACES]);
