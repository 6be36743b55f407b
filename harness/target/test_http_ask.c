/* One request, and everything that may come in answer to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "harness/target/http_ask.h"
#include "harness/target/test_pages.h"

struct ask {
	struct loop loop;
	struct http_ask *ask;
	int error, status;
	char body[256], why[128];
	unsigned calls;
};

static void on_done(void *owner, const struct http_got *got)
{
	struct ask *a = owner;
	a->error = got->error;
	a->status = got->status;
	a->calls++;
	snprintf(a->body, sizeof(a->body), "%.*s", (int)got->body.len, got->body.p ? (const char *)got->body.p : "");
	snprintf(a->why, sizeof(a->why), "%s", got->why);
	if (a->calls == 1)
		http_ask_free(a->ask);
}

static void ask_for(struct ask *a, uint16_t port, struct http_question q)
{
	struct arena arena;
	struct http_place place;
	struct err e = {0};
	char url[64];
	*a = (struct ask){.calls = 0};
	arena_init(&arena, 1 << 16);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/metrics?a=b", port);
	if (http_place_parse(url, &arena, &place, &e) < 0)
		fail_msg("%s", e.text);
	q.place = &place;
	assert_int_equal(loop_init(&a->loop), 0);
	assert_int_equal(http_ask_new(&a->loop, &q, on_done, a, &a->ask), 0);
	loop_run(&a->loop);
	loop_fini(&a->loop);
	arena_fini(&arena);
	assert_int_equal(a->calls, 1);
}

static const struct {
	const char *answer;
	int error, status;
	const char *body, *why;
} rows[] = {
	{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 0, 200, "abc", ""},
	{"-HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 0, 200, "abc", ""},
	{"HTTP/1.0 200 OK\r\n\r\nabc", 0, 200, "abc", ""},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 0, 200, "abc", ""},
	{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 No\r\nContent-Length: 1\r\n\r\nx", 0, 503, "x", ""},
	{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", -EPIPE, 200, "abc", "the answer was cut"},
	{"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", -EFBIG, 200, "",
	 "the answer is too large"},
	{"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", -EPROTO, 200, "", "the answer's body is no HTTP"},
	{"SSH-2.0-OpenSSH_9.2\r\n", -EPROTO, 0, "", "the answer is no HTTP"},
	{"", -EPIPE, 0, "", "the connection was closed without an answer"},
	{"HTTP/1.1 200", -EPIPE, 0, "", "the connection was closed without an answer"},
	{"hold", -ETIMEDOUT, 0, "", "no whole answer in time"},
	{"-HTTP/1.1 200 OK\r\n\r\nabc", -ETIMEDOUT, 200, "abc", "no whole answer in time"},
};

static void answers_of_all_kinds(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *const answers[] = {rows[i].answer, NULL};
		bool late = rows[i].error == -ETIMEDOUT;
		struct pages p;
		struct ask a;
		pages_start(&p, answers);
		/* The time for the answer that is there counts for nothing; for the other, any will do. */
		ask_for(&a, p.port, (struct http_question){.body_max = 40, .deadline_ms = late ? 300 : 60000});
		pages_stop(&p);
		bool part = late && a.status == 0 && a.body[0] == 0; /* nothing of it was read in time */
		bool same = a.status == rows[i].status && strcmp(a.body, rows[i].body) == 0;
		if (a.error != rows[i].error || strcmp(a.why, rows[i].why) != 0 || !(same || part))
			fail_msg("row %zu: %d %d '%s' '%s'", i, a.error, a.status, a.body, a.why);
	}
}

static void the_request(void **state)
{
	static const char *const answers[] = {"HTTP/1.1 204 No Content\r\n\r\n", NULL};
	const struct handshake_field fields[] = {{.name = SPAN_LIT("X-A"), .value = SPAN_LIT("b")}};
	struct pages p;
	struct ask a;
	char want[512];
	(void)state;
	pages_start(&p, answers);
	ask_for(&a, p.port, (struct http_question){.method = "POST", .target = "/publish/c", .type = "application/json",
						   .body = SPAN_LIT("{}"), .fields = fields, .n_fields = 1});
	pages_stop(&p);
	assert_int_equal(a.status, 204);
	snprintf(want, sizeof(want), "POST /publish/c HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUser-Agent: wsquall\r\nAccept: */*\r\n"
		 "Connection: close\r\nX-A: b\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", p.port);
	assert_string_equal(p.request, want);
}

static void nobody_there(void **state)
{
	static const char *const answers[] = {"", NULL};
	struct pages p;
	struct ask a;
	(void)state;
	pages_start(&p, answers);
	pages_stop(&p);
	ask_for(&a, p.port, (struct http_question){.deadline_ms = 60000});
	assert_int_equal(a.error, -ECONNREFUSED);
}

static void bad_places_are_refused(void **state)
{
	static const char *const bad[] = {"ws://h/", "http:/h", "http://", "ftp://h/", "http://h:0/", "httpx://h/", "http://u:p@h/"};
	struct arena arena;
	struct http_place place;
	struct err e = {0};
	(void)state;
	arena_init(&arena, 1 << 16);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (http_place_parse(bad[i], &arena, &place, &e) != -EINVAL || !e.text[0])
			fail_msg("%s was taken", bad[i]);
	assert_int_equal(http_place_parse("HTTPS://127.0.0.1/x", &arena, &place, &e), 0);
	assert_true(place.url.tls && place.url.port == 443);
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_of_all_kinds),
		cmocka_unit_test(the_request),
		cmocka_unit_test(nobody_there),
		cmocka_unit_test(bad_places_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
