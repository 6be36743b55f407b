/*
 * Namespaces by descriptor. A thread is the unit that has a network namespace, so each visit gets a thread of its own:
 * ours never has to find its way back.
 */
#include "harness/net/netns.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PATH_TEXT_MAX = sizeof(NETNS_FOLDER) + NETNS_NAME_MAX + 1, OWN_PATH_MAX = 64 };

struct visit {
	int fd;
	int (*f)(void *arg);
	void *arg;
	int result;
};

static void *visit_thread(void *arg)
{
	struct visit *v = arg;
	v->result = setns(v->fd, CLONE_NEWNET) < 0 ? -errno : v->f(v->arg);
	return NULL;
}

static int thread_run(void *(*run)(void *), void *arg)
{
	pthread_t thread;
	sigset_t all, old;
	/* A signal is for the threads that know of it. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int r = pthread_create(&thread, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r == 0)
		pthread_join(thread, NULL);
	return -r;
}

int netns_run(const struct netns *ns, int (*f)(void *arg), void *arg)
{
	if (!ns || ns->fd < 0)
		return f(arg);
	struct visit v = {.fd = ns->fd, .f = f, .arg = arg};
	int r = thread_run(visit_thread, &v);
	return r < 0 ? r : v.result;
}

struct making {
	const char *path; /* to mount it at, or NULL */
	int fd, result;
	const char *step;
};

static void *making_thread(void *arg)
{
	struct making *m = arg;
	char own[OWN_PATH_MAX];
	snprintf(own, sizeof(own), "/proc/self/task/%d/ns/net", (int)syscall(SYS_gettid));
	m->step = "the kernel gave no new one";
	if (unshare(CLONE_NEWNET) == 0) {
		m->step = own;
		m->fd = open(own, O_RDONLY | O_CLOEXEC);
		if (m->fd >= 0 && (!m->path || mount(own, m->path, "none", MS_BIND, NULL) == 0))
			return NULL;
		m->step = m->fd >= 0 ? "it could not be mounted" : own;
	}
	m->result = -errno;
	cleanup_fd(&m->fd);
	m->fd = -1;
	return NULL;
}

static int name_check(const char *name, struct err *e)
{
	size_t len = strlen(name);
	if (len == 0 || len > NETNS_NAME_MAX || strchr(name, '/') || name[0] == '.')
		return err_set(
			e, EINVAL,
			"'%.100s' is no name of a network namespace: 1 to %d characters, no slash, no point in front",
			name, NETNS_NAME_MAX);
	return 0;
}

/* As `ip netns add` prepares it: mounts in it reach every mount namespace, so that taking one away does so everywhere.
 */
static int folder_prepare(struct err *e)
{
	if (mkdir(NETNS_FOLDER, 0755) < 0 && errno != EEXIST)
		return err_set(e, errno, "cannot make the folder " NETNS_FOLDER ": %s", strerror(errno));
	for (int mounted = 0; mount("", NETNS_FOLDER, "none", MS_SHARED | MS_REC, NULL) < 0; mounted++) {
		if (errno != EINVAL || mounted ||
		    mount(NETNS_FOLDER, NETNS_FOLDER, "none", MS_BIND | MS_REC, NULL) < 0)
			return err_set(e, errno, "cannot share the mounts of " NETNS_FOLDER ": %s", strerror(errno));
	}
	return 0;
}

static int mount_point_make(const char *name, char *path, struct err *e)
{
	int r = name_check(name, e);
	if (r == 0)
		r = folder_prepare(e);
	if (r < 0)
		return r;
	snprintf(path, PATH_TEXT_MAX, NETNS_FOLDER "/%s", name);
	int fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
	if (fd < 0)
		return err_set(e, errno, "cannot make the network namespace %s: %s", name, strerror(errno));
	close(fd);
	return 0;
}

int netns_new(const char *name, struct netns *ret_ns, struct err *e)
{
	char path[PATH_TEXT_MAX];
	struct making m = {.fd = -1};
	int r = name ? mount_point_make(name, path, e) : 0;
	if (r < 0)
		return r;
	if (name)
		m.path = path;
	r = thread_run(making_thread, &m);
	if (r == 0)
		r = m.result;
	if (r < 0) {
		if (name)
			netns_delete(name);
		if (r == -EPERM)
			return netns_allowed(e) < 0 ? -EPERM : err_set(e, EPERM, "cannot make a network namespace: not permitted");
		return err_set(e, -r, "cannot make a network namespace: %s: %s", m.step ? m.step : "no thread", strerror(-r));
	}
	*ret_ns = (struct netns){.fd = m.fd};
	snprintf(ret_ns->name, sizeof(ret_ns->name), "%s", name ? name : "");
	return 0;
}

