/*
 * Programs inside a namespace, and the right to make namespaces. What a thread forks inherits its namespace, so the
 * child has nothing to do but to take its descriptors and to become the program.
 */
#include "harness/net/netns.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREAD_GONE_MS = 100 };

struct spawning {
	const char *const *argv;
	const int *fds;
	int report; /* gets an errno when exec fails; close-on-exec */
	pid_t pid;
};

/* In the child: async-signal-safe calls alone. */
static void become(const struct spawning *s)
{
	struct sigaction standard = {.sa_handler = SIG_DFL};
	sigset_t none;
	int moved[3];
	for (int i = 1; i < NSIG; i++)
		sigaction(i, &standard, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* Out of the way first: one of the three may be the number that another is to have. */
	for (int i = 0; s->fds && i < 3; i++) {
		int fd = s->fds[i] >= 0 ? s->fds[i] : open("/dev/null", O_RDWR | O_CLOEXEC);
		moved[i] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	}
	for (int i = 0; s->fds && i < 3; i++)
		dup2(moved[i], i);
	execvp(s->argv[0], (char *const *)(uintptr_t)s->argv);
	int error = errno;
	if (write(s->report, &error, sizeof(error)) < 0)
		_exit(126);
	_exit(127);
}

static int fork_inside(void *arg)
{
	struct spawning *s = arg;
	s->pid = fork();
	if (s->pid == 0)
		become(s);
	return s->pid < 0 ? -errno : 0;
}

int netns_spawn(const struct netns *ns, const char *const *argv, const int *fds, pid_t *ret_pid, struct err *e)
{
	int pipe_fds[2], error = 0;
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return err_set(e, errno, "cannot start %s: %s", argv[0], strerror(errno));
	/* Beyond the three standard ones, which the child overwrites. */
	struct spawning s = {.argv = argv, .fds = fds, .report = fcntl(pipe_fds[1], F_DUPFD_CLOEXEC, 3)};
	close(pipe_fds[1]);
	int r = s.report < 0 ? -errno : netns_run(ns, fork_inside, &s);
	cleanup_fd(&s.report);
	if (r == 0 && read(pipe_fds[0], &error, sizeof(error)) == (ssize_t)sizeof(error)) {
		waitpid(s.pid, NULL, 0);
		r = -error;
	}
	close(pipe_fds[0]);
	if (r < 0)
		return err_set(e, -r, "cannot start %s: %s", argv[0], strerror(-r));
	*ret_pid = s.pid;
	return 0;
}

static bool has_capability(int capability)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	memset(data, 0, sizeof(data));
	return syscall(SYS_capget, &header, data) == 0 && (data[0].effective & (1u << capability));
}

int netns_allowed(struct err *e)
{
	if (has_capability(CAP_SYS_ADMIN) && has_capability(CAP_NET_ADMIN))
		return 0;
	return err_set(e, EPERM,
		       "network namespaces need root (CAP_SYS_ADMIN and CAP_NET_ADMIN), or a user namespace: run it with sudo or "
		       "under `unshare --user --map-root-user --net`");
}

int netns_links_allowed(struct err *e)
{
	if (has_capability(CAP_NET_ADMIN))
		return 0;
	return err_set(e, EPERM, "changing a network interface needs root, or CAP_NET_ADMIN: run it with sudo");
}

static int write_once(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t n = write(fd, text, strlen(text));
	int r = n == (ssize_t)strlen(text) ? 0 : -errno;
	close(fd);
	return r;
}

static int refused(int error, struct err *e)
{
	switch (error) {
	case -EINVAL:
		return err_set(e, EINVAL, "no user namespace: this process has more than one thread already");
	case -ENOSPC:
		return err_set(e, ENOSPC, "no user namespace: the kernel allows no more of them (sysctl user.max_user_namespaces)");
	default:
		return err_set(e, -error,
			       "no user namespace: %s; without root set the sysctl kernel.unprivileged_userns_clone to 1, or "
			       "kernel.apparmor_restrict_unprivileged_userns to 0, where there is one", strerror(-error));
	}
}

/* A thread that was joined may be in the kernel for a moment longer: then it is one too many. */
static int unshare_user(void)
{
	int r = unshare(CLONE_NEWUSER) < 0 ? -errno : 0;
	for (int i = 0; r == -EINVAL && i < THREAD_GONE_MS; i++) {
		poll(NULL, 0, 1);
		r = unshare(CLONE_NEWUSER) < 0 ? -errno : 0;
	}
	return r;
}

int netns_become_root(struct err *e)
{
	char uid_map[64], gid_map[64];
	if (netns_allowed(NULL) == 0)
		return 0;
	snprintf(uid_map, sizeof(uid_map), "0 %u 1", (unsigned)geteuid());
	snprintf(gid_map, sizeof(gid_map), "0 %u 1", (unsigned)getegid());
	int error = unshare_user();
	if (error < 0)
		return refused(error, e);
	/* Without "deny" the kernel lets nobody but root map groups; kernels before 3.19 have no such file. */
	write_once("/proc/self/setgroups", "deny");
	int r = write_once("/proc/self/uid_map", uid_map);
	if (r == 0)
		r = write_once("/proc/self/gid_map", gid_map);
	return r < 0 ? err_set(e, -r, "cannot be root of the user namespace: %s", strerror(-r)) : 0;
}
