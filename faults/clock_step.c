/*
 * clock_step: the wall clock of nodes jumps, forward or back; their monotonic clock does not. Tokens expire early or
 * live again, time stamps run backwards, and who measures intervals with the wrong clock is found out. Only for
 * processes that run under libfaketime with a file that says the offset: those that we start for a node with `clock:
 * true`, and any other that its owner starts so. The host's clock is never touched.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "faults/undo.h"
#include "faults/which.h"
#include "harness/base/buf.h"

enum { CLOCK_PATH_MAX = 1024, CLOCK_FILE_MAX = 256, CLOCK_STEP_MAX_MS = 1000000000 };

struct clock_step_options {
	struct opt_strings nodes;
	uint64_t by_ms;
	int direction;
};

struct clock_step_state {
	struct which which;
	int undo[FAULT_NODES_MAX];
};

static void probe(const struct fault_site *site, struct fault_probe *ret)
{
	(void)site;
	ret->means = launch_faketime() ? FAULT_DRIVEN : FAULT_MISSING;
	snprintf(ret->why, sizeof(ret->why), "%s", launch_faketime() ? "libfaketime, for nodes with `clock: true`"
			: "libfaketime is not installed (Debian: apt-get install libfaketime)");
}

/*
 * The path is the process's word. It is written in place, as its owner's, whoever we are; nothing is followed, and only
 * a regular file that holds an offset is touched. A descriptor, or a negative errno.
 */
static int open_clock(const char *path, struct buf *ret_text)
{
	struct stat st;
	int fd CLEANUP(cleanup_fd) = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	buf_init(ret_text, CLOCK_FILE_MAX);
	if (!S_ISREG(st.st_mode) || st.st_size == 0 || buf_reserve(ret_text, (size_t)st.st_size + 1) < 0)
		return -EINVAL;
	ssize_t n = pread(fd, ret_text->p, (size_t)st.st_size, 0);
	if (n <= 0)
		return n < 0 ? -errno : -EINVAL;
	ret_text->len = (size_t)n;
	if (buf_cstr(ret_text)[strspn(buf_cstr(ret_text), "+-.0123456789\n")])
		return -EINVAL;
	return TAKE_FD(fd);
}

/* The process may read in between: the new line is whole before the rest of an old one is cut off. */
static int write_clock(int fd, const char *text)
{
	ssize_t len = (ssize_t)strlen(text), n = pwrite(fd, text, (size_t)len, 0);
	if (n != len)
		return n < 0 ? -errno : -ENOSPC;
	return ftruncate(fd, len) < 0 ? -errno : 0;
}

/* Where the process looks for its offset. */
static int clock_file(struct fault_node *node, char *ret_path, struct err *e)
{
	char preload[CLOCK_PATH_MAX];
	struct proc_id id;
	int r = fault_node_find(node, &id, e);
	if (r < 0)
		return r;
	if (proc_environ(id, "LD_PRELOAD", preload, sizeof(preload)) == 0 && strstr(preload, "faketime") &&
	    proc_environ(id, "FAKETIME_TIMESTAMP_FILE", ret_path, CLOCK_PATH_MAX) == 0)
		return ret_path[0] == '/' ? 0 : err_set(e, EINVAL, "%s: FAKETIME_TIMESTAMP_FILE=%.200s is not an absolute path",
							fault_node_name(node), ret_path);
	return err_set(e, ENOTSUP,
		       "%s does not run under libfaketime: give it `clock: true` and let wsquall start it (rolling_restart, "
		       "terminate), or start it with LD_PRELOAD and FAKETIME_TIMESTAMP_FILE", fault_node_name(node));
}

static int step_one(struct fault_run *run, size_t i, struct err *e)
{
	const struct clock_step_options *o = run->options;
	struct clock_step_state *s = run->state;
	struct fault_node *node = s->which.nodes[i];
	char path[CLOCK_PATH_MAX], after[64];
	struct buf before CLEANUP(buf_fini) = {0};
	int r = clock_file(node, path, e);
	if (r < 0)
		return r;
	int fd CLEANUP(cleanup_fd) = open_clock(path, &before);
	if (fd < 0)
		return err_set(e, -fd, "%.300s is no file with an offset of libfaketime: %s", path, strerror(-fd));
	/* Steps add up: what the file says now is where the clock is. */
	double now_s = strtod(buf_cstr(&before), NULL), by_s = (double)o->by_ms / 1000;
	snprintf(after, sizeof(after), "%+.3f\n", now_s + (o->direction ? -by_s : by_s));
	s->undo[i] = guard_add(run->site->guard, "clock", (const char *const[]){path, buf_cstr(&before), after, NULL}, e);
	if (s->undo[i] < 0)
		return s->undo[i];
	r = write_clock(fd, after);
	if (r < 0)
		return err_set(e, -r, "%.300s cannot be written: %s", path, strerror(-r));
	fault_tell(run, "node.clock", fault_node_name(node), 0, "by_ms=%s%llu", o->direction ? "-" : "",
			   (unsigned long long)o->by_ms);
	return r;
}

static void stop(struct fault_run *run)
{
	struct clock_step_state *s = run->state;
	for (size_t i = s->which.n; i > 0; i--)
		if (s->undo[i - 1] > 0)
			guard_undo(run->site->guard, s->undo[i - 1]);
}

static int start(struct fault_run *run, struct err *e)
{
	const struct clock_step_options *o = run->options;
	struct clock_step_state *s = run->state;
	int r = which_choose(run, &o->nodes, &s->which, e);
	for (size_t i = 0; r == 0 && i < s->which.n; i++)
		r = step_one(run, i, e);
	if (r < 0)
		stop(run);
	return r;
}

/* Only while it says what we wrote. */
static int undo_run(char *const *words)
{
	struct buf now CLEANUP(buf_fini) = {0};
	int fd CLEANUP(cleanup_fd) = open_clock(words[0], &now);
	if (fd < 0)
		return fd == -ENOENT || fd == -EINVAL ? 0 : TAKE_FD(fd);
	return strcmp(buf_cstr(&now), words[2]) == 0 ? write_clock(fd, words[1]) : 0;
}

static void undo_describe(char *const *words, struct buf *b)
{
	buf_printf(b, "sets the clock of %s back", words[0]);
}

const struct guard_kind undo_clock = {
	.name = "clock", .words = 3, .survives_boot = true, .undo = undo_run, .describe = undo_describe};

static const char *const directions[] = {"forward", "back", NULL};

static const struct opt clock_step_options[] = {
	WHICH_ROW(clock_step_options, "one"),
	{.name = "by", .type = OPT_DURATION, .offset = offsetof(struct clock_step_options, by_ms), .def = "1h", .min = 1,
	 .max = CLOCK_STEP_MAX_MS, .help = "how far"},
	{.name = "direction", .type = OPT_ENUM, .offset = offsetof(struct clock_step_options, direction),
	 .choices = directions, .help = "which way"},
	{0},
};

static const struct fault_action clock_step_process = {
	.undo = "the clock file says what it said before",
	.state_size = sizeof(struct clock_step_state), .probe = probe, .start = start, .stop = stop};

const struct fault fault_clock_step = {
	.name = "clock_step",
	.about = "the wall clock of nodes jumps, and jumps back at the end",
	.known_as = "token expiry, NTP steps",
	.options = clock_step_options,
	.options_size = sizeof(struct clock_step_options),
	.process = &clock_step_process,
};
