/* A process began anew when it is told to have ended, or to have been started: whichever is seen last. */
#include "harness/check/lives.h"

#include <string.h>

#include "harness/base/err.h"

enum { LATE_US = 500000 };         /* what a process wrote may be read so long after it had ended */

static bool is_anew(const struct event *e)
{
	static const char *const words[] = {"node.ended", "node.started"};
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (e->note && strncmp(e->note, words[i], strlen(words[i])) == 0)
			return true;
	return false;
}

static bool is_of_broker(const struct event *e)
{
	return e->text && strncmp(e->text, "backplane_", strlen("backplane_")) == 0;
}

void lives_event(struct lives *l, const struct event *e)
{
	bool fault = e->kind == EVENT_FAULT && e->type == EVENT_INFO, node = e->node && e->node <= EVENT_NODES_MAX;
	if (fault && is_of_broker(e)) {
		if (is_anew(e))
			l->broker_us = e->at_us;
		return;
	}
	if (!node || (!fault && e->kind != EVENT_NODE && e->kind != EVENT_CONNECT))
		return;
	l->known |= (uint64_t)1 << (e->node - 1);
	if (fault && is_anew(e))
		l->anew_us[e->node - 1] = e->at_us;
}

static bool is_after(uint64_t anew_us, uint64_t since_us)
{
	return anew_us && anew_us + LATE_US > since_us;
}

bool lives_nodes_anew(const struct lives *l, uint64_t since_us)
{
	for (unsigned i = 0; i < EVENT_NODES_MAX; i++)
		if ((l->known & (uint64_t)1 << i) && !is_after(l->anew_us[i], since_us))
			return false;
	return l->known != 0;
}

bool lives_broker_anew(const struct lives *l, uint64_t since_us)
{
	return is_after(l->broker_us, since_us);
}

bool lives_kept(const struct lives *l, const struct contract *c, uint64_t since_us)
{
	return c->survives_restart || !lives_nodes_anew(l, since_us);
}
