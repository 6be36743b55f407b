/* The three words for the three ways in which a connection ends. */
#include "faults/ending.h"

#include <stddef.h>

const char *const ending_choices[] = {
	[STREAM_END_FIN] = "fin",
	[STREAM_END_RST] = "rst",
	[STREAM_END_SILENCE] = "blackhole",
	NULL,
};
