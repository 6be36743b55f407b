/*
 * Measures masking and UTF-8 validation with memcpy of the same size beside them in the same run, since only the
 * ratio to what this machine's memory can do tells whether the code is good. Best of several rounds: everything else
 * on the machine can only make a round slower.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "harness/base/err.h"
#include "harness/ws/mask.h"
#include "harness/ws/utf8.h"

enum { ROUNDS = 15, ROUND_OCTETS = 64 << 20, SIZE_LARGEST = 1 << 20 };

static const size_t sizes[] = {64, 1 << 10, 16 << 10, SIZE_LARGEST};

struct work {
	uint8_t *dst, *src;
	size_t len;
	const struct mask_variant *mask;
	const struct utf8_variant *utf8;
};

static void run_memcpy(const struct work *w)
{
	memcpy(w->dst, w->src, w->len);
	__asm__ volatile("" : : "r"(w->dst) : "memory"); /* or the copy would be dropped */
}

static void run_mask(const struct work *w)
{
	static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};
	if (w->mask)
		w->mask->apply(w->dst, w->src, w->len, key);
	else
		mask_apply(w->dst, w->src, w->len, key, 1);
	__asm__ volatile("" : : "r"(w->dst) : "memory");
}

static void run_utf8(const struct work *w)
{
	struct utf8 u;
	utf8_init(&u);
	struct span text = span_of(w->src, w->len);
	bool ok = w->utf8 ? utf8_feed_with(w->utf8, &u, text) : utf8_feed(&u, text);
	if (!ok)
		abort();
	__asm__ volatile("" : : "r"(u.position) : "memory");
}

static double now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* One round, in GB (10^9 octets) per second. */
static double round_gb_s(void (*run)(const struct work *), const struct work *w)
{
	size_t turns = ROUND_OCTETS / w->len;
	double start = now_s();
	for (size_t i = 0; i < turns; i++)
		run(w);
	return (double)turns * (double)w->len / 1e9 / (now_s() - start);
}

/* memcpy and the measured one take turns, so that both meet the same machine. */
static void print_row(const char *name, void (*run)(const struct work *), const struct work *w)
{
	double best = 0, ceiling = 0;
	for (int round = 0; round < ROUNDS; round++) {
		double copy = round_gb_s(run_memcpy, w), own = round_gb_s(run, w);
		ceiling = copy > ceiling ? copy : ceiling;
		best = own > best ? own : best;
	}
	printf("%-18s %9zu %9.2f %9.2f %7.2f\n", name, w->len, best, ceiling, best / ceiling);
}

static void fill(uint8_t *p, size_t len, const char *pattern)
{
	size_t n = strlen(pattern), i = 0;
	for (; i + n <= len; i += n)
		memcpy(p + i, pattern, n);
	memset(p + i, '.', len - i);
}

static void print_family(const char *name, void (*run)(const struct work *), struct work w, const char *text)
{
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		w.len = sizes[i];
		fill(w.src, w.len, text);
		print_row(name, run, &w);
	}
}

static void print_all(struct work w)
{
	static const char ascii[] = "The quick brown fox jumps over the lazy dog. 0123456789, ";
	static const char mixed[] = "na\xc3\xafve \xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5 "
		"\xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80 plain words between; ";
	printf("%-18s %9s %9s %9s %7s\n", "what", "octets", "GB/s", "memcpy", "ratio");
	char name[64];
	snprintf(name, sizeof(name), "mask (%s)", mask_variant());
	print_family(name, run_mask, w, ascii);
	size_t n;
	const struct utf8_variant *v = utf8_variants(&n);
	snprintf(name, sizeof(name), "utf8 ascii (%s)", v->name);
	print_family(name, run_utf8, w, ascii);
	snprintf(name, sizeof(name), "utf8 mixed (%s)", v->name);
	print_family(name, run_utf8, w, mixed);

	printf("\nnarrower variants, 16 KiB\n");
	w.len = 16 << 10;
	const struct mask_variant *m = mask_variants(&n);
	for (size_t i = 1; i < n; i++) {
		w.mask = &m[i];
		snprintf(name, sizeof(name), "mask (%s)", m[i].name);
		print_row(name, run_mask, &w);
	}
	v = utf8_variants(&n);
	for (size_t i = 1; i < n; i++) {
		w.utf8 = &v[i];
		fill(w.src, w.len, ascii);
		snprintf(name, sizeof(name), "utf8 ascii (%s)", v[i].name);
		print_row(name, run_utf8, &w);
		fill(w.src, w.len, mixed);
		snprintf(name, sizeof(name), "utf8 mixed (%s)", v[i].name);
		print_row(name, run_utf8, &w);
	}
}

int main(void)
{
	struct work w = {.dst = aligned_alloc(64, SIZE_LARGEST), .src = aligned_alloc(64, SIZE_LARGEST)};
	if (!w.dst || !w.src) {
		fprintf(stderr, "bench_codec: out of memory\n");
		return 71;
	}
	memset(w.dst, 0, SIZE_LARGEST);
	print_all(w);
	free(w.dst);
	free(w.src);
	return 0;
}
