#ifndef SERVER_DEFECTS_H
#define SERVER_DEFECTS_H

#include <stdbool.h>

#include "server-under-test/err.h"

/*
 * A row of defects.def. `catches` are globs of conformance case ids, separated by blanks, that must fail while the
 * bug is on.
 */
enum defect_id {
#define DEFECT(name, about, catches) DEFECT_##name,
#include "server-under-test/defects.def"
#undef DEFECT
	DEFECT_COUNT,
};

extern bool defects_on[DEFECT_COUNT];

/* `if (defect(pong_answered))`: one load of a global, nothing else. */
#define defect(name) __builtin_expect(defects_on[DEFECT_##name], 0)

/* 0, or -EINVAL with the sentence in err when there is no such row. */
int defects_enable(const char *name, struct err *err);

/* The rows as a JSON array of {"name","about","catches"} on standard output. 0 or negative errno. */
int defects_print(void);

#endif
