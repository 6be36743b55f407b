#pragma once
/* The result that both test programs render: golden/input.json, below the folder named by WSQ_GOLDEN. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reports/report.h"

static const char *const none[] = {NULL};
static char golden[512];

static inline void find_golden(void)
{
	const char *where = getenv("WSQ_GOLDEN");
	snprintf(golden, sizeof(golden), "%s", where ? where : "reports/golden");
}

struct fixture {
	struct arena arena;
	struct result result;
	struct buf out;
};

static inline int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err e;
	char path[600];
	arena_init(&f->arena, 64 << 20);
	buf_init(&f->out, REPORT_MAX);
	snprintf(path, sizeof(path), "%s/input.json", golden);
	if (result_load(path, &f->arena, &f->result, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		return -1;
	}
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;
	buf_fini(&f->out);
	arena_fini(&f->arena);
	free(f);
	return 0;
}

static inline void render(struct fixture *f, const char *format, const struct report_options *o)
{
	struct err e = {""};
	const struct report_format *row = report_format_find(format);
	assert_non_null(row);
	f->out.len = 0;
	if (row->write(&f->result, o, &f->out, &e) < 0)
		fail_msg("%s: %s", format, e.text);
}
