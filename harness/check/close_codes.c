/*
 * How connections end, as both sides tell it: what the client saw, what the target's log says of the same connection
 * (joined by its correlation id), and what was to be expected. An end without a Close frame is 1006 on both sides.
 */
#include <stdlib.h>
#include <string.h>

#include "harness/check/check.h"
#include "harness/check/track.h"

enum {
	CONNECTIONS_MAX = 1 << 20, /* connections of a run that are joined */
	CALM_MS = 1000,            /* after the last fault, before an unanswered Close counts */
	LOG_GRACE_MS = 5000,       /* for a line of the log to be written and read */
	NORMAL = 1000, NO_CODE = 1005, ABNORMAL = 1006,
};

static const char HANDSHAKE[] = "close.handshake", SERVER[] = "close.logged.server", CLIENT[] = "close.logged.client";
static const char *const checks[] = {HANDSHAKE, SERVER, CLIENT, NULL};

struct close_options {
	uint64_t client, server;   /* codes of connections that are lost while faults are in force; 0: any that agree */
	uint64_t within_ms;        /* for the log to tell an end without a Close; 0: by the contract's heartbeat */
	bool reasons;
};

struct ending {
	uint32_t client, connection;
	uint64_t up_us, end_us;
	uint64_t reason;           /* hash of what the client saw; of what was logged */
	int code, logged_code;
	enum end_by by, logged_by;
	bool ended, logged, clean, chaos, calm;
};
static struct ending joined;       /* stands for one that is done with */

struct closes {
	struct map endings;        /* by a hash of the id */
	uint64_t lines;
	bool full;
};

/* The place of a connection's entry, made for a connection of ours. */
static struct ending *ending_of(struct check_run *run, const char *id, bool make)
{
	struct closes *c = check_state(run);
	struct ending *d = map_get(&c->endings, map_text(id));
	if (d || !make)
		return d == &joined ? NULL : d;
	if (c->endings.n >= CONNECTIONS_MAX) {
		check_unknown(run, SERVER, "more than %d connections", CONNECTIONS_MAX);
		return NULL;
	}
	return track_made(check_track(run), &c->endings, map_text(id), sizeof(*d));
}

static void forget(struct check_run *run, const char *id, struct ending *d)
{
	struct closes *c = check_state(run);
	uint64_t key = map_text(id);
	for (size_t i = map_hash(key) & (c->endings.cap - 1);; i = (i + 1) & (c->endings.cap - 1))
		if (c->endings.slots[i].key == key) {
			c->endings.slots[i].value = &joined;
			break;
		}
	free(d);
}

/* The log's code fits what the client saw. */
static bool agrees(const struct close_options *o, const struct ending *d)
{
	if (o->server && d->chaos && d->by != END_BY_CLIENT && (!o->client || d->code == (int)o->client))
		return d->logged_code == (int)o->server;
	if (d->code == NO_CODE || d->code == 0)
		return true;
	if (d->clean)
		return d->logged_code == d->code;
	if (d->by == END_BY_CLIENT) /* nobody knows whether our Close arrived, nor whether one of theirs was on its way */
		return d->logged_code != NO_CODE;
	if (d->by == END_BY_SERVER)
		return d->logged_code == d->code || d->logged_code == ABNORMAL;
	/* No Close came: 1006, or the code of a Close that the target sent and that never arrived. */
	return d->logged_code != NORMAL && d->logged_code != NO_CODE;
}

/* When both begin at once each is right in its own eyes, and then the codes differ. */
static bool began_agrees(const struct ending *d)
{
	return d->logged_by == END_BY_NOBODY || !d->clean || d->by == END_BY_NETWORK || d->code != d->logged_code ||
	       d->logged_by == d->by || (d->by == END_BY_SERVER) == (d->code == NORMAL);
}

