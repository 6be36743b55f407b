#pragma once
/*
 * Everything that we change outside our memory is undone, even after SIGKILL. A child process holds the list of what is
 * to be undone; when its parent is gone, for whatever reason, it undoes it in reverse order and ends. The list is also
 * on disk, so that `wsquall doctor --clean` finds what a run left whose guard was killed too.
 *
 * An undo is data, not code: a kind (a row of a table given at start, the same in both processes) and words. Order of
 * use: guard_add() first, then change; undo, then guard_drop(). Two runs never touch each other: every name they make
 * begins with guard_prefix().
 *
 * The journal is FOLDER/<pid>-<start time>.undo: a first line "wsquall-undo 1", then a line an entry, "+ id kind
 * word..." and "- id", fields apart by one space, words percent-encoded. While its guard lives it is locked (flock(2));
 * nobody else reads it then. FOLDER is $WSQUALL_RUN_DIR; else /run/wsquall for root, $XDG_RUNTIME_DIR/wsquall for
 * others; else /tmp/wsquall-<uid>, the uid as it is outside of our user namespace. It is made if only its last part is
 * missing; it must be a folder of ours, no symbolic link, with nothing allowed to others (0700).
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "harness/base/buf.h"
#include "harness/base/err.h"

enum {
	GUARD_WORDS_MAX = 8,
	GUARD_ENTRIES_MAX = 4096,      /* in force at once */
	GUARD_ENTRY_MAX = 4096,        /* octets of one line of the journal */
	GUARD_JOURNAL_MAX = 32 << 20,  /* octets of a journal that is read */
	GUARD_ACK_MS = 10000,          /* how long the child may take to write one entry */
};

struct guard;

/*
 * One way of undoing. Idempotent: what is undone already, or was never done, is success. It must not trust that the
 * process or object is still ours: a pid comes with its start time (guard_pid_words), an object with a name of ours.
 * It runs in the parent, in the guard (whose working folder is "/", whose signals are ignored, whose standard output is
 * /dev/null) or in a later doctor: paths are absolute, nothing of a run's memory counts, and it never waits for long.
 */
struct guard_kind {
	const char *name;              /* letters, digits, '-', '_' */
	int words;                     /* at least so many; a line of the journal with fewer is damaged */
	/* What it undoes outlives a restart of the machine (a file); else the doctor passes over it after one. */
	bool survives_boot;
	/*
	 * So many of its first words name what is changed (a process and which of its limits): what another entry in force has
	 * hold of, of this run or of another with journals in the same folder, is refused to guard_add() with -EBUSY.
	 */
	int claims;
	/* One that failed is not tried again but by doctor: it takes long, and repeating it may do harm (a command). */
	bool once;
	/* words: NULL at the end. 0 or a negative errno. */
	int (*undo)(char *const *words);
	/* "thaws process 123": appended to b for doctor and dry runs. */
	void (*describe)(char *const *words, struct buf *b);
};

/*
 * Starts the child; call early, before threads, other children and other namespaces. kinds: NULL at the end; they
 * outlive the guard. Negative errno with a sentence. The child keeps our standard error open and nothing else: who
 * reads that to its end knows that all is undone.
 */
int guard_start(const struct guard_kind *const *kinds, struct guard **ret_guard, struct err *e);
/*
 * Undoes what is left, in this process, in reverse order; what fails is tried once more by the child, which says so on
 * standard error and keeps it in the journal; else the journal goes. Ends the child. NULL is fine. 0, or -EBUSY when
 * something is left.
 */
int guard_stop(struct guard *g);
/*
 * "wsq-<pid>-": the start of every name of ours; at most 12 octets, so that 3 are left in an interface's name. In a
 * PID namespace of its own (a container) seven letters stand for the number and the namespace: names may be seen from
 * others, where the number would be another process's or nobody's.
 */
const char *guard_prefix(const struct guard *g);
/* How that begins: an undo takes nothing away that is called otherwise. */
#define GUARD_NAMES "wsq-"
/* Our process numbers are those of the whole machine: a number that is nobody's here is nobody's anywhere. */
bool guard_pids_are_global(void);
/* The child's process id, for tests. */
pid_t guard_pid(const struct guard *g);

/*
 * Returns an id above 0 once the child has it on disk. words: NULL at the end. -ENOSPC past GUARD_ENTRIES_MAX or when
 * the disk is full, -E2BIG, -EINVAL for a kind that is not in the table, -EBUSY when another fault is at it, -EPIPE
 * when the child is gone, -ETIMEDOUT: then do not change anything.
 */
int guard_add(struct guard *g, const char *kind, const char *const *words, struct err *e);
/*
 * The words of the newest entry in force of this run that is of the kind and begins with this word; NULL: there is
 * none. Until the guard is called again.
 */
char *const *guard_words(const struct guard *g, const char *kind, const char *first);
/* It is undone: forget it. Ids that are unknown or 0 are ignored. */
void guard_drop(struct guard *g, int id);
/* Undoes one entry in this process and drops it; when that fails it is kept. What the undo gave; unknown ids: 0. */
int guard_undo(struct guard *g, int id);
/* The caller has tried to undo it by himself, which gave this negative errno: a kind that is tried once was tried. */
void guard_failed(struct guard *g, int id, int error);

/*
 * What is in force now and so long from now is undone by the child if it finds our process stopped then or later
 * (SIGSTOP, Ctrl-Z, a debugger): a process that runs keeps its own time. A later call replaces an earlier one.
 */
void guard_deadline(struct guard *g, uint64_t after_ms);

/*
 * For an undo that starts processes, in the child between fork and exec: what the guard's own process has and nobody
 * else should, its place behind all others when memory is out, is given back. Nothing elsewhere.
 */
void guard_release(void);

/* "123" and its start time (and the boot it counts from), so that a later process of the same number is left alone.
 * Each text has GUARD_PID_TEXT octets. -ESRCH. */
enum { GUARD_PID_TEXT = 48 };
int guard_pid_words(pid_t pid, char *ret_pid, char *ret_started);
/* A process of that number and start time lives (a zombie does not), in this boot. */
bool guard_pid_same(const char *pid, const char *started);

/* Something that a run which is gone has left. Texts are valid during the call. */
enum guard_left { GUARD_LEFT_FOUND, GUARD_LEFT_UNDONE, GUARD_LEFT_FAILED, GUARD_LEFT_DAMAGED };
struct guard_leftover {
	enum guard_left state;         /* FOUND: not asked to undo it. DAMAGED: a line that is no entry; told and skipped */
	const char *journal;           /* its path */
	const char *description;
	int error;                     /* FAILED: the negative errno */
};
/*
 * What runs that are gone have left, newest entry of each journal first. A journal whose guard or whose run still
 * lives is left alone. clean: undo it, too; a journal from which all is undone goes. Two may do this at once: one of
 * them gets each journal. Returns how many were told, or a negative errno when a folder is not one to trust.
 */
int guard_leftovers(const struct guard_kind *const *kinds, bool clean,
		    void (*on_found)(void *owner, const struct guard_leftover *left), void *owner, struct err *e);
