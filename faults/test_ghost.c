/* Connections that are left while a fault hides that from the server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "faults/test_scene.h"
#include "harness/base/clock.h"

static struct scene scene;

/* We give up: the server learns of it when nothing is in between any more. */
static void our_reset_is_kept(void **state)
{
	static const char *const rows[][2] = {{"partition", ""}, {"partition", "direction=to"}, {"half_open", ""}};
	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(rows); i++) {
		scene_init(&scene, NULL);
		struct toxic *toxic = bench_add(&scene.bench, rows[i / 2][0], rows[i / 2][1], 0);
		scene_put_chain(&scene, CHAIN_BOTH, 0);
		client_run(&scene.c, "open");
		stream_write(scene.far.stream, SPAN_LIT("nobody hears"));
		if (i % 2)
			stream_reset(scene.c.stream);
		stream_free(TAKE_PTR(scene.c.stream));
		for (int turn = 0; turn < 4; turn++)
			client_run(&scene.c, "open");
		assert_string_equal(buf_cstr(&scene.far.log), "open");
		scene.bench.now_us = clock_now_us();
		bench_remove(&scene.bench, toxic);
		for (int turn = 0; turn < 4; turn++)
			client_run(&scene.c, "open");
		assert_string_equal(buf_cstr(&scene.far.log), "open error-104");
		scene_fini(&scene);
	}
}

/* What comes from the server alone is cut: our RST goes. */
static void our_reset_goes(void **state)
{
	(void)state;
	scene_init(&scene, NULL);
	bench_add(&scene.bench, "partition", "direction=from", 0);
	scene_put_chain(&scene, CHAIN_BOTH, 0);
	client_run(&scene.c, "open");
	stream_reset(scene.c.stream);
	for (int turn = 0; turn < 4; turn++)
		client_run(&scene.c, "open");
	assert_string_equal(buf_cstr(&scene.far.log), "open error-104");
	scene_fini(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_reset_is_kept),
		cmocka_unit_test(our_reset_goes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
