/* What a transcript shows, octet for octet, and where it stops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/base/limits.h"
#include "harness/run/transcript.h"

struct fixture {
	struct arena arena;
	struct transcript t;
	struct buf text;
};

static int set_up(void **state)
{
	static struct fixture f;
	f = (struct fixture){0};
	arena_init(&f.arena, 16 << 20);
	buf_init(&f.text, TRANSCRIPT_MAX);
	transcript_init(&f.t, &f.arena, 1000000);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	buf_fini(&f->text);
	arena_fini(&f->arena);
	return 0;
}

static const char *render(struct fixture *f)
{
	transcript_render(&f->t, &f->text);
	return buf_cstr(&f->text);
}

static void each_kind_has_its_line(void **state)
{
	struct fixture *f = *state;
	const struct frame_head hello = {.fin = true, .opcode = 1, .masked = true, .key = {0x37, 0xfa, 0x21, 0x3d}, .form = FRAME_FORM_7, .len = 5};
	const struct frame_head close = {.fin = true, .opcode = 8, .form = FRAME_FORM_7, .len = 5};
	const struct frame_head odd = {.rsv = 5, .opcode = 2, .form = FRAME_FORM_64, .len = 1ull << 62};
	transcript_note(&f->t, 1000000, "open: %s", "tcp");
	transcript_octets(&f->t, 1001234, true, SPAN_LIT("GET / HTTP/1.1\r\n"));
	transcript_frame(&f->t, 1002000, true, &hello, SPAN_LIT("Hello"), 5);
	transcript_frame(&f->t, 1003000, false, &close, SPAN_LIT("\x03\xea" "bad"), 5);
	transcript_frame(&f->t, 1004000, false, &odd, SPAN_LIT("\x00\xff"), 1ull << 62);
	assert_string_equal(render(f),
		"     0.000 ms       open: tcp\n"
		"     1.234 ms  >>>> 16 octets\n"
		"                    0000  47 45 54 20 2f 20 48 54 54 50 2f 31 2e 31 0d 0a  GET / HTTP/1.1..\n"
		"     2.000 ms  >>>> text FIN 1 masked 37fa213d, 7-bit length 5\n"
		"                    0000  48 65 6c 6c 6f                                   Hello\n"
		"     3.000 ms  <<<< close FIN 1, 7-bit length 5, code 1002 (protocol error), reason \"bad\"\n"
		"                    0000  03 ea 62 61 64                                   ..bad\n"
		"     4.000 ms  <<<< binary FIN 0 RSV 101, 64-bit length 4611686018427387904\n"
		"                    0000  00 ff                                            ..\n"
		"                    ... 4611686018427387902 more octets\n");
}

static void nothing_of_a_peer_reaches_the_terminal(void **state)
{
	struct fixture *f = *state;
	const struct frame_head close = {.fin = true, .opcode = 8, .form = FRAME_FORM_7, .len = 9};
	transcript_octets(&f->t, 1000000, false, SPAN_LIT("\x1b]0;x\x07\x9b"));
	transcript_frame(&f->t, 1000000, false, &close, SPAN_LIT("\x03\xe8\x1b[2J\n\xff\xc2\x9b\xe2\x80\xae"), 9);
	for (const char *c = render(f); *c; c++)
		assert_true(*c == '\n' || (*c >= 0x20 && *c < 0x7f));
	assert_non_null(strstr(buf_cstr(&f->text), "reason \"\\x1b[2J\\x0a\\xff\\u{9b}\\u{202e}\""));
}

static void payloads_and_events_are_cut_and_counted(void **state)
{
	struct fixture *f = *state;
	static char long_octets[TRANSCRIPT_PAYLOAD_MAX + 100];
	transcript_octets(&f->t, 1000000, false, span_of(long_octets, sizeof(long_octets)));
	assert_int_equal(f->t.events[0].octets.len, TRANSCRIPT_PAYLOAD_MAX);
	assert_non_null(strstr(render(f), "... 100 more octets\n"));
	for (int i = 1; i < TRANSCRIPT_EVENTS_MAX + 7; i++)
		transcript_note(&f->t, 1000000, "n");
	assert_int_equal(f->t.n, TRANSCRIPT_EVENTS_MAX);
	assert_int_equal(f->t.dropped, 7);
	assert_non_null(strstr(render(f), "... 7 more events\n"));
}

static void a_full_arena_only_drops_events(void **state)
{
	struct arena small;
	struct transcript t;
	struct buf text;
	(void)state;
	arena_init(&small, 8192);
	buf_init(&text, TRANSCRIPT_MAX);
	transcript_init(&t, &small, 0);
	for (int i = 0; i < 1000; i++)
		transcript_octets(&t, 0, true, SPAN_LIT("some octets"));
	assert_true(t.n > 0 && t.dropped > 0 && t.n + t.dropped == 1000);
	transcript_render(&t, &text);
	assert_non_null(strstr(buf_cstr(&text), "more events"));
	buf_fini(&text);
	arena_fini(&small);
}

/* A value is hidden wherever it stands, whole, in pieces, or cut; a short one in its own field alone. */
static void secrets_are_hidden(void **state)
{
	struct fixture *f = *state;
	struct opt_pair headers[] = {{"Authorization", "Bearer hunter2"}, {"X-Team", "abc"}, {"X-Empty", ""}};
	struct opt_pair variables[] = {{"token", "open sesame"}, {"short", "Host"}};
	struct target target = {.headers = {headers, 3, 3}, .variables = {variables, 2, 2},
				.credentials = {.valid = "credential-1", .expired = "cred2", .query = "token"}};
	static const char request[] = "GET /credential-1 HTTP/1.1\r\nHost: abc\r\nAuthorization: Bearer hunter2\r\nX-Team: abc\r\n\r\n";
	char filler[TRANSCRIPT_PAYLOAD_MAX + 20];
	struct secrets secrets;
	assert_int_equal(secrets_of(&target, &f->arena, &secrets), 0);
	f->t.secrets = &secrets;
	transcript_octets(&f->t, 0, true, SPAN_LIT(request));
	for (size_t i = 0; i < sizeof(request) - 1; i++) {
		transcript_octets(&f->t, 0, true, span_of(request + i, 1));
		transcript_note(&f->t, 0, "a note between");
	}
	memset(filler, '-', sizeof(filler));
	memcpy(filler + TRANSCRIPT_PAYLOAD_MAX - 9, "Bearer hunter2", 14);
	transcript_octets(&f->t, 0, false, span_of(filler, sizeof(filler)));
	const struct frame_head head = {.fin = true, .opcode = OPCODE_TEXT, .form = FRAME_FORM_7, .len = 13};
	transcript_frame(&f->t, 0, false, &head, SPAN_LIT("<open sesame>"), 13);
	render(f);
	struct buf shown CLEANUP(buf_fini) = {0};
	buf_init(&shown, TRANSCRIPT_MAX);
	for (size_t i = 0; i < f->t.n; i++)
		if (f->t.events[i].octets.len)
			buf_append_span(&shown, f->t.events[i].octets);
	static const char hidden[] = "GET /************ HTTP/1.1\r\nHost: abc\r\nAuthorization: **************\r\nX-Team: ***\r\n\r\n";
	assert_memory_equal(shown.p, hidden, sizeof(hidden) - 1);
	assert_memory_equal(shown.p + sizeof(hidden) - 1, hidden, sizeof(hidden) - 1);
	assert_true(span_find(buf_span(&shown), SPAN_LIT("---*********<***********>")) > 0);
	assert_true(span_find(buf_span(&shown), SPAN_LIT("Bearer")) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_kind_has_its_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_of_a_peer_reaches_the_terminal, set_up, tear_down),
		cmocka_unit_test_setup_teardown(payloads_and_events_are_cut_and_counted, set_up, tear_down),
		cmocka_unit_test(a_full_arena_only_drops_events),
		cmocka_unit_test_setup_teardown(secrets_are_hidden, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
