/*
 * The registry. The case files are included here and not compiled one by one: so the length of a table is a
 * constant, and a table that tables.def forgets is an unused variable, which both compilers refuse. A case file
 * defines static arrays of rows and nothing else; macros for families of rows have names that no other file uses.
 */
#include <string.h>

#include "suites/suites.h"

#include "harness/run/case_rows.h"

/* RFC 6455, in the order of its chapters */
#include "suites/rfc6455_4_request.c"
#include "suites/rfc6455_4_upgrade.c"
#include "suites/rfc6455_4_key.c"
#include "suites/rfc6455_4_version.c"
#include "suites/rfc6455_4_subprotocol.c"
#include "suites/rfc6455_4_header.c"
#include "suites/rfc6455_4_path.c"
#include "suites/rfc6455_5_mask.c"
#include "suites/rfc6455_5_frame.c"
#include "suites/rfc6455_5_rsv.c"
#include "suites/rfc6455_5_opcode.c"
#include "suites/rfc6455_5_control.c"
#include "suites/rfc6455_5_fragment.c"
#include "suites/rfc6455_6_data.c"
#include "suites/rfc6455_7_close.c"
#include "suites/rfc6455_7_code.c"
#include "suites/rfc6455_7_violation.c"
#include "suites/rfc6455_8_utf8.c"
#include "suites/rfc6455_9_extension.c"
#include "suites/rfc6455_10_origin.c"
#include "suites/rfc6455_10_limit.c"
#include "suites/rfc6455_10_tls.c"
#include "suites/watch.c"

const struct case_table case_tables[] = {
#define CASE_TABLE(suite_name, group_name, symbol, sentence) \
	{.suite = suite_name, .group = group_name, .about = sentence, \
	 .cases = symbol, .n = sizeof(symbol) / sizeof(symbol[0])},
#include "suites/tables.def"
#undef CASE_TABLE
};
const size_t case_tables_len = sizeof(case_tables) / sizeof(case_tables[0]);

const struct requirement requirements[] = {
#define REQUIREMENT(ID, SECTION, LEVEL, ROLE, OBSERVABLE, TEXT, HOLE) \
	{.id = ID, .rfc = "6455", .section = SECTION, .level = LEVEL, .role = ROLE, .observable = OBSERVABLE, \
	 .text = TEXT, .hole = HOLE},
#include "suites/requirements.def"
#undef REQUIREMENT
};
const size_t requirements_len = sizeof(requirements) / sizeof(requirements[0]);

const struct autobahn_case autobahn_cases[] = {
#define AUTOBAHN(ID, GROUP, WHAT, NOTE) {.id = ID, .group = GROUP, .what = WHAT, .note = NOTE},
#include "suites/autobahn.def"
#undef AUTOBAHN
};
const size_t autobahn_cases_len = sizeof(autobahn_cases) / sizeof(autobahn_cases[0]);

const struct test_case *suite_find_case(const char *id)
{
	for (size_t t = 0; t < case_tables_len; t++)
		for (size_t i = 0; i < case_tables[t].n; i++)
			if (!strcmp(case_tables[t].cases[i].id, id))
				return &case_tables[t].cases[i];
	return NULL;
}

const struct requirement *suite_find_requirement(const char *id)
{
	for (size_t i = 0; i < requirements_len; i++)
		if (!strcmp(requirements[i].id, id))
			return &requirements[i];
	return NULL;
}

size_t suite_next_id(const char **list, const char **ret_word)
{
	if (!*list)
		return 0;
	const char *word = *list + strspn(*list, " ");
	size_t len = strcspn(word, " ");
	*list = word + len;
	if (len)
		*ret_word = word;
	return len;
}
