#pragma once
/* Long polling as a target file tells it (struct target_poll). Pure. */
#include <jansson.h>

#include "harness/base/arena.h"

/* What a JSON pointer (RFC 6901) leads to; NULL: nothing. "" is the value itself. Borrowed from v, which may be NULL.
 */
const json_t *poll_at(const json_t *v, const char *pointer);
/* "{/epoch}:{/seq}" with the texts and whole numbers that the answer holds there. In the arena; NULL without memory. */
const char *poll_position(const char *since, const json_t *answer, struct arena *a);
/* A path with {channel} and {since} put in; since may be NULL where it holds none. In the arena; NULL without memory.
 */
const char *poll_path(const char *path, const char *channel, const char *since, struct arena *a);
