#pragma once
/* A dialect of a test's own, in a file as users write one: loaded, and the file is gone again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "harness/target/dialect.h"

/* What dialect_load() returns for a file named d.yaml that holds `text`. */
static inline int test_dialect_load(const char *text, struct arena *a, const struct dialect **ret, struct err *e)
{
	char folder[] = "/tmp/wsquall-dialect-XXXXXX", path[64];
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/d.yaml", folder);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	int r = dialect_load("d.yaml", folder, a, ret, e);
	unlink(path);
	rmdir(folder);
	return r;
}
