/* What a node is and how it is found; what takes time lies in node_task.c. */
#include "faults/node.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "faults/node_internal.h"

static const struct {
	const char *name;
	int number;
} signals[] = {
	{"TERM", SIGTERM}, {"INT", SIGINT}, {"HUP", SIGHUP}, {"QUIT", SIGQUIT}, {"USR1", SIGUSR1}, {"USR2", SIGUSR2},
	{"KILL", SIGKILL}, {"ABRT", SIGABRT}, {"SEGV", SIGSEGV},
};

int fault_signal_parse(const char *text, int *ret_signal, struct err *e)
{
	const char *word = strncmp(text, "SIG", 3) == 0 ? text + 3 : text;
	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		char number[8];
		snprintf(number, sizeof(number), "%d", signals[i].number);
		if (strcmp(word, signals[i].name) == 0 || strcmp(text, number) == 0) {
			*ret_signal = signals[i].number;
			return 0;
		}
	}
	return err_set(e, EINVAL, "expected a signal that ends a process (TERM, INT, HUP, QUIT, USR1, USR2, KILL, ABRT, "
				  "SEGV), not '%.40s'", text);
}

static const char *keep(struct fault_node *n, const char *text)
{
	return text ? arena_strdup(&n->arena, text) : NULL;
}

static int keep_start(struct fault_node *n, const char *const *start, struct err *e)
{
	size_t count = 0;
	while (start && start[count])
		count++;
	if (!start)
		return 0;
	const char **copy = arena_alloc(&n->arena, (count + 1) * sizeof(*copy));
	for (size_t i = 0; copy && i < count; i++)
		if (!(copy[i] = keep(n, start[i])))
			return err_set(e, ENOMEM, "%s: out of memory", n->config.name);
	n->config.start = copy;
	n->launch = (struct launch){.name = n->config.name, .argv = copy, .folder = n->config.folder,
				    .log = n->config.log, .pidfile = n->config.pidfile, .clock = n->clock};
	return copy ? launch_check(&n->launch, e) : err_set(e, ENOMEM, "%s: out of memory", n->config.name);
}

static int keep_clock(struct fault_node *n, struct err *e)
{
	const char *beside = n->config.pidfile ? n->config.pidfile : n->config.log;
	if (!n->config.clock)
		return 0;
	if (!n->config.start || !beside)
		return err_set(e, EINVAL, "%s: `clock` needs `start`, and `pidfile` or `log`: its file lies beside that",
			       n->config.name);
	n->clock = arena_printf(&n->arena, "%s.clock", beside);
	return n->clock ? 0 : err_set(e, ENOMEM, "%s: out of memory", n->config.name);
}

/* What may be wrong in what the owner wrote. */
static int look(struct fault_node *n, struct err *e)
{
	const struct fault_node_config *c = &n->config;
	struct err why = {.text = ""};
	n->stop_signal = SIGTERM;
	int r = c->stop_signal ? fault_signal_parse(c->stop_signal, &n->stop_signal, &why) : 0;
	if (r == 0 && c->ready) {
		r = ready_parse(c->ready, &n->ready, &why);
		n->has_ready = r == 0;
	}
	if (r < 0)
		return err_set(e, -r, "%s: %s", c->name, why.text);
	if (c->pid && proc_identify(c->pid, &n->given) < 0)
		return err_set(e, ESRCH, "%s: there is no process %d", c->name, (int)c->pid);
	if (c->pid == 1 || c->pid == getpid())
		return err_set(e, EINVAL, "%s: process %d is not one to be hurt", c->name, (int)c->pid);
	if (!c->pid && !c->pidfile && !c->start)
		return err_set(e, EINVAL, "%s: how is its process found? Tell `pidfile` or `start`", c->name);
	r = keep_clock(n, e);
	return r < 0 ? r : keep_start(n, c->start, e);
}

int fault_node_new(struct loop *l, const struct fault_node_config *c, struct fault_node **ret_node, struct err *e)
{
	struct fault_node *n = calloc(1, sizeof(*n));
	if (!n)
		return err_set(e, ENOMEM, "out of memory");
	arena_init(&n->arena, NODE_ARENA_MAX);
	n->loop = l;
	n->config = *c;
	n->config.name = keep(n, c->name);
	n->config.url = keep(n, c->url);
	n->config.pidfile = keep(n, c->pidfile);
	n->config.folder = keep(n, c->folder);
	n->config.log = keep(n, c->log);
	n->config.ready = keep(n, c->ready);
	n->config.proxy_api = keep(n, c->proxy_api);
	n->config.proxy = keep(n, c->proxy);
	n->config.grace_ms = c->grace_ms ? c->grace_ms : NODE_GRACE_MS;
	n->config.ready_within_ms = c->ready_within_ms ? c->ready_within_ms : NODE_READY_MS;
	snprintf(n->ending, sizeof(n->ending), "unknown");
	int r = n->config.name ? look(n, e) : err_set(e, ENOMEM, "out of memory");
	n->config.stop_signal = NULL; /* it is in n->stop_signal */
	if (r < 0) {
		fault_node_free(n);
		return r;
	}
	*ret_node = n;
	return 0;
}

