#pragma once
/*
 * Network namespaces. A named one is mounted under /run/netns just as `ip netns` does it, so that people can look
 * (`ip -n NAME link`); an anonymous one lives as long as its descriptor, or a process or socket in it.
 *
 * Nothing here ever moves the calling thread: what is to happen inside a namespace happens in a thread of its own that
 * ends afterwards, so a failure cannot leave us on the wrong network, and it works from inside a user namespace, from
 * which there would be no way back. Sources: network_namespaces(7), setns(2), user_namespaces(7), ip-netns(8).
 */
#include <stdbool.h>
#include <sys/types.h>

#include "harness/base/err.h"
#include "harness/base/guard.h"

enum { NETNS_NAME_MAX = 64 };      /* octets of a name */
#define NETNS_FOLDER "/run/netns"

struct netns {
	int fd;                            /* -1: our own namespace */
	char name[NETNS_NAME_MAX + 1];     /* under NETNS_FOLDER; "" when it has none */
};

/* An own, new, empty namespace with `lo` down. name NULL: anonymous. -EEXIST, -EPERM, ... with a sentence. */
int netns_new(const char *name, struct netns *ret_ns, struct err *e);
/* A name under NETNS_FOLDER, a path (with a slash), "pid:123", or NULL: our own. -ENOENT, -EINVAL, with a sentence. */
int netns_open(const char *text, struct netns *ret_ns, struct err *e);
/*
 * For undos: "TEXT@INODE", the namespace of that inode (netns_id), which TEXT led to when this was written. When it
 * leads elsewhere or nowhere by now (a process number was given to another, a container's first process ended) it is
 * looked for among the namespaces of the processes that live. Without @INODE as netns_open. -ENOENT: it is gone.
 */
int netns_open_same(const char *text, struct netns *ret_ns);
/* Gives the descriptor back; a named one stays. Safe on {.fd = -1}. */
void netns_close(struct netns *ns);
/* Takes the name away; the namespace ends with its last user. One that is gone already is success. */
int netns_delete(const char *name);
/* Device and inode: the same namespace has the same. ns NULL: our own. */
int netns_id(const struct netns *ns, dev_t *ret_device, ino_t *ret_inode);

/*
 * Runs f in a thread inside the namespace and waits for it (about 50 us). f may block, fork, open sockets and
 * descriptors; they stay. ns NULL or fd -1: just calls it. What f returned, or a negative errno from going there.
 */
int netns_run(const struct netns *ns, int (*f)(void *arg), void *arg);
/* socket(2) inside; a descriptor with SOCK_CLOEXEC, or a negative errno. */
int netns_socket(const struct netns *ns, int domain, int type, int protocol);
/*
 * Starts argv[0] (found in PATH) inside. fds: its standard input, output and error, -1: /dev/null; NULL: ours. The
 * caller reaps it. It is not tied to our life: tell the guard.
 */
int netns_spawn(const struct netns *ns, const char *const *argv, const int *fds, pid_t *ret_pid, struct err *e);

/* May this process make and enter namespaces? 0, or -EPERM with what to do about it. */
int netns_allowed(struct err *e);
/* May it change the links of the namespace it is in? 0, or -EPERM likewise. */
int netns_links_allowed(struct err *e);
/*
 * Without root: makes us root of a user namespace of our own, in which namespaces, links and qdiscs may be made (but
 * nothing of the host's network changed, and no names under NETNS_FOLDER). Call it early: only a process with one
 * thread may. With the capability already there it does nothing. -EPERM, -ENOSPC, -EINVAL with a sentence.
 */
int netns_become_root(struct err *e);

/* For the guard: a namespace with a name of ours. Words: name. */
extern const struct guard_kind undo_netns;
