/* The tables: every check there is, and every checker. */
#include <string.h>

#include "harness/check/check.h"

const struct check_row check_rows[] = {
#define CHECK(check_id, check_severity, check_level, check_title, check_required, check_source, check_why, check_fix) \
	{.id = (check_id), .severity = SEVERITY_##check_severity, .level = (check_level), .title = (check_title), \
	 .required = (check_required), .source = (check_source), .why = (check_why), .fix = (check_fix)},
#include "harness/check/checks.def"
#undef CHECK
};
const size_t check_rows_len = ARRAY_LEN(check_rows);

const struct check_row *check_row_find(const char *id)
{
	for (size_t i = 0; i < check_rows_len; i++)
		if (strcmp(check_rows[i].id, id) == 0)
			return &check_rows[i];
	return NULL;
}

#define CHECKER(name) extern const struct checker checker_##name;
#include "harness/check/checkers.def"
#undef CHECKER

const struct checker *const checkers[] = {
#define CHECKER(name) &checker_##name,
#include "harness/check/checkers.def"
#undef CHECKER
};
const size_t checkers_len = ARRAY_LEN(checkers);

bool checker_decides(const struct checker *c, const char *id)
{
	for (size_t k = 0; c->checks[k]; k++)
		if (strcmp(c->checks[k], id) == 0)
			return true;
	return false;
}

const struct checker *checker_find(const char *name)
{
	for (size_t i = 0; i < checkers_len; i++)
		if (strcmp(checkers[i]->name, name) == 0)
			return checkers[i];
	return NULL;
}
