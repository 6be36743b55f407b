#pragma once
/*
 * A server that we start ourselves: wsquall-server as the embedded reference target. It dies with us, whatever happens to us
 * (PR_SET_PDEATHSIG), and is stopped by its process id.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "harness/base/err.h"

struct process {
	pid_t pid;            /* 0: not running */
	uint16_t port;        /* that it listens on */
	int out;              /* what it wrote to its standard output (a memfd): never full, so it never blocks the server */
	char path[512];
	const char *args[48]; /* as given, NULL-terminated */
};

enum { PROCESS_READY_MS = 15000, PROCESS_STOP_MS = 5000, PROCESS_LINE_MAX = 4096 };

/*
 * Starts `path` with args (without argv[0]; NULL-terminated; outlive the process) and `--port PORT`, and waits for its log line
 * {"event":"server.ready","port":N,...}. port 0: a free one. Blocks at most PROCESS_READY_MS. -ENOENT, -ETIMEDOUT, -ECHILD when it ended before it was ready; with a sentence.
 */
int process_start(struct process *p, const char *path, const char *const *args, uint16_t port, struct err *e);
/* Has it ended? Reaps it then. */
bool process_ended(struct process *p);
/* SIGTERM twice (drain, then at once), SIGKILL after PROCESS_STOP_MS. Safe on a zeroed or ended process. */
void process_stop(struct process *p);
/* `name` in the folder of our own executable, else as it is for PATH to find. */
void process_beside_us(const char *name, char *ret_path, size_t len);
