/*
 * The delay distributions of tc, computed instead of read: Debian's tc keeps its files where libnl does not look. The
 * steps and roundings are those of iproute2's netem/normal.c, pareto.c and paretonormal.c, so that the values are the
 * same to the last bit.
 */
#include <math.h>
#include <stddef.h>

#include "harness/net/netem.h"

enum { STEPS = 16384, SCALE = 8192 /* NETEM_DIST_SCALE */, THIN = STEPS / NETEM_TABLE_LEN };

static double clamp16(double value)
{
	return fmin(fmax(value, INT16_MIN), INT16_MAX);
}

/* The inverse of the normal distribution function: by going along x and noting where each step of it is reached. */
static void normal_values(double values[NETEM_TABLE_LEN])
{
	double x = -10.0;
	for (int step = 0; step <= 401000; step++, x += .00005) {
		int i = (int)rint(STEPS * (.5 + .5 * erf(x / sqrt(2.0))));
		if (i % THIN == 0 && i < STEPS)
			values[i / THIN] = rint(x * SCALE);
	}
}

static double pareto_value(int i)
{
	double u = (double)(65536 - 16 * i) / 65536;
	return rint(fmin((1.0 / pow(u, 1.0 / 3.0) - 1.5) * (4.0 / 3.0) * SCALE, INT16_MAX));
}

void netem_table(enum netem_distribution d, int16_t table[NETEM_TABLE_LEN])
{
	double normal[NETEM_TABLE_LEN] = {0};
	if (d == NETEM_NORMAL || d == NETEM_PARETONORMAL)
		normal_values(normal);
	for (int i = 0; i < NETEM_TABLE_LEN; i++) {
		double value = normal[i];
		if (d == NETEM_UNIFORM)
			value = (double)(2 * SCALE) * i / NETEM_TABLE_LEN - SCALE;
		else if (d == NETEM_PARETO)
			value = pareto_value(i);
		else if (d == NETEM_PARETONORMAL)
			value = trunc(normal[i] * .25 + pareto_value(i) * .75);
		table[i] = (int16_t)clamp16(value);
	}
}
