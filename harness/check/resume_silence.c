/* A word that came once shows that the protocol has it. */
#include "harness/check/resume_silence.h"

#include <stdio.h>

void resume_silence_event(struct resume_silence *s, const struct event *e)
{
	bool ok = e->type == EVENT_OK, connect = ok && e->kind == EVENT_CONNECT, confirm = ok && e->kind == EVENT_SUBSCRIBE;
	s->connected |= connect;
	s->confirmed |= confirm;
	s->nodes |= connect && e->node;
	s->epochs |= confirm && e->epoch;
	s->newest |= confirm && e->seq;
}

static void tell_lost(struct check_run *run, const struct resume_silence *s, const char *edge)
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
	if (check_sampled(run, edge))
		check_note(run, edge, "%s", what);
	else
		check_skip(run, edge, "%s", what);
}

void resume_silence_tell(struct check_run *run, const struct resume_silence *s, const char *edge, const char *epoch,
			 const char *zero, const char *other_node)
{
	const struct contract *c = check_contract(run);
	tell_lost(run, s, edge);
	if (s->connected && !s->nodes)
		check_skip(run, other_node, CHECK_NO_NODES);
	if (s->confirmed && !s->epochs && c->tells_recovered)
		check_skip(run, epoch, "positions of this protocol name no epoch");
	if (s->confirmed && !s->newest && !s->epochs && c->numbered && !contract_by_session(c))
		check_skip(run, zero, "no answer to a subscription names the newest number, so that it is not known whether anything "
			   "was missed");
}
