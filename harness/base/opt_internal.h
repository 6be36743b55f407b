#pragma once
/* What the files of opt.h share among themselves; nobody else includes this. */
#include "harness/base/opt.h"

/* "1 to 1024", "at least 1s", "1"; nothing without bounds. */
int opt_bounds(const struct opt *o, struct buf *b);
/* The choices of an OPT_ENUM with a text between two. */
int opt_words(const struct opt *o, struct buf *b, const char *between);
/* opt_set for a text from the command line or a `def`: with OPT_COMMAS it is split. */
int opt_set_commas(const struct opt *o, void *to, const char *text, struct arena *a, struct err *e);
/* The row can be used in this place. */
bool opt_is_in(const struct opt *o, enum opt_place place);
/* The name as this place writes it. */
int opt_print_name(struct buf *b, const char *name, enum opt_place place);
/* A new zeroed last item of a list whose items have this size, or NULL. */
void *opt_grow(void **items, size_t *len, size_t *cap, size_t item_size, struct arena *a);
/* Its values carry a unit. */
bool opt_has_unit(const struct opt *o);
