/* Arenas: zeroed, aligned, apart from one another, bounded, all gone at the end (LeakSanitizer). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "harness/base/arena.h"
#include "harness/base/err.h"

static void memory_is_zeroed_aligned_and_apart(void **state)
{
	(void)state;
	struct arena a;
	uint8_t *blocks[200];
	arena_init(&a, 1 << 20);
	for (size_t i = 0; i < 200; i++) {
		size_t len = i * 7 % 300 + (i % 50 == 49 ? 5000 : 0);
		blocks[i] = arena_alloc(&a, len);
		assert_non_null(blocks[i]);
		assert_int_equal((uintptr_t)blocks[i] % 16, 0);
		for (size_t j = 0; j < len; j++)
			assert_int_equal(blocks[i][j], 0);
		memset(blocks[i], (int)i + 1, len);
	}
	for (size_t i = 0; i < 200; i++) {
		size_t len = i * 7 % 300 + (i % 50 == 49 ? 5000 : 0);
		for (size_t j = 0; j < len; j++)
			assert_int_equal(blocks[i][j], (uint8_t)(i + 1));
	}
	arena_fini(&a);
}

static void the_maximum_holds(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, 1000);
	assert_null(arena_alloc(&a, 1001));
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_null(arena_alloc(&a, SIZE_MAX - 8));
	size_t n = 0;
	while (arena_alloc(&a, 16))
		n++;
	assert_int_equal(n, 1000 / 16);
	assert_null(arena_strdup(&a, "this is longer than what is left"));
	assert_null(arena_printf(&a, "%060d", 1));
	assert_null(arena_span(&a, SPAN_LIT("this is longer than what is left")).p);
	assert_int_equal(arena_span(&a, SPAN_LIT("this is longer than what is left")).len, 0);
	arena_fini(&a);
	assert_int_equal(a.used, 0);
	assert_non_null(arena_alloc(&a, 1000)); /* as good as new */
	arena_fini(&a);
	arena_init(&a, SIZE_MAX);
	assert_null(arena_alloc(&a, SIZE_MAX));
	arena_fini(&a);
}

static void copies_end_with_a_nul(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, 10000);
	char text[] = "abc";
	char *copy = arena_strdup(&a, text);
	struct span s = arena_span(&a, SPAN_LIT("a\0b"));
	text[0] = 'X';
	assert_string_equal(copy, "abc");
	assert_int_equal(s.len, 3);
	assert_memory_equal(s.p, "a\0b", 4);
	assert_string_equal(arena_printf(&a, "%s-%d", "x", 5), "x-5");
	assert_int_equal(strlen(arena_printf(&a, "%05000d", 5)), 5000);
	struct span empty = arena_span(&a, (struct span){0});
	assert_non_null(empty.p);
	assert_int_equal(empty.p[0], 0);
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_zeroed_aligned_and_apart),
		cmocka_unit_test(the_maximum_holds),
		cmocka_unit_test(copies_end_with_a_nul),
	};
	return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
