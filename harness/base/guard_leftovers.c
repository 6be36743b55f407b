/*
 * What runs have left whose guard was killed, too: their journals are still on disk, and nobody holds them. For doctor.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/file.h"
#include "harness/base/guard_internal.h"

struct search {
	const struct guard_kind *const *kinds;
	bool clean;
	void (*on_found)(void *owner, const struct guard_leftover *left);
	void *owner;
	int told;
	struct guard_journal journal;
	bool kept;                     /* something of this journal is not undone */
};

static void tell(struct search *s, enum guard_left state, int error, const char *description)
{
	const struct guard_leftover left = {
		.state = state, .journal = s->journal.path, .description = description, .error = error};
	s->on_found(s->owner, &left);
	s->told++;
}

static void tell_entry(struct search *s, enum guard_left state, int error, const struct guard_entry *entry)
{
	struct buf b CLEANUP(buf_fini) = {0};
	buf_init(&b, GUARD_ENTRY_MAX * 2);
	guard_entry_describe(entry, &b);
	tell(s, state, error, buf_cstr(&b));
}

static void on_result(void *owner, const struct guard_entry *entry, int r)
{
	struct search *s = owner;
	tell_entry(s, r == 0 ? GUARD_LEFT_UNDONE : GUARD_LEFT_FAILED, r, entry);
	if (r == 0)
		guard_journal_forget(&s->journal, entry->id);
	else
		s->kept = true;
}

static void read_line(struct search *s, struct guard_list *l, struct span line, size_t number)
{
	struct guard_entry entry = {0};
	char text[64];
	int r = guard_line_read(s->kinds, line, &entry);
	struct guard_entry *old = r >= 0 ? guard_list_find(l, entry.id) : NULL;
	if (r == 0 && old)
		guard_list_remove(l, old);
	if (r > 0 && !old && guard_list_push(l, &entry) == 0)
		return;
	guard_entry_fini(&entry);
	if (r == 0)
		return;
	snprintf(text, sizeof(text), "line %zu is damaged and was passed over", number);
	tell(s, GUARD_LEFT_DAMAGED, -EBADMSG, text);
}

/* A last line without its newline was never answered for: nothing was changed on its account. */
static void read_lines(struct search *s, struct guard_list *l, struct span all)
{
	struct span line;
	size_t number = 1;
	for (; guard_line_next(&all, &line); number++)
		if (number > 1 || !span_eq(line, SPAN_LIT("wsquall-undo 1")))
			read_line(s, l, line, number);
	if (all.len)
		read_line(s, l, (struct span){0}, number);
}

/* FD_CLOEXEC and the lock stay with the journal's own descriptor. */
static int read_journal(struct search *s, struct guard_list *l)
{
	struct buf b CLEANUP(buf_fini) = {0};
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", s->journal.fd);
	int r = file_read(path, GUARD_JOURNAL_MAX, &b, NULL);
	if (r == 0)
		read_lines(s, l, buf_span(&b));
	return r;
}

struct run {
	char pid[GUARD_NAME_MAX];      /* "" when the name is none of ours */
	const char *started;
};

/* "<pid>-<start time>.undo" */
static void read_name(const char *name, struct run *run)
{
	snprintf(run->pid, sizeof(run->pid), "%s", name);
	char *started = strchr(run->pid, '-'), *end = strstr(run->pid, GUARD_SUFFIX);
	if (started && end > started) {
		*started++ = 0;
		*end = 0;
		run->started = started;
	} else {
		run->pid[0] = 0;
		run->started = run->pid;
	}
}

/* Was the machine started anew since? Processes, namespaces and links of then are gone, their numbers given anew. */
static bool of_another_boot(const struct run *run)
{
	char pid[GUARD_PID_TEXT], now[GUARD_PID_TEXT];
	const char *boot = strchr(run->started, '-');
	return boot && guard_pid_words(getpid(), pid, now) == 0 && strcmp(strchr(now, '-'), boot) != 0;
}

