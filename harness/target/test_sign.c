/* The worked example of Pusher's documentation of its HTTP API. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "harness/base/err.h"
#include "harness/target/sign.h"

#define TARGET "/apps/3/events"
#define SIGNED \
	TARGET "?auth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0" \
	"&body_md5=ec365a775a4cd0599faeb73354201b6f" \
	"&auth_signature=da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c"

static const struct sign_request example = {
	.method = "POST",
	.body = SPAN_LIT("{\"name\":\"foo\",\"channels\":[\"project-3\"],\"data\":\"{\\\"some\\\":\\\"data\\\"}\"}"),
	.key = SPAN_LIT("278d425bdf160c739803"),
	.secret = SPAN_LIT("7ad3773142a6692b25b8"),
	.unix_s = 1353088179,
};

static void as_documented(void **state)
{
	struct buf target CLEANUP(buf_fini);
	(void)state;
	buf_init(&target, sizeof(SIGNED));
	assert_int_equal(buf_append_span(&target, SPAN_LIT(TARGET)), 0);
	assert_int_equal(sign_pusher(&example, &target), 0);
	assert_string_equal(buf_cstr(&target), SIGNED);
}

static void without_room(void **state)
{
	struct buf target CLEANUP(buf_fini);
	struct sign_request r = example;
	(void)state;
	buf_init(&target, sizeof(TARGET) + 40);
	assert_int_equal(buf_append_span(&target, SPAN_LIT(TARGET)), 0);
	assert_int_equal(sign_pusher(&r, &target), -ENOBUFS);
	r.secret = (struct span){0};
	buf_fini(&target);
	buf_init(&target, 4096);
	assert_int_equal(sign_pusher(&r, &target), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(as_documented), cmocka_unit_test(without_room)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
