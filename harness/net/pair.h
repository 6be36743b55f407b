#pragma once
/* Two streams joined in memory, for tests: what is written to one arrives at the other on the loop's next turn. */
#include "harness/net/loop.h"
#include "harness/net/stream.h"

/* -ENOMEM. FIN arrives as on_eof, reset as on_error(-ECONNRESET). Set events and owner of each before the loop runs.
 * Open from the start: writing is possible before on_open, which comes on the first turn. Each write arrives as one
 * on_data (a write past STREAM_READ_CHUNK as several). A reset drops what the other end has not been given yet. After
 * one end is freed the other gets on_eof, and on_error(-ECONNRESET) once it writes. */
int stream_pair(struct loop *l, struct stream *ret_ends[2]);
