/*
 * The parent of several workers. It has no event loop and touches nothing that they serve with, so that a worker can be
 * forked at any time: it waits for signals, with all of them blocked in between.
 */
#include "server-under-test/workers.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "server-under-test/base/clock.h"
#include "server-under-test/limits.h"
#include "server-under-test/metrics.h"
#include "server-under-test/process.h"

#define RESPAWN_PERIOD_S 60.0

struct worker {
	pid_t pid; /* 0: none */
	int control_fd; /* write end */
	struct listener listener; /* kept open for the next one in this place */
};

struct workers {
	const struct config *config;
	struct log log;
	struct worker *all;
	unsigned count;
	bool draining;
	double killed_s; /* monotonic: when those who are left are killed */
	double respawns_s[WORKERS_RESPAWNS_MAX]; /* monotonic; a ring */
	unsigned respawns;
	int exit_code;
	sigset_t signals; /* handled here */
};

/* In the child: what is the parent's goes, signals are the parent's business, and with the parent it ends. */
static void child_settle(struct workers *workers, unsigned index, pid_t parent)
{
	static const int ignored[] = { SIGTERM, SIGUSR2, SIGINT, SIGHUP };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_SOFTWARE);
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	sigprocmask(SIG_UNBLOCK, &workers->signals, NULL);
	for (unsigned i = 0; i < workers->count; i++) {
		if (i != index)
			listener_stop(&workers->all[i].listener);
		if (i != index && workers->all[i].pid)
			close(workers->all[i].control_fd);
	}
	log_close(&workers->log);
}

