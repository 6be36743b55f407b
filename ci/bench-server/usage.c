/*
 * CPU time and resident memory of a tree of processes: a server with workers is several. The tree is read anew each
 * time, a few hundred small files, so it is asked before and after a measurement, not during one.
 */
#include "ci/bench-server/usage.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "ci/bench-server/fail.h"

#define PROCESSES_MAX 8192 /* of the whole machine */

struct process {
	pid_t pid, parent;
	unsigned long long ticks;
	uint64_t resident;
};

/* False: it is gone. */
static bool process_read(pid_t pid, struct process *ret)
{
	char path[64], line[1024], *rest;
	unsigned long long times[4]; /* utime, stime, and those of waited-for children */
	long resident;
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	n = fread(line, 1, sizeof(line) - 1, f);
	fclose(f);
	line[n] = '\0';
	rest = strrchr(line, ')'); /* the name before it may hold anything */
	*ret = (struct process){ .pid = pid };
	if (!rest || sscanf(rest + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu %*d %*d %*d %*d %*u"
				      " %*u %ld", &ret->parent, &times[0], &times[1], &times[2], &times[3], &resident) != 6)
		return false;
	ret->ticks = times[0] + times[1] + times[2] + times[3];
	ret->resident = (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
	return true;
}

static size_t processes_read(struct process *all)
{
	DIR *folder = opendir("/proc");
	struct dirent *entry;
	size_t count = 0;

	while (folder && count < PROCESSES_MAX && (entry = readdir(folder)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			count += process_read((pid_t)atoi(entry->d_name), &all[count]);
	if (folder)
		closedir(folder);
	return count;
}

static bool descends(const struct process *all, size_t count, pid_t pid, pid_t root)
{
	for (unsigned depth = 0; depth < 16 && pid > 1; depth++) {
		size_t i = 0;

		if (pid == root)
			return true;
		while (i < count && all[i].pid != pid)
			i++;
		if (i == count)
			return false;
		pid = all[i].parent;
	}
	return false;
}

struct usage usage_of(pid_t root)
{
	static struct process all[PROCESSES_MAX];
	size_t count = processes_read(all);
	struct usage usage = { 0 };

	for (size_t i = 0; i < count; i++) {
		if (!descends(all, count, all[i].pid, root))
			continue;
		usage.cpu_s += (double)all[i].ticks / (double)sysconf(_SC_CLK_TCK);
		usage.resident += all[i].resident;
		usage.processes++;
	}
	if (root > 0 && usage.processes == 0)
		fail("there is no server with process id %d", root);
	return usage;
}

double usage_own_cpu_s(void)
{
	double seconds = 0;
	static const int whose[] = { RUSAGE_SELF, RUSAGE_CHILDREN };

	for (unsigned i = 0; i < 2; i++) {
		struct rusage r;

		getrusage(whose[i], &r);
		seconds += (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
			   (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
	}
	return seconds;
}

double monotonic_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
