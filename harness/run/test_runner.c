/* The scheduler against a server that misbehaves once, always, or dies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "harness/run/runner.h"
#include "harness/run/survival.h"
#include "harness/run/test_server.h"

#undef ECHO /* termios.h has one */
#include "harness/run/case_rows.h"

enum { LONG_MS = 20000, SHORT_MS = 120, PATIENCE_MS = 40, RECOVER_MS = 200, CASES_MAX = 64 };

struct fixture {
	struct loop loop;
	struct arena arena;
	struct target target;
	struct case_env env;
	struct server server;
	struct runner runner;
	struct runner_case cases[CASES_MAX];
	size_t n;
	struct runner_options o;
	unsigned told, stop_after, revived;
};

static const struct test_case good = {.id = "test/good", .title = "good", .rfc = "6455", STEPS(SEND(TEXT, LIT("hi")), ECHO)};
static const struct test_case killer = {.id = "test/killer", .title = "killer", .rfc = "6455", STEPS(SEND(TEXT, LIT("die")), ECHO)};
static const struct test_case pinged = {.id = "test/pinged", .title = "pinged", .rfc = "6455", STEPS(SEND(PING, LIT("a")), PONG)};
static const struct test_case tls_only = {.id = "test/tls", .title = "tls", .rfc = "6455", .needs = NEED_TLS, STEPS(SEND(TEXT, LIT("hi")), ECHO)};
static const struct test_case survival = {.id = "test/survival", .title = "survival", .rfc = "6455", .watch = WATCH_SURVIVAL};
static const struct test_case masked = {.id = "test/masked", .title = "masked", .rfc = "6455", .watch = WATCH_MASKED};
static const struct test_case whole_frames = {.id = "test/whole-frames", .title = "whole frames", .rfc = "6455", .watch = WATCH_CUT_FRAME};
static const struct test_case extension = {.id = "test/extension", .title = "extension", .rfc = "6455", .watch = WATCH_CLOSE_CODE_1010};

static void on_decided(void *owner, const struct runner_item *item)
{
	struct fixture *f = owner;
	assert_int_equal(item->state, RUNNER_DECIDED);
	f->told++;
}

static bool stop(void *owner)
{
	struct fixture *f = owner;
	return f->stop_after && f->told >= f->stop_after;
}

static int revive(void *owner)
{
	struct fixture *f = owner;
	if (!f->server.dead)
		return 0;
	server_stop(&f->server);
	server_start(&f->server);
	f->revived++;
	return 0;
}

static void add(struct fixture *f, const struct test_case *tc, size_t times)
{
	for (size_t i = 0; i < times; i++)
		f->cases[f->n++] = (struct runner_case){.tc = tc, .suite = "test", .group = "test"};
}

static void run(struct fixture *f, const struct act *script, const struct act *then, uint32_t timeout_ms, uint32_t patience_ms)
{
	char url[64];
	struct err e = {0};
	f->server.script = script;
	f->server.then = then;
	f->server.poison = "die";
	server_start(&f->server);
	arena_init(&f->arena, 1 << 20);
	snprintf(url, sizeof(url), "ws://127.0.0.1:%u/echo", f->server.port);
	assert_int_equal(loop_init(&f->loop), 0);
	assert_int_equal(target_load(url, &f->arena, &f->target, &e), 0);
	f->env = (struct case_env){.loop = &f->loop, .target = &f->target, .seed = 1, .has_echo = true, .timeout_ms = timeout_ms,
				   .patience_ms = patience_ms};
	assert_int_equal(dial_resolve("127.0.0.1", f->server.port, &f->env.echo_addresses, &e), 0);
	f->o.recover_ms = RECOVER_MS;
	f->o.on_decided = on_decided;
	f->o.stop = stop;
	f->o.owner = f;
	assert_int_equal(runner_init(&f->runner, &f->env, &f->o, f->cases, f->n), 0);
	runner_run(&f->runner);
	for (size_t i = 0; i < f->n; i++)
		assert_int_equal(f->runner.items[i].state, RUNNER_DECIDED);
	assert_int_equal(f->runner.running, 0);
}

static void fini(struct fixture *f)
{
	runner_fini(&f->runner);
	server_stop(&f->server);
	loop_fini(&f->loop);
	arena_fini(&f->arena);
}

static unsigned count(const struct fixture *f, enum verdict v)
{
	unsigned n = 0;
	for (size_t i = 0; i < f->n; i++)
		n += f->runner.items[i].verdict == v;
	return n;
}

