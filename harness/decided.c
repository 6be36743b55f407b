/* A check is decided by the chaos suite through its checker, and by the readiness suite through its dialogue. */
#include "harness/decided.h"

#include "harness/readiness/dialogue.h"

static bool has_checker(const struct check_row *row)
{
	for (size_t i = 0; i < checkers_len; i++)
		if (checker_decides(checkers[i], row->id))
			return true;
	return false;
}

const char *check_decided_by(const struct check_row *row)
{
	bool chaos = has_checker(row), readiness = dialogue_row_find(row->id) != NULL;
	if (chaos && readiness)
		return "both";
	return chaos ? "chaos" : readiness ? "readiness" : "nothing yet";
}

size_t check_rows_decided(void)
{
	size_t n = 0;
	for (size_t i = 0; i < check_rows_len; i++)
		n += has_checker(&check_rows[i]) || dialogue_row_find(check_rows[i].id);
	return n;
}
