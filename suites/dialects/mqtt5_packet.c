/* MQTT 5 packets as octets. Numbers in comments are sections of the standard. */
#include "suites/dialects/mqtt5_packet.h"

#include "harness/base/err.h"

/* What is left of a packet; `bad` once something did not fit. */
struct reader {
	struct span rest;
	bool bad;
};

static struct span take(struct reader *r, size_t len)
{
	struct span taken = span_sub(r->rest, 0, len);
	r->bad |= taken.len < len;
	r->rest = span_sub(r->rest, taken.len, r->rest.len);
	return taken;
}

static uint8_t take_u8(struct reader *r)
{
	struct span s = take(r, 1);
	return s.len == 1 ? s.p[0] : 0;
}

static uint16_t take_u16(struct reader *r)
{
	uint16_t high = take_u8(r);
	return (uint16_t)(high << 8 | take_u8(r));
}

/* 1.5.5: at most four octets. 1 and the value, 0: more to come, -EBADMSG. */
static int read_length(struct span s, size_t *ret_used, size_t *ret)
{
	size_t value = 0;
	for (size_t i = 0; i < 4; i++) {
		if (i == s.len)
			return 0;
		value |= (size_t)(s.p[i] & 0x7f) << (7 * i);
		if (s.p[i] & 0x80)
			continue;
		*ret_used = i + 1;
		*ret = value;
		return 1;
	}
	return -EBADMSG;
}

static size_t take_length(struct reader *r)
{
	size_t used = 0, value = 0;
	r->bad |= read_length(r->rest, &used, &value) != 1;
	take(r, used);
	return value;
}

/* 2.2.2.2: how a property's value is written. */
enum property_type {
	PROPERTY_NONE, PROPERTY_U8, PROPERTY_U16, PROPERTY_U32, PROPERTY_LENGTH, PROPERTY_TEXT, PROPERTY_PAIR,
};
enum { PROPERTY_REASON = 0x1f, PROPERTY_RECEIVE_MAX = 0x21 };

static enum property_type property_type(size_t id)
{
	static const uint8_t types[] = {
		[0x01] = PROPERTY_U8,	  [0x02] = PROPERTY_U32,  [0x03] = PROPERTY_TEXT, [0x08] = PROPERTY_TEXT,
		[0x09] = PROPERTY_TEXT,	  [0x0b] = PROPERTY_LENGTH, [0x11] = PROPERTY_U32, [0x12] = PROPERTY_TEXT,
		[0x13] = PROPERTY_U16,	  [0x15] = PROPERTY_TEXT, [0x16] = PROPERTY_TEXT, [0x17] = PROPERTY_U8,
		[0x18] = PROPERTY_U32,	  [0x19] = PROPERTY_U8,	  [0x1a] = PROPERTY_TEXT, [0x1c] = PROPERTY_TEXT,
		[0x1f] = PROPERTY_TEXT,	  [0x21] = PROPERTY_U16,  [0x22] = PROPERTY_U16,  [0x23] = PROPERTY_U16,
		[0x24] = PROPERTY_U8,	  [0x25] = PROPERTY_U8,	  [0x26] = PROPERTY_PAIR, [0x27] = PROPERTY_U32,
		[0x28] = PROPERTY_U8,	  [0x29] = PROPERTY_U8,	  [0x2a] = PROPERTY_U8,
	};
	return id < ARRAY_LEN(types) ? (enum property_type)types[id] : PROPERTY_NONE;
}

static void take_property(struct reader *r, struct mqtt_packet *p)
{
	size_t id = take_length(r);
	struct span text;
	switch (property_type(id)) {
	case PROPERTY_U8:
		take(r, 1);
		break;
	case PROPERTY_U16: {
		uint16_t value = take_u16(r);
		if (id == PROPERTY_RECEIVE_MAX)
			p->receive_max = value;
		break;
	}
	case PROPERTY_U32:
		take(r, 4);
		break;
	case PROPERTY_LENGTH:
		take_length(r);
		break;
	case PROPERTY_PAIR:
		take(r, take_u16(r));
		take(r, take_u16(r));
		break;
	case PROPERTY_TEXT:
		text = take(r, take_u16(r));
		if (id == PROPERTY_REASON)
			p->reason = text;
		break;
	case PROPERTY_NONE:
		r->bad = true;
		break;
	}
}

static void take_properties(struct reader *r, struct mqtt_packet *p)
{
	struct reader all = {.rest = take(r, take_length(r))};
	while (all.rest.len && !all.bad)
		take_property(&all, p);
	r->bad |= all.bad;
}

/* 3.4.2.1, 3.14.2.1: code and properties may be left out. */
static void take_code(struct reader *r, struct mqtt_packet *p)
{
	p->code = r->rest.len ? take_u8(r) : 0;
	if (r->rest.len)
		take_properties(r, p);
}

static void take_publish(struct reader *r, struct mqtt_packet *p, uint8_t flags)
{
	p->qos = flags >> 1 & 3;
	p->topic = take(r, take_u16(r));
	if (p->qos)
		p->id = take_u16(r);
	take_properties(r, p);
	p->payload = r->rest;
	/* We never ask for topic aliases, so that a topic is always there (3.3.2.3.4); nor for QoS 2. */
	r->bad |= p->qos > 1 || !p->topic.len || (p->qos && !p->id);
}