static void judge_client(struct check_run *run, const struct event *e, const struct ending *d)
{
	const struct close_options *o = check_options(run);
	bool expected = o->client && d->chaos && d->by != END_BY_CLIENT;
	check_samples(run, CLIENT, 1);
	if (expected && d->code != (int)o->client)
		check_fail_of(run, CLIENT, e, d->client, 0, "client %u saw code %d, expected was %d; the log says %d", d->client,
			      d->code, (int)o->client, d->logged_code);
	else if (!expected && d->calm && d->by == END_BY_NETWORK && d->logged_code != ABNORMAL && d->logged_code != NORMAL &&
		 d->logged_code != NO_CODE)
		check_fail_of(run, CLIENT, e, d->client, 0, "client %u saw no Close (1006), though the target closed with %d and no "
			      "fault was in force", d->client, d->logged_code);
}

static void judge(struct check_run *run, const struct event *e, const struct ending *d, bool reason_agrees)
{
	const struct close_options *o = check_options(run);
	check_samples(run, SERVER, 1);
	if (!agrees(o, d))
		check_fail_of(run, SERVER, e, d->client, 0, "client %u saw code %d (%s, by the %s), the log says %d", d->client,
			d->code, d->clean ? "clean" : "not clean", end_by_name(d->by), d->logged_code);
	else if (o->reasons && !check_track(run)->no_reasons && d->clean && d->by != END_BY_NETWORK && !reason_agrees)
		check_fail_of(run, SERVER, e, d->client, 0, "client %u %s another reason for code %d than the log has", d->client,
			      d->by == END_BY_SERVER ? "was told" : "gave", d->code);
	else if (!began_agrees(d))
		check_fail_of(run, SERVER, e, d->client, 0, "client %u saw the %s begin the close with %d, the log says the %s",
			      d->client, end_by_name(d->by), d->code, end_by_name(d->logged_by));
	judge_client(run, e, d);
}

static void judge_handshake(struct check_run *run, const struct event *e)
{
	struct track *t = check_track(run);
	if (e->by != END_BY_CLIENT || e->code == 0 || t->calm_us == UINT64_MAX || t->client->hit == e->connection ||
	    (t->calm_us && e->at_us < t->calm_us + CALM_MS * 1000))
		return;
	check_samples(run, HANDSHAKE, 1);
	if (!e->clean)
		check_fail(run, HANDSHAKE, e, "client %u said Close 1000 and got no Close back%s%s", e->client, e->note ? ": " : "",
			   e->note ? e->note : "");
	else if (e->code == NO_CODE)
		check_warn(run, HANDSHAKE, e, "client %u said Close 1000 and got a Close without a code back", e->client);
	else if (e->code != NORMAL)
		check_fail(run, HANDSHAKE, e, "client %u said Close 1000 and got code %d back", e->client, e->code);
}

static void on_end(struct check_run *run, const struct event *e)
{
	struct track *t = check_track(run);
	judge_handshake(run, e);
	struct ending *d = e->id ? ending_of(run, e->id, true) : NULL;
	if (!d)
		return;
	*d = (struct ending){
		.client = e->client, .connection = e->connection, .up_us = t->client->up_us, .end_us = e->at_us,
		.reason = d->logged ? d->reason : map_text(e->text), .code = e->code, .logged_code = d->logged_code, .by = e->by,
		.logged_by = d->logged_by,
		.ended = true, .logged = d->logged, .clean = e->clean, .chaos = t->phase == TRACK_CHAOS,
		.calm = t->calm_us != UINT64_MAX && t->client->hit != e->connection,
	};
	if (!d->logged)
		return;
	judge(run, e, d, d->reason == map_text(e->text));
	forget(run, e->id, d);
}

static bool is_about_an_end(const struct event *e)
{
	static const char *const others[] = {"connect", "refused", "slow", "heartbeat"};
	for (size_t i = 0; e->text && i < ARRAY_LEN(others); i++)
		if (strcmp(e->text, others[i]) == 0)
			return false;
	return e->type == EVENT_OK && e->id && e->code;
}

