/* Messages that prove themselves: published checksums, and that no single octet can change unnoticed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "harness/base/err.h"
#include "harness/load/payload.h"
#include "harness/ws/utf8.h"

/* RFC 3720 B.4, and the check value of the CRC catalogue. */
static void checksum_matches_the_published_vectors(void **state)
{
	(void)state;
	uint8_t zeros[32] = {0}, ones[32], up[32];
	memset(ones, 0xff, sizeof(ones));
	for (unsigned i = 0; i < sizeof(up); i++)
		up[i] = (uint8_t)i;
	const struct {
		struct span octets;
		uint32_t crc;
	} rows[] = {
		{span_of(zeros, sizeof(zeros)), 0x8a9136aa},
		{span_of(ones, sizeof(ones)), 0x62a8ab43},
		{span_of(up, sizeof(up)), 0x46dd794e},
		{SPAN_LIT("123456789"), 0xe3069283},
		{SPAN_LIT(""), 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(payload_crc32c(rows[i].octets), rows[i].crc);
		assert_int_equal(payload_crc32c_plain(rows[i].octets), rows[i].crc);
	}
}

static const struct payload cases[] = {
	{0x12345678, 1, 2, 3, 4},
	{0, 0, 0, 0, 0},
	{UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT64_MAX, UINT64_MAX},
};

static void what_is_written_is_read(void **state)
{
	(void)state;
	static const uint64_t sizes[] = {0, 1, 96, 97, 98, 128, 1000, 65536};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t j = 0; j < ARRAY_LEN(sizes); j++) {
			struct buf b CLEANUP(buf_fini) = {.max = 1 << 17};
			struct payload got;
			assert_int_equal(payload_write(&b, &cases[i], sizes[j]), 0);
			if (sizes[j] > PAYLOAD_LEAST)
				assert_int_equal(b.len, sizes[j]);
			else
				assert_in_range(b.len, 1, PAYLOAD_LEAST);
			assert_int_equal(payload_read(buf_span(&b), &got), PAYLOAD_WHOLE);
			assert_int_equal(got.run, cases[i].run);
			assert_int_equal(got.publisher, cases[i].publisher);
			assert_int_equal(got.channel, cases[i].channel);
			assert_true(got.index == cases[i].index && got.sent_us == cases[i].sent_us);
		}
}

static void the_form_is_the_documented_one(void **state)
{
	(void)state;
	struct buf b CLEANUP(buf_fini) = {.max = 1 << 10};
	assert_int_equal(payload_write(&b, &cases[0], 0), 0);
	/* The checksum by another program (Python, bit by bit). */
	assert_string_equal(buf_cstr(&b), "wsq1.12345678.1.2.3.4..3cad263a");
	for (size_t i = 0; i < b.len; i++)
		assert_in_range(b.p[i], 0x21, 0x7e);
}

/* What JSON makes of it; in a string of JSON; by who escapes as Python's json.dumps and Go's json.Marshal together. */
static size_t escaped_len(struct span s, int times, bool most)
{
	size_t len = s.len;
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.p[i];
		if (c == '"' || c == '\\')
			len += (1u << times) - 1;
		else if (most && (c == '<' || c == '&'))
			len += 5;
		else if (most && c >= 0x80) /* \uXXXX, twice for 4 octets */
			len += c >= 0xf0 ? 11 : c >= 0xc0 ? 5 : (size_t)-1;
	}
	return len;
}

static const char *const tricky[] = {
	"\"", "\\", "/", "<", "&", " ", "\xc3\xa9", "\xe2\x82\xac", "\xe2\x80\xa8", "\xf0\x9f\x98\x80",
};

static void the_padding_has_what_is_broken_easily(void **state)
{
	(void)state;
	static const struct {
		uint64_t size;
		unsigned once, twice, most; /* escaping costs at most so many per cent */
	} rows[] = {{128, 3, 8, 30}, {200, 2, 6, 25}, {1000, 1, 2, 10}, {32768, 1, 2, 8}, {1 << 20, 1, 2, 8}};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b CLEANUP(buf_fini) = {.max = 1 << 21}, again CLEANUP(buf_fini) = {.max = 1 << 21};
		assert_int_equal(payload_write(&b, &cases[0], rows[i].size), 0);
		assert_int_equal(payload_write(&again, &cases[0], rows[i].size), 0);
		assert_true(span_eq(buf_span(&b), buf_span(&again)));
		assert_true(utf8_valid(buf_span(&b), NULL));
		for (size_t j = 0; j < ARRAY_LEN(tricky); j++)
			assert_non_null(memmem(b.p, b.len, tricky[j], strlen(tricky[j])));
		for (size_t j = 0; j < b.len; j++)
			assert_true(b.p[j] >= ' ' && b.p[j] != 0x7f);
		assert_true(escaped_len(buf_span(&b), 1, false) <= b.len * (100 + rows[i].once) / 100);
		assert_true(escaped_len(buf_span(&b), 2, false) <= b.len * (100 + rows[i].twice) / 100);
		assert_true(escaped_len(buf_span(&b), 1, true) <= b.len * (100 + rows[i].most) / 100);
	}
}

