#pragma once
/*
 * What the guard can undo: the kinds of undo.def, for guard_start() and guard_leftovers(). To add one, write
 *
 *	const struct guard_kind undo_thaw = {.name = "thaw", .words = 2, .undo = undo_thaw_run, .describe = ...};
 *
 * beside the code that makes what is undone, and a row in undo.def.
 */
#include "harness/base/guard.h"

extern const struct guard_kind *const undo_kinds[];