int netns_open(const char *text, struct netns *ret_ns, struct err *e)
{
	char path[PATH_MAX];
	struct netns ns = {.fd = -1};
	struct stat st, own;
	if (!text) {
		*ret_ns = ns;
		return 0;
	}
	if (strncmp(text, "pid:", 4) == 0 && text[4] && strspn(text + 4, "0123456789") == strlen(text + 4)) {
		snprintf(path, sizeof(path), "/proc/%s/ns/net", text + 4);
	} else if (strchr(text, '/')) {
		snprintf(path, sizeof(path), "%s", text);
	} else {
		int r = name_check(text, e);
		if (r < 0)
			return r;
		snprintf(path, sizeof(path), NETNS_FOLDER "/%s", text);
		snprintf(ns.name, sizeof(ns.name), "%s", text);
	}
	ns.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (ns.fd < 0)
		return err_set(e, errno, "cannot open the network namespace '%.100s': %s", text, strerror(errno));
	/* What is mounted there is of the same file system as every namespace. */
	if (fstat(ns.fd, &st) < 0 || stat("/proc/self/ns/net", &own) < 0 || st.st_dev != own.st_dev) {
		netns_close(&ns);
		return err_set(e, EINVAL, "'%.100s' is no network namespace", text);
	}
	*ret_ns = ns;
	return 0;
}

static bool has_inode(const struct netns *ns, unsigned long long inode)
{
	dev_t device = 0;
	ino_t now = 0;
	return netns_id(ns, &device, &now) == 0 && now == inode;
}

static int open_by_inode(unsigned long long inode, struct netns *ret_ns)
{
	char text[PATH_TEXT_MAX];
	DIR *d = opendir("/proc");
	int r = -ENOENT;
	for (struct dirent *entry; d && r < 0 && (entry = readdir(d));) {
		struct netns ns = {.fd = -1};
		snprintf(text, sizeof(text), "pid:%.20s", entry->d_name);
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9' || netns_open(text, &ns, NULL) < 0)
			continue;
		r = has_inode(&ns, inode) ? 0 : -ENOENT;
		if (r == 0)
			*ret_ns = ns;
		else
			netns_close(&ns);
	}
	if (d)
		closedir(d);
	return r;
}

int netns_open_same(const char *text, struct netns *ret_ns)
{
	char where[PATH_MAX];
	struct netns ns = {.fd = -1};
	const char *at = strrchr(text, '@');
	if (!at || !at[1] || at[1 + strspn(at + 1, "0123456789")])
		return netns_open(text, ret_ns, NULL);
	unsigned long long inode = strtoull(at + 1, NULL, 10);
	snprintf(where, sizeof(where), "%.*s", (int)(at - text), text);
	if (netns_open(where, &ns, NULL) < 0 || !has_inode(&ns, inode)) {
		netns_close(&ns);
		return open_by_inode(inode, ret_ns);
	}
	*ret_ns = ns;
	return 0;
}

void netns_close(struct netns *ns)
{
	cleanup_fd(&ns->fd);
	ns->fd = -1;
}

int netns_delete(const char *name)
{
	char path[PATH_TEXT_MAX];
	if (name_check(name, NULL) < 0)
		return -EINVAL;
	snprintf(path, sizeof(path), NETNS_FOLDER "/%s", name);
	if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT)
		return -errno;
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

int netns_id(const struct netns *ns, dev_t *ret_device, ino_t *ret_inode)
{
	struct stat st;
	if (ns && ns->fd >= 0 ? fstat(ns->fd, &st) < 0 : stat("/proc/self/ns/net", &st) < 0)
		return -errno;
	*ret_device = st.st_dev;
	*ret_inode = st.st_ino;
	return 0;
}

struct socket_wanted {
	int domain, type, protocol;
};

static int socket_inside(void *arg)
{
	const struct socket_wanted *w = arg;
	int fd = socket(w->domain, w->type | SOCK_CLOEXEC, w->protocol);
	return fd < 0 ? -errno : fd;
}

int netns_socket(const struct netns *ns, int domain, int type, int protocol)
{
	struct socket_wanted w = {domain, type, protocol};
	return netns_run(ns, socket_inside, &w);
}

static int undo_run(char *const *words)
{
	/* A journal can be damaged: nothing but names of ours is ever taken away. */
	return strncmp(words[0], GUARD_NAMES, strlen(GUARD_NAMES)) == 0 ? netns_delete(words[0]) : -EINVAL;
}

static void undo_describe(char *const *words, struct buf *b)
{
	buf_printf(b, "takes away the network namespace %s", words[0]);
}

/* name */
const struct guard_kind undo_netns = {.name = "netns", .words = 1, .undo = undo_run, .describe = undo_describe};
