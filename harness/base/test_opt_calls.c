/* Lists that name things with keys of their own: the faults of a phase, the checks of a scenario. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "harness/base/conf.h"

struct idle {
	uint64_t idle_ms;
	int how;
};
struct common {
	uint64_t at_ms, for_ms;
	bool given;
};
struct file {
	struct opt_calls faults;
};

static const char *const hows[] = {"rst", "fin", NULL};
static const struct opt none_options[] = {{0}};
static const struct opt idle_options[] = {
	{.name = "idle", .type = OPT_DURATION, .offset = offsetof(struct idle, idle_ms), .flags = OPT_REQUIRED},
	{.name = "how", .type = OPT_ENUM, .offset = offsetof(struct idle, how), .choices = hows, .def = "fin"},
	{0},
};
static const struct opt common_options[] = {
	{.name = "at", .type = OPT_DURATION, .offset = offsetof(struct common, at_ms), .def = "3s"},
	{.name = "for", .type = OPT_DURATION, .offset = offsetof(struct common, for_ms),
	 .seen = OPT_SEEN(struct common, given)},
	{0},
};

static int check_idle(const void *options, struct err *e)
{
	const struct idle *o = options;
	return o->idle_ms == 7000 ? err_set(e, EINVAL, "seven is not to be had") : 0;
}

static bool get(size_t i, struct opt_callee *ret)
{
	static const struct opt_callee all[] = {
		{.name = "none", .about = "nothing", .options = none_options},
		{.name = "idle_kill", .about = "idle ends", .options = idle_options, .options_size = sizeof(struct idle),
		 .check = check_idle},
	};
	if (i >= ARRAY_LEN(all))
		return false;
	*ret = all[i];
	return true;
}

static const struct opt_callees callees = {
	.kind = "fault", .get = get, .common = common_options, .common_size = sizeof(struct common)};
static const struct opt table[] = {
	{.name = "faults", .type = OPT_CALLS, .offset = offsetof(struct file, faults), .callees = &callees},
	{0},
};

static int read_file(const char *text, struct arena *a, struct file *f, struct err *e)
{
	arena_init(a, 1 << 20);
	assert_int_equal(opt_defaults(table, f, a), 0);
	return conf_read_text(span_str(text), "s.yaml", table, f, a, e);
}

static void a_list_of_calls_is_read(void **state)
{
	struct arena a;
	struct file f;
	struct err e;
	(void)state;
	assert_int_equal(read_file("faults:\n  - none\n  - idle_kill: {idle: 5s, how: rst, for: 9s}\n"
				   "  - idle_kill: {at: 0s, idle: 1s}\n", &a, &f, &e), 0);
	assert_int_equal(f.faults.len, 3);
	const struct opt_call *c = f.faults.items;
	const struct common *k = c[0].common;
	assert_string_equal(c[0].callee.name, "none");
	assert_true(k->at_ms == 3000 && !k->given && c[0].line == 2);
	const struct idle *o = c[1].options;
	k = c[1].common;
	assert_true(o->idle_ms == 5000 && o->how == 0 && k->at_ms == 3000 && k->for_ms == 9000 && k->given);
	o = c[2].options;
	k = c[2].common;
	assert_true(o->idle_ms == 1000 && o->how == 1 && k->at_ms == 0 && !k->given && c[2].line == 4);
	arena_fini(&a);
}

static void a_mistake_is_told_at_its_place(void **state)
{
	static const struct {
		const char *text, *want;
	} mistakes[] = {
		{"faults: [idle_kil]\n", "s.yaml:1:10: faults: unknown fault \"idle_kil\", did you mean \"idle_kill\"?"},
		{"faults: [zebra: {}]\n", "s.yaml:1:10: faults: unknown fault \"zebra\""},
		{"faults: [idle_kill]\n", "s.yaml:1:10: expected the key \"idle\", which is required and missing"},
		{"faults:\n  - idle_kill: {idle: 5s, hwo: rst}\n",
		 "s.yaml:2:27: unknown key \"hwo\", did you mean \"how\"?"},
		{"faults:\n  - idle_kill: {idle: 5s, frr: 1s}\n", "s.yaml:2:27: unknown key \"frr\", did you mean \"for\"?"},
		{"faults:\n  - idle_kill: {idle: 5}\n",
		 "s.yaml:2:23: idle: expected a duration with its unit (ms, s, m, h, d), such as 25s, not \"5\""},
		{"faults:\n  - idle_kill: {idle: 7s}\n", "s.yaml:2:5: idle_kill: seven is not to be had"},
		{"faults: none\n",
		 "s.yaml:1:9: faults: expected a list of names, each alone or with its own keys, not a single value"},
		{"faults: [[none]]\n",
		 "s.yaml:1:10: faults: expected a name, or one name with its keys, as in `name: {key: value}`"},
		{"faults: [{none: {}, idle_kill: {}}]\n",
		 "s.yaml:1:10: faults: expected a name, or one name with its keys, as in `name: {key: value}`"},
		{"faults: [none: 5]\n",
		 "s.yaml:1:10: faults: expected a name, or one name with its keys, as in `name: {key: value}`"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
		struct arena a;
		struct file f;
		struct err e = {.text = ""};
		assert_int_equal(read_file(mistakes[i].text, &a, &f, &e), -EINVAL);
		assert_string_equal(e.text, mistakes[i].want);
		arena_fini(&a);
	}
}

static void the_schema_knows_each(void **state)
{
	(void)state;
	json_t *schema = opt_schema(table, NULL);
	json_t *items = json_object_get(json_object_get(json_object_get(schema, "properties"), "faults"), "items");
	json_t *forms = json_object_get(items, "oneOf");
	assert_int_equal(json_array_size(forms), 2);
	assert_int_equal(json_array_size(json_object_get(json_array_get(forms, 0), "enum")), 2);
	json_t *known = json_object_get(json_array_get(forms, 1), "properties");
	json_t *keys = json_object_get(json_object_get(known, "idle_kill"), "properties");
	assert_non_null(json_object_get(keys, "how"));
	assert_non_null(json_object_get(keys, "for"));
	json_t *required = json_object_get(json_object_get(known, "idle_kill"), "required");
	assert_string_equal(json_string_value(json_array_get(required, 0)), "idle");
	json_decref(schema);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_of_calls_is_read),
		cmocka_unit_test(a_mistake_is_told_at_its_place),
		cmocka_unit_test(the_schema_knows_each),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
