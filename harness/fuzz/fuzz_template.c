/* Templates out of any octets, matched with any octets; what is said of what was found is found again. */
#include <stdlib.h>

#include "harness/base/rune.h"
#include "harness/fuzz/fuzz.h"
#include "harness/target/template.h"

enum { ARENA_MAX = 16 << 20, SAID_MAX = 1 << 20 };

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_found(const struct template *t, const struct template_values *values)
{
	for (size_t name = 0; name < TEMPLATE_NAMES_MAX; name++) {
		struct buf b CLEANUP(buf_fini);
		buf_init(&b, SAID_MAX);
		if (template_has(values, name))
			require((t->names >> name & 1) && template_value_text(&values->v[name], &b) == 0);
	}
	require((t->needs & ~values->set) == 0);
}

static void match(const struct template *t, struct span text)
{
	struct template_input in;
	struct template_values values, element;
	template_input_init(&in, text);
	template_values_init(&values);
	template_values_init(&element);
	if (template_match(t, &in, &values)) {
		check_found(t, &values);
		for (size_t i = 0; i < template_each_len(t, &values); i++)
			template_each(t, i, &values, &element);
	}
	template_values_fini(&element);
	template_values_fini(&values);
	template_input_fini(&in);
}

/* The template, a NUL, the text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rng rng;
	struct span input = fuzz_input(data, size, &rng);
	const uint8_t *end = input.len ? memchr(input.p, 0, input.len) : NULL;
	size_t len = end ? (size_t)(end - input.p) : input.len;
	struct template_names names = {0};
	const struct template *t;
	struct arena a;
	struct err e = {.text = ""};
	arena_init(&a, ARENA_MAX);
	if (template_parse(span_sub(input, 0, len), TEMPLATE_MATCH, &names, &a, &t, &e) == 0)
		match(t, span_sub(input, len + 1, input.len));
	else
		require(e.text[0]);
	arena_fini(&a);
	return 0;
}
