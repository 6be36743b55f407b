/* Growing buffers: the maximum is exact, a refused append changes nothing, the text view always ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "harness/base/buf.h"
#include "harness/base/err.h"

static void the_maximum_is_exact(void **state)
{
	(void)state;
	for (size_t max = 0; max < 300; max++) {
		struct buf b CLEANUP(buf_fini) = {0};
		buf_init(&b, max);
		for (size_t i = 0; i < max; i++)
			assert_int_equal(buf_append_u8(&b, (uint8_t)i), 0);
		assert_int_equal(buf_append_u8(&b, 'x'), -ENOBUFS);
		assert_int_equal(b.len, max);
		for (size_t i = 0; i < max; i++)
			assert_int_equal(b.p[i], (uint8_t)i);
		assert_true(b.cap <= max + 1);
	}
}

static void a_refused_append_changes_nothing(void **state)
{
	(void)state;
	struct buf b CLEANUP(buf_fini) = {0};
	buf_init(&b, 5);
	assert_int_equal(buf_append(&b, "abc", 3), 0);
	assert_int_equal(buf_append(&b, "def", 3), -ENOBUFS);
	assert_int_equal(buf_append_span(&b, span_of(NULL, SIZE_MAX)), -ENOBUFS);
	assert_int_equal(buf_printf(&b, "%d", 123), -ENOBUFS);
	assert_string_equal(buf_cstr(&b), "abc");
	assert_int_equal(buf_printf(&b, "%d", 12), 0);
	assert_string_equal(buf_cstr(&b), "abc12");
}

static void a_zeroed_buffer_is_empty_and_full(void **state)
{
	(void)state;
	struct buf b CLEANUP(buf_fini) = {0};
	assert_string_equal(buf_cstr(&b), "");
	assert_int_equal(buf_append(&b, NULL, 0), 0);
	assert_int_equal(buf_append(&b, "a", 1), -ENOBUFS);
	assert_int_equal(buf_span(&b).len, 0);
}

static void consume_drops_from_the_front(void **state)
{
	(void)state;
	struct buf b CLEANUP(buf_fini) = {0};
	buf_init(&b, 64);
	buf_append(&b, "abcdef", 6);
	buf_consume(&b, 2);
	assert_string_equal(buf_cstr(&b), "cdef");
	buf_consume(&b, 0);
	assert_string_equal(buf_cstr(&b), "cdef");
	buf_consume(&b, 4);
	assert_int_equal(b.len, 0);
	buf_append(&b, "x", 1);
	assert_string_equal(buf_cstr(&b), "x");
}

static void reserve_gives_room_in_place(void **state)
{
	(void)state;
	struct buf b CLEANUP(buf_fini) = {0};
	buf_init(&b, 1000);
	assert_int_equal(buf_reserve(&b, 1000), 0);
	memset(b.p, 'a', 1000);
	b.len = 1000;
	assert_int_equal(strlen(buf_cstr(&b)), 1000);
	assert_int_equal(buf_reserve(&b, 1), -ENOBUFS);
}

static void no_maximum_does_not_overflow(void **state)
{
	(void)state;
	struct buf b CLEANUP(buf_fini) = {0};
	buf_init(&b, SIZE_MAX);
	assert_int_equal(buf_append(&b, "abc", 3), 0);
	assert_int_equal(buf_reserve(&b, SIZE_MAX - 3), -ENOMEM);
	assert_int_equal(buf_reserve(&b, SIZE_MAX - 2), -ENOBUFS);
	assert_string_equal(buf_cstr(&b), "abc");
}

static void printf_grows_as_needed(void **state)
{
	(void)state;
	struct buf b CLEANUP(buf_fini) = {0};
	buf_init(&b, 10000);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(buf_printf(&b, "%03d;", i), 0);
	assert_int_equal(b.len, 4000);
	assert_memory_equal(b.p + 3996, "999;", 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_maximum_is_exact),         cmocka_unit_test(a_refused_append_changes_nothing),
		cmocka_unit_test(a_zeroed_buffer_is_empty_and_full), cmocka_unit_test(consume_drops_from_the_front),
		cmocka_unit_test(reserve_gives_room_in_place),  cmocka_unit_test(no_maximum_does_not_overflow),
		cmocka_unit_test(printf_grows_as_needed),
	};
	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
