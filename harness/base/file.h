#pragma once
/* Whole files: read with a limit, written so that nobody ever sees half of one. */
#include "harness/base/buf.h"
#include "harness/base/err.h"

/*
 * Replaces the file's content: written to ".NAME.tmp-PID-N" in the same folder, fsynced, renamed over path, the folder
 * fsynced. Until the rename the old content stays; after a failure too, and nothing is left behind (a process killed in
 * between can leave the temporary file). Mode 0666 without the umask. A symbolic link is replaced, not followed. An
 * existing path that is not a regular file is refused with -EINVAL: a rename would replace a device. 0, or a negative
 * errno with a sentence that names the path.
 */
int file_write_atomic(const char *path, struct span content, struct err *e);

/*
 * Makes *ret (buf_init with max; the caller does buf_fini, on failure there is nothing to free) hold the file's
 * content. 0, or a negative errno with a sentence that names the path: -EFBIG for more than `max` octets, -EISDIR for a
 * folder. Never waits for a FIFO's writer.
 */
int file_read(const char *path, size_t max, struct buf *ret, struct err *e);
