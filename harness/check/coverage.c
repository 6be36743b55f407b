/*
 * Whether the run has bitten: a green one in which nothing happened proves nothing. What falls short makes the run
 * inconclusive, and is no fault of the target.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/check/check.h"
#include "harness/check/slots.h"
#include "harness/check/track.h"

static const char HIT[] = "coverage.hit";
static const char *const checks[] = {HIT, NULL};

/* What is counted: its key, and what it is. */
#define COUNTS(X) \
	X(faults_hit_live, "live connections that a fault named, or that were lost while one was in force") \
	X(nodes_hit, "times that a fault acted on a node, or on the broker") \
	X(connections_lost, "connections that ended other than by the client") \
	X(reconnects, "connections of clients that had one before") \
	X(resumes, "subscriptions, or sessions, that were asked to go on where they were, and were answered") \
	X(recovered, "those that were told recovered") \
	X(replays, "messages that were published before the subscription they came to was confirmed") \
	X(published, "publishes that were confirmed") \
	X(missed, "messages of its channel that a subscription missed, at most") \
	X(deliveries, "messages that came")

#define COUNT(key, about) COUNT_##key,
enum { COUNTS(COUNT) COUNT_KINDS };
#undef COUNT

#define COUNT(key, about) const char *key;
struct coverage_options {
	COUNTS(COUNT)
};
#undef COUNT

struct coverage {
	uint64_t n[COUNT_KINDS];
	struct slots hit;          /* by client: the connection that was counted last */
	struct slots publishes;    /* by client: bool, it has published */
	bool faults;
};

/* ">=50", "50" the same, ">0", "<=3", "<3", "=0"; ">100%" of resume_messages, which is met where there is no bound. */
struct bound {
	enum { AT_LEAST, MORE, AT_MOST, LESS, EXACTLY } how;
	uint64_t value;
	bool percent;
};

static bool read_bound(const char *text, struct bound *ret)
{
	static const struct {
		const char *sign;
		int how;
	} signs[] = {{">=", AT_LEAST}, {"<=", AT_MOST}, {">", MORE}, {"<", LESS},
		     {"==", EXACTLY}, {"=", EXACTLY}, {"", AT_LEAST}};
	size_t i = 0;
	while (strncmp(text, signs[i].sign, strlen(signs[i].sign)) != 0)
		i++;
	const char *digits = text + strlen(signs[i].sign);
	size_t len = strspn(digits, "0123456789");
	if (len == 0 || len > 15 || (digits[len] && strcmp(digits + len, "%") != 0))
		return false;
	ret->percent = digits[len];
	ret->how = signs[i].how;
	ret->value = strtoull(digits, NULL, 10);
	return true;
}

static int check_bound(const char *text, struct err *e)
{
	struct bound b;
	return read_bound(text, &b) ? 0 : err_set(e, EINVAL, "expected a count such as \">=50\", or \">=100%%\" of what the "
						  "contract keeps");
}

static bool is_met(const struct bound *b, uint64_t kept, uint64_t n)
{
	if (b->percent && !kept)
		return true;
	if (b->percent)
		n = n * 100 / kept;
	switch (b->how) {
	case MORE:
		return n > b->value;
	case AT_MOST:
		return n <= b->value;
	case LESS:
		return n < b->value;
	case EXACTLY:
		return n == b->value;
	default:
		return n >= b->value;
	}
}

static void count_hit(struct check_run *run, uint32_t client, uint32_t connection)
{
	struct coverage *c = check_state(run);
	uint32_t *last = slots_get(&c->hit, client, sizeof(*last));
	if (!last || *last == connection)
		return;
	*last = connection;
	c->n[COUNT_faults_hit_live]++;
}

/* Of a publisher by HTTP nothing but a fault tells that it is connected, and to what. */
static uint32_t hit_live(struct check_run *run, const struct event *e)
{
	struct coverage *c = check_state(run);
	const struct track_client *client = check_track(run)->client;
	if (client->up)
		return client->connection;
	const bool *publishes = client->connections == 0 ? slots_get(&c->publishes, e->client, sizeof(*publishes)) : NULL;
	return publishes && *publishes ? e->connection : 0;
}

static void on_fault(struct check_run *run, const struct event *e)
{
	struct coverage *c = check_state(run);
	c->faults |= e->type == EVENT_INVOKE;
	if (e->type != EVENT_INFO)
		return;
	c->n[COUNT_nodes_hit] += e->node != 0;
	uint32_t connection = check_track(run)->client ? hit_live(run, e) : 0;
	if (connection)
		count_hit(run, e->client, connection);
}

