/* One start and one stop for all that is watched. */
#include "harness/target/evidence.h"

static int start_log(struct evidence *v, const struct evidence_options *o, struct err *e)
{
	struct log_events_options l = {.loop = o->loop, .target = o->target, .history = o->history, .now_us = o->now_us,
				       .start_s = o->start_s, .owner = o->owner};
	return target_has_logs(o->target) ? log_events_new(&l, &v->log, e) : 0;
}

static int start_scrape(struct evidence *v, const struct evidence_options *o, struct err *e)
{
	struct scrape_options s = {.loop = o->loop, .target = o->target, .history = o->history, .now_us = o->now_us,
				   .tls = o->tls, .owner = o->owner};
	return scrape_possible(o->target) ? scrape_new(&s, &v->scrape, e) : 0;
}

static int start_processes(struct evidence *v, const struct evidence_options *o, struct err *e)
{
	struct proc_sample_options p = {.loop = o->loop, .target = o->target, .history = o->history, .now_us = o->now_us,
					.owner = o->owner};
	return proc_sample_possible(o->target) ? proc_sample_new(&p, &v->processes, e) : 0;
}

static int start_nodes(struct evidence *v, const struct evidence_options *o, struct err *e)
{
	struct node_watch_options n = {.loop = o->loop, .target = o->target, .history = o->history, .now_us = o->now_us,
				       .owner = o->owner};
	return node_watch_possible(o->target) ? node_watch_new(&n, &v->nodes, e) : 0;
}

int evidence_start(struct evidence *v, const struct evidence_options *o, struct err *e)
{
	*v = (struct evidence){0};
	int r = start_log(v, o, e);
	if (r == 0)
		r = start_scrape(v, o, e);
	if (r == 0)
		r = start_processes(v, o, e);
	if (r == 0)
		r = start_nodes(v, o, e);
	if (r < 0)
		evidence_stop(v);
	return r;
}

void evidence_finish(struct evidence *v)
{
	if (v->log)
		log_events_finish(v->log);
	if (v->processes)
		proc_sample_now(v->processes);
}

void evidence_stop(struct evidence *v)
{
	log_events_free(v->log);
	scrape_free(v->scrape);
	proc_sample_free(v->processes);
	node_watch_free(v->nodes);
	*v = (struct evidence){0};
}