static const struct runner_item *item_of(const struct fixture *f, const char *id)
{
	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->cases[i].tc->id, id) == 0)
			return &f->runner.items[i];
	fail_msg("no %s", id);
	return NULL;
}

static unsigned most_at_once(const struct fixture *f)
{
	unsigned most = 0;
	for (size_t i = 0; i < f->n; i++) {
		unsigned now = 0;
		const struct runner_item *a = &f->runner.items[i];
		for (size_t j = 0; j < f->n; j++) {
			const struct runner_item *b = &f->runner.items[j];
			now += b->started_us <= a->started_us && a->started_us < b->finished_us;
		}
		most = now > most ? now : most;
	}
	return most;
}

static void all_pass_and_no_more_than_jobs_at_once(void **state)
{
	(void)state;
	for (unsigned jobs = 1; jobs <= 7; jobs += 3) {
		struct fixture f = {.o.jobs = jobs};
		add(&f, &good, 40);
		add(&f, &tls_only, 1);
		run(&f, BEHAVES, NULL, LONG_MS, LONG_MS);
		assert_int_equal(count(&f, VERDICT_PASS), 40);
		assert_int_equal(count(&f, VERDICT_SKIP), 1);
		assert_non_null(strstr(item_of(&f, "test/tls")->seen, "not wss"));
		assert_int_equal(f.told, 41);
		f.n = 40;
		assert_int_equal(most_at_once(&f), jobs);
		assert_int_equal(f.server.count, 40);
		f.n = 41;
		fini(&f);
	}
}

static void a_soft_verdict_is_looked_at_again_alone(void **state)
{
	struct fixture f = {.o.jobs = 1};
	(void)state;
	add(&f, &good, 3);
	run(&f, SCRIPT(S_OPEN, S_GET(0x81), S_FIN), BEHAVES, LONG_MS, LONG_MS);
	assert_int_equal(count(&f, VERDICT_PASS), 3);
	assert_non_null(f.runner.items[0].note);
	assert_non_null(strstr(f.runner.items[0].note, "among others it gave: FIN without a Close frame though nothing was wrong; alone it passes"));
	assert_null(f.runner.items[1].note);
	fini(&f);
}

static void a_soft_fail_that_stays_is_a_fail(void **state)
{
	struct fixture f = {.o.jobs = 2};
	(void)state;
	add(&f, &good, 3);
	add(&f, &survival, 1);
	run(&f, SCRIPT(S_OPEN, S_GET(0x81), S_FIN), NULL, LONG_MS, PATIENCE_MS); /* the canary meets this script, too, and waits for an answer to its Close */
	assert_int_equal(count(&f, VERDICT_FAIL), 3);
	assert_null(f.runner.items[0].note);
	assert_non_null(f.runner.items[0].transcript);
	assert_int_equal(item_of(&f, "test/survival")->verdict, VERDICT_PASS);
	assert_null(f.runner.abort_reason);
	fini(&f);
}

/* A hard fail is not run again, and the canary finds the target alive. */
static void a_hard_fail_is_decided_at_once(void **state)
{
	struct fixture f = {.o.jobs = 1};
	(void)state;
	add(&f, &pinged, 1);
	run(&f, SCRIPT(S_OPEN, S_GET(0x89), S_SAY("\x8a\x01z")), BEHAVES, LONG_MS, LONG_MS);
	assert_int_equal(count(&f, VERDICT_FAIL), 1);
	assert_int_equal(f.told, 1);
	assert_int_equal(f.server.count, 2); /* the case, the canary */
	assert_int_equal(f.runner.deaths, 0);
	fini(&f);
}

static void watchers_are_judged_at_the_end(void **state)
{
	struct fixture f = {.o.jobs = 2};
	(void)state;
	add(&f, &masked, 1);
	add(&f, &extension, 1);
	add(&f, &good, 2);
	run(&f, SCRIPT(S_OPEN, S_SAY("\x89\x80\x01\x02\x03\x04")), BEHAVES, LONG_MS, LONG_MS);
	assert_int_equal(item_of(&f, "test/masked")->verdict, VERDICT_FAIL);
	assert_non_null(strstr(item_of(&f, "test/masked")->seen, "a masked frame from the server: 1 of 5 times, first in test/good"));
	assert_non_null(item_of(&f, "test/masked")->transcript);
	assert_int_equal(item_of(&f, "test/extension")->verdict, VERDICT_SKIP);
	fini(&f);
}

