/* MQTT 5 packets as octets written by hand from the standard, cut anywhere, and broken ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "harness/base/err.h"
#include "suites/dialects/mqtt5_packet.h"

#define OCTETS(text) SPAN_LIT(text)

static void read_whole_and_cut(void **state)
{
	static const struct {
		struct span octets;
		struct mqtt_packet want;
	} rows[] = {
		/* CONNACK: session present, success, Receive Maximum 20, Server Keep Alive 60 */
		{OCTETS("\x20\x09\x01\x00\x06\x21\x00\x14\x13\x00\x3c"),
		 {.type = MQTT_CONNACK, .present = true, .receive_max = 20}},
		{OCTETS("\x20\x03\x00\x87\x00"), {.type = MQTT_CONNACK, .code = 0x87, .receive_max = MQTT_RECEIVE_MAX}},
		/* PUBLISH QoS 1, topic a/b, id 10, Content Type t, payload hi */
		{OCTETS("\x32\x0e\x00\x03" "a/b\x00\x0a\x04\x03\x00\x01thi"),
		 {.type = MQTT_PUBLISH, .qos = 1, .id = 10, .receive_max = MQTT_RECEIVE_MAX}},
		{OCTETS("\x30\x06\x00\x01" "c\x00hi"), {.type = MQTT_PUBLISH, .receive_max = MQTT_RECEIVE_MAX}},
		{OCTETS("\x40\x02\x00\x07"), {.type = MQTT_PUBACK, .id = 7, .receive_max = MQTT_RECEIVE_MAX}},
		{OCTETS("\x40\x03\x00\x07\x97"), {.type = MQTT_PUBACK, .id = 7, .code = 0x97, .receive_max = MQTT_RECEIVE_MAX}},
		{OCTETS("\x90\x04\x00\x09\x00\x01"), {.type = MQTT_SUBACK, .id = 9, .code = 1, .receive_max = MQTT_RECEIVE_MAX}},
		{OCTETS("\xd0\x00"), {.type = MQTT_PINGRESP, .receive_max = MQTT_RECEIVE_MAX}},
		{OCTETS("\xe0\x00"), {.type = MQTT_DISCONNECT, .receive_max = MQTT_RECEIVE_MAX}},
		{OCTETS("\xe0\x07\x8e\x05\x1f\x00\x02" "by"),
		 {.type = MQTT_DISCONNECT, .code = 0x8e, .receive_max = MQTT_RECEIVE_MAX}},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct mqtt_packet got;
		size_t len = 0;
		for (size_t cut = 0; cut < rows[i].octets.len; cut++)
			assert_int_equal(mqtt_read(span_sub(rows[i].octets, 0, cut), &got, &len), 0);
		assert_int_equal(mqtt_read(rows[i].octets, &got, &len), 1);
		assert_int_equal(len, rows[i].octets.len);
		assert_int_equal(got.type, rows[i].want.type);
		assert_int_equal(got.present, rows[i].want.present);
		assert_int_equal(got.code, rows[i].want.code);
		assert_int_equal(got.qos, rows[i].want.qos);
		assert_int_equal(got.id, rows[i].want.id);
		assert_int_equal(got.receive_max, rows[i].want.receive_max);
		if (got.type == MQTT_PUBLISH)
			assert_true(span_eq(got.payload, SPAN_LIT("hi")));
	}
}

static void broken(void **state)
{
	static const struct span rows[] = {
		OCTETS("\x20\xff\xff\xff\xff\x01"),             /* a length of five octets */
		OCTETS("\x20\xff\xff\xff\x7f"),                 /* 256 MiB */
		OCTETS("\x20\x01\x00"),                         /* CONNACK without a code */
		OCTETS("\x20\x03\x00\x00\x05"),                 /* properties that are not there */
		OCTETS("\x20\x06\x00\x00\x03\x21\x00\x00"),     /* Receive Maximum 0 */
		OCTETS("\x20\x05\x00\x00\x02\x7e\x00"),         /* an unknown property */
		OCTETS("\x32\x04\x00\x01" "c\x00"),             /* PUBLISH without its whole id */
		OCTETS("\x32\x06\x00\x01" "c\x00\x00\x00"),     /* an id of 0 */
		OCTETS("\x34\x06\x00\x01" "c\x00\x01\x00"),     /* QoS 2, never asked for */
		OCTETS("\x30\x03\x00\x00\x00"),                 /* no topic */
		OCTETS("\x30\x02\xff\xff"),                     /* a topic that is longer than the packet */
		OCTETS("\x82\x02\x00\x01"),                     /* SUBSCRIBE comes from clients alone */
		OCTETS("\x00\x00"), OCTETS("\xf0\x00"),
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct mqtt_packet got;
		size_t len = 0;
		assert_int_equal(mqtt_read(rows[i], &got, &len), -EBADMSG);
	}
}

static void written(void **state)
{
	struct buf b CLEANUP(buf_fini);
	(void)state;
	buf_init(&b, 1 << 20);
	const struct mqtt_connect connect = {
		.client = SPAN_LIT("me"), .user = SPAN_LIT("u"), .clean = true, .expiry_s = 3600, .keep_alive_s = 60};
	assert_int_equal(mqtt_write_connect(&b, &connect), 0);
	assert_int_equal(mqtt_write_subscribe(&b, 1, SPAN_LIT("a/b")), 0);
	assert_int_equal(mqtt_write_unsubscribe(&b, 2, SPAN_LIT("a")), 0);
	assert_int_equal(mqtt_write_publish(&b, 3, SPAN_LIT("a"), SPAN_LIT("hi")), 0);
	assert_int_equal(mqtt_write_puback(&b, 0x0102), 0);
	assert_int_equal(mqtt_write_pingreq(&b), 0);
	assert_true(span_eq(buf_span(&b), SPAN_LIT("\x10\x17\x00\x04MQTT\x05\x82\x00\x3c\x05\x11\x00\x00\x0e\x10"
						   "\x00\x02me\x00\x01u"
						   "\x82\x09\x00\x01\x00\x00\x03" "a/b\x01"
						   "\xa2\x06\x00\x02\x00\x00\x01" "a"
						   "\x32\x08\x00\x01" "a\x00\x03\x00hi"
						   "\x40\x02\x01\x02\xc0\x00")));
	static uint8_t topic[70000];
	size_t before = b.len;
	assert_int_equal(mqtt_write_subscribe(&b, 1, span_of(topic, sizeof(topic))), -EINVAL);
	assert_int_equal(b.len, before);
	assert_int_equal(mqtt_write_publish(&b, 1, SPAN_LIT("a"), span_of(topic, sizeof(topic))), 0);
	assert_true(span_eq(span_sub(buf_span(&b), before, 4), SPAN_LIT("\x32\xf6\xa2\x04"))); /* 70006 */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(read_whole_and_cut), cmocka_unit_test(broken), cmocka_unit_test(written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
