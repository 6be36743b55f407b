#pragma once
/*
 * Option structs and JSON objects, both ways, by the option table (opt.h): the attributes of toxics in the API.
 *
 * Read: a number without a unit is row.bare of the stored unit (Toxiproxy's latency 100 is 100 ms); rows without bare
 * want text with a unit ("100ms", "64KiB", "1%"), which rows with bare take too. Counts are numbers, truth is true or
 * false (or those words: Toxiproxy's command line knows numbers and words alone), choices and texts are text, lists are
 * arrays, maps are objects. null is what is not there. An unknown key is refused with the nearest known one.
 *
 * Written: rows with bare as bare numbers, counts as numbers, shares as numbers from 0 to 1, all else in user's words;
 * so is what no number of JSON can be, for there are none beyond INT64_MAX.
 */
#include "harness/base/opt.h"

enum options_shown {
	OPTIONS_ALL,               /* what options_from_json reads back to the same struct */
	OPTIONS_TOLD,              /* leaves out texts and truths that have their default: Toxiproxy's command line expects
				      numbers alone where only Toxiproxy's own attributes are used */
};

/*
 * Changes what the object mentions; `to` has been filled by opt_defaults. object may be NULL or null. -EINVAL with a
 * sentence that begins with the key, -ENOMEM; then `to` may be partly written.
 */
int options_from_json(const struct opt *table, const json_t *object, void *to, struct arena *a, struct err *e);
/* size: of the options struct. A new reference, NULL without memory. */
json_t *options_to_json(const struct opt *table, size_t size, const void *from, enum options_shown shown);
/* A number as JSON writes it shortest: a whole one without a point. A new reference. */
json_t *options_number(double value);
/* Appends the value in one line, fractions with at most 15 digits, so that 0.1 is 0.1. 0, -ENOBUFS, -ENOMEM. */
int options_json_print(struct buf *b, const json_t *value);
