/* Events as JSON: both writers say the same, what is read back is what was written, and what is no event is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/json.h"
#include "harness/base/rng.h"
#include "harness/history/event.h"

static json_t *line_of(const struct event *e)
{
	struct buf b CLEANUP(buf_fini) = {0};
	buf_init(&b, 1 << 16);
	assert_int_equal(event_append(&b, e), 0);
	json_error_t error;
	json_t *o = json_loadb((const char *)b.p, b.len, JSON_REJECT_DUPLICATES, &error);
	if (!o)
		fail_msg("%s: %s", buf_cstr(&b), error.text);
	return o;
}

/* Both writers agree; a NULL `text` is checked against what they wrote. */
static void assert_both(const struct event *e, const char *text)
{
	json_t *fast = line_of(e), *slow = event_to_json(e);
	assert_non_null(slow);
	assert_true(json_equal(fast, slow));
	if (text) {
		struct buf b CLEANUP(buf_fini) = {0};
		buf_init(&b, 1 << 16);
		assert_int_equal(event_append(&b, e), 0);
		assert_string_equal(buf_cstr(&b), text);
	}
	json_decref(fast);
	json_decref(slow);
}

static void a_line_is_as_documented(void **state)
{
	(void)state;
	assert_both(&(struct event){.number = 7, .at_us = 1234567, .kind = EVENT_DELIVER, .type = EVENT_OK, .client = 3,
				    .channel = 2, .publisher = 9, .index = 17, .sent_us = 1000000, .said_channel = 2,
				    .replay = true, .resumes = true, .seq = 45, .epoch = 1},
		    "{\"n\":7,\"at\":1.234567,\"event\":\"deliver\",\"type\":\"ok\",\"client\":3,\"channel\":2,"
		    "\"publisher\":9,\"index\":17,\"sent\":1.000000,\"said_channel\":2,\"replay\":true,"
		    "\"resumes\":true,\"seq\":45,\"epoch\":1}");
	assert_both(&(struct event){.kind = EVENT_END, .type = EVENT_OK, .recovered = RECOVERED_NO, .code = -1,
				    .by = END_BY_NETWORK, .clean = true, .value = -2.5, .text = "", .note = "a\"b\\\n",
				    .id = "x"},
		    "{\"at\":0.000000,\"event\":\"end\",\"type\":\"ok\",\"recovered\":\"no\",\"code\":-1,\"by\":\"network\","
		    "\"clean\":true,\"value\":-2.5,\"text\":\"\",\"note\":\"a\\\"b\\\\\\n\",\"id\":\"x\"}");
}

static void extremes_are_written_alike(void **state)
{
	(void)state;
	char *long_text CLEANUP(cleanup_free) = malloc(EVENT_TEXT_MAX + 10);
	memset(long_text, 'a', EVENT_TEXT_MAX + 9);
	long_text[EVENT_TEXT_MAX + 9] = 0;
	memcpy(long_text + EVENT_TEXT_MAX - 1, "\xe2\x82\xac", 3); /* the bound cuts it in two */
	const struct event extremes[] = {
		{0},
		{.number = UINT64_MAX, .at_us = INT64_MAX / 2048, .client = UINT32_MAX, .seq = (uint64_t)INT64_MAX + 1,
		 .code = INT32_MIN},
		{.value = NAN}, {.value = INFINITY}, {.value = 1e300}, {.value = 0.1}, {.value = 5e-324},
		{.text = "\xff\xc3\xa9\x01", .note = "\x7f \xe2\x80\xae", .id = "\xed\xa0\x80"},
		{.text = long_text, .note = long_text, .id = long_text},
	};
	for (size_t i = 0; i < ARRAY_LEN(extremes); i++)
		assert_both(&extremes[i], NULL);
	json_t *o = line_of(&extremes[ARRAY_LEN(extremes) - 1]);
	assert_int_equal(json_string_length(json_object_get(o, "text")), EVENT_TEXT_MAX - 1);
	json_decref(o);
}

