/*
 * Two faults that lower the same limit, or stop the same process, do not know of each other: each would take what the
 * other made for how it was, and the last to heal would put that back for good. What is changed is in the journals, so
 * there it is looked up; after one's own entry is written, so that of two that begin at once one at least sees the
 * other.
 */
#include "harness/base/guard_internal.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/file.h"

static bool same(const struct guard_entry *a, const struct guard_entry *b)
{
	for (int i = 0; a->kind == b->kind && i < a->kind->claims; i++)
		if (!a->words[i] || !b->words[i] || strcmp(a->words[i], b->words[i]) != 0)
			return false;
	return a->kind == b->kind;
}

static const struct guard_entry *find_in(const struct guard_list *l, const struct guard_entry *wanted)
{
	for (size_t i = 0; i < l->len; i++)
		if (l->items[i].id != wanted->id && same(wanted, &l->items[i]))
			return &l->items[i];
	return NULL;
}

/* Of another run: its guard may be writing, so a line without an end is none yet. */
static bool is_in_journal(const struct guard_kind *const *kinds, const char *path, const struct guard_entry *wanted)
{
	struct buf text CLEANUP(buf_fini) = {0};
	struct span line, rest;
	int found = 0;
	if (file_read(path, GUARD_JOURNAL_MAX, &text, NULL) < 0)
		return false;
	rest = buf_span(&text);
	while (guard_line_next(&rest, &line)) {
		struct guard_entry entry = {0};
		int r = guard_line_read(kinds, line, &entry);
		if (r > 0 && entry.kind && same(wanted, &entry))
			found = entry.id;
		else if (r == 0 && entry.id == found)
			found = 0;
		guard_entry_fini(&entry);
	}
	return found > 0;
}

static int is_journal(const struct dirent *d)
{
	size_t len = strlen(d->d_name), end = strlen(GUARD_SUFFIX);
	return len > end && strcmp(d->d_name + len - end, GUARD_SUFFIX) == 0;
}

static bool is_elsewhere(const struct guard_kind *const *kinds, const struct guard_journal *own,
			 const struct guard_entry *wanted, char where[GUARD_PLACE_MAX])
{
	struct dirent **names;
	bool found = false;
	char folder[sizeof(own->path)];
	snprintf(folder, sizeof(folder), "%.*s", (int)(own->name - own->path - 1), own->path);
	int n = scandir(folder, &names, is_journal, alphasort);
	for (int i = 0; i < n; i++) {
		if (!found && strcmp(names[i]->d_name, own->name) != 0) {
			snprintf(where, GUARD_PLACE_MAX, "%s/%s", folder, names[i]->d_name);
			found = is_in_journal(kinds, where, wanted);
		}
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	return found;
}

int guard_claim(const struct guard_kind *const *kinds, const struct guard_list *l, const struct guard_journal *own,
		const struct guard_entry *wanted, struct err *e)
{
	struct buf what CLEANUP(buf_fini) = {0};
	char where[GUARD_PLACE_MAX] = "this run";
	if (!wanted->kind->claims || (!find_in(l, wanted) && !is_elsewhere(kinds, own, wanted, where)))
		return 0;
	buf_init(&what, GUARD_ENTRY_MAX);
	guard_entry_describe(wanted, &what);
	return err_set(e, EBUSY, "nothing was changed, for another fault is at it already, which is undone by what %s (%s)",
		       buf_cstr(&what), where);
}
