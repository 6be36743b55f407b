/* A workload in a loop, and everything it told. */
#include "harness/load/test_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "faults/fault.h"
#include "harness/base/clock.h"

enum { LOOK_US = 2000, CONNECTIONS_MAX = 1 << 16 };

static uint64_t now_us(void *owner)
{
	return clock_now_us() - ((struct rig *)owner)->from_us;
}

static const char *copy(struct rig *r, const char *text)
{
	return text ? arena_strdup(&r->arena, text) : NULL;
}

static void on_event(void *owner, const struct event *e)
{
	struct rig *r = owner;
	if (r->n_events == r->size) {
		r->size = r->size ? 2 * r->size : 1024;
		r->events = realloc(r->events, r->size * sizeof(*r->events));
	}
	struct event *kept = &r->events[r->n_events++];
	*kept = *e;
	kept->text = copy(r, e->text);
	kept->note = copy(r, e->note);
	kept->id = copy(r, e->id);
}

void rig_init(struct rig *r, const char *dialect)
{
	struct err e;
	*r = (struct rig){.from_us = clock_now_us()};
	assert_int_equal(loop_init(&r->loop), 0);
	assert_int_equal(alarms_new(&r->loop, &r->alarms), 0);
	assert_int_equal(history_log_new(NULL, NULL, &r->history, &e), 0);
	history_watch(r->history, on_event, r);
	arena_init(&r->arena, 256 << 20);
	toxics_init(&r->subscribers, 7, "subscribers");
	toxics_init(&r->publishers, 7, "publishers");
	assert_int_equal(opt_defaults(workload_table, &r->options, &r->arena), 0);
	r->site = (struct workload_site){.loop = &r->loop, .alarms = r->alarms, .history = r->history, .now_us = now_us,
					 .owner = r, .seed = 7, .ways = r->ways, .id_header = "X-Wsquall-Conn"};
	if (dialect_load(dialect, NULL, &r->arena, &r->site.dialect, &e) < 0)
		fail_msg("%s", e.text);
	r->contract = r->site.dialect->contract;
	r->contract.max_message = 2048;
	r->site.contract = &r->contract;
}

/* "key=value key=value", of a table; keys with "part." in front only when there is a part. */
static void set_all(const char *text, const struct opt *table, const char *part, void *to, struct arena *a)
{
	char *all = strdup(text), *rest = all, *pair;
	size_t skip = strlen(part);
	struct err e;
	while ((pair = strsep(&rest, " "))) {
		char *value = strchr(pair, '=');
		if (!value || strncmp(pair, part, skip) != 0 || (!skip && strchr(pair, '.')))
			continue;
		*value++ = 0;
		const struct opt *o = opt_find(table, pair + skip, OPT_IN_FILE);
		if (!o || opt_set(o, to, value, a, &e) < 0)
			fail_msg("%s: %s", pair, o ? e.text : "unknown");
	}
	free(all);
}

void rig_options(struct rig *r, const char *text)
{
	set_all(text, workload_table, "", &r->options, &r->arena);
	set_all(text, backoff_table, "reconnect.", &r->options.reconnect, &r->arena);
}

static int fill_fault(const void *from, const struct fault *f, void *options, struct arena *a, struct err *e)
{
	(void)e;
	set_all(from, f->options, "", options, a);
	return 0;
}

struct toxic *rig_fault(struct rig *r, bool publishers, const char *fault, const char *options)
{
	struct toxic_spec spec = {.fault = fault_find(fault), .toxicity = 1, .fill = fill_fault, .from = options};
	struct toxic *toxic;
	struct err e;
	assert_non_null(spec.fault);
	if (toxics_add(publishers ? &r->publishers : &r->subscribers, &spec, clock_now_us(), &toxic, &e) < 0)
		fail_msg("%s", e.text);
	return toxic;
}

void rig_heal(struct rig *r, bool publishers, struct toxic *toxic)
{
	toxics_remove(publishers ? &r->publishers : &r->subscribers, toxic, clock_now_us());
}