static void on_publish(struct check_run *run, const struct event *e)
{
	struct coverage *c = check_state(run);
	bool *publishes = slots_get(&c->publishes, e->client, sizeof(*publishes));
	if (publishes)
		*publishes = true;
	c->n[COUNT_published] += e->type == EVENT_OK;
}

static void on_confirmed(struct check_run *run, const struct event *e)
{
	struct coverage *c = check_state(run);
	const struct track_sub *s = check_track(run)->sub;
	bool asked = s->resumes || e->recovered != RECOVERED_UNTOLD;
	c->n[COUNT_resumes] += asked && !check_track(run)->first_spell;
	c->n[COUNT_recovered] += e->recovered == RECOVERED_YES;
	uint64_t missed = check_track(run)->first_spell ? 0 : s->channel->published - s->old_published;
	c->n[COUNT_missed] = missed > c->n[COUNT_missed] ? missed : c->n[COUNT_missed];
}

static void coverage_event(struct check_run *run, const struct event *e)
{
	struct coverage *c = check_state(run);
	struct track *t = check_track(run);
	if (e->kind == EVENT_FAULT)
		on_fault(run, e);
	else if (e->kind == EVENT_END && t->ended && e->by != END_BY_CLIENT) {
		c->n[COUNT_connections_lost]++;
		if (t->n_faults)
			count_hit(run, e->client, e->connection);
	} else if (e->kind == EVENT_CONNECT && e->type == EVENT_OK && t->client) {
		c->n[COUNT_reconnects] += t->client->connections > 1;
		c->n[COUNT_resumes] += t->client->connections > 1 && e->recovered != RECOVERED_UNTOLD;
		c->n[COUNT_recovered] += e->recovered == RECOVERED_YES;
	} else if (e->kind == EVENT_SUBSCRIBE && e->type == EVENT_OK && t->sub) {
		on_confirmed(run, e);
	} else if (e->kind == EVENT_DELIVER) {
		c->n[COUNT_deliveries]++;
		c->n[COUNT_replays] += e->replay || (t->sub && t->sub->spells > 1 && e->sent_us && e->sent_us < t->sub->ok_us);
	} else if (e->kind == EVENT_PUBLISH) {
		on_publish(run, e);
	}
}

#define COUNT(key, about) \
	{.name = #key, .type = OPT_STRING, .offset = offsetof(struct coverage_options, key), \
	 .check = check_bound, .metavar = "COUNT", .help = about},
static const struct opt options[] = {
	COUNTS(COUNT)
	{0},
};
#undef COUNT

static void coverage_end(struct check_run *run)
{
	struct coverage *c = check_state(run);
	const char *asked_at_all = NULL;
	char note[300] = "";
	check_samples(run, HIT, 1);
	for (size_t i = 0; i < COUNT_KINDS; i++) {
		const char *asked = ((const char *const *)check_options(run))[i];
		struct bound b;
		if (!asked && i == COUNT_faults_hit_live && c->faults && !c->n[COUNT_nodes_hit])
			asked = ">=1"; /* unasked; a fault of a process is shown by the process */
		if (!asked && i == COUNT_nodes_hit && c->n[i])
			asked = ">=1";
		if (!asked)
			continue;
		asked_at_all = asked;
		snprintf(note + strlen(note), sizeof(note) - strlen(note), "%s%s %" PRIu64, note[0] ? ", " : "", options[i].name,
			c->n[i]);
		if (!read_bound(asked, &b) || !is_met(&b, check_contract(run)->resume_messages, c->n[i]))
			check_unknown(run, HIT, "%s is %" PRIu64 ", and %s was asked for", options[i].name, c->n[i], asked);
	}
	if (!asked_at_all)
		check_skip(run, HIT, "there was no fault, and nothing was asked for");
	check_note(run, HIT, "%s", note);
}

static void coverage_stop(struct check_run *run)
{
	struct coverage *c = check_state(run);
	slots_fini(&c->hit);
	slots_fini(&c->publishes);
}

const struct checker checker_coverage = {
	.name = "coverage",
	.about = "faults really hit: what is asked for happened often enough, or the run is inconclusive",
	.checks = checks,
	.options = options,
	.options_size = sizeof(struct coverage_options),
	.state_size = sizeof(struct coverage),
	.event = coverage_event,
	.end = coverage_end,
	.stop = coverage_stop,
};
