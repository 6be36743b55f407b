/*
 * Defects of the service against the scenarios: for each a run of its own, in a process of its own, several at once,
 * for a scenario mostly waits. A check is caught by a defect when it fails in any scenario.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "harness/base/buf.h"
#include "harness/base/file.h"
#include "harness/campaign_internal.h"
#include "harness/cmd.h"
#include "harness/selftest.h"
#include "harness/check/check.h"

enum {
	TOGETHER = 4,              /* runs at once: each takes a quarter of a core, and mostly waits */
	CHECKS_MAX_SEEN = 128,
	SEEN_MAX = 160,            /* octets shown of what was seen */
	TEXT_MAX = 1 << 20,
	POLL_MS = 50,              /* how often a child's end and a signal are looked for */
};

/* What became of one check in one run. */
enum mark { UNDECIDED, UNTESTED, HELD, BROKEN }; /* UNDECIDED: no scenario that ran decides it */

struct trial {
	const struct selftest_defect *defect; /* NULL: without one */
	pid_t pid;
	char folder[512];
	enum mark marks[CHECKS_MAX_SEEN]; /* by check_rows */
	const char *skipped;
	bool ok, done;
	struct buf text;
};

static const json_t *globs_of(const struct trial *t)
{
	return t->defect ? t->defect->catches : NULL;
}

static const char *name_of(const struct trial *t)
{
	return t->defect ? t->defect->name : "(no defect)";
}

/* Running ------------------------------------------------------------------------------------------------------ */

static void run_child(const struct campaign_options *o, const struct trial *t)
{
	char defect[160], log[600], self[64] = "/proc/self/exe", seed[40];
	const char *argv[16] = {"wsquall", "run", "chaos", "readiness", "--quiet", "--no-color", "--format", "json", "--output", t->folder};
	size_t n = 10;
	snprintf(seed, sizeof(seed), "--seed=%llu", (unsigned long long)o->seed);
	snprintf(defect, sizeof(defect), "--server=--defect=%s", t->defect ? t->defect->name : "");
	snprintf(log, sizeof(log), "%s/stdout", t->folder);
	if (o->seed_given)
		argv[n++] = seed;
	if (o->target) {
		argv[n++] = "--target";
		argv[n++] = o->target;
	} else if (t->defect) {
		argv[n++] = defect;
	}
	int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
		_exit(EXIT_OURS);
	execv(self, (char *const *)argv);
	_exit(EXIT_OURS);
}

static int begin(const struct campaign_options *o, struct trial *t)
{
	char folder[500];
	snprintf(folder, sizeof(folder), "%s/selftest", o->output);
	mkdir(o->output, 0777);
	mkdir(folder, 0777);
	snprintf(t->folder, sizeof(t->folder), "%s/%s", folder, t->defect ? t->defect->name : "none");
	if (mkdir(t->folder, 0777) < 0 && errno != EEXIST)
		return -errno;
	char result[600];
	snprintf(result, sizeof(result), "%s/result.json", t->folder);
	unlink(result);
	t->pid = fork();
	if (t->pid == 0)
		run_child(o, t);
	return t->pid < 0 ? -errno : 0;
}

/* Judging ------------------------------------------------------------------------------------------------------ */

static size_t row_of(const char *check)
{
	size_t i = 0;
	while (i < check_rows_len && strcmp(check_rows[i].id, check) != 0)
		i++;
	return i;
}

static const char *text_of(const json_t *item, const char *key)
{
	const char *text = json_string_value(json_object_get(item, key));
	return text ? text : "";
}