static struct event random_event(struct rng *r)
{
	static const char *const texts[] = {NULL, "", "plain", "caf\xc3\xa9 \"q\"", "\t\\"};
	struct event e = {
		.at_us = rng_u64(r) >> 14 >> rng_below(r, 40), .number = rng_u64(r) >> 1 >> rng_below(r, 60),
		.kind = (enum event_kind)rng_below(r, EVENT_KINDS), .type = (enum event_type)rng_below(r, EVENT_TYPES),
		.client = (uint32_t)rng_u64(r), .connection = (uint32_t)rng_below(r, 3), .node = (uint32_t)rng_below(r, 2),
		.channel = (uint32_t)rng_below(r, 9), .publisher = (uint32_t)rng_below(r, 2), .index = rng_u64(r) >> 1,
		.sent_us = rng_u64(r) >> 14, .said_channel = (uint32_t)rng_u64(r), .corrupt = rng_below(r, 2),
		.replay = rng_below(r, 2), .resumes = rng_below(r, 2), .seq = rng_below(r, 2), .epoch = (uint32_t)rng_below(r, 2),
		.recovered = (enum recovered)rng_below(r, 3), .code = (int)rng_below(r, 5000) - 2,
		.by = (enum end_by)rng_below(r, 4), .clean = rng_below(r, 2),
		.value = (double)(int64_t)rng_u64(r) / (double)(1 + rng_below(r, 1000)), .text = texts[rng_below(r, 5)],
		.note = texts[rng_below(r, 5)], .id = texts[rng_below(r, 5)],
	};
	return e;
}

static void assert_same_text(const char *a, const char *b)
{
	if (!a || !b)
		assert_true(!a && !b);
	else
		assert_string_equal(a, b);
}

static void what_is_read_is_what_was_written(void **state)
{
	(void)state;
	struct rng r;
	struct err err;
	rng_init(&r, 5, "event");
	for (int i = 0; i < 20000; i++) {
		struct event e = random_event(&r), back;
		assert_both(&e, NULL);
		json_t *o = line_of(&e);
		if (event_from_json(o, &back, &err) < 0)
			fail_msg("%s", err.text);
		assert_same_text(e.text, back.text);
		assert_same_text(e.note, back.note);
		assert_same_text(e.id, back.id);
		assert_true(e.at_us == back.at_us && e.sent_us == back.sent_us && e.value == back.value);
		back.text = e.text;
		back.note = e.note;
		back.id = e.id;
		json_t *again = line_of(&back);
		assert_true(json_equal(o, again));
		json_decref(again);
		json_decref(o);
	}
}

static const struct {
	const char *text, *why;
} refused[] = {
	{"[]", "an event is an object with an event and a type"},
	{"{}", "an event is an object with an event and a type"},
	{"{\"event\":\"deliver\"}", "an event is an object with an event and a type"},
	{"{\"event\":\"deliver\",\"type\":\"maybe\"}", "the field type of an event is not one of its words"},
	{"{\"event\":\"arrive\",\"type\":\"ok\"}", "the field event of an event is not one of its words"},
	{"{\"event\":\"end\",\"type\":\"ok\",\"colour\":1}", "an event has no field colour"},
	{"{\"event\":\"end\",\"type\":\"ok\",\"client\":-1}",
	 "the field client of an event is not a whole number within its bounds"},
	{"{\"event\":\"end\",\"type\":\"ok\",\"client\":4294967296}",
	 "the field client of an event is not a whole number within its bounds"},
	{"{\"event\":\"end\",\"type\":\"ok\",\"seq\":1.5}",
	 "the field seq of an event is not a whole number within its bounds"},
	{"{\"event\":\"end\",\"type\":\"ok\",\"code\":\"1000\"}",
	 "the field code of an event is not a whole number within its bounds"},
	{"{\"event\":\"end\",\"type\":\"ok\",\"at\":-0.1}", "the field at of an event is not a time in seconds"},
	{"{\"event\":\"end\",\"type\":\"ok\",\"at\":1e300}", "the field at of an event is not a time in seconds"},
	{"{\"event\":\"end\",\"type\":\"ok\",\"clean\":1}", "the field clean of an event is not true or false"},
	{"{\"event\":\"end\",\"type\":\"ok\",\"value\":\"1\"}", "the field value of an event is not a number"},
	{"{\"event\":\"end\",\"type\":\"ok\",\"text\":null}", "the field text of an event is not a text"},
};

static void what_is_no_event_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		struct event e = {.client = 77};
		struct err err;
		json_t *o = json_loads(refused[i].text, 0, NULL);
		assert_non_null(o);
		assert_int_equal(event_from_json(o, &e, &err), -EINVAL);
		assert_string_equal(err.text, refused[i].why);
		assert_int_equal(e.client, 77);
		json_decref(o);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_as_documented), cmocka_unit_test(extremes_are_written_alike),
		cmocka_unit_test(what_is_read_is_what_was_written), cmocka_unit_test(what_is_no_event_is_refused),
	};
	return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
