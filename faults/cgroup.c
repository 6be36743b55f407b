/* cpu_limit and memory_limit, where the kernel has the controllers in version 2 and we may use them. */
#include "faults/cgroup.h"

#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "faults/undo.h"
#include "harness/base/file.h"

enum { CGROUP_FILE_MAX = 64 << 10, CGROUP_NAME_MAX = 200 };

/* Where version 2 is mounted; in a mixed system that is below version 1's. */
static int find_mount(char *ret_path, size_t len)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	int r = -ENOENT;
	for (struct mntent *m; mounts && r < 0 && (m = getmntent(mounts));)
		if (strcmp(m->mnt_type, "cgroup2") == 0 && snprintf(ret_path, len, "%s", m->mnt_dir) < (int)len)
			r = 0;
	if (mounts)
		endmntent(mounts);
	return r;
}

static bool has_word(const char *folder, const char *file, const char *word)
{
	char path[PATH_MAX];
	struct buf text CLEANUP(buf_fini) = {0};
	snprintf(path, sizeof(path), "%s/%s", folder, file);
	if (file_read(path, CGROUP_FILE_MAX, &text, NULL) < 0)
		return false;
	char *state = NULL, *copy = (char *)(uintptr_t)buf_cstr(&text);
	for (char *w = strtok_r(copy, " \n", &state); w; w = strtok_r(NULL, " \n", &state))
		if (strcmp(w, word) == 0)
			return true;
	return false;
}

static int write_file(const char *folder, const char *file, const char *text)
{
	char path[PATH_MAX];
	if (snprintf(path, sizeof(path), "%s/%s", folder, file) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	int fd CLEANUP(cleanup_fd) = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* What each controller limits, so that it can be seen whether a limit is in force, and ended. */
static const struct {
	const char *controller, *files[3];
} limits[] = {{"cpu", {"cpu.max"}}, {"memory", {"memory.max", "memory.swap.max"}}};

/* "max", "max 100000": no limit. */
static bool is_limited(const char *group, const char *file)
{
	char path[PATH_MAX];
	struct buf text CLEANUP(buf_fini) = {0};
	snprintf(path, sizeof(path), "%s/%s", group, file);
	return file_read(path, CGROUP_FILE_MAX, &text, NULL) == 0 && strncmp(buf_cstr(&text), "max", 3) != 0;
}

static bool is_limited_at_all(const char *group)
{
	for (size_t i = 0; i < ARRAY_LEN(limits); i++)
		if (is_limited(group, limits[i].files[0]))
			return true;
	return false;
}

static void end_limits(const char *group, const char *controller)
{
	for (size_t i = 0; i < ARRAY_LEN(limits); i++)
		for (size_t k = 0; strcmp(limits[i].controller, controller) == 0 && limits[i].files[k]; k++)
			write_file(group, limits[i].files[k], "max");
}

/*
 * Only where groups can be made at all; and one that holds processes hands nothing down, but the first of all ("no
 * internal processes" of cgroup-v2.rst): a container's own root is such a one.
 */
static int try_group(const char *mount, const char *controller, struct err *e)
{
	char path[PATH_MAX];
	struct buf inside CLEANUP(buf_fini) = {0};
	snprintf(path, sizeof(path), "%s/" GUARD_NAMES "%d-try", mount, (int)getpid());
	if (mkdir(path, 0755) < 0)
		return err_set(e, ENOTSUP, "in %s no group can be made: %s", mount, strerror(errno));
	bool handed_down = has_word(path, "cgroup.controllers", controller);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/cgroup.type", mount);
	if (handed_down || access(path, F_OK) < 0)
		return 0;
	snprintf(path, sizeof(path), "%s/cgroup.procs", mount);
	if (file_read(path, CGROUP_FILE_MAX, &inside, NULL) == 0 && inside.len == 0)
		return 0;
	return err_set(e, ENOTSUP, "%s holds processes itself and does not hand down the controller '%s'", mount, controller);
}

int cgroup_probe(const char *controller, struct err *e)
{
	char mount[CGROUP_NAME_MAX];
	if (find_mount(mount, sizeof(mount)) < 0)
		return err_set(e, ENOTSUP, "no cgroup version 2 is mounted (mount -t cgroup2 none /sys/fs/cgroup)");
	if (!has_word(mount, "cgroup.controllers", controller))
		return err_set(e, ENOTSUP, "cgroup version 2 at %s has no controller '%s': version 1 holds it, or the kernel "
					   "has none (boot with systemd.unified_cgroup_hierarchy=1)", mount, controller);
	if (access(mount, W_OK) < 0)
		return err_set(e, ENOTSUP, "%s is not ours to write: run as root", mount);
	return try_group(mount, controller, e);
}

/* Its children have the controller only when it is handed down. It stays so: others may have come to need it. */
static int hand_down(const char *mount, const char *controller, struct err *e)
{
	char word[32];
	if (has_word(mount, "cgroup.subtree_control", controller))
		return 0;
	snprintf(word, sizeof(word), "+%s", controller);
	int r = write_file(mount, "cgroup.subtree_control", word);
	return r < 0 ? err_set(e, -r, "%s does not hand down the controller '%s': %s", mount, controller, strerror(-r)) : 0;
}

/* The line "0::/path" of /proc/PID/cgroup. */
static int home_of(struct proc_id id, const char *mount, char *ret_path, size_t len)
{
	char path[64];
	struct buf text CLEANUP(buf_fini) = {0};
	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)id.pid);
	int r = file_read(path, CGROUP_FILE_MAX, &text, NULL);
	if (r < 0)
		return r;
	const char *all = buf_cstr(&text);
	const char *at = strncmp(all, "0::/", 4) == 0 ? all : strstr(all, "\n0::/");
	if (!at)
		return -ENOENT;
	at = strchr(at, '/');
	return snprintf(ret_path, len, "%s%.*s", mount, (int)strcspn(at, "\n"), at) < (int)len ? 0 : -ENAMETOOLONG;
}

