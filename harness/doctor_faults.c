/* What of the weather this machine can make. A fault that is missing here is no failure of the machine. */
#include <string.h>

#include "faults/fault.h"
#include "harness/doctor.h"

void doctor_faults(struct doctor *d)
{
	char last[ERR_TEXT_MAX] = "";
	for (size_t i = 0; i < faults_len; i++)
		for (enum fault_plane p = 0; p < FAULT_PLANES; p++) {
			const struct fault *f = faults[i];
			struct fault_probe probe;
			if (!fault_has_plane(f, p))
				continue;
			fault_probe(f, p, NULL, &probe);
			if (d->json)
				doctor_row_json(d, "fault", f->name, fault_plane_name(p), fault_means_name(probe.means), probe.why);
			else
				buf_printf(&d->out, "%-8s  %-19s  %-9s  %s\n", fault_means_name(probe.means), f->name,
					   fault_plane_name(p), strcmp(last, probe.why) == 0 ? "the same" : probe.why);
			memcpy(last, probe.why, sizeof(last));
		}
}
