/* What the tests of the scheduler share: the cases, and a run of them that ends as it should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "harness/run/test_runner_rig.h"

const struct test_case case_good = {.id = "test/good", .title = "good", .rfc = "6455", STEPS(SEND(TEXT, LIT("hi")), ECHO)};
const struct test_case case_pinged = {.id = "test/pinged", .title = "pinged", .rfc = "6455", STEPS(SEND(PING, LIT("a")), PONG)};
const struct test_case case_survival = {.id = "test/survival", .title = "survival", .rfc = "6455", .watch = WATCH_SURVIVAL};
const struct test_case case_masked = {.id = "test/masked", .title = "masked", .rfc = "6455", .watch = WATCH_MASKED};
const struct test_case case_whole_frames = {.id = "test/whole-frames", .title = "whole frames", .rfc = "6455", .watch = WATCH_CUT_FRAME};

static void on_decided(void *owner, const struct runner_item *item)
{
	struct rig *f = owner;
	assert_int_equal(item->state, RUNNER_DECIDED);
	f->told++;
}

static bool stop(void *owner)
{
	struct rig *f = owner;
	return f->stop_after && f->told >= f->stop_after;
}

int rig_revive(void *owner)
{
	struct rig *f = owner;
	if (!f->server.dead)
		return 0;
	server_stop(&f->server);
	server_start(&f->server);
	f->revived++;
	return 1;
}

void rig_add(struct rig *f, const struct test_case *tc, size_t times)
{
	for (size_t i = 0; i < times; i++)
		f->cases[f->n++] = (struct runner_case){.tc = tc, .suite = "test", .group = "test"};
}

void rig_run(struct rig *f, const struct act *script, const struct act *then, uint32_t timeout_ms, uint32_t patience_ms)
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

void rig_fini(struct rig *f)
{
	runner_fini(&f->runner);
	server_stop(&f->server);
	loop_fini(&f->loop);
	arena_fini(&f->arena);
}

unsigned rig_count(const struct rig *f, enum verdict v)
{
	unsigned n = 0;
	for (size_t i = 0; i < f->n; i++)
		n += f->runner.items[i].verdict == v;
	return n;
}

const struct runner_item *rig_item(const struct rig *f, const char *id)
{
	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->cases[i].tc->id, id) == 0)
			return &f->runner.items[i];
	fail_msg("no %s", id);
	return NULL;
}