/* Forks a worker; *ret_ready_fd is at its end, or has an octet, when it serves. */
static int worker_fork(struct workers *workers, unsigned index, int *ret_ready_fd)
{
	struct worker *worker = &workers->all[index];
	int control[2], ready[2];
	pid_t parent = getpid();

	if (pipe2(control, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	if (pipe2(ready, O_CLOEXEC) < 0) {
		int r = -errno;

		close(control[0]);
		close(control[1]);
		return r;
	}
	worker->pid = fork();
	if (worker->pid == 0) {
		struct worker_place place = { .index = index, .control_fd = control[0], .ready_fd = ready[1] };
		struct listener listener = worker->listener;
		int r;

		close(control[1]);
		close(ready[0]);
		child_settle(workers, index, parent);
		free(workers->all);
		r = process_run(workers->config, &listener, &place);
		exit(r);
	}
	close(control[0]);
	close(ready[1]);
	worker->control_fd = control[1];
	*ret_ready_fd = ready[0];
	if (worker->pid > 0)
		return 0;
	worker->pid = 0;
	close(control[1]);
	close(ready[0]);
	return -EAGAIN;
}

static int complain_fork(int r)
{
	struct err err;

	err_set(&err, "cannot start a worker: %s", strerror(-r));
	return complain(EXIT_SOFTWARE, &err);
}

static void kill_all(struct workers *workers)
{
	for (unsigned i = 0; i < workers->count; i++)
		if (workers->all[i].pid)
			kill(workers->all[i].pid, SIGKILL);
}

static unsigned alive(const struct workers *workers)
{
	unsigned count = 0;

	for (unsigned i = 0; i < workers->count; i++)
		count += workers->all[i].pid != 0;
	return count;
}

/* Keeps the first failure. A worker that a signal ended was killed by us, or has crashed. */
static void note_exit(struct workers *workers, int exit_code)
{
	if (workers->exit_code == 0)
		workers->exit_code = exit_code;
}

static void order_all(struct workers *workers, enum control control)
{
	char order = (char)control;

	for (unsigned i = 0; i < workers->count; i++)
		if (workers->all[i].pid && write(workers->all[i].control_fd, &order, 1) < 0)
			continue; /* it has died, which SIGCHLD tells */
}

/* May another one be started in place of one that died? */
static bool respawn_allowed(struct workers *workers)
{
	double now = clock_monotonic_s();
	double *oldest = &workers->respawns_s[workers->respawns % WORKERS_RESPAWNS_MAX];

	if (workers->respawns >= WORKERS_RESPAWNS_MAX && now - *oldest < RESPAWN_PERIOD_S)
		return false;
	*oldest = now;
	workers->respawns++;
	return true;
}

/* The end of everything by our own decision: workers crash faster than they are replaced. */
static void give_up(struct workers *workers, int exit_code)
{
	note_exit(workers, exit_code);
	workers->draining = true;
	workers->killed_s = clock_monotonic_s();
	kill_all(workers);
}

static void respawn(struct workers *workers, unsigned index)
{
	int ready_fd, r;

	if (!respawn_allowed(workers)) {
		struct err err;

		err_set(&err, "%d workers died within a minute: giving up", WORKERS_RESPAWNS_MAX + 1);
		give_up(workers, complain(EXIT_SOFTWARE, &err));
		return;
	}
	r = worker_fork(workers, index, &ready_fd);
	if (r < 0)
		give_up(workers, complain_fork(r));
	else
		close(ready_fd); /* nobody waits for it: its death would be a SIGCHLD */
}

static void worker_ended(struct workers *workers, unsigned index, int status)
{
	struct worker *worker = &workers->all[index];
	int exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_SOFTWARE;

	close(worker->control_fd);
	if (!workers->draining || exit_code != 0)
		log_worker_died(&workers->log, index, (int)worker->pid, WIFEXITED(status) ? -1 : WTERMSIG(status), exit_code);
	worker->pid = 0;
	metrics_forget(index);
	if (workers->draining)
		note_exit(workers, exit_code);
	else
		respawn(workers, index);
}

static void reap(struct workers *workers)
{
	int status;

	for (pid_t pid = waitpid(-1, &status, WNOHANG); pid > 0; pid = waitpid(-1, &status, WNOHANG))
		for (unsigned i = 0; i < workers->count; i++)
			if (workers->all[i].pid == pid)
				worker_ended(workers, i, status);
}

/* A worker must be the only one who has its socket open, so that it refuses connections once it closes it. */
static void begin_drain(struct workers *workers, int signum)
{
	unsigned code = signum == SIGUSR2 ? 1012 : 1001;

	if (workers->draining) {
		workers->killed_s = clock_monotonic_s() + WORKERS_GRACE_S;
	} else {
		workers->draining = true;
		workers->killed_s = clock_monotonic_s() + workers->config->drain_timeout_s + WORKERS_GRACE_S;
		log_server_drain(&workers->log, code, (unsigned)metrics_connections_active());
		for (unsigned i = 0; i < workers->count; i++)
			listener_stop(&workers->all[i].listener);
	}
	order_all(workers, code == 1012 ? CONTROL_RESTART : CONTROL_DRAIN);
}

static void wait_all(struct workers *workers)
{
	while (alive(workers) > 0) {
		double left = fmax(workers->killed_s - clock_monotonic_s(), 0);
		struct timespec patience = { .tv_sec = (time_t)left, .tv_nsec = (long)((left - floor(left)) * 1e9) };
		int signum = workers->draining ? sigtimedwait(&workers->signals, NULL, &patience) :
						 sigwaitinfo(&workers->signals, NULL);

		if (signum == SIGCHLD)
			reap(workers);
		else if (signum == SIGHUP)
			order_all(workers, CONTROL_RELOAD);
		else if (signum > 0)
			begin_drain(workers, signum);
		else if (workers->draining && workers->killed_s <= clock_monotonic_s()) {
			kill_all(workers);
			workers->killed_s = clock_monotonic_s() + WORKERS_GRACE_S;
		}
	}
}

/* One after the other: a configuration that does not work is complained about once. */
static int start_all(struct workers *workers)
{
	for (unsigned i = 0; i < workers->count; i++) {
		int status, ready_fd;
		char octet;
		ssize_t n;
		int r = worker_fork(workers, i, &ready_fd);

		if (r < 0)
			return complain_fork(r);
		do {
			n = read(ready_fd, &octet, 1);
		} while (n < 0 && errno == EINTR);
		close(ready_fd);
		if (n == 1)
			continue;
		waitpid(workers->all[i].pid, &status, 0);
		close(workers->all[i].control_fd);
		workers->all[i].pid = 0;
		return WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : EXIT_SOFTWARE;
	}
	return 0;
}

/* The first finds the port; the others join it. */
static int listen_all(struct workers *workers, struct err *err)
{
	unsigned port = (unsigned)workers->config->port;

	for (unsigned i = 0; i < workers->count; i++) {
		int r = listener_open(&workers->all[i].listener, workers->config->bind, port,
				      i == 0 ? LISTENER_SHARED_FIRST : LISTENER_SHARED, err);

		if (r < 0)
			return complain(r == -EINVAL ? EXIT_USAGE : EXIT_UNAVAILABLE, err);
		port = workers->all[0].listener.port;
	}
	return 0;
}

static void signals_block(struct workers *workers)
{
	static const int handled[] = { SIGTERM, SIGUSR2, SIGINT, SIGHUP, SIGCHLD };

	sigemptyset(&workers->signals);
	for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++)
		sigaddset(&workers->signals, handled[i]);
	sigprocmask(SIG_BLOCK, &workers->signals, NULL);
}

int workers_run(const struct config *config)
{
	struct workers workers = { .config = config, .count = (unsigned)config->workers };
	struct err err;
	int r;

	if (log_open(&workers.log, config->log, config->node, &err) < 0)
		return complain(EXIT_USAGE, &err);
	workers.all = calloc(workers.count, sizeof(*workers.all));
	if (!workers.all)
		abort();
	for (unsigned i = 0; i < workers.count; i++)
		workers.all[i].listener.fd = -1;
	signals_block(&workers);
	r = listen_all(&workers, &err);
	if (r == 0)
		r = start_all(&workers);
	if (r == 0) {
		log_server_ready(&workers.log, workers.all[0].listener.port, config->tls_cert != NULL, workers.count);
		wait_all(&workers);
		r = workers.exit_code;
	} else {
		give_up(&workers, r);
		wait_all(&workers);
	}
	for (unsigned i = 0; i < workers.count; i++)
		listener_stop(&workers.all[i].listener);
	free(workers.all);
	log_close(&workers.log);
	return r;
}