static void every_size_of_every_message_is_exact(void **state)
{
	(void)state;
	struct buf before CLEANUP(buf_fini) = {.max = 1 << 10};
	for (uint64_t index = 1; index < 300; index++) {
		struct buf b CLEANUP(buf_fini) = {.max = 1 << 10};
		struct payload p = {7, 1, 1, index, 5}, got;
		uint64_t size = PAYLOAD_LEAST + index;
		assert_int_equal(payload_write(&b, &p, size), 0);
		assert_int_equal(b.len, size);
		assert_true(utf8_valid(buf_span(&b), NULL));
		assert_int_equal(payload_read(buf_span(&b), &got), PAYLOAD_WHOLE);
		assert_true(got.index == index);
		assert_false(span_eq(buf_span(&b), buf_span(&before)));
		before.len = 0;
		assert_int_equal(buf_append_span(&before, buf_span(&b)), 0);
	}
}

static void sizes_vary_and_their_mean_is_what_was_asked_for(void **state)
{
	(void)state;
	static const struct {
		uint64_t size;
		double vary;
		uint64_t max_message, least, large;
		bool mean;             /* it is about the size */
	} rows[] = {
		{200, 0.5, 1 << 20, 100, 1600, true},
		{200, 0.5, 0, 100, 1600, true},
		{200, 0.5, 2000, 100, 1000, false},
		{200, 0.5, 400, 100, 200, false},
		{2000, 0.5, 0, 1000, PAYLOAD_LARGE_UNTOLD, false},
		{20000, 0.5, 0, 10000, 20000, false},
		{128 << 10, 0.5, 2 << 20, 64 << 10, 1 << 20, true},
		{4 << 20, 0.5, UINT64_MAX, 2 << 20, PAYLOAD_LARGE_MAX, false},
		{16 << 20, 0.5, UINT64_MAX, 8 << 20, 16 << 20, false},
		{200, 0.1, 1 << 20, 180, 1600, false},
		{200, 1, 1 << 20, 0, 1600, false},
		{200, 0, 1 << 20, 200, 200, true},
		{0, 0.5, 1 << 20, 0, 0, true},
	};
	enum { MESSAGES = 50 * PAYLOAD_LARGE_EVERY };
	struct payload_sizes capped = payload_sizes(200, 0.5, 300);
	assert_true(capped.least == 75 && capped.most == 150 && capped.large == 150);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct payload_sizes s = payload_sizes(rows[i].size, rows[i].vary, rows[i].max_message);
		uint64_t sum = 0, n_large = 0, quarter = rows[i].least + (rows[i].size - rows[i].least) / 4, small = 0;
		for (uint64_t index = 1; index <= MESSAGES; index++) {
			struct payload p = {7, 1, 1, index, 5}, again = {7, 1, 1, index, 6};
			uint64_t size = payload_size(&s, &p);
			assert_true(size == payload_size(&s, &again));
			assert_true((size >= rows[i].least && size <= rows[i].size) || size == rows[i].large);
			sum += size;
			n_large += size > rows[i].size;
			small += size <= quarter;
		}
		assert_int_equal(n_large, rows[i].large > rows[i].size ? MESSAGES / PAYLOAD_LARGE_EVERY : 0);
		if (rows[i].least < rows[i].size)
			assert_in_range(small, MESSAGES / 5, MESSAGES * 3 / 10);
		if (rows[i].mean)
			assert_in_range(sum, MESSAGES * rows[i].size * 95 / 100, MESSAGES * rows[i].size * 105 / 100);
	}
}

/* Where the text ends up; the server's next mistake is a row more. */
struct damage {
	const char *name;
	const char *from, *to;     /* each of these becomes that; NULL: each octet above 127 */
	bool latin1;               /* it becomes the two octets of that character, instead of `to` */
};
static const struct damage damages[] = {
	{"above 127 becomes a question mark", NULL, "?"},
	{"above 127 is dropped", NULL, ""},
	{"above 127 is the replacement character", NULL, "\xef\xbf\xbd"},
	{"UTF-8 taken for latin-1", .latin1 = true},
	{"cut inside two octets", "\xc3\xa9", "\xc3"},
	{"cut inside three octets", "\xe2\x82\xac", "\xe2\x82"},
	{"cut inside four octets", "\xf0\x9f\x98\x80", "\xf0\x9f\x98"},
	{"no characters of four octets", "\xf0\x9f\x98\x80", "?"},
	{"surrogates in UTF-8", "\xf0\x9f\x98\x80", "\xed\xa0\xbd\xed\xb8\x80"},
	{"surrogates escaped for good", "\xf0\x9f\x98\x80", "\\ud83d\\ude00"},
	{"taken apart", "\xc3\xa9", "e\xcc\x81"},
	{"a line separator becomes a line end", "\xe2\x80\xa8", "\n"},
	{"quotes escaped twice", "\"", "\\\""},
	{"quotes dropped", "\"", ""},
	{"backslashes escaped twice", "\\", "\\\\"},
	{"backslashes dropped", "\\", ""},
	{"slashes escaped for good", "/", "\\/"},
	{"markup escaped", "<", "&lt;"},
	{"markup escaped", "&", "&amp;"},
	{"a form's spaces", " ", "+"},
	{"spaces dropped", " ", ""},
};

