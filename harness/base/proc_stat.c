/* The guard, its doctor and the faults on processes all ask who a process is and whether it still runs. */
#include "harness/base/proc_stat.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/err.h"

enum { STAT_MAX = 1024 };

/* "pid (comm) state ppid ...": comm may hold anything, so the fields are counted from the last parenthesis. */
static int parse(const char *text, struct proc_stat *ret_stat)
{
	const char *rest = strrchr(text, ')');
	int parent;
	unsigned long long started;
	char state;
	/* The state is field 3, the parent field 4, the start time field 22. */
	if (!rest || sscanf(rest + 1, " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
			    &state, &parent, &started) != 3)
		return -ESRCH;
	*ret_stat = (struct proc_stat){state, parent, started};
	return 0;
}

int proc_stat_read(pid_t pid, struct proc_stat *ret_stat)
{
	char path[64], text[STAT_MAX];
	snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	int fd CLEANUP(cleanup_fd) = pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return pid <= 0 || errno == ENOENT ? -ESRCH : -errno;
	/* All of it comes in one read. */
	ssize_t n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	text[n] = 0;
	return parse(text, ret_stat);
}

bool proc_stat_over(char state)
{
	return state == 'Z' || state == 'X' || state == 'x';
}
