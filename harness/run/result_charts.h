#pragma once
/* The charts of an item, to and from its member `charts` in result.json. */
#include "harness/run/result.h"

/* A new reference; NULL without memory. */
json_t *result_charts_to_json(const struct result_item *item);
/*
 * Fills charts and n_charts, in the arena. No array: none. -ENOMEM; -EINVAL with the member that is wrong, and a clause
 * such as "is not a list".
 */
int result_charts_load(const json_t *array, struct arena *a, struct result_item *item, const char **ret_key,
		       const char **ret_what);
