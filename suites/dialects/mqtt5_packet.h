#pragma once
/*
 * The packets of MQTT 5 that a client with QoS 1 needs: OASIS MQTT Version 5.0, chapters 2 and 3. Reading is for a
 * hostile peer: nothing is believed that does not fit into the packet.
 */
#include "harness/base/buf.h"

enum mqtt_type {
	MQTT_CONNECT = 1, MQTT_CONNACK, MQTT_PUBLISH, MQTT_PUBACK, MQTT_PUBREC, MQTT_PUBREL, MQTT_PUBCOMP, MQTT_SUBSCRIBE,
	MQTT_SUBACK, MQTT_UNSUBSCRIBE, MQTT_UNSUBACK, MQTT_PINGREQ, MQTT_PINGRESP, MQTT_DISCONNECT, MQTT_AUTH,
};

enum {
	MQTT_PACKET_MAX = 32 << 20,     /* octets of one packet that is read */
	MQTT_RECEIVE_MAX = 65535,       /* 3.2.2.3.3, when the server says nothing */
	MQTT_FAILED = 0x80,             /* 2.4: reason codes from here on are failures */
};

struct mqtt_packet {
	enum mqtt_type type;
	bool present;                   /* CONNACK: the session was there */
	uint8_t code;                   /* CONNACK, PUBACK, SUBACK (of the first topic), DISCONNECT */
	uint8_t qos;                    /* PUBLISH */
	uint16_t id;                    /* PUBLISH with QoS, PUBACK, SUBACK, UNSUBACK */
	uint16_t receive_max;           /* CONNACK */
	struct span topic, payload;     /* PUBLISH */
	struct span reason;             /* of whatever has a code; UTF-8 or not */
};

/* 1: a whole packet of *ret_len octets; 0: there is more to come; -EBADMSG: no packet, or a larger one. */
int mqtt_read(struct span octets, struct mqtt_packet *ret, size_t *ret_len);

/* Each appends one packet. -ENOBUFS, -ENOMEM; -EINVAL: a text longer than 65535 octets. */
struct mqtt_connect {
	struct span client, user, password; /* user, password: empty: none */
	bool clean;
	uint32_t expiry_s;              /* of the session, after the connection */
	uint16_t keep_alive_s;
};
int mqtt_write_connect(struct buf *b, const struct mqtt_connect *c);
int mqtt_write_subscribe(struct buf *b, uint16_t id, struct span topic); /* QoS 1 */
int mqtt_write_unsubscribe(struct buf *b, uint16_t id, struct span topic);
int mqtt_write_publish(struct buf *b, uint16_t id, struct span topic, struct span payload); /* QoS 1 */
int mqtt_write_puback(struct buf *b, uint16_t id);
int mqtt_write_pingreq(struct buf *b);
