/* One fault in force: admitted or refused, its options its own, healed exactly once, whatever ends it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "faults/fault.h"
#include "harness/net/loop.h"

struct tiny_options {
	const char *text;
	struct opt_strings words;
	struct opt_map pairs;
	int64_t number;
};

static const struct opt tiny_options[] = {
	{.name = "text", .type = OPT_STRING, .offset = offsetof(struct tiny_options, text), .def = "hello"},
	{.name = "words", .type = OPT_STRINGS, .offset = offsetof(struct tiny_options, words)},
	{.name = "pairs", .type = OPT_MAP, .offset = offsetof(struct tiny_options, pairs)},
	{.name = "number", .type = OPT_INT, .offset = offsetof(struct tiny_options, number), .def = "7"},
	{0},
};

static struct {
	int starts, stops, dones;
	int error;                     /* of the end */
	int start_gives;
	bool missing, ends_itself, stop_inside;
	struct timer timer;
	char log[512];
	uint64_t random;
} seen;

static void tiny_probe(const struct fault_site *site, struct fault_probe *ret)
{
	(void)site;
	ret->means = seen.missing ? FAULT_MISSING : FAULT_EMULATED;
	snprintf(ret->why, sizeof(ret->why), "%s", seen.missing ? "load the module" : "by a test");
}

static void on_end(void *owner)
{
	fault_done(owner, -ECHILD);
}

static int tiny_start(struct fault_run *run, struct err *e)
{
	const struct tiny_options *o = run->options;
	char *state = run->state;
	assert_int_equal(state[0], 0);
	state[15] = 1;
	seen.starts++;
	seen.random = rng_u64(&run->rng);
	if (seen.start_gives)
		return err_set(e, -seen.start_gives, "it does not start");
	fault_tell(run, "hit", "here", 3, "text=%s words=%zu %s=%s number=%d", o->text, o->words.len,
		   o->pairs.len ? o->pairs.items[0].key : "", o->pairs.len ? o->pairs.items[0].value : "", (int)o->number);
	return seen.ends_itself ? timer_start(&seen.timer, run->site->loop, 1, on_end, run) : 0;
}

static void tiny_stop(struct fault_run *run)
{
	const struct tiny_options *o = run->options;
	seen.stops++;
	timer_fini(&seen.timer);
	fault_tell(run, "healed", NULL, 0, "%s", o->text);
}

static int tiny_check(const void *options, struct err *e)
{
	const struct tiny_options *o = options;
	return o->number == 13 ? err_set(e, EINVAL, "13 is not a number to ask for") : 0;
}

static const struct fault_action tiny_process = {
	.state_size = 16, .undo = "it is forgotten", .probe = tiny_probe, .start = tiny_start, .stop = tiny_stop};
static const struct fault_action tiny_peer = {.start = tiny_start, .stop = tiny_stop};

static const struct fault tiny = {
	.name = "tiny", .options = tiny_options, .options_size = sizeof(struct tiny_options), .check = tiny_check,
	.process = &tiny_process, .peer = &tiny_peer,
};

static void on_event(void *owner, const struct fault_event *event)
{
	size_t used = strlen(seen.log);
	assert_ptr_equal(owner, &seen);
	assert_string_equal(event->fault, "tiny");
	snprintf(seen.log + used, sizeof(seen.log) - used, "%s %s.%s%s%s%s%s\n", fault_plane_name(event->plane), event->name,
		 event->what, event->node ? " node=" : "", event->node ? event->node : "", event->detail ? " " : "",
		 event->detail ? event->detail : "");
}

static void on_done(struct fault_run *run, int error)
{
	seen.dones++;
	seen.error = error;
	loop_stop(run->site->loop);
	if (seen.stop_inside)
		fault_stop(run);
}

static struct loop loop;
static struct fault_site site;

static int setup(void **state)
{
	(void)state;
	memset(&seen, 0, sizeof(seen));
	site = (struct fault_site){.loop = &loop, .seed = 5, .on_event = on_event, .owner = &seen};
	return loop_init(&loop);
}

