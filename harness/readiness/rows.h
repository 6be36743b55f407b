#pragma once
/* For the files of the rows, and for rows.c. */
#include "harness/readiness/dialogue.h"

#define ROW(name) extern const struct dialogue_row dialogue_##name;
#include "harness/readiness/rows.def"
#undef ROW