static bool read_body(struct span body, uint8_t flags, struct mqtt_packet *p)
{
	struct reader r = {.rest = body};
	switch (p->type) {
	case MQTT_CONNACK:
		p->present = take_u8(&r) & 1;
		p->code = take_u8(&r);
		take_properties(&r, p);
		r.bad |= p->receive_max == 0;
		break;
	case MQTT_PUBLISH:
		take_publish(&r, p, flags);
		break;
	case MQTT_PUBACK:
		p->id = take_u16(&r);
		take_code(&r, p);
		break;
	case MQTT_SUBACK:
	case MQTT_UNSUBACK:
		p->id = take_u16(&r);
		take_properties(&r, p);
		p->code = take_u8(&r);
		break;
	case MQTT_DISCONNECT:
		take_code(&r, p);
		break;
	case MQTT_PINGRESP:
		break;
	default: /* what only a client may send, or what we never asked for */
		r.bad = true;
		break;
	}
	return !r.bad;
}

int mqtt_read(struct span octets, struct mqtt_packet *ret, size_t *ret_len)
{
	size_t used = 0, len = 0;
	if (!octets.len)
		return 0;
	int r = read_length(span_sub(octets, 1, octets.len), &used, &len);
	if (r <= 0)
		return r;
	if (len > MQTT_PACKET_MAX)
		return -EBADMSG;
	if (octets.len < 1 + used + len)
		return 0;
	*ret = (struct mqtt_packet){.type = (enum mqtt_type)(octets.p[0] >> 4), .receive_max = MQTT_RECEIVE_MAX};
	*ret_len = 1 + used + len;
	return read_body(span_sub(octets, 1 + used, len), octets.p[0] & 15, ret) ? 1 : -EBADMSG;
}

static void put_u8(struct buf *b, uint8_t value, int *r)
{
	if (*r == 0)
		*r = buf_append_u8(b, value);
}

static void put_u16(struct buf *b, uint16_t value, int *r)
{
	put_u8(b, (uint8_t)(value >> 8), r);
	put_u8(b, (uint8_t)value, r);
}

static void put_text(struct buf *b, struct span text, int *r)
{
	if (*r == 0 && text.len > UINT16_MAX)
		*r = -EINVAL;
	put_u16(b, (uint16_t)text.len, r);
	if (*r == 0)
		*r = buf_append_span(b, text);
}

/* Header and body, all or nothing. */
static int put_packet(struct buf *b, uint8_t first, const struct buf *body, int r)
{
	size_t before = b->len, len = body->len;
	put_u8(b, first, &r);
	do {
		put_u8(b, (uint8_t)((len & 0x7f) | (len > 0x7f ? 0x80 : 0)), &r);
		len >>= 7;
	} while (len);
	if (r == 0)
		r = body->len > MQTT_PACKET_MAX ? -ENOBUFS : buf_append_span(b, buf_span(body));
	if (r < 0)
		b->len = before;
	return r;
}

int mqtt_write_connect(struct buf *b, const struct mqtt_connect *c)
{
	struct buf body CLEANUP(buf_fini);
	int r = 0;
	buf_init(&body, MQTT_PACKET_MAX);
	put_text(&body, SPAN_LIT("MQTT"), &r);
	put_u8(&body, 5, &r);
	put_u8(&body, (uint8_t)((c->clean ? 2 : 0) | (c->user.len ? 0x80 : 0) | (c->password.len ? 0x40 : 0)), &r);
	put_u16(&body, c->keep_alive_s, &r);
	put_u8(&body, 5, &r); /* the properties: Session Expiry Interval */
	put_u8(&body, 0x11, &r);
	put_u16(&body, (uint16_t)(c->expiry_s >> 16), &r);
	put_u16(&body, (uint16_t)c->expiry_s, &r);
	put_text(&body, c->client, &r);
	if (c->user.len)
		put_text(&body, c->user, &r);
	if (c->password.len)
		put_text(&body, c->password, &r);
	return put_packet(b, MQTT_CONNECT << 4, &body, r);
}

static int write_topic(struct buf *b, uint8_t first, uint16_t id, struct span topic, bool options)
{
	struct buf body CLEANUP(buf_fini);
	int r = 0;
	buf_init(&body, MQTT_PACKET_MAX);
	put_u16(&body, id, &r);
	put_u8(&body, 0, &r); /* no properties */
	put_text(&body, topic, &r);
	if (options)
		put_u8(&body, 1, &r); /* 3.8.3.1: QoS 1 */
	return put_packet(b, first, &body, r);
}

int mqtt_write_subscribe(struct buf *b, uint16_t id, struct span topic)
{
	return write_topic(b, MQTT_SUBSCRIBE << 4 | 2, id, topic, true);
}

int mqtt_write_unsubscribe(struct buf *b, uint16_t id, struct span topic)
{
	return write_topic(b, MQTT_UNSUBSCRIBE << 4 | 2, id, topic, false);
}

int mqtt_write_publish(struct buf *b, uint16_t id, struct span topic, struct span payload)
{
	struct buf body CLEANUP(buf_fini);
	int r = 0;
	buf_init(&body, MQTT_PACKET_MAX);
	put_text(&body, topic, &r);
	put_u16(&body, id, &r);
	put_u8(&body, 0, &r); /* no properties */
	if (r == 0)
		r = buf_append_span(&body, payload);
	return put_packet(b, MQTT_PUBLISH << 4 | 2, &body, r);
}

int mqtt_write_puback(struct buf *b, uint16_t id)
{
	struct buf body CLEANUP(buf_fini);
	int r = 0;
	buf_init(&body, 2);
	put_u16(&body, id, &r);
	return put_packet(b, MQTT_PUBACK << 4, &body, r);
}

int mqtt_write_pingreq(struct buf *b)
{
	return put_packet(b, MQTT_PINGREQ << 4, &(struct buf){0}, 0);
}