static int teardown(void **state)
{
	(void)state;
	loop_fini(&loop);
	return 0;
}

static void options_are_copied_with_all_they_point_to(void **state)
{
	struct tiny_options o;
	struct arena a;
	struct fault_run *run;
	(void)state;
	arena_init(&a, 1 << 16);
	assert_int_equal(opt_defaults(tiny_options, &o, &a), 0);
	assert_int_equal(opt_set(&tiny_options[0], &o, "given", &a, NULL), 0);
	assert_int_equal(opt_set(&tiny_options[1], &o, "one", &a, NULL), 0);
	assert_int_equal(opt_set(&tiny_options[1], &o, "two", &a, NULL), 0);
	assert_int_equal(opt_set(&tiny_options[2], &o, "key=value", &a, NULL), 0);
	assert_int_equal(fault_start(&site, &tiny, FAULT_PROCESS, "mine", &o, 0, &run, NULL), 0);
	arena_fini(&a);
	memset(&o, 0xff, sizeof(o));
	const struct tiny_options *kept = run->options;
	assert_string_equal(kept->words.items[1], "two");
	assert_string_equal(kept->pairs.items[0].value, "value");
	fault_stop(run);
	assert_string_equal(seen.log, "process mine.start\n"
				      "process mine.hit node=here text=given words=2 key=value number=7\n"
				      "process mine.healed given\n"
				      "process mine.stop\n");
	assert_int_equal(seen.stops, 1);
	assert_int_equal(seen.dones, 0);
	fault_stop(NULL);
}

static struct fault_run *start(enum fault_plane plane, uint64_t duration_ms)
{
	static const struct tiny_options o = {.text = "x"};
	struct fault_run *run = NULL;
	assert_int_equal(fault_start(&site, &tiny, plane, NULL, &o, duration_ms, &run, NULL), 0);
	run->on_done = on_done;
	return run;
}

static void after_its_duration_it_is_healed_once(void **state)
{
	(void)state;
	struct fault_run *run = start(FAULT_PEER, 1);
	assert_int_equal(seen.stops, 0);
	loop_run(&loop);
	assert_int_equal(seen.stops, 1);
	assert_int_equal(seen.dones, 1);
	assert_int_equal(seen.error, 0);
	fault_stop(run);
	assert_int_equal(seen.stops, 1);
	assert_non_null(strstr(seen.log, "peer tiny.stop\n"));
	assert_null(strstr(strstr(seen.log, "tiny.stop") + 1, "tiny.stop"));
}

static void it_may_be_stopped_from_inside_its_end(void **state)
{
	(void)state;
	seen.stop_inside = true;
	start(FAULT_PROCESS, 1);
	loop_run(&loop);
	assert_int_equal(seen.stops, 1);
	assert_int_equal(seen.dones, 1);
	seen.ends_itself = true;
	start(FAULT_PROCESS, 60000);
	loop_run(&loop);
	assert_int_equal(seen.stops, 2);
	assert_int_equal(seen.dones, 2);
}

static void an_end_of_its_own_is_told_and_healed_by_the_owner(void **state)
{
	(void)state;
	seen.ends_itself = true;
	struct fault_run *run = start(FAULT_PROCESS, 60000);
	loop_run(&loop);
	assert_int_equal(seen.dones, 1);
	assert_int_equal(seen.error, -ECHILD);
	assert_int_equal(seen.stops, 0);
	fault_stop(run);
	assert_int_equal(seen.stops, 1);
}

