/* What hostile octets look like once printable, and that nothing dangerous gets through and nothing is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "harness/base/err.h"
#include "harness/base/escape.h"
#include "harness/base/rng.h"
#include "harness/base/rune.h"

static void octets_become_printable(void **state)
{
	(void)state;
	static const struct {
		struct span in;
		const char *want;
	} rows[] = {
		{{(const uint8_t *)"", 0}, ""},
		{{(const uint8_t *)"plain text ~", 12}, "plain text ~"},
		{{(const uint8_t *)"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9}, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
		{{(const uint8_t *)"a\\b", 3}, "a\\\\b"},
		{{(const uint8_t *)"a\0b\n\r\t", 6}, "a\\x00b\\x0a\\x0d\\x09"},
		{{(const uint8_t *)"\x1b[31mred\x7f", 9}, "\\x1b[31mred\\x7f"},
		{{(const uint8_t *)"\xc2\x9b", 2}, "\\u{9b}"},
		{{(const uint8_t *)"\xe2\x80\xae", 3}, "\\u{202e}"},
		{{(const uint8_t *)"\xe2\x81\xa6", 3}, "\\u{2066}"},
		{{(const uint8_t *)"\xe2\x80\xa8\xe2\x80\xa9", 6}, "\\u{2028}\\u{2029}"},
		{{(const uint8_t *)"\xf3\xa0\x80\x81", 4}, "\\u{e0001}"},
		{{(const uint8_t *)"\xff\xfe", 2}, "\\xff\\xfe"},
		{{(const uint8_t *)"\xed\xa0\x80", 3}, "\\xed\\xa0\\x80"},
		{{(const uint8_t *)"\xc0\xaf\xc3", 3}, "\\xc0\\xaf\\xc3"},
		{{(const uint8_t *)"<b>&amp;", 8}, "<b>&amp;"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b CLEANUP(buf_fini) = {0};
		buf_init(&b, 4096);
		assert_int_equal(escape_text(&b, rows[i].in), 0);
		assert_string_equal(buf_cstr(&b), rows[i].want);
	}
}

static int hex_digit(uint8_t c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

static void append_rune(struct buf *b, uint32_t c)
{
	if (c < 0x800) {
		buf_append_u8(b, (uint8_t)(0xc0 | c >> 6));
	} else if (c < 0x10000) {
		buf_append_u8(b, (uint8_t)(0xe0 | c >> 12));
		buf_append_u8(b, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
	} else {
		buf_append_u8(b, (uint8_t)(0xf0 | c >> 18));
		buf_append_u8(b, (uint8_t)(0x80 | (c >> 12 & 0x3f)));
		buf_append_u8(b, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
	}
	buf_append_u8(b, (uint8_t)(0x80 | (c & 0x3f)));
}

/* Undoes the escapes as the header describes them. */
static void unescape(struct buf *b, const char *text)
{
	while (*text) {
		if (*text != '\\') {
			buf_append_u8(b, (uint8_t)*text++);
		} else if (text[1] == '\\') {
			buf_append_u8(b, '\\');
			text += 2;
		} else if (text[1] == 'x') {
			buf_append_u8(b, (uint8_t)(hex_digit((uint8_t)text[2]) << 4 | hex_digit((uint8_t)text[3])));
			text += 4;
		} else {
			uint32_t c = 0;
			for (text += 3; *text != '}'; text++)
				c = c << 4 | (uint32_t)hex_digit((uint8_t)*text);
			append_rune(b, c);
			text++;
		}
	}
}

static void nothing_dangerous_and_nothing_lost(void **state)
{
	(void)state;
	static const char *const pieces[] = {"\\",   "x41",          "u{41}", "\xe2\x80\xae", "\xc2\x85",
					     "\x1b", "\xef\xbb\xbf", "\xc3",  "\xe2\x82",     "\xc3\xa4"};
	struct rng r;
	rng_init(&r, 7, "escape");
	for (int round = 0; round < 3000; round++) {
		uint8_t octets[48];
		size_t len = rng_below(&r, 24);
		rng_fill(&r, octets, len);
		const char *piece = pieces[rng_below(&r, ARRAY_LEN(pieces))];
		memcpy(octets + len, piece, strlen(piece));
		len += strlen(piece);
		struct buf text CLEANUP(buf_fini) = {0}, back CLEANUP(buf_fini) = {0};
		buf_init(&text, 4 * len);
		buf_init(&back, sizeof(octets));
		assert_int_equal(escape_text(&text, span_of(octets, len)), 0);
		assert_int_equal(rune_first_bad(buf_span(&text)), text.len);
		for (size_t at = 0; at < text.len;) {
			uint32_t c = 0;
			at += rune_decode(span_sub(buf_span(&text), at, 4), &c);
			assert_false(rune_is_control(c));
		}
		unescape(&back, buf_cstr(&text));
		assert_true(span_eq(buf_span(&back), span_of(octets, len)));
	}
}

static void long_text_is_cut_between_characters(void **state)
{
	(void)state;
	static const struct {
		struct span in;
		size_t max;
		const char *want;
	} rows[] = {
		{{(const uint8_t *)"abcdef", 6}, 6, "abcdef"},
		{{(const uint8_t *)"abcdef", 6}, 2, "ab... (4 more octets)"},
		{{(const uint8_t *)"abcdef", 6}, 0, "... (6 more octets)"},
		{{(const uint8_t *)"a\xe2\x82\xac" "b", 5}, 4, "a\xe2\x82\xac... (1 more octets)"},
		{{(const uint8_t *)"a\xe2\x82\xac" "b", 5}, 3, "a... (4 more octets)"},
		{{(const uint8_t *)"a\xe2\x82\xac" "b", 5}, 2, "a... (4 more octets)"},
		{{(const uint8_t *)"\xf0\x9f\x98\x80", 4}, 3, "... (4 more octets)"},
		{{(const uint8_t *)"\x80\x80\x80\x80", 4}, 2, "\\x80\\x80... (2 more octets)"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b CLEANUP(buf_fini) = {0};
		buf_init(&b, 4096);
		assert_int_equal(escape_text_max(&b, rows[i].in, rows[i].max), 0);
		assert_string_equal(buf_cstr(&b), rows[i].want);
	}
}

static void hex_is_lower_case_and_spaced(void **state)
{
	(void)state;
	struct buf b CLEANUP(buf_fini) = {0};
	buf_init(&b, 13);
	assert_int_equal(escape_hex(&b, (struct span){0}), 0);
	assert_int_equal(b.len, 0);
	assert_int_equal(escape_hex(&b, SPAN_LIT("\x81\x05H\xff\x00")), -ENOBUFS);
	assert_int_equal(b.len, 0);
	assert_int_equal(escape_hex(&b, SPAN_LIT("\x81\x05H\xff")), 0);
	assert_string_equal(buf_cstr(&b), "81 05 48 ff");
	assert_int_equal(escape_text(&b, SPAN_LIT("\n")), -ENOBUFS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(octets_become_printable),
		cmocka_unit_test(nothing_dangerous_and_nothing_lost),
		cmocka_unit_test(long_text_is_cut_between_characters),
		cmocka_unit_test(hex_is_lower_case_and_spaced),
	};
	return cmocka_run_group_tests_name("escape", tests, NULL, NULL);
}
