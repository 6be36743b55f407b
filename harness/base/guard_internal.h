#pragma once
/* Between guard.c (the parent), guard_child.c, guard_leftovers.c (a later doctor) and what they share. */
#include "harness/base/guard.h"
#include "harness/base/span.h"

/* Entries (guard_list.c) ------------------------------------------------------------------------------------------- */

struct guard_entry {
	int id;
	int failed;                    /* of a kind that is tried once: the negative errno that this gave */
	const struct guard_kind *kind; /* NULL: not known to this version */
	char *words[GUARD_WORDS_MAX + 1];
	char *kind_name;
	char *text;                    /* owns what the others point into */
};

struct guard_list {
	struct guard_entry *items;     /* oldest first */
	size_t len, cap;
};

enum { GUARD_TRIES = 5, GUARD_TRY_PAUSE_MS = 20 };

/* Appends "+ id kind word...\n". -E2BIG, -ENOMEM. */
int guard_line_add(int id, const char *kind, const char *const *words, struct buf *b);
/*
 * Reads a line without its newline. 1: an entry, in *ret; 0: "- id", ret->id; -EBADMSG: damaged; -ENOMEM. A kind that
 * is not in the table is no damage.
 */
int guard_line_read(const struct guard_kind *const *kinds, struct span line, struct guard_entry *ret);
/* The next whole line, without its newline; false when there is none. */
bool guard_line_next(struct span *rest, struct span *ret_line);
void guard_entry_fini(struct guard_entry *entry);
/* What undoing it does, in words. */
void guard_entry_describe(const struct guard_entry *entry, struct buf *b);
/* 0 or a negative errno; -ENOTSUP for a kind that is not known. What is tried once
 * and has failed gives that again. */
int guard_entry_undo(struct guard_entry *entry);

/* Takes the entry, also when it fails with -ENOMEM. */
int guard_list_push(struct guard_list *l, struct guard_entry *entry);
struct guard_entry *guard_list_find(const struct guard_list *l, int id);
void guard_list_remove(struct guard_list *l, struct guard_entry *entry);
/*
 * Undoes from the newest to the oldest; what fails is tried again after the others, `tries` times in all. Told once an
 * entry, with the last result. Those that are undone leave the list. Returns how many stay.
 */
size_t guard_list_undo(struct guard_list *l, int tries,
		       void (*on_result)(void *owner, const struct guard_entry *entry, int r), void *owner);
void guard_list_fini(struct guard_list *l);

/* The journal (guard_journal.c) ------------------------------------------------------------------------------------ */

enum {
	GUARD_PATH_MAX = 512,
	GUARD_NAME_MAX = 256,
	GUARD_COMPACT_AT = 1 << 20,    /* octets of a journal that is written anew with what is in force alone */
};

struct guard_journal {
	int folder, fd;                /* -1: none */
	char path[GUARD_PATH_MAX + GUARD_NAME_MAX];
	const char *name;              /* the last part of path */
	size_t size, compact_at;
};

#define GUARD_SUFFIX ".undo"
#define GUARD_SUFFIX_NEW ".undo.new"

/* The i-th place where journals may lie, best first; false past the last. */
bool guard_folder_path(size_t i, char path[GUARD_PATH_MAX]);
/* A descriptor of it when it is ours alone, or a negative errno with a sentence. */
int guard_folder_open(const char *path, bool make, struct err *e);
/* In the first place that lets us. Locked. */
int guard_journal_create(struct guard_journal *j, struct err *e);
/* One that is there, if it is a regular file of ours and nobody holds it: -EBUSY. Locked. `folder` is copied. */
int guard_journal_take(struct guard_journal *j, int folder, const char *folder_path, const char *name);
/* A whole line or nothing. */
int guard_journal_append(struct guard_journal *j, struct span line);
/* "- id" */
int guard_journal_forget(struct guard_journal *j, int id);
/* Replaces it with what is in force, when it has grown. Failing to is no harm. */
void guard_journal_compact(struct guard_journal *j, const struct guard_list *l);
void guard_journal_remove(struct guard_journal *j);
/* Closes; the file stays. */
void guard_journal_fini(struct guard_journal *j);

/* What another fault has hold of (guard_claims.c) ----------------------------------------------------------------- */

enum { GUARD_PLACE_MAX = GUARD_PATH_MAX + 2 * GUARD_NAME_MAX };

/*
 * -EBUSY with a sentence when another entry in force, of this list or of another journal in the folder of ours, is of
 * the same kind and has the same words where the kind says so.
 */
int guard_claim(const struct guard_kind *const *kinds, const struct guard_list *l, const struct guard_journal *own,
		const struct guard_entry *wanted, struct err *e);

/* The child (guard_child.c) ---------------------------------------------------------------------------------------- */

struct guard_ack {
	int32_t id, result;
};

/* The first octets of the boot's name, which is a part of every start time. */
enum { GUARD_BOOT_LEN = 13 };

/* In the child, after fork. Takes both descriptors and the journal. */
_Noreturn void guard_child(const struct guard_kind *const *kinds, int socket, pid_t parent, struct guard_journal *j);
/* Says on standard error what could not be undone. Never blocks. */
void guard_complain(const struct guard_entry *entry, int r);