static void a_cut_frame_counts_when_the_target_lives(void **state)
{
	struct fixture f = {.o.jobs = 1};
	(void)state;
	add(&f, &good, 2);
	add(&f, &whole_frames, 1);
	run(&f, SCRIPT(S_OPEN, S_GET(0x81), S_SAY("\x81\x05" "a"), S_FIN), BEHAVES, LONG_MS, LONG_MS);
	assert_int_equal(f.runner.deaths, 0);
	assert_int_equal(item_of(&f, "test/whole-frames")->verdict, VERDICT_FAIL);
	assert_non_null(strstr(item_of(&f, "test/whole-frames")->seen, "1 of"));
	assert_non_null(strstr(item_of(&f, "test/whole-frames")->seen, "first in test/good"));
	assert_non_null(item_of(&f, "test/whole-frames")->transcript);
	fini(&f);
}

/* Its death is what is wrong with it, and is found by another watcher. */
static void a_frame_cut_by_the_death_of_the_target_does_not_count(void **state)
{
	struct fixture f = {.o = {.jobs = 1, .revive = revive}};
	(void)state;
	add(&f, &killer, 1);
	add(&f, &good, 2);
	add(&f, &whole_frames, 1);
	run(&f, SCRIPT(S_OPEN, S_SAY("\x81\x05" "a")), BEHAVES, LONG_MS, LONG_MS);
	assert_int_not_equal(f.runner.deaths, 0);
	assert_int_equal(item_of(&f, "test/killer")->verdict, VERDICT_FAIL);
	assert_int_equal(item_of(&f, "test/whole-frames")->verdict, VERDICT_PASS);
	fini(&f);
}

static void a_killer_is_found_when_the_target_comes_back(void **state)
{
	(void)state;
	for (unsigned jobs = 1; jobs <= 8; jobs += 7) {
		struct fixture f = {.o = {.jobs = jobs, .revive = revive}};
		add(&f, &good, 12);
		add(&f, &killer, 1);
		add(&f, &good, 12);
		add(&f, &survival, 1);
		run(&f, BEHAVES, NULL, LONG_MS, LONG_MS);
		assert_int_equal(count(&f, VERDICT_PASS), 24);
		assert_int_equal(count(&f, VERDICT_FAIL), 2);
		assert_int_equal(item_of(&f, "test/killer")->verdict, VERDICT_FAIL);
		assert_true(item_of(&f, "test/killer")->killed);
		assert_int_equal(item_of(&f, "test/survival")->verdict, VERDICT_FAIL);
		assert_non_null(strstr(item_of(&f, "test/survival")->seen, " during the run, of test/killer"));
		assert_null(f.runner.abort_reason);
		assert_int_equal(f.revived, f.server.deaths);
		fini(&f);
	}
}

/* The case behind it met nobody: it is not to blame, and what killed is run once more. */
static void a_target_that_dies_late_is_not_blamed_on_the_next(void **state)
{
	struct fixture f = {.o = {.jobs = 1, .revive = revive}, .server = {.late = true}};
	(void)state;
	add(&f, &killer, 1);
	add(&f, &good, 6);
	add(&f, &survival, 1);
	run(&f, BEHAVES, NULL, LONG_MS, LONG_MS);
	assert_int_equal(count(&f, VERDICT_PASS), 6);
	assert_int_equal(item_of(&f, "test/killer")->verdict, VERDICT_FAIL);
	assert_int_equal(item_of(&f, "test/survival")->verdict, VERDICT_FAIL);
	assert_null(f.runner.abort_reason);
	fini(&f);
}

static void a_killer_is_named_when_the_target_stays_dead(void **state)
{
	struct fixture f = {.o.jobs = 1};
	(void)state;
	add(&f, &good, 5);
	add(&f, &killer, 1);
	add(&f, &good, 5);
	add(&f, &survival, 1);
	add(&f, &masked, 1);
	run(&f, BEHAVES, NULL, LONG_MS, LONG_MS);
	assert_int_equal(count(&f, VERDICT_PASS), 5);
	assert_int_equal(item_of(&f, "test/killer")->verdict, VERDICT_FAIL);
	assert_int_equal(item_of(&f, "test/survival")->verdict, VERDICT_FAIL);
	assert_int_equal(item_of(&f, "test/masked")->verdict, VERDICT_ERROR);
	assert_int_equal(count(&f, VERDICT_ERROR), 6);
	assert_non_null(strstr(f.runner.abort_reason, "test/killer"));
	fini(&f);
}

