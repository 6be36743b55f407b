/*
 * Any octets, any cuts, any variant: the same first bad octet as a slow decoder finds that decodes by arithmetic and
 * encodes again.
 */
#include "harness/fuzz/fuzz.h"
#include "harness/ws/utf8.h"

/* Is there a character that begins with these n octets? Tries the smallest and the largest end that they could have. */
static bool some_character_begins(const uint8_t *p, size_t n)
{
	size_t whole = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000}, most[] = {0, 0x7f, 0x7ff, 0xffff, 0x10ffff};
	if (n > whole || (p[0] >= 0x80 && p[0] < 0xc0) || p[0] >= 0xf8)
		return false;
	uint32_t low = whole == 1 ? p[0] : p[0] & (0x7f >> whole);
	for (size_t i = 1; i < n; i++) {
		if (p[i] < 0x80 || p[i] > 0xbf)
			return false;
		low = low * 64 + p[i] % 64;
	}
	uint32_t high = low;
	for (size_t i = n; i < whole; i++) {
		low *= 64;
		high = high * 64 + 63;
	}
	if (low < least[whole])
		low = least[whole];
	if (high > most[whole])
		high = most[whole];
	return low <= high && !(low >= 0xd800 && high <= 0xdfff);
}

/* Offset of the first bad octet, or len. *ret_begun: octets of an unfinished character at the end. */
static size_t slow_valid(struct span s, size_t *ret_begun)
{
	size_t begin = 0;
	*ret_begun = 0;
	for (size_t i = 0; i < s.len; i++) {
		const uint8_t *p = s.p + begin;
		size_t n = i + 1 - begin;
		if (!some_character_begins(p, n))
			return i;
		size_t whole = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
		*ret_begun = n == whole ? 0 : n;
		if (n == whole)
			begin = i + 1;
	}
	return s.len;
}

static void check(const struct utf8_variant *v, struct span text, size_t part, struct rng *rng, size_t want,
	size_t begun)
{
	struct utf8 u;
	utf8_init(&u);
	size_t at = 0;
	bool ok = true;
	while (ok && at < text.len) {
		struct span s = span_sub(text, at, part ? (size_t)rng_below(rng, part + 1) : text.len);
		ok = utf8_feed_with(v, &u, s);
		at += s.len;
		assert(ok == (at <= want));
	}
	assert(u.position == want);
	assert(!ok || utf8_complete(&u) == (begun == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct rng rng;
	struct span text = fuzz_input(data, len, &rng);
	size_t begun, n, bad = 0;
	size_t want = slow_valid(text, &begun);
	if (text.len == 0)
		return 0;
	const struct utf8_variant *v = utf8_variants(&n);
	for (size_t i = 0; i < n; i++) {
		check(&v[i], text, 0, &rng, want, begun);
		check(&v[i], text, 1, &rng, want, begun);
		check(&v[i], text, 200, &rng, want, begun);
	}
	bool valid = utf8_valid(text, &bad);
	assert(valid == (want == text.len && begun == 0));
	assert(valid || bad == want);
	return 0;
}
