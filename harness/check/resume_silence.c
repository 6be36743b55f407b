/* What was refused and is nobody's fault: a reader of the result must see that it happened. */
#include "harness/check/resume_silence.h"

#include <stdio.h>

void resume_silence_tell(struct check_run *run, const struct resume_silence *s, const char *edge)
{
	char what[200];
	if (!s->lost_nodes && !s->lost_broker)
		return;
	if (s->lost_nodes)
		snprintf(what, sizeof(what), "%llu resumes were told not recovered after every node's process had begun anew; the "
			 "contract does not say `survives_restart`", (unsigned long long)s->lost_nodes);
	else
		snprintf(what, sizeof(what), "%llu resumes were told not recovered after the broker's process had begun anew, of "
			 "which no contract speaks", (unsigned long long)s->lost_broker);
	if (s->edges)
		check_note(run, edge, "%s", what);
	else
		check_skip(run, edge, "%s", what);
}
