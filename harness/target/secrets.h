#pragma once
/*
 * What of a target file must not be shown: the values of `headers`, `variables` and `credentials`. Where octets that
 * went over a connection are put on record, these are made asterisks there, one for each octet.
 */
#include "harness/base/arena.h"
#include "harness/target/target.h"

enum {
	SECRET_LONG = 8,           /* octets from which a value is hidden wherever it stands; a shorter one only in its own field */
	SECRET_PART = 4,           /* octets of a beginning that are hidden, too, where a record is cut */
};

struct secret {
	struct span text;          /* to be found */
	size_t from, len;          /* of it, to be hidden */
};

struct secrets {
	struct secret *list;
	size_t n;
};

/* In the arena; empty values are none. -ENOMEM. */
int secrets_of(const struct target *t, struct arena *a, struct secrets *ret);
/* s NULL: nothing is hidden. cut: more followed that is not on record. */
void secrets_hide(const struct secrets *s, uint8_t *p, size_t len, bool cut);
