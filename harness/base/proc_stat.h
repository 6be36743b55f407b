#pragma once
/* What /proc/PID/stat tells of a process. Source: proc(5). */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct proc_stat {
	char state;                    /* 'R' 'S' 'D' 'T' 't' 'Z' ... */
	pid_t parent;
	uint64_t started;              /* clock ticks since boot */
};

/* 0; -ESRCH: there is no such process; or what reading gave. */
int proc_stat_read(pid_t pid, struct proc_stat *ret_stat);
/* A state of one that has ended: a zombie, or on its way from there. */
bool proc_stat_over(char state);