static void what_cannot_be_is_refused_and_not_begun(void **state)
{
	static const struct tiny_options good = {.text = "x"}, bad = {.text = "x", .number = 13};
	static const struct {
		enum fault_plane plane;
		const struct tiny_options *options;
		bool missing;
		int start_gives, r;
		const char *says;
	} rows[] = {
		{FAULT_LINK, &good, false, 0, -EINVAL, "tiny does not work on the plane 'link', only on: process, peer"},
		{FAULT_STREAM, &good, false, 0, -EINVAL, "tiny does not work on the plane 'stream', only on: process, peer"},
		{FAULT_PROCESS, &bad, false, 0, -EINVAL, "13 is not a number to ask for"},
		{FAULT_PROCESS, &good, true, 0, -ENOTSUP, "tiny is not possible here: load the module"},
		{FAULT_PROCESS, &good, false, -ESRCH, -ESRCH, "it does not start"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fault_run *run = NULL;
		struct err e;
		memset(&seen, 0, sizeof(seen));
		seen.missing = rows[i].missing;
		seen.start_gives = rows[i].start_gives;
		assert_int_equal(fault_start(&site, &tiny, rows[i].plane, NULL, rows[i].options, 1, &run, &e), rows[i].r);
		assert_string_equal(e.text, rows[i].says);
		assert_null(run);
		assert_int_equal(seen.starts, rows[i].start_gives ? 1 : 0);
		assert_int_equal(seen.stops, 0);
		assert_string_equal(seen.log, rows[i].start_gives ? "process tiny.start\nprocess tiny.failed\n" : "");
	}
}

static void chance_is_of_the_seed_and_the_name(void **state)
{
	(void)state;
	fault_stop(start(FAULT_PROCESS, 0));
	uint64_t first = seen.random;
	fault_stop(start(FAULT_PROCESS, 0));
	assert_true(seen.random == first);
	site.seed = 6;
	fault_stop(start(FAULT_PROCESS, 0));
	assert_true(seen.random != first);
}

static void what_is_known_of_a_fault(void **state)
{
	struct fault_probe probe;
	(void)state;
	assert_true(fault_has_plane(&tiny, FAULT_PEER));
	assert_false(fault_has_plane(&tiny, FAULT_STREAM));
	assert_true(fault_has_plane(fault_find("none"), FAULT_STREAM));
	assert_null(fault_find("nothing"));
	fault_probe(&tiny, FAULT_PROCESS, NULL, &probe);
	assert_int_equal(probe.means, FAULT_EMULATED);
	assert_string_equal(probe.why, "by a test");
	fault_probe(&tiny, FAULT_PEER, NULL, &probe);
	assert_int_equal(probe.means, FAULT_DRIVEN);
	fault_probe(&tiny, FAULT_LINK, NULL, &probe);
	assert_int_equal(probe.means, FAULT_MISSING);
	assert_string_equal(probe.why, "tiny does not work on this plane");
	assert_string_equal(fault_undo(&tiny, FAULT_PROCESS), "it is forgotten");
	assert_string_equal(fault_undo(&tiny, FAULT_PEER), "our connections are closed");
}

/* Every row says what people and programs read of it. */
static void every_fault_is_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < faults_len; i++) {
		const struct fault *f = faults[i];
		struct fault_probe probe;
		size_t n = 0;
		assert_true(f->name[0] && f->about[0] && f->known_as[0]);
		assert_true(f->about[strlen(f->about) - 1] != '.');
		assert_non_null(f->options);
		assert_ptr_equal(fault_find(f->name), f);
		for (enum fault_plane p = 0; p < FAULT_PLANES; p++) {
			const struct fault_action *action = fault_action(f, p);
			n += fault_has_plane(f, p);
			fault_probe(f, p, NULL, &probe);
			assert_true(probe.why[0]);
			assert_true(fault_undo(f, p)[0]);
			assert_true(!action || (action->start && action->stop));
		}
		assert_true(n > 0);
		for (const struct opt *o = f->options; o->name; o++)
			assert_true(o->help && o->help[0] && (o->type != OPT_U64 || (o->max > 0 && o->max < INT64_MAX)));
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(options_are_copied_with_all_they_point_to),
		TEST(after_its_duration_it_is_healed_once),
		TEST(it_may_be_stopped_from_inside_its_end),
		TEST(an_end_of_its_own_is_told_and_healed_by_the_owner),
		TEST(what_cannot_be_is_refused_and_not_begun),
		TEST(chance_is_of_the_seed_and_the_name),
		TEST(what_is_known_of_a_fault),
		TEST(every_fault_is_whole),
	};
	return cmocka_run_group_tests_name("fault_run", tests, NULL, NULL);
}
