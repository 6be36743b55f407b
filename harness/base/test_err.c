/* Errors and self-cleaning locals; clocks beside them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "harness/base/clock.h"
#include "harness/base/err.h"

static void a_sentence_is_cut_at_its_limit(void **state)
{
	(void)state;
	struct err e;
	char longer[ERR_TEXT_MAX * 2];
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = 0;
	assert_int_equal(err_set(&e, EINVAL, "%s is %d", "x", 5), -EINVAL);
	assert_string_equal(e.text, "x is 5");
	assert_int_equal(err_set(&e, ENOENT, "%s", longer), -ENOENT);
	assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
	memcpy(longer + ERR_TEXT_MAX - 3, "\xe2\x82\xac", 3); /* a character across the limit goes as a whole */
	assert_int_equal(err_set(&e, EINVAL, "%s", longer), -EINVAL);
	assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 3);
	assert_int_equal(e.text[ERR_TEXT_MAX - 4], 'a');
	assert_int_equal(err_set(NULL, EIO, "nobody listens"), -EIO);
}

static void descriptors_close_themselves_once(void **state)
{
	(void)state;
	int fds[2];
	assert_int_equal(pipe(fds), 0);
	{
		int fd CLEANUP(cleanup_fd) = fds[0];
		int none CLEANUP(cleanup_fd) = -1;
		assert_int_equal(none, -1);
		assert_true(fd >= 0);
	}
	assert_int_equal(close(fds[0]), -1);
	{
		int fd CLEANUP(cleanup_fd) = fds[1];
		fds[1] = TAKE_FD(fd);
		assert_int_equal(fd, -1);
	}
	assert_int_equal(close(fds[1]), 0);
	char *text CLEANUP(cleanup_free) = strdup("a");
	char *kept CLEANUP(cleanup_free) = TAKE_PTR(text);
	assert_null(text);
	assert_string_equal(kept, "a");
}

static void time_reads_as_rfc_3339(void **state)
{
	(void)state;
	char text[CLOCK_RFC3339_LEN];
	clock_rfc3339(text, sizeof(text));
	static const char shape[] = "dddd-dd-ddTdd:dd:dd.dddZ";
	assert_int_equal(strlen(text), strlen(shape));
	for (size_t i = 0; shape[i]; i++)
		assert_true(shape[i] == 'd' ? text[i] >= '0' && text[i] <= '9' : text[i] == shape[i]);
	uint64_t before = clock_now_us();
	assert_true(clock_now_us() >= before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sentence_is_cut_at_its_limit),
		cmocka_unit_test(descriptors_close_themselves_once),
		cmocka_unit_test(time_reads_as_rfc_3339),
	};
	return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
