#pragma once
/*
 * history.jsonl: the log of a run as it goes, one JSON object a line, each written at once with a single write(2), so that a killed harness loses
 * nothing that was decided. What the lines hold says result.h.
 */
#include <jansson.h>

#include "harness/base/err.h"

struct history {
	int fd; /* -1: none */
};

/* Creates or empties the file. Negative errno with a sentence. */
int history_open(struct history *h, const char *path, struct err *e);
/* Takes the reference; NULL (no memory) is ignored. 0 or a negative errno: the caller says it once and goes on. */
int history_append(struct history *h, json_t *event);
void history_close(struct history *h);
