/* Close codes: the rows of close_codes.def, and the ranges between them that RFC 6455 7.4.2 hands to others. */
#include "harness/ws/close_code.h"

#include <stddef.h>

struct row {
	uint16_t code;
	const char *name;
	bool sendable;
};

static const struct row rows[] = {
#define CLOSE_CODE(value, name, sendable, about) {value, name, sendable},
#include "harness/ws/close_codes.def"
#undef CLOSE_CODE
};

static const struct row *row_find(uint16_t code)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].code == code)
			return &rows[i];
	return NULL;
}

bool close_code_sendable(uint16_t code)
{
	const struct row *row = row_find(code);
	if (row)
		return row->sendable;
	return code >= 1000 && code <= 4999;
}

bool close_code_known(uint16_t code)
{
	return row_find(code) || (code >= 3000 && code <= 4999);
}

const char *close_code_name(uint16_t code)
{
	const struct row *row = row_find(code);
	if (row)
		return row->name;
	if (code < 1000 || code > 4999)
		return "outside the registry";
	if (code < 3000)
		return "unassigned";
	return code < 4000 ? "library or application" : "private";
}