/* An item of the result: SCENARIO/CHECK, or the scenario itself, which must run whatever the defect. */
static void judge_item(struct trial *t, const json_t *item)
{
	const char *id = text_of(item, "id"), *verdict = text_of(item, "verdict"), *slash = strchr(id, '/');
	bool broken = strcmp(verdict, "fail") == 0 || strcmp(verdict, "warn") == 0;
	bool held = strcmp(verdict, "pass") == 0;
	bool open = !broken && !held && strcmp(verdict, "skip") != 0;
	if (open && (!t->defect || strcmp(verdict, "error") == 0)) {
		t->ok = false;
		buf_printf(&t->text, "    %s  %s: %.*s\n", verdict, id, SEEN_MAX, text_of(item, "seen"));
	}
	size_t row = slash ? row_of(slash + 1) : check_rows_len;
	if (row >= check_rows_len || row >= CHECKS_MAX_SEEN)
		return;
	bool first = broken && t->marks[row] != BROKEN;
	t->marks[row] = broken || t->marks[row] == BROKEN ? BROKEN : held ? HELD : t->marks[row] == HELD ? HELD : UNTESTED;
	if (!first || selftest_naming(globs_of(t), slash + 1) != NOT_NAMED)
		return;
	t->ok = false;
	buf_printf(&t->text, "    surprise  %s: %.*s\n", id, SEEN_MAX, text_of(item, "seen"));
}

static void judge_missed(struct trial *t)
{
	unsigned decided = 0;
	for (size_t i = 0; i < check_rows_len && i < CHECKS_MAX_SEEN; i++) {
		if (selftest_naming(globs_of(t), check_rows[i].id) != MUST_FAIL)
			continue;
		decided += t->marks[i] != UNDECIDED;
	}
	if (t->defect && !decided) {
		t->skipped = "no scenario decides what must catch it";
		return;
	}
	for (size_t i = 0; i < check_rows_len && i < CHECKS_MAX_SEEN; i++)
		if ((t->marks[i] == UNTESTED || t->marks[i] == HELD) && selftest_naming(globs_of(t), check_rows[i].id) == MUST_FAIL) {
			t->ok = false;
			buf_printf(&t->text, "    missed    %s%s\n", check_rows[i].id,
				   t->marks[i] == HELD ? ": it held" : ": nothing put it to the test");
		}
}

static void judge(struct trial *t, int status)
{
	char path[600];
	json_error_t why;
	snprintf(path, sizeof(path), "%s/result.json", t->folder);
	json_t *result = json_load_file(path, 0, &why), *item;
	size_t i;
	t->ok = result != NULL;
	if (!result)
		buf_printf(&t->text, "    error     it ended with status %d and left no result: see %s/stdout\n", status, t->folder);
	json_array_foreach (json_object_get(result, "results"), i, item)
		judge_item(t, item);
	if (result)
		judge_missed(t);
	json_decref(result);
}

/* Telling ------------------------------------------------------------------------------------------------------ */

static void tell(struct trial *t, struct selftest_count *count)
{
	struct buf broken CLEANUP(buf_fini) = {0};
	buf_init(&broken, TEXT_MAX);
	for (size_t i = 0; i < check_rows_len && i < CHECKS_MAX_SEEN; i++)
		if (t->marks[i] == BROKEN)
			buf_printf(&broken, " %s", check_rows[i].id);
	if (t->skipped && t->ok) {
		count->skipped++;
		printf("skip  %-32s  %s\n", name_of(t), t->skipped);
	} else {
		t->ok ? count->passed++ : count->failed++;
		printf("%s  %-32s %s\n", t->ok ? "ok  " : "FAIL", name_of(t), broken.len ? buf_cstr(&broken) : " nothing fails");
		fputs(buf_cstr(&t->text), stdout);
	}
	fflush(stdout);
}

/* A column that any defect breaks or should break. */
static bool is_column(const struct trial *trials, size_t n, size_t row)
{
	for (size_t i = 0; i < n; i++)
		if (trials[i].done && !trials[i].skipped &&
		    (trials[i].marks[row] == BROKEN || selftest_naming(globs_of(&trials[i]), check_rows[row].id) == MUST_FAIL))
			return true;
	return false;
}

static const char *cell_of(const struct trial *t, size_t row)
{
	enum selftest_naming naming = selftest_naming(globs_of(t), check_rows[row].id);
	if (t->marks[row] == BROKEN)
		return naming == NOT_NAMED ? "!" : "x";
	return naming == MUST_FAIL ? "missed" : "";
}

