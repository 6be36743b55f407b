#pragma once
/*
 * The target's metrics as events of a history (EVENT_METRIC): every page of its file (`metrics.url`, `nodes[].metrics`)
 * is read again and again, and what `metrics` names is told. An event has: type ok; text: the second column of
 * metrics.def, or the name in `also`; value; node (0: the page of the whole target). A page that cannot be read is an event
 * of type fail, without text, whose note says why: once, until it can be read again.
 */
#include "harness/history/history.h"
#include "harness/target/http_ask.h"
#include "harness/target/target.h"

enum { SCRAPE_ALSO_MAX = 64, SCRAPE_DEADLINE_MS = 5000 };

struct scrape_options {
	struct loop *loop;
	const struct target *target;
	struct history_log *history;
	uint64_t (*now_us)(void *owner); /* time of the history */
	struct tls_context *tls;       /* for https, or NULL */
	void *owner;
};

struct scrape;

bool scrape_possible(const struct target *t);
/* Borrows all. Resolves names, which blocks. -EINVAL, -EHOSTUNREACH, -E2BIG, -ENOMEM with a sentence. */
int scrape_new(const struct scrape_options *o, struct scrape **ret, struct err *e);
/* NULL is fine. */
void scrape_free(struct scrape *s);
/* Looks again now, where no look is under way. */
void scrape_now(struct scrape *s);
/*
 * The newest of a metric: summed over the nodes' pages, else of the page of the whole target. False: none tells it now.
 */
bool scrape_value(const struct scrape *s, enum target_metric metric, double *ret);

struct scrape_state {
	uint64_t read, failed;         /* pages */
	uint64_t had;                  /* metrics that any page ever had, one bit each */
	char why[160];                 /* of the last failure */
};
void scrape_state(const struct scrape *s, struct scrape_state *ret);
/* Of several, one after the other: `from` is added. */
void scrape_state_add(struct scrape_state *to, const struct scrape_state *from);
/*
 * What the target file says of metrics and the pages do not bear out, as one clause, in the arena: "the metrics page has no
 * `ws_queue`, which the target file names as queue". NULL: nothing, or nobody looked.
 */
const char *scrape_missing(const struct target *t, const struct scrape_state *state, struct arena *a);
