/* Lines of the log that are about connections, kept in the order they came. */
#include "harness/readiness/journal.h"

#include <stdio.h>
#include <stdlib.h>

#include "harness/base/escape.h"
#include "harness/target/log_tail.h"

enum { SECRET_MIN = 8, SECRETS_MAX = 8, BAD_SHOWN = 160 };

struct journal {
	struct log_tail *tail;
	struct log_rules *rules;
	struct journal_entry *entries;
	size_t n, cap;
	uint64_t bad, secret_lines;
	char first_bad[4 * BAD_SHOWN + 64];
	struct span secrets[SECRETS_MAX];
	size_t n_secrets;
	void (*on_line)(void *owner);
	void *owner;
};

/* A credential as it is in a line: without the scheme before it. */
static void add_secret(struct journal *j, const char *value)
{
	const char *blank = value ? strchr(value, ' ') : NULL;
	struct span text = span_str(blank ? blank + 1 : value);
	if (text.len >= SECRET_MIN && j->n_secrets < SECRETS_MAX)
		j->secrets[j->n_secrets++] = text;
}

static bool holds_secret(const struct journal *j, struct span line)
{
	for (size_t i = 0; i < j->n_secrets; i++)
		if (span_find(line, j->secrets[i]) >= 0)
			return true;
	return false;
}

static void note_bad(struct journal *j, struct span line)
{
	struct buf b CLEANUP(buf_fini) = {0};
	if (j->bad++)
		return;
	buf_init(&b, sizeof(j->first_bad));
	escape_text_max(&b, line, BAD_SHOWN);
	snprintf(j->first_bad, sizeof(j->first_bad), "%s", buf_cstr(&b));
}

static void keep(struct journal *j, const struct log_entry *from)
{
	if (j->n == j->cap && j->cap < JOURNAL_ENTRIES_MAX) {
		size_t cap = j->cap ? 2 * j->cap : 256;
		struct journal_entry *more = realloc(j->entries, cap * sizeof(*more));
		if (!more)
			return;
		j->entries = more;
		j->cap = cap;
	}
	if (j->n == j->cap)
		return;
	struct journal_entry *e = &j->entries[j->n++];
	*e = (struct journal_entry){.word = from->word, .code = from->code};
	snprintf(e->connection, sizeof(e->connection), "%.*s", JOURNAL_TEXT_MAX - 1, from->connection);
	snprintf(e->reason, sizeof(e->reason), "%.*s", JOURNAL_TEXT_MAX - 1, from->reason);
	snprintf(e->address, sizeof(e->address), "%.63s", from->address);
	snprintf(e->initiator, sizeof(e->initiator), "%.15s", from->initiator);
}

static void on_line(void *owner, size_t file, struct span line, bool cut)
{
	struct journal *j = owner;
	struct log_entry entry;
	(void)file;
	j->secret_lines += holds_secret(j, line);
	if (cut || !log_line_parse(j->rules, line, &entry))
		note_bad(j, line);
	else if (entry.connection[0])
		keep(j, &entry);
	if (j->on_line)
		j->on_line(j->owner);
}

static int open_files(struct journal *j, struct loop *l, const struct target *t, struct err *e)
{
	static const struct log_tail_events events = {on_line};
	const char *paths[LOG_TAIL_FILES_MAX];
	const struct target_node *nodes = t->nodes.items;
	size_t n = 0;
	for (size_t i = 0; i < t->logs.files.len && n < LOG_TAIL_FILES_MAX; i++)
		paths[n++] = t->logs.files.items[i];
	for (size_t i = 0; !t->logs.files.len && i < t->nodes.len && n < LOG_TAIL_FILES_MAX; i++)
		if (nodes[i].log)
			paths[n++] = nodes[i].log;
	return log_tail_new(l, paths, n, &events, j, &j->tail, e);
}

int journal_new(struct loop *l, const struct target *t, void (*told)(void *owner), void *owner,
		struct journal **ret_journal, struct err *e)
{
	const struct target_credentials *c = &t->credentials;
	struct journal *j = calloc(1, sizeof(*j));
	if (!j)
		return err_set(e, ENOMEM, "no memory for the log");
	j->on_line = told;
	j->owner = owner;
	add_secret(j, c->valid);
	add_secret(j, c->expiring);
	add_secret(j, c->expired);
	int r = log_rules_new(&t->logs, &j->rules, e);
	if (r == 0)
		r = open_files(j, l, t, e);
	if (r < 0)
		journal_free(j);
	else
		*ret_journal = j;
	return r;
}

void journal_free(struct journal *j)
{
	if (!j)
		return;
	log_tail_free(j->tail);
	log_rules_free(j->rules);
	free(j->entries);
	free(j);
}

void journal_catch_up(struct journal *j)
{
	log_tail_catch_up(j->tail);
}

const struct journal_entry *journal_find(const struct journal *j, const char *connection, enum log_word word)
{
	for (size_t i = 0; i < j->n; i++)
		if (strncmp(j->entries[i].connection, connection, JOURNAL_TEXT_MAX - 1) == 0 &&
		    (word == LOG_WORD_OTHER || j->entries[i].word == word))
			return &j->entries[i];
	return NULL;
}

uint64_t journal_bad(const struct journal *j, const char **ret_first)
{
	*ret_first = j->first_bad;
	return j->bad;
}

uint64_t journal_secrets(const struct journal *j)
{
	return j->secret_lines;
}

bool journal_full(const struct journal *j)
{
	return j->n >= JOURNAL_ENTRIES_MAX;
}