/* A group of this run, in which the process is because of another limit: its words, else NULL. */
static int find_ours(const struct guard *g, const char *home, char *const **ret_words, struct err *e)
{
	const char *name = strrchr(home, '/') + 1;
	*ret_words = guard_words(g, "cgroup", home);
	if (!*ret_words && strncmp(name, GUARD_NAMES, strlen(GUARD_NAMES)) == 0)
		return err_set(e, EBUSY, "it is in the cgroup %s of another run already", home);
	return 0;
}

static int make_group(struct cgroup *c, const char *mount, const char *controller, const char *name, const char *home,
		      struct err *e)
{
	if (strchr(name, '/') || snprintf(c->path, sizeof(c->path), "%s/%s%s-%.100s", mount, guard_prefix(c->guard),
					  controller, name) >= (int)sizeof(c->path))
		return err_set(e, EINVAL, "'%s' cannot be the name of a cgroup", name);
	c->undo = guard_add(c->guard, "cgroup", (const char *const[]){c->path, home, controller, NULL}, e);
	if (c->undo < 0)
		return c->undo;
	if (mkdir(c->path, 0755) == 0)
		return 0;
	int r = -errno;
	guard_drop(c->guard, c->undo);
	return err_set(e, -r, "%s cannot be made: %s", c->path, strerror(-r));
}

static int share_group(struct cgroup *c, const char *controller, char *const *words, struct err *e)
{
	char home[CGROUP_PATH_MAX];
	snprintf(c->path, sizeof(c->path), "%s", words[0]);
	snprintf(home, sizeof(home), "%s", words[1]);
	c->undo = guard_add(c->guard, "cgroup", (const char *const[]){c->path, home, controller, NULL}, e);
	return c->undo < 0 ? c->undo : 0;
}

