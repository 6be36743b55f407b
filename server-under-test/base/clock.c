/* The two clocks of the server, as numbers that can be compared and subtracted. */
#include "server-under-test/base/clock.h"

#include <time.h>

static double read_s(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

double clock_monotonic_s(void)
{
	return read_s(CLOCK_MONOTONIC);
}

double clock_unix_s(void)
{
	return read_s(CLOCK_REALTIME);
}
