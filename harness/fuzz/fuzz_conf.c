/* The YAML reader and the option tables under it, on a table with a row of every type: whatever the octets, it ends,
 * says where, and stays in its limits. */
#include <stdlib.h>
#include <string.h>

#include "harness/base/conf.h"
#include "harness/base/rune.h"
#include "harness/fuzz/fuzz.h"

static const char *const words[] = {"strict", "lax", NULL};

struct part {
	const char *name;
	uint64_t wait;
	struct opt_strings start;
};

struct whole {
	int64_t version;
	bool on;
	const char *url, *secret;
	uint64_t seed, size;
	double rate;
	int mode;
	struct opt_strings list;
	struct opt_map headers;
	struct part part;
	struct opt_sections nodes;
};

static const struct opt part_table[] = {
	{.name = "name", .type = OPT_STRING, .offset = offsetof(struct part, name), .flags = OPT_REQUIRED},
	{.name = "wait",
	 .type = OPT_DURATION,
	 .offset = offsetof(struct part, wait),
	 .def = "5s",
	 .min = 1,
	 .max = 60000},
	{.name = "start", .type = OPT_STRINGS, .offset = offsetof(struct part, start)},
	{0},
};

static const struct opt table[] = {
	{.name = "wsquall",
	 .type = OPT_INT,
	 .offset = offsetof(struct whole, version),
	 .flags = OPT_REQUIRED,
	 .min = 1,
	 .max = 1},
	{.name = "on", .type = OPT_FLAG, .offset = offsetof(struct whole, on)},
	{.name = "url", .type = OPT_STRING, .offset = offsetof(struct whole, url)},
	{.name = "secret", .type = OPT_STRING, .offset = offsetof(struct whole, secret), .flags = OPT_SECRET},
	{.name = "seed", .type = OPT_U64, .offset = offsetof(struct whole, seed)},
	{.name = "size", .type = OPT_SIZE, .offset = offsetof(struct whole, size)},
	{.name = "rate", .type = OPT_RATE, .offset = offsetof(struct whole, rate)},
	{.name = "mode", .type = OPT_ENUM, .offset = offsetof(struct whole, mode), .choices = words},
	{.name = "list", .type = OPT_STRINGS, .offset = offsetof(struct whole, list)},
	{.name = "headers", .type = OPT_MAP, .offset = offsetof(struct whole, headers)},
	{.name = "part", .type = OPT_SECTION, .offset = offsetof(struct whole, part), .sub = part_table},
	{.name = "nodes",
	 .type = OPT_SECTIONS,
	 .offset = offsetof(struct whole, nodes),
	 .sub = part_table,
	 .item_size = sizeof(struct part)},
	{0},
};

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* "fuzz:LINE:COLUMN: sentence" or "fuzz: sentence", shown on a terminal as it is. */
static void check_sentence(const char *text)
{
	struct span s = span_str(text);
	uint32_t c = 0;
	require(strncmp(text, "fuzz:", 5) == 0 && text[5] && strlen(text) < ERR_TEXT_MAX);
	require(rune_first_bad(s) == s.len);
	for (size_t at = 0; at < s.len;) {
		at += rune_decode(span_sub(s, at, 4), &c);
		require(!rune_is_control(c));
	}
}

static void check_strings(const struct opt_strings *list)
{
	for (size_t i = 0; i < list->len; i++)
		require(rune_first_bad(span_str(list->items[i])) == strlen(list->items[i]));
}

static void check_part(const struct part *part)
{
	require(part->wait >= 1 && part->wait <= 60000);
	check_strings(&part->start);
}

static void check_whole(const struct whole *w)
{
	require(w->version == 1 && w->mode >= 0 && w->mode <= 1 && w->rate >= 0);
	check_strings(&w->list);
	check_part(&w->part);
	for (size_t i = 0; i < w->headers.len; i++)
		require(opt_map_get(&w->headers, w->headers.items[i].key) == w->headers.items[i].value &&
			w->headers.items[i].value);
	for (size_t i = 0; i < w->nodes.len; i++) {
		const struct part *node = (const struct part *)w->nodes.items + i;
		require(node->name != NULL);
		check_part(node);
	}
}

/* What comes from the environment never comes out in a sentence. */
static const struct span secret = {(const uint8_t *)"zq9-secret", 10};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = span_of(data, size);
	struct whole w;
	struct arena a;
	struct err e = {.text = ""};
	setenv("WSQUALL_FUZZ", "zq9-secret", 1);
	arena_init(&a, 16 << 20);
	require(opt_defaults(table, &w, &a) == 0);
	int r = conf_read_text(input, "fuzz", table, &w, &a, &e);
	if (r == 0)
		check_whole(&w);
	else
		check_sentence(e.text);
	require(r == 0 || span_find(input, secret) >= 0 || span_find(span_str(e.text), secret) < 0);
	arena_fini(&a);
	return 0;
}