static void write_matrix(const struct campaign_options *o, const struct trial *trials, size_t n)
{
	struct buf b CLEANUP(buf_fini) = {0};
	char path[600];
	struct err e;
	buf_init(&b, TEXT_MAX);
	buf_printf(&b, "# Defects and the checks that catch them\n\nx: fails, as it must or may; missed: it must, and does not; !: it must not.\n\n"
		   "| defect |");
	for (size_t row = 0; row < check_rows_len; row++)
		if (is_column(trials, n, row))
			buf_printf(&b, " %s |", check_rows[row].id);
	buf_printf(&b, "\n|---|");
	for (size_t row = 0; row < check_rows_len; row++)
		if (is_column(trials, n, row))
			buf_printf(&b, "---|");
	for (size_t i = 0; i < n; i++) {
		if (!trials[i].done || trials[i].skipped)
			continue;
		buf_printf(&b, "\n| %s |", name_of(&trials[i]));
		for (size_t row = 0; row < check_rows_len; row++)
			if (is_column(trials, n, row))
				buf_printf(&b, " %s |", cell_of(&trials[i], row));
	}
	buf_printf(&b, "\n");
	snprintf(path, sizeof(path), "%s/selftest/matrix.md", o->output);
	if (file_write_atomic(path, buf_span(&b), &e) < 0)
		fprintf(stderr, "wsquall: %s\n", e.text);
	else
		printf("defects and checks: %s\n", path);
}

/* All ---------------------------------------------------------------------------------------------------------- */

/* One that is stopped says nothing. */
static void end(struct trial *t, int status, struct selftest_count *count)
{
	t->pid = 0;
	if (campaign_interrupted())
		return;
	t->done = true;
	if (!t->skipped)
		judge(t, status);
	tell(t, count);
}

static void stop_all(const struct trial *trials, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (trials[i].pid > 0)
			kill(trials[i].pid, SIGTERM);
}

static void reap(struct trial *trials, size_t n, struct selftest_count *count)
{
	int status;
	pid_t pid;
	bool told = false;
	while ((pid = waitpid(-1, &status, WNOHANG)) == 0) {
		if (!told && campaign_interrupted()) {
			stop_all(trials, n);
			told = true;
		}
		usleep(POLL_MS * 1000);
	}
	for (size_t i = 0; i < n && pid > 0; i++)
		if (trials[i].pid == pid)
			end(&trials[i], WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), count);
}

static const char *why_not(const struct campaign_options *o, const struct trial *t, size_t n)
{
	bool nodes = t->defect && strcmp(t->defect->kind, "nodes") == 0;
	if (nodes && !o->target)
		return "it needs nodes and a broker: ci/selftest-nodes starts them with it";
	if (o->target && n > 1)
		return "a target has one defect: choose it with --case";
	return NULL;
}

void selftest_service_run(const struct campaign_options *o, const struct selftest_defect *const *list, size_t n,
			  struct selftest_count *count)
{
	struct trial *trials = calloc(n, sizeof(*trials));
	size_t together = o->jobs < TOGETHER ? (size_t)o->jobs : TOGETHER, running = 0;
	for (size_t i = 0; trials && i < n && !campaign_interrupted(); i++) {
		struct trial *t = &trials[i];
		t->defect = list[i];
		t->ok = true;
		buf_init(&t->text, TEXT_MAX);
		t->skipped = why_not(o, t, n);
		if (t->skipped || begin(o, t) < 0) {
			end(t, EXIT_OURS, count);
			continue;
		}
		for (running++; running >= together; running--)
			reap(trials, n, count);
	}
	for (; running > 0; running--)
		reap(trials, n, count);
	if (trials)
		write_matrix(o, trials, n);
	for (size_t i = 0; trials && i < n; i++)
		buf_fini(&trials[i].text);
	free(trials);
}
