#pragma once
/*
 * What the target's log said since the dialogues began, line by line, for who asks later. A pure list but for the files
 * it is read from.
 */
#include "harness/net/loop.h"
#include "harness/target/log_line.h"
#include "harness/target/target.h"

enum { JOURNAL_ENTRIES_MAX = 50000, JOURNAL_TEXT_MAX = 128 };

struct journal_entry {
	enum log_word word;
	int code;
	char connection[JOURNAL_TEXT_MAX], reason[JOURNAL_TEXT_MAX];
	char address[64], initiator[16];
};

struct journal;

/* Begins at the files' present ends; on_line: after each line, may be NULL. As log_tail_new. */
int journal_new(struct loop *l, const struct target *t, void (*on_line)(void *owner), void *owner,
		struct journal **ret_journal, struct err *e);
/* NULL is fine. */
void journal_free(struct journal *j);
/* Reads what is there at this moment. */
void journal_catch_up(struct journal *j);
/* The first line of this meaning about a connection, or NULL. LOG_WORD_OTHER: of any meaning. */
const struct journal_entry *journal_find(const struct journal *j, const char *connection, enum log_word word);
/* Lines that are not of the format, and the first of them, made safe, or "". */
uint64_t journal_bad(const struct journal *j, const char **ret_first);
/* Lines that hold one of the target's credentials. */
uint64_t journal_secrets(const struct journal *j);
/* It held more than JOURNAL_ENTRIES_MAX lines about connections: what is not found may have been there. */
bool journal_full(const struct journal *j);