static struct span damage_at(struct span s, const struct damage *d)
{
	const uint8_t *found = d->from ? memmem(s.p, s.len, d->from, strlen(d->from)) : NULL;
	for (size_t i = 0; !d->from && i < s.len && !found; i++)
		found = s.p[i] >= 0x80 ? s.p + i : NULL;
	return found ? span_of(found, d->from ? strlen(d->from) : 1) : span_of(s.p + s.len, 0);
}

static void do_damage(struct buf *to, struct span s, const struct damage *d)
{
	for (struct span at; (at = damage_at(s, d)).len; s = span_sub(s, (size_t)(at.p + at.len - s.p), s.len)) {
		const uint8_t c = at.p[0], latin1[2] = {(uint8_t)(0xc0 | c >> 6), (uint8_t)(0x80 | (c & 0x3f))};
		assert_int_equal(buf_append(to, s.p, (size_t)(at.p - s.p)), 0);
		assert_int_equal(buf_append_span(to, d->latin1 ? span_of(latin1, 2) : span_str(d->to)), 0);
	}
	assert_int_equal(buf_append_span(to, s), 0);
}

static void damaged_text_is_noticed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(damages); i++)
		for (uint64_t size = 128; size <= 8192; size *= 4) {
			struct buf b CLEANUP(buf_fini) = {.max = 1 << 14}, bad CLEANUP(buf_fini) = {.max = 1 << 16};
			struct payload got;
			assert_int_equal(payload_write(&b, &cases[0], size), 0);
			do_damage(&bad, buf_span(&b), &damages[i]);
			if (payload_read(buf_span(&bad), &got) != PAYLOAD_CORRUPT)
				fail_msg("%s, of %llu octets: not noticed", damages[i].name, (unsigned long long)size);
			/* Which one it is stands before the padding. */
			assert_true(got.run == cases[0].run && got.publisher == cases[0].publisher && got.index == cases[0].index);
		}
}

static void any_change_is_noticed(void **state)
{
	(void)state;
	struct buf b CLEANUP(buf_fini) = {.max = 1 << 10};
	struct payload got;
	assert_int_equal(payload_write(&b, &cases[0], 200), 0);
	for (size_t i = 0; i < b.len; i++)
		for (int bit = 0; bit < 8; bit++) {
			b.p[i] ^= (uint8_t)(1 << bit);
			assert_int_equal(payload_read(buf_span(&b), &got), i < 5 ? PAYLOAD_FOREIGN : PAYLOAD_CORRUPT);
			b.p[i] ^= (uint8_t)(1 << bit);
		}
	for (size_t len = 0; len < b.len; len++)
		assert_int_equal(payload_read(span_of(b.p, len), &got), len < 5 ? PAYLOAD_FOREIGN : PAYLOAD_CORRUPT);
}

static void what_is_not_ours_is_foreign(void **state)
{
	(void)state;
	static const char *const rows[] = {"", "x", "wsq2.00000000.1.1.1.1..00000000", "{\"wsq1.\":1}", "hello"};
	struct payload got;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(payload_read(span_str(rows[i]), &got), PAYLOAD_FOREIGN);
}

static void it_says_when_there_is_no_room(void **state)
{
	(void)state;
	struct buf b CLEANUP(buf_fini) = {.max = 100};
	assert_int_equal(payload_write(&b, &cases[0], 101), -ENOBUFS);
	assert_int_equal(b.len, 0);
	assert_int_equal(payload_write(&b, &cases[0], 100), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checksum_matches_the_published_vectors),
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(the_form_is_the_documented_one),
		cmocka_unit_test(the_padding_has_what_is_broken_easily),
		cmocka_unit_test(every_size_of_every_message_is_exact),
		cmocka_unit_test(sizes_vary_and_their_mean_is_what_was_asked_for),
		cmocka_unit_test(damaged_text_is_noticed),
		cmocka_unit_test(any_change_is_noticed),
		cmocka_unit_test(what_is_not_ours_is_foreign),
		cmocka_unit_test(it_says_when_there_is_no_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