static void forget_what_is_gone(struct guard_list *l)
{
	for (size_t i = l->len; i > 0; i--)
		if (l->items[i - 1].kind && !l->items[i - 1].kind->survives_boot)
			guard_list_remove(l, &l->items[i - 1]);
}

static void examine(struct search *s, const struct run *run)
{
	struct guard_list l = {0};
	int r = read_journal(s, &l);
	if (of_another_boot(run))
		forget_what_is_gone(&l);
	if (r < 0) {
		tell(s, GUARD_LEFT_FAILED, r, "a journal that cannot be read");
	} else if (s->clean) {
		s->kept = false;
		guard_list_undo(&l, GUARD_TRIES, on_result, s);
		if (!s->kept)
			guard_journal_remove(&s->journal);
	} else {
		for (size_t i = l.len; i > 0; i--)
			tell_entry(s, GUARD_LEFT_FOUND, 0, &l.items[i - 1]);
	}
	guard_list_fini(&l);
}

static bool ends_with(const char *text, const char *end)
{
	size_t a = strlen(text), b = strlen(end);
	return a > b && strcmp(text + a - b, end) == 0;
}

static int is_journal(const struct dirent *d)
{
	return strlen(d->d_name) < GUARD_NAME_MAX &&
	       (ends_with(d->d_name, GUARD_SUFFIX) || ends_with(d->d_name, GUARD_SUFFIX_NEW));
}

static void examine_name(struct search *s, int folder, const char *path, const char *name)
{
	struct run run;
	int r = guard_journal_take(&s->journal, folder, path, name);
	read_name(name, &run);
	/* Looked at after the lock was had: a run that begins just now is there before its journal is. */
	if (r == 0 && !guard_pid_same(run.pid, run.started)) {
		if (ends_with(name, GUARD_SUFFIX))
			examine(s, &run);
		else if (s->clean)
			guard_journal_remove(&s->journal);
	} else if (r < 0 && r != -EBUSY && r != -ENOENT) {
		snprintf(s->journal.path, sizeof(s->journal.path), "%s/%s", path, name);
		tell(s, GUARD_LEFT_FAILED, r, "a journal that is not used, for it is not a file of ours");
	}
	guard_journal_fini(&s->journal);
}

/* Absent; or another's, who may have made it in /tmp before us: no matter, unless it is the one that we are told. */
static bool holds_nothing_of_ours(const char *path)
{
	const char *told = getenv("WSQUALL_RUN_DIR");
	struct stat st;
	if (lstat(path, &st) < 0)
		return errno == ENOENT && path[0];
	return st.st_uid != geteuid() && !(told && told[0]);
}

static int examine_folder(struct search *s, const char *path, struct err *e)
{
	struct dirent **names;
	if (holds_nothing_of_ours(path))
		return 0;
	int folder CLEANUP(cleanup_fd) = guard_folder_open(path, false, e);
	if (folder < 0)
		return folder;
	int n = scandirat(folder, ".", &names, is_journal, alphasort);
	if (n < 0)
		return err_set(e, errno, "%s: the undo journals cannot be listed: %s", path, strerror(errno));
	for (int i = 0; i < n; i++) {
		examine_name(s, folder, path, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	return 0;
}

int guard_leftovers(const struct guard_kind *const *kinds, bool clean,
		    void (*on_found)(void *owner, const struct guard_leftover *left), void *owner, struct err *e)
{
	struct search s = {.kinds = kinds, .clean = clean, .on_found = on_found, .owner = owner};
	char path[GUARD_PATH_MAX];
	int r = 0;
	for (size_t i = 0; guard_folder_path(i, path); i++) {
		int one = examine_folder(&s, path, r == 0 ? e : NULL);
		r = r < 0 ? r : one;
	}
	return r < 0 ? r : s.told;
}
