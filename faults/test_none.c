/* The control: with it and without it the same octets come out at the same time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "faults/test_bench.h"

static void octets_pass_as_they_are(void **state)
{
	static const size_t chunks[] = {1 << 20, 1460, 4093};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(chunks); i++) {
		struct bench b;
		bench_init(&b);
		bench_add(&b, "none", "", 0);
		for (enum direction d = 0; d < DIRECTIONS; d++) {
			bench_feed(&b, d, bench_pattern(), BENCH_PATTERN, chunks[i]);
			bench_assert_out(&b, d, bench_pattern(), BENCH_PATTERN);
			bench_eof(&b, d);
			assert_true(b.eof[d]);
		}
		for (size_t p = 0; p < b.n_pieces; p++)
			assert_true(b.pieces[p].at_us == 0 && b.pieces[p].len <= chunks[i]);
		assert_false(bench_next(&b));
		assert_int_equal(b.events.len, 0);
		bench_fini(&b);
	}
}

static void tells_once_a_direction(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	bench_add(&b, "none", "tell=true", 0);
	bench_feed(&b, UPSTREAM, bench_pattern(), 1000, 7);
	bench_feed(&b, DOWNSTREAM, bench_pattern(), 1000, 1000);
	assert_string_equal(buf_cstr(&b.events), "none_both hit conn=1 upstream at=0\nnone_both hit conn=1 downstream at=0\n");
	bench_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(octets_pass_as_they_are),
		cmocka_unit_test(tells_once_a_direction),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