void rig_way(struct rig *r, size_t i, uint16_t port)
{
	struct err e;
	assert_int_equal(dial_resolve("127.0.0.1", port, &r->addresses[i], &e), 0);
	r->ways[i] = (struct workload_way){.addresses = &r->addresses[i], .host = "127.0.0.1", .target = "/ws",
					   .http_target = "/", .node = (uint32_t)i + 1};
	if (r->site.n_ways <= i)
		r->site.n_ways = i + 1;
}

void rig_server(struct rig *r, size_t i, const char *const *args, uint16_t port)
{
	static const char *const none[] = {"--rate-messages", "0", "--limit-handshakes", "0", "--message-max", "2KiB", NULL};
	char path[512];
	struct err e;
	process_beside_us("../../wsquall-server", path, sizeof(path)); /* the build's top folder */
	if (process_start(&r->servers[i], path, args ? args : none, port, &e) < 0)
		fail_msg("%s", e.text);
	rig_way(r, i, r->servers[i].port);
}

void rig_open(struct rig *r)
{
	struct err e;
	r->site.subscriber_toxics = &r->subscribers;
	r->site.publisher_toxics = &r->publishers;
	if (workload_new(&r->site, &r->options, &r->workload, &e) < 0)
		fail_msg("%s", e.text);
	workload_open(r->workload);
}

static void on_look(void *owner, uint64_t now)
{
	struct rig *r = owner;
	r->reached = r->until && r->until(r);
	if (r->reached || now > r->deadline_us)
		loop_stop(&r->loop);
	else
		alarm_set(&r->look, r->alarms, now + LOOK_US, on_look, r);
}

bool rig_run(struct rig *r, bool (*until)(struct rig *r))
{
	r->until = until;
	r->deadline_us = clock_now_us() + RIG_DEADLINE_MS * 1000ull;
	alarm_set(&r->look, r->alarms, clock_now_us(), on_look, r);
	loop_run(&r->loop);
	alarm_clear(&r->look);
	return r->reached;
}

void rig_run_ms(struct rig *r, uint64_t ms)
{
	r->until = NULL;
	r->deadline_us = clock_now_us() + ms * 1000;
	alarm_set(&r->look, r->alarms, clock_now_us(), on_look, r);
	loop_run(&r->loop);
	alarm_clear(&r->look);
}

bool rig_settled(struct rig *r)
{
	return workload_settled(r->workload);
}

bool rig_up(struct rig *r)
{
	struct workload_state s;
	workload_state(r->workload, &s);
	return s.up == s.clients && s.subscribed == s.wanted;
}

bool rig_closed(struct rig *r)
{
	return workload_closed(r->workload);
}

void rig_end(struct rig *r)
{
	workload_publish(r->workload, false);
	if (!rig_run(r, rig_settled)) {
		rig_print(r);
		fail_msg("it does not settle");
	}
	workload_close(r->workload);
	assert_true(rig_run(r, rig_closed));
	workload_free(TAKE_PTR(r->workload));
	rig_check(r, true);
}

void rig_fini(struct rig *r)
{
	workload_free(TAKE_PTR(r->workload));
	for (size_t i = 0; i < RIG_SERVERS; i++)
		process_stop(&r->servers[i]);
	toxics_fini(&r->subscribers);
	toxics_fini(&r->publishers);
	history_log_free(r->history);
	alarms_free(r->alarms);
	loop_fini(&r->loop);
	free(r->events);
	arena_fini(&r->arena);
}

size_t rig_count(const struct rig *r, enum event_kind kind, enum event_type type)
{
	size_t n = 0;
	for (size_t i = 0; i < r->n_events; i++)
		n += r->events[i].kind == kind && r->events[i].type == type;
	return n;
}

const struct event *rig_last(const struct rig *r, enum event_kind kind, enum event_type type, size_t n)
{
	for (size_t i = r->n_events; i-- > 0;)
		if (r->events[i].kind == kind && r->events[i].type == type && n-- == 0)
			return &r->events[i];
	return NULL;
}