static void on_log(struct check_run *run, const struct event *e)
{
	struct closes *c = check_state(run);
	if (!is_about_an_end(e))
		return;
	c->lines++;
	struct ending *d = ending_of(run, e->id, false);
	if (!d || d->logged)
		return;
	d->logged = true;
	d->logged_code = e->code;
	d->logged_by = e->by;
	if (!d->ended) {
		d->reason = map_text(e->note);
		return;
	}
	judge(run, e, d, d->reason == map_text(e->note));
	forget(run, e->id, d);
}

static void close_codes_event(struct check_run *run, const struct event *e)
{
	if (e->kind == EVENT_CONNECT && e->type == EVENT_OK && e->id)
		ending_of(run, e->id, true);
	else if (e->kind == EVENT_END && check_track(run)->client)
		on_end(run, e);
	else if (e->kind == EVENT_LOG)
		on_log(run, e);
}

/* An end that should have been logged by now; false: it may still be. */
static bool judge_unlogged(struct check_run *run, const struct ending *d)
{
	const struct close_options *o = check_options(run);
	const struct contract *c = check_contract(run);
	struct track *t = check_track(run);
	uint64_t grace_ms = LOG_GRACE_MS;
	if (d->by == END_BY_NETWORK && o->within_ms)
		grace_ms = o->within_ms;
	else if (d->by == END_BY_NETWORK && c->heartbeat_ms) /* it may not have noticed until nobody answered its Ping */
		grace_ms += c->heartbeat_ms + c->heartbeat_timeout_ms;
	else if (d->by == END_BY_NETWORK)
		return false;
	if (t->now_us < d->end_us + grace_ms * 1000)
		return false;
	if (t->down_us >= d->up_us)
		return true;
	check_fail_of(run, SERVER, NULL, d->client, 0, "the end of client %u's connection %u (code %d) was never logged",
		d->client, d->connection, d->code);
	return true;
}

static void close_codes_end(struct check_run *run)
{
	struct closes *c = check_state(run);
	uint64_t open = 0;
	for (size_t i = 0; c->lines && i < c->endings.cap; i++) {
		const struct ending *d = c->endings.slots[i].value;
		if (c->endings.slots[i].key && d != &joined && d->ended && !d->logged)
			open += !judge_unlogged(run, d);
	}
	if (c->lines && open)
		check_note(run, SERVER, "%llu more may still be told", (unsigned long long)open);
	if (check_track(run)->no_log) {
		check_skip(run, SERVER, CHECK_NO_LOG);
		check_skip(run, CLIENT, CHECK_NO_LOG);
	} else if (!c->lines) {
		check_unknown(run, SERVER, "no line of the target's log tells the code of an end");
		check_unknown(run, CLIENT, "no line of the target's log tells the code of an end");
	}
}

static void close_codes_stop(struct check_run *run)
{
	struct closes *c = check_state(run);
	for (size_t i = 0; i < c->endings.cap; i++)
		if (c->endings.slots[i].key && c->endings.slots[i].value != &joined)
			free(c->endings.slots[i].value);
	map_fini(&c->endings);
}

static const struct opt options[] = {
	{.name = "client", .type = OPT_U64, .offset = offsetof(struct close_options, client), .max = 4999,
	 .help = "code that clients must see when they lose their connection during a fault"},
	{.name = "server", .type = OPT_U64, .offset = offsetof(struct close_options, server), .max = 4999,
	 .help = "code that the target must log for those"},
	{.name = "within", .type = OPT_DURATION, .offset = offsetof(struct close_options, within_ms), .max = INT64_MAX,
	 .help = "how long the log may take to tell an end without a Close; default: by the contract's heartbeat, and 5 s"},
	{.name = "reasons", .type = OPT_FLAG, .offset = offsetof(struct close_options, reasons),
	 .help = "the log must have the reason of each Close, ours too"},
	{0},
};

const struct checker checker_close_codes = {
	.name = "close_codes",
	.about = "Close is answered, and both sides tell the same code for every end, 1006 included",
	.checks = checks,
	.options = options,
	.options_size = sizeof(struct close_options),
	.state_size = sizeof(struct closes),
	.event = close_codes_event,
	.end = close_codes_end,
	.stop = close_codes_stop,
};
