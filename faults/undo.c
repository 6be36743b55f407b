/* The list of what can be undone; each kind lies beside the code that makes what it undoes. */
#include "faults/undo.h"

#include <stddef.h>

#define UNDO(symbol) extern const struct guard_kind undo_##symbol;
#include "faults/undo.def"
#undef UNDO

const struct guard_kind *const undo_kinds[] = {
#define UNDO(symbol) &undo_##symbol,
#include "faults/undo.def"
#undef UNDO
	NULL,
};
