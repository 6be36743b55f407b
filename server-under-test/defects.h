#ifndef SERVER_DEFECTS_H
#define SERVER_DEFECTS_H

#include <stdbool.h>

#include "server-under-test/base/err.h"

/* A row of defects.def. */
enum defect_id {
#define DEFECT(name, about, catches) DEFECT_##name,
#include "server-under-test/defects.def"
#undef DEFECT
	DEFECT_COUNT,
};

enum defect_kind {
	DEFECT_KIND_WIRE, /* in the naive engine; `catches` are globs of conformance case ids */
	DEFECT_KIND_SERVICE, /* behind the libwebsockets engine; `catches` are ids of readiness and chaos checks */
	DEFECT_KIND_NODES, /* the same, seen only where there are nodes and a broker */
};

extern bool defects_on[DEFECT_COUNT];

/* `if (defect(pong_answered))`: one load of a global, nothing else. */
#define defect(name) __builtin_expect(defects_on[DEFECT_##name], 0)

/* 0, or -EINVAL with the sentence in err when there is no such row. */
int defects_enable(const char *name, struct err *err);

const char *defects_name(unsigned index); /* below DEFECT_COUNT */
int defects_kind(const char *name, enum defect_kind *ret); /* 0, or -ENOENT when there is no such row */

/* The rows as a JSON array of {"name","kind","about","catches"} on standard output. 0 or negative errno. */
int defects_print(void);

#endif
