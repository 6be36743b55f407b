#pragma once
/* What a process and all its descendants have used, from /proc: proc(5). CPU time counts in steps of 10 ms. */

#include <stdint.h>
#include <sys/types.h>

struct usage {
	double cpu_s; /* user and system; of threads and children that ended too if they were waited for */
	uint64_t resident; /* octets, summed: pages that several of them share count once for each */
	unsigned processes;
};

/* Zero for root 0; a process that is not there is a failure. */
struct usage usage_of(pid_t root);
/* CPU seconds of this process and the children it has waited for. */
double usage_own_cpu_s(void);
double monotonic_s(void);