void fault_node_free(struct fault_node *n)
{
	if (!n)
		return;
	fault_node_cancel(n);
	node_reap(n);
	arena_fini(&n->arena);
	free(n);
}

const struct fault_node_config *fault_node_config(const struct fault_node *n)
{
	return &n->config;
}

const char *fault_node_name(const struct fault_node *n)
{
	return n->config.name;
}

const char *fault_node_clock(const struct fault_node *n)
{
	return n->clock;
}

const char *fault_node_why(const struct fault_node *n)
{
	return n->why.text;
}

const char *fault_node_ending(const struct fault_node *n)
{
	return n->ending;
}

void node_reap(struct fault_node *n)
{
	int status;
	if (!n->ours.pid || waitpid(n->ours.pid, &status, WNOHANG) != n->ours.pid)
		return;
	if (WIFSIGNALED(status))
		snprintf(n->ending, sizeof(n->ending), "signal=%d", WTERMSIG(status));
	else
		snprintf(n->ending, sizeof(n->ending), "status=%d", WEXITSTATUS(status));
	n->ours = (struct proc_id){0};
}

int fault_node_find(struct fault_node *n, struct proc_id *ret_id, struct err *e)
{
	node_reap(n);
	if (n->ours.pid && proc_lives(n->ours)) {
		*ret_id = n->ours;
		return 0;
	}
	if (n->config.pidfile) {
		int r = proc_from_pidfile(n->config.pidfile, ret_id);
		if (r == 0)
			return 0;
		return err_set(e, ESRCH, "%s does not run: %s %s", n->config.name, n->config.pidfile,
			       r == -ENOENT	? "is not there"
			       : r == -EINVAL	? "holds no process number"
			       : r == -ESRCH	? "names a process that is gone"
						: strerror(-r));
	}
	if (n->given.pid && proc_lives(n->given)) {
		*ret_id = n->given;
		return 0;
	}
	if (n->given.pid)
		return err_set(e, ESRCH, "%s does not run: process %d is gone", n->config.name, (int)n->given.pid);
	return err_set(e, ESRCH, "%s does not run, as far as can be seen without a `pidfile`", n->config.name);
}

int fault_node_tree(struct fault_node *n, struct proc_id *ret_list, struct err *e)
{
	struct proc_id root;
	int r = fault_node_find(n, &root, e);
	if (r < 0)
		return r;
	r = proc_tree(root, ret_list, PROC_TREE_MAX);
	return r < 0 ? err_set(e, -r, "%s: its processes cannot be told: %s", n->config.name, strerror(-r)) : r;
}

bool fault_node_returns(const struct fault_node *n)
{
	return n->config.start || n->config.pidfile;
}

int fault_node_must_return(const struct fault_node *n, struct err *e)
{
	if (fault_node_returns(n))
		return 0;
	return err_set(e, EINVAL, "%s cannot be started again: tell its `start`, or the `pidfile` that its supervisor writes",
		       n->config.name);
}

int fault_node_promise(struct fault_node *n, struct guard *g, struct err *e)
{
	struct proc_id was;
	int r = fault_node_find(n, &was, e);
	if (r < 0 || !n->config.start)
		return r;
	return launch_promise(&n->launch, g, was, e);
}

int fault_node_start_now(struct fault_node *n, struct err *e)
{
	struct proc_id now;
	if (!n->config.start || fault_node_find(n, &now, NULL) == 0)
		return 0;
	return launch_start(&n->launch, &n->ours, e);
}

int fault_node_end_now(struct fault_node *n, struct err *e)
{
	int fd CLEANUP(cleanup_fd) = n->told ? proc_open(n->was) : -1;
	struct pollfd end = {.fd = fd, .events = POLLIN};
	struct proc_id tree[PROC_TREE_MAX];
	if (fd < 0)
		return 0;
	int count = proc_tree(n->was, tree, PROC_TREE_MAX);
	for (int i = 0; i < count; i++)
		proc_signal(tree[i], SIGKILL);
	if (poll(&end, 1, NODE_END_NOW_MS) != 1)
		return err_set(e, EBUSY, "%s does not end", n->config.name);
	node_reap(n);
	return 0;
}
