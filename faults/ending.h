#pragma once
/* How a fault ends a connection, as an option: fin, rst, blackhole. */
#include "faults/filter.h"

/* In the order of enum stream_end; NULL at the end. */
extern const char *const ending_choices[];
