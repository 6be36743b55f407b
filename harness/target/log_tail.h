#pragma once
/*
 * Files that grow, read line by line on the loop: from their ends when it starts, from their beginnings when they appear
 * later. Woken by inotify on their folders; what that cannot see (a network file system, a link, a folder that is not
 * there yet) is found by looking every LOG_TAIL_POLL_MS.
 *
 * Rotation: a file that is renamed, or removed, and made anew is read to its end, and then the new one from its
 * beginning; the old one is looked at for LOG_TAIL_LINGER_MS more, for a writer that opens the new one late. A file
 * that becomes shorter than what was read is read from its beginning; one that was cut off and has grown beyond that
 * between two looks cannot be told from one that only grew.
 */
#include "harness/base/span.h"
#include "harness/net/loop.h"

enum {
	LOG_TAIL_FILES_MAX = 256,
	LOG_TAIL_LINE_MAX = 64 << 10,  /* octets of a line that are kept */
	LOG_TAIL_CHUNK = 32 << 10,     /* read at once */
	LOG_TAIL_TURN = 128 << 10,     /* octets read in one turn of the loop, so that it stays swift */
	LOG_TAIL_POLL_MS = 200,
	LOG_TAIL_LINGER_MS = 10000,
};

struct log_tail;

/*
 * One line, without its LF or CRLF; any octets. cut: it is not whole (longer than LOG_TAIL_LINE_MAX, or without an end when
 * the file was over). file: the index of its path. May not free the tail.
 */
struct log_tail_events {
	void (*on_line)(void *owner, size_t file, struct span line, bool cut);
};

/*
 * Paths are copied. A file that is not there is waited for. -EINVAL for something else than a file (a folder, a pipe),
 * -EACCES for one that may not be read, -E2BIG, -ENOMEM, with a sentence.
 */
int log_tail_new(struct loop *l, const char *const *paths, size_t n, const struct log_tail_events *events, void *owner,
		 struct log_tail **ret_tail, struct err *e);
/* NULL is fine. */
void log_tail_free(struct log_tail *t);
/* Reads what is in the files at this moment, and tells it before it returns. */
void log_tail_catch_up(struct log_tail *t);
/* The same, and tells lines that have no end yet, too, as cut. For the end of a run. */
void log_tail_finish(struct log_tail *t);

struct log_tail_state {
	uint64_t lines, octets, cut, rotations;
	bool there;                    /* the file is open */
	int error;                     /* negative errno of the last read or open that failed; 0: none */
};
void log_tail_state(const struct log_tail *t, size_t file, struct log_tail_state *ret);
