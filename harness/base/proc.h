#pragma once
/*
 * Processes of this host as /proc shows them. A process is its number and its start time, so that a later process of
 * the same number is never touched; signals go through a pidfd for the same reason. Sources: proc(5), pidfd_open(2),
 * pidfd_send_signal(2).
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	PROC_TREE_MAX = 1024,      /* processes of one tree that are acted on */
	PROC_SCAN_MAX = 1 << 16,   /* processes of a host that are looked at */
	PROC_ENVIRON_MAX = 1 << 18, /* octets of an environment */
};

struct proc_id {
	pid_t pid;
	uint64_t started;          /* clock ticks since boot: field 22 of /proc/PID/stat */
};

/* -ESRCH: no such process, or one that has ended and is not yet reaped. */
int proc_identify(pid_t pid, struct proc_id *ret_id);
/* It still lives, and is the same. A zombie does not live. */
bool proc_lives(struct proc_id id);
/* A pidfd of exactly this process (close-on-exec), or -ESRCH. Readable when the process has ended. */
int proc_open(struct proc_id id);
/* 0, -ESRCH, -EPERM. */
int proc_signal(struct proc_id id, int signal);
/* 'R' 'S' 'D' 'T' 't' 'Z' ...; 0: gone, or another one. */
char proc_state(struct proc_id id);
/* Wall-clock time of its start in milliseconds since 1970, about as exact as a clock tick. */
uint64_t proc_started_at_ms(struct proc_id id);

/*
 * The process and all below it, parents before their children; never ourselves, nor what is below us unless `root` is
 * our child. Returns how many, -ESRCH, -E2BIG past `max`, or what reading /proc gave.
 */
int proc_tree(struct proc_id root, struct proc_id *ret_list, size_t max);

/* The value of a variable in the environment that the process was started with; -ENOENT, -ESRCH, -EACCES, -ENOBUFS. */
int proc_environ(struct proc_id id, const char *name, char *ret_value, size_t len);
/* Octets of private data (VmData of /proc/PID/status), what RLIMIT_DATA counts. */
int proc_data_octets(struct proc_id id, uint64_t *ret_octets);
/*
 * The smallest RLIMIT_NOFILE that leaves room for `spare` descriptors more: numbers below it that are not in use.
 * Source: a descriptor's number must be below the limit, getrlimit(2).
 */
int proc_descriptor_limit(struct proc_id id, uint64_t spare, uint64_t *ret_limit);

/*
 * The process that a pidfile names. -ENOENT: no such file; -EINVAL: no number in it; -ESRCH: that process is gone, or
 * began after the file was written, so that the number is another's now.
 */
int proc_from_pidfile(const char *path, struct proc_id *ret_id);
/*
 * The process of this network namespace that listens on a TCP port, the parent where several do. -ESRCH: none that may
 * be seen. Reads all of /proc.
 */
int proc_listening(uint16_t port, struct proc_id *ret_id);

struct proc_use {
	uint64_t resident;         /* octets; pages that processes share are counted in each */
	uint64_t descriptors;
};
/* Of one process. -ESRCH, -EACCES (another user's). */
int proc_use(struct proc_id id, struct proc_use *ret_use);

/* A process as two words of a guard entry, and back; -EINVAL for what is none. */
enum { PROC_WORD_MAX = 24 };
void proc_words(struct proc_id id, char ret_pid[PROC_WORD_MAX], char ret_started[PROC_WORD_MAX]);
int proc_from_words(const char *pid, const char *started, struct proc_id *ret_id);