void rig_print(const struct rig *r)
{
	struct workload_state s;
	for (size_t i = r->n_events > 200 ? r->n_events - 200 : 0; i < r->n_events; i++) {
		struct buf b CLEANUP(buf_fini) = {.max = 1 << 16};
		event_append(&b, &r->events[i]);
		fprintf(stderr, "%s\n", buf_cstr(&b));
	}
	if (!r->workload)
		return;
	workload_state(r->workload, &s);
	fprintf(stderr, "up %d of %d, subscribed %d of %d, waiting %d, missing %d, published %d, unsure %d, refused %d\n",
		(int)s.up, (int)s.clients, (int)s.subscribed, (int)s.wanted, (int)s.waiting, (int)s.missing, (int)s.published,
		(int)s.unsure, (int)s.refused);
}

/* What must hold --------------------------------------------------------------------------------------------------- */

static bool same_message(const struct event *a, const struct event *b)
{
	return a->publisher == b->publisher && a->channel == b->channel && a->index == b->index;
}

static void check_connections(const struct rig *r)
{
	unsigned char *up = calloc(CONNECTIONS_MAX, 1);
	for (size_t i = 0; i < r->n_events; i++) {
		const struct event *e = &r->events[i];
		size_t at = (e->client * 97 + e->connection) % CONNECTIONS_MAX; /* distinct for what tests have */
		if (e->kind == EVENT_CONNECT && e->type == EVENT_OK)
			up[at]++;
		if (e->kind == EVENT_END && up[at]-- != 1)
			fail_msg("an end of connection %u of client %u, which was not up", e->connection, e->client);
		if (e->kind == EVENT_DELIVER && up[at] != 1)
			fail_msg("a message on connection %u of client %u, which is not up", e->connection, e->client);
	}
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (up[i])
			fail_msg("%u connections without an end", up[i]);
	free(up);
}

/* Sent again with its key. */
static bool is_again(const struct event *e)
{
	return e->type == EVENT_INVOKE && e->note && strcmp(e->note, "again") == 0;
}

/* One outcome for each publish, behind its invoke and those of its repetitions. */
static void check_outcomes(const struct rig *r)
{
	size_t waiting = 0;
	for (size_t i = 0; i < r->n_events; i++) {
		const struct event *e = &r->events[i];
		if (e->kind != EVENT_PUBLISH || is_again(e))
			continue;
		waiting += e->type == EVENT_INVOKE;
		if (e->type == EVENT_INVOKE)
			continue;
		size_t found = 0;
		for (size_t j = 0; j < r->n_events; j++)
			if (r->events[j].kind == EVENT_PUBLISH && same_message(e, &r->events[j]) &&
			    (j > i || !is_again(&r->events[j])))
				found += r->events[j].type == EVENT_INVOKE ? (j < i) : 100;
		if (found != 101)
			fail_msg("message %d of publisher %u: %d", (int)e->index, e->publisher, (int)found);
		waiting--;
	}
	assert_int_equal(waiting, 0);
}

static void check_deliveries(const struct rig *r)
{
	for (size_t i = 0; i < r->n_events; i++) {
		const struct event *e = &r->events[i];
		if (e->kind != EVENT_PUBLISH || e->type != EVENT_OK)
			continue;
		for (uint32_t client = 1; client <= r->options.subscribers; client++) {
			size_t n = 0;
			for (size_t j = 0; j < r->n_events; j++)
				n += r->events[j].kind == EVENT_DELIVER && r->events[j].client == client &&
				     same_message(e, &r->events[j]);
			uint64_t channels = r->options.channels + r->options.quiet_channels;
			bool has = (e->channel + channels - 1 - (client - 1) % channels) % channels < r->options.channels_each;
			if (n != has)
				fail_msg("message %d of publisher %u on channel %u came %d times to client %u", (int)e->index,
					 e->publisher, e->channel, (int)n, client);
		}
	}
}

void rig_check(const struct rig *r, bool all)
{
	check_connections(r);
	check_outcomes(r);
	for (size_t i = 0; i < r->n_events; i++)
		assert_false(r->events[i].corrupt);
	if (all)
		check_deliveries(r);
}