int cgroup_make(struct cgroup *c, struct guard *g, const char *controller, const char *name, struct proc_id home,
		struct err *e)
{
	char mount[CGROUP_NAME_MAX], home_path[CGROUP_PATH_MAX];
	struct cgroup made = {.guard = g};
	char *const *words;
	int r = cgroup_probe(controller, e);
	if (r < 0 || (r = find_mount(mount, sizeof(mount))) < 0)
		return r;
	r = home_of(home, mount, home_path, sizeof(home_path));
	if (r < 0)
		return err_set(e, -r, "the cgroup of process %d cannot be told: %s", (int)home.pid, strerror(-r));
	r = find_ours(g, home_path, &words, e);
	if (r == 0)
		r = hand_down(mount, controller, e);
	if (r == 0)
		r = words ? share_group(&made, controller, words, e) : make_group(&made, mount, controller, name, home_path, e);
	if (r == 0)
		*c = made;
	return r;
}

int cgroup_set(const struct cgroup *c, const char *file, const char *value, struct err *e)
{
	int r = write_file(c->path, file, value);
	return r < 0 ? err_set(e, -r, "%s/%s cannot be set to '%s': %s", c->path, file, value, strerror(-r)) : 0;
}

/* Nobody new in the second look: who was born meanwhile was born inside. */
int cgroup_take(struct cgroup *c, struct proc_id root, struct err *e)
{
	struct proc_id tree[PROC_TREE_MAX];
	char pid[16];
	for (int round = 0; round < 2; round++) {
		int n = proc_tree(root, tree, PROC_TREE_MAX), r = 0;
		if (n < 0)
			return err_set(e, -n, "the processes of %d cannot be told: %s", (int)root.pid, strerror(-n));
		for (int i = 0; r == 0 && i < n; i++) {
			snprintf(pid, sizeof(pid), "%d", (int)tree[i].pid);
			r = write_file(c->path, "cgroup.procs", pid);
			if (r == -ESRCH)
				r = 0;
		}
		if (r < 0)
			return err_set(e, -r, "process %s cannot be moved to %s: %s", pid, c->path, strerror(-r));
	}
	return 0;
}

void cgroup_end(struct cgroup *c)
{
	if (c->path[0])
		guard_undo(c->guard, c->undo);
	*c = (struct cgroup){0};
}

static int empty(const char *path, const char *home)
{
	char procs[PATH_MAX], parent[PATH_MAX];
	snprintf(procs, sizeof(procs), "%s/cgroup.procs", path);
	snprintf(parent, sizeof(parent), "%.*s", (int)(strrchr(path, '/') - path), path);
	for (int round = 0; round < CGROUP_ROUNDS_MAX; round++) {
		struct buf text CLEANUP(buf_fini) = {0};
		int r = file_read(procs, CGROUP_FILE_MAX, &text, NULL);
		if (r < 0 || text.len == 0)
			return r;
		char *state = NULL, *copy = (char *)(uintptr_t)buf_cstr(&text);
		for (char *pid = strtok_r(copy, "\n", &state); pid; pid = strtok_r(NULL, "\n", &state))
			if (write_file(home, "cgroup.procs", pid) < 0)
				write_file(parent, "cgroup.procs", pid);
	}
	return -EBUSY;
}

static int undo_run(char *const *words)
{
	const char *name = strrchr(words[0], '/');
	if (words[0][0] != '/' || !name || strncmp(name + 1, GUARD_NAMES, strlen(GUARD_NAMES)) != 0)
		return -EINVAL;
	if (access(words[0], F_OK) < 0)
		return 0;
	if (words[2])
		end_limits(words[0], words[2]);
	/* Another fault's are in force: it goes with the last. */
	if (words[2] && is_limited_at_all(words[0]))
		return 0;
	int r = empty(words[0], words[1]);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	/* What ended in it leaves it a moment later. */
	for (int round = 0; rmdir(words[0]) < 0; round++) {
		if (errno == ENOENT)
			return 0;
		if (errno != EBUSY || round == CGROUP_ROUNDS_MAX)
			return -errno;
		usleep(10000);
	}
	return 0;
}

static void undo_describe(char *const *words, struct buf *b)
{
	buf_printf(b, "removes the cgroup %s; its processes go back to %s", words[0], words[1]);
}

const struct guard_kind undo_cgroup = {
	.name = "cgroup", .words = 2, .claims = 3, .undo = undo_run, .describe = undo_describe};