/* It is among those whom survival blames, and its sentence names the first of them and counts the others. */
static void assert_blames(struct runner *r, const char *id, bool proven)
{
	const char *ids[64], *seen = survival_seen(r);
	char more[64];
	bool is_proven, among = false;
	size_t n = survival_blamed(r, ids, ARRAY_LEN(ids), &is_proven);
	for (size_t i = 0; i < n; i++)
		among |= strcmp(ids[i], id) == 0;
	assert_true(among);
	assert_int_equal(is_proven, proven);
	assert_non_null(strstr(seen, is_proven ? ", of " : "; under way were "));
	snprintf(more, sizeof(more), " and %zu more", n - SURVIVAL_NAMED);
	assert_true(n <= SURVIVAL_NAMED ? strstr(seen, "more") == NULL : strstr(seen, more) != NULL);
	assert_int_equal(survival_blamed(r, ids, 0, &is_proven), n);
}

/* Many at once and nobody to ask again: nobody is accused alone, nobody else fails. */
static void suspects_are_inconclusive_when_the_target_stays_dead(void **state)
{
	struct fixture f = {.o.jobs = 8};
	(void)state;
	add(&f, &good, 12);
	add(&f, &killer, 1);
	add(&f, &good, 12);
	add(&f, &survival, 1);
	run(&f, BEHAVES, NULL, LONG_MS, LONG_MS);
	enum verdict v = item_of(&f, "test/killer")->verdict;
	assert_true(v == VERDICT_INCONCLUSIVE || v == VERDICT_FAIL);
	assert_int_equal(count(&f, VERDICT_FAIL), 1 + (v == VERDICT_FAIL));
	assert_non_null(f.runner.abort_reason);
	assert_blames(&f.runner, "test/killer", v == VERDICT_FAIL);
	fini(&f);
}

static void a_target_that_hangs_afterwards_is_dead(void **state)
{
	struct fixture f = {.o.jobs = 1};
	(void)state;
	add(&f, &pinged, 1);
	add(&f, &survival, 1);
	run(&f, SCRIPT(S_OPEN, S_GET(0x89), S_SAY("\x8a\x01z")), SCRIPT(S_ASKED, S_HANG), SHORT_MS, PATIENCE_MS);
	assert_int_equal(count(&f, VERDICT_FAIL), 2);
	assert_int_equal(f.runner.deaths, 1);
	assert_non_null(strstr(f.runner.abort_reason, "test/pinged"));
	fini(&f);
}

static void a_stopped_run_keeps_what_was_decided(void **state)
{
	struct fixture f = {.o.jobs = 1, .stop_after = 3};
	(void)state;
	add(&f, &good, 10);
	add(&f, &survival, 1);
	add(&f, &masked, 1);
	run(&f, BEHAVES, NULL, LONG_MS, LONG_MS);
	assert_int_equal(count(&f, VERDICT_PASS), 3);
	assert_int_equal(count(&f, VERDICT_ERROR), 9);
	assert_true(f.runner.stopped);
	assert_non_null(strstr(f.runner.items[9].seen, "stopped"));
	fini(&f);
}

static void a_run_stopped_before_it_starts_runs_nothing(void **state)
{
	struct fixture f = {.o.jobs = 4, .stop_after = 1, .told = 1};
	(void)state;
	add(&f, &good, 4);
	run(&f, BEHAVES, NULL, LONG_MS, LONG_MS);
	assert_int_equal(count(&f, VERDICT_ERROR), 4);
	assert_int_equal(f.server.count, 0);
	fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_pass_and_no_more_than_jobs_at_once),
		cmocka_unit_test(a_soft_verdict_is_looked_at_again_alone),
		cmocka_unit_test(a_soft_fail_that_stays_is_a_fail),
		cmocka_unit_test(a_hard_fail_is_decided_at_once),
		cmocka_unit_test(watchers_are_judged_at_the_end),
		cmocka_unit_test(a_cut_frame_counts_when_the_target_lives),
		cmocka_unit_test(a_frame_cut_by_the_death_of_the_target_does_not_count),
		cmocka_unit_test(a_killer_is_found_when_the_target_comes_back),
		cmocka_unit_test(a_target_that_dies_late_is_not_blamed_on_the_next),
		cmocka_unit_test(a_killer_is_named_when_the_target_stays_dead),
		cmocka_unit_test(suspects_are_inconclusive_when_the_target_stays_dead),
		cmocka_unit_test(a_target_that_hangs_afterwards_is_dead),
		cmocka_unit_test(a_stopped_run_keeps_what_was_decided),
		cmocka_unit_test(a_run_stopped_before_it_starts_runs_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
