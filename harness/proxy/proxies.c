/* The set of proxies, and what its connections share: alarms, pipes, one buffer to read into. */
#include <stdlib.h>

#include "harness/proxy/pipes.h"
#include "harness/proxy/relay.h"

int proxies_new(const struct proxies_options *o, struct proxies **ret_set, struct err *e)
{
	struct proxies *set = calloc(1, sizeof(*set));
	if (!set)
		return err_set(e, ENOMEM, "out of memory");
	*set = (struct proxies){.loop = o->loop, .seed = o->seed, .on_event = o->on_event, .owner = o->owner};
	int r = alarms_new(o->loop, &set->alarms);
	set->chunk = malloc(CHUNK);
	set->pipes = pipes_new();
	if (r == 0 && (!set->chunk || !set->pipes))
		r = -ENOMEM;
	if (r < 0) {
		proxies_free(set);
		return err_set(e, -r, "cannot make ready for proxies: %s", strerror(-r));
	}
	*ret_set = set;
	return 0;
}

void proxies_free(struct proxies *set)
{
	if (!set)
		return;
	while (set->first)
		proxy_free(set->first);
	while (set->ending)
		set->ending->ops->abort(set->ending);
	pipes_free(set->pipes);
	alarms_free(set->alarms);
	free(set->chunk);
	free(set);
}

size_t proxies_count(const struct proxies *set)
{
	return set->n;
}

struct proxy *proxies_next(const struct proxies *set, const struct proxy *p)
{
	return p ? p->next : set->first;
}

struct proxy *proxies_find(const struct proxies *set, const char *name)
{
	struct proxy *p = set->first;
	while (p && strcmp(p->name, name) != 0)
		p = p->next;
	return p;
}

void proxies_set_seed(struct proxies *set, uint64_t seed)
{
	set->seed = seed;
	for (struct proxy *p = set->first; p; p = p->next)
		p->toxics.seed = seed;
}

struct alarms *proxies_alarms(struct proxies *set)
{
	return set->alarms;
}
