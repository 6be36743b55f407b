/*
 * wsquall-mqtt5: the adapter of the dialect mqtt5. Lines of JSON in, lines of JSON out (harness/target/adapter.h);
 * between them, for each connection, the packets of MQTT 5 with QoS 1. It keeps what the protocol makes a client keep:
 * packet identifiers, and how many publishes may be unanswered; those beyond wait here.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/base64.h"
#include "harness/base/json.h"
#include "suites/dialects/mqtt5_packet.h"

enum {
	BUCKETS = 4096,
	LINE_OCTETS_MAX = 128 << 20,           /* octets of a line, and of what is read at once */
	CHUNK = 1 << 18,
	WAITING_MAX = 65536,            /* publishes of one connection that wait for their turn */
	KEEP_ALIVE_S = 60,              /* the dialect pings every 20 s */
};

struct request {
	uint16_t id;                    /* packet identifier */
	enum mqtt_type type;
	json_int_t asked;               /* the session's number */
};

struct connection {
	json_int_t number;
	struct connection *next;
	struct buf in;                  /* a packet that is not whole yet */
	struct request *requests;
	size_t n_requests, cap_requests;
	size_t unanswered;              /* PUBLISH among them */
	json_t *waiting;                /* an array of publishes, from `first` on */
	size_t first;
	uint16_t last_id, receive_max;
	char *client;
};

static struct connection *connections[BUCKETS];

static void out(const struct connection *c, const char *key, json_t *value)
{
	json_t *line = json_pack("{s:I, s:o}", "connection", c->number, key, value);
	json_dumpf(line, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(line);
}

static void send_packet(const struct connection *c, struct buf *packet, int r)
{
	struct buf text CLEANUP(buf_fini);
	buf_init(&text, 2 * MQTT_PACKET_MAX);
	if (r < 0 || base64_encode(&text, buf_span(packet)) < 0)
		out(c, "broken", json_string("a message that MQTT cannot carry"));
	else
		out(c, "send", json_stringn((const char *)text.p, text.len));
}

/* An identifier that no request has. 0: none is left. */
static uint16_t new_id(struct connection *c)
{
	for (size_t tries = 0; tries < UINT16_MAX; tries++) {
		bool taken = false;
		c->last_id = c->last_id == UINT16_MAX ? 1 : (uint16_t)(c->last_id + 1);
		for (size_t i = 0; !taken && i < c->n_requests; i++)
			taken = c->requests[i].id == c->last_id;
		if (!taken)
			return c->last_id;
	}
	return 0;
}

static uint16_t add_request(struct connection *c, enum mqtt_type type, json_int_t asked)
{
	if (c->n_requests == c->cap_requests) {
		size_t cap = c->cap_requests ? 2 * c->cap_requests : 8;
		struct request *grown = realloc(c->requests, cap * sizeof(*grown));
		if (!grown)
			abort();
		c->requests = grown;
		c->cap_requests = cap;
	}
	uint16_t id = new_id(c);
	if (id)
		c->requests[c->n_requests++] = (struct request){id, type, asked};
	return id;
}

static bool take_request(struct connection *c, enum mqtt_type type, uint16_t id, json_int_t *ret_asked)
{
	for (size_t i = 0; i < c->n_requests; i++) {
		if (c->requests[i].id != id || c->requests[i].type != type)
			continue;
		*ret_asked = c->requests[i].asked;
		c->requests[i] = c->requests[--c->n_requests];
		return true;
	}
	return false;
}

static struct span text_of(const json_t *object, const char *key)
{
	const json_t *text = json_object_get(object, key);
	return span_of(json_string_value(text), json_string_length(text));
}

/* ---- what the session says */

static void say_connect(struct connection *c, const json_t *said)
{
	struct buf packet CLEANUP(buf_fini);
	struct span client = text_of(said, "client"), expiry = text_of(said, "expiry");
	struct mqtt_connect connect = {
		.client = client,
		.user = text_of(said, "user"),
		.password = text_of(said, "password"),
		.clean = json_is_true(json_object_get(said, "clean")),
		.expiry_s = expiry.len ? (uint32_t)strtoul((const char *)expiry.p, NULL, 10) : 0,
		.keep_alive_s = KEEP_ALIVE_S,
	};
	free(c->client);
	c->client = strndup(client.len ? (const char *)client.p : "", client.len);
	buf_init(&packet, MQTT_PACKET_MAX);
	send_packet(c, &packet, mqtt_write_connect(&packet, &connect));
}

static void say_topic(struct connection *c, const json_t *said, enum mqtt_type type)
{
	struct buf packet CLEANUP(buf_fini);
	struct span topic = text_of(said, "topic");
	uint16_t id = add_request(c, type, json_integer_value(json_object_get(said, "id")));
	buf_init(&packet, MQTT_PACKET_MAX);
	int r = !id ? -EBUSY : type == MQTT_SUBSCRIBE ? mqtt_write_subscribe(&packet, id, topic)
						       : mqtt_write_unsubscribe(&packet, id, topic);
	send_packet(c, &packet, r);
}

static void say_publish(struct connection *c, const json_t *said)
{
	struct buf packet CLEANUP(buf_fini);
	uint16_t id = add_request(c, MQTT_PUBLISH, json_integer_value(json_object_get(said, "id")));
	buf_init(&packet, MQTT_PACKET_MAX);
	c->unanswered++;
	send_packet(c, &packet,
		    id ? mqtt_write_publish(&packet, id, text_of(said, "topic"), text_of(said, "data")) : -EBUSY);
}

static void flush_waiting(struct connection *c)
{
	while (c->unanswered < c->receive_max && c->first < json_array_size(c->waiting))
		say_publish(c, json_array_get(c->waiting, c->first++));
	if (c->first == json_array_size(c->waiting)) {
		json_array_clear(c->waiting);
		c->first = 0;
	}
}

static void queue_publish(struct connection *c, json_t *said)
{
	if (json_array_size(c->waiting) - c->first < WAITING_MAX)
		json_array_append(c->waiting, said);
	else
		out(c, "heard", json_pack("{s:{s:O, s:b, s:s}}", "published", "id", json_object_get(said, "id"), "ok", 0, "code",
					  "the adapter's queue is full"));
	flush_waiting(c);
}

static void say_ack(struct connection *c, const json_t *said)
{
	struct buf packet CLEANUP(buf_fini);
	json_int_t id = json_integer_value(json_object_get(said, "packet"));
	buf_init(&packet, MQTT_PACKET_MAX);
	if (id > 0 && id <= UINT16_MAX)
		send_packet(c, &packet, mqtt_write_puback(&packet, (uint16_t)id));
}

static void say(struct connection *c, const json_t *said)
{
	struct buf packet CLEANUP(buf_fini);
	json_t *what;
	buf_init(&packet, MQTT_PACKET_MAX);
	if ((what = json_object_get(said, "publish")))
		queue_publish(c, what);
	else if ((what = json_object_get(said, "ack")))
		say_ack(c, what);
	else if ((what = json_object_get(said, "connect")))
		say_connect(c, what);
	else if ((what = json_object_get(said, "subscribe")))
		say_topic(c, what, MQTT_SUBSCRIBE);
	else if ((what = json_object_get(said, "unsubscribe")))
		say_topic(c, what, MQTT_UNSUBSCRIBE);
	else if (json_object_get(said, "ping"))
		send_packet(c, &packet, mqtt_write_pingreq(&packet));
}

/* ---- what the server says */

static json_t *code_text(uint8_t code)
{
	char text[8];
	snprintf(text, sizeof(text), "0x%02x", code);
	return json_string(text);
}

static void hear_answer(struct connection *c, const struct mqtt_packet *p, enum mqtt_type asked_by, const char *what)
{
	json_int_t asked;
	if (!take_request(c, asked_by, p->id, &asked))
		return;
	c->unanswered -= asked_by == MQTT_PUBLISH;
	out(c, "heard", json_pack("{s:{s:I, s:b, s:o}}", what, "id", asked, "ok", p->code < MQTT_FAILED, "code",
				  code_text(p->code)));
	flush_waiting(c);
}

static void hear_connack(struct connection *c, const struct mqtt_packet *p)
{
	if (p->code >= MQTT_FAILED) {
		out(c, "heard", json_pack("{s:{s:o, s:o}}", "refused", "code", code_text(p->code), "reason", json_text(p->reason)));
		return;
	}
	c->receive_max = p->receive_max;
	out(c, "heard", json_pack("{s:{s:s, s:b}}", "connected", "client", c->client ? c->client : "", "present", p->present));
}

static void hear_publish(struct connection *c, const struct mqtt_packet *p)
{
	json_t *message = json_pack("{s:o, s:o}", "topic", json_text(p->topic), "data", json_text(p->payload));
	if (p->qos)
		json_object_set_new(message, "packet", json_integer(p->id));
	out(c, "heard", json_pack("{s:o}", "message", message));
}

static void hear(struct connection *c, const struct mqtt_packet *p)
{
	switch (p->type) {
	case MQTT_CONNACK:
		hear_connack(c, p);
		break;
	case MQTT_PUBLISH:
		hear_publish(c, p);
		break;
	case MQTT_PUBACK:
		hear_answer(c, p, MQTT_PUBLISH, "published");
		break;
	case MQTT_SUBACK:
		hear_answer(c, p, MQTT_SUBSCRIBE, "subscribed");
		break;
	case MQTT_UNSUBACK:
		hear_answer(c, p, MQTT_UNSUBSCRIBE, "unsubscribed");
		break;
	case MQTT_DISCONNECT:
		out(c, "heard", json_pack("{s:{s:o, s:o}}", "disconnected", "code", code_text(p->code), "reason",
					  json_text(p->reason)));
		break;
	default: /* mqtt_read lets nothing else through but PINGRESP */
		out(c, "heard", json_pack("{s:b}", "pong", 1));
		break;
	}
}

/* A message of the WebSocket holds packets, or parts of them: 6. */
static void hear_octets(struct connection *c, struct span base64)
{
	struct mqtt_packet packet;
	size_t used = 0, len = 0;
	int r = base64_decode(&c->in, base64);
	while (r == 0) {
		int got = mqtt_read(span_sub(buf_span(&c->in), used, c->in.len), &packet, &len);
		if (got == 1)
			hear(c, &packet);
		if (got <= 0) {
			r = got;
			break;
		}
		used += len;
	}
	buf_consume(&c->in, used);
	if (r < 0) {
		c->in.len = 0;
		out(c, "broken", json_string("octets that are no packet of MQTT 5"));
	}
}

/* ---- lines */

static struct connection **place(json_int_t number)
{
	struct connection **at = &connections[(uint64_t)number % BUCKETS];
	while (*at && (*at)->number != number)
		at = &(*at)->next;
	return at;
}

static void close_connection(struct connection **at)
{
	struct connection *c = *at;
	*at = c->next;
	buf_fini(&c->in);
	json_decref(c->waiting);
	free(c->requests);
	free(c->client);
	free(c);
}

static void open_connection(json_int_t number)
{
	struct connection **at = place(number);
	if (*at)
		close_connection(at);
	struct connection *c = calloc(1, sizeof(*c));
	if (!c)
		abort();
	c->number = number;
	c->receive_max = MQTT_RECEIVE_MAX;
	c->waiting = json_array();
	buf_init(&c->in, 2 * MQTT_PACKET_MAX);
	at = place(number);
	*at = c;
}

static bool take_line(const char *text, size_t len)
{
	json_t *line = json_loadb(text, len, 0, NULL);
	json_int_t number = json_integer_value(json_object_get(line, "connection"));
	struct connection **at = place(number);
	const json_t *said = json_object_get(line, "say");
	if (line && json_object_get(line, "open"))
		open_connection(number);
	else if (line && *at && said)
		say(*at, said);
	else if (line && *at && json_object_get(line, "message"))
		hear_octets(*at, text_of(line, "message"));
	else if (line && *at && json_object_get(line, "closed"))
		close_connection(at);
	out(&(struct connection){.number = number}, "done", json_true());
	bool good = line != NULL;
	json_decref(line);
	return good;
}

/* The lines that are whole. The rest stays. */
static bool take_lines(struct buf *b, size_t from)
{
	bool good = true;
	size_t used = 0;
	for (const uint8_t *end; good && (end = memchr(b->p + from, '\n', b->len - from)); used = from) {
		from = (size_t)(end - b->p) + 1;
		good = take_line((const char *)b->p + used, from - used);
	}
	buf_consume(b, used);
	return good;
}

/* Everything that has come is dealt with before anything is answered: two processes that wake each other for every line
 * are slow on a busy machine. */
int main(void)
{
	static char room[1 << 16];
	struct buf b CLEANUP(buf_fini);
	bool good = true;
	buf_init(&b, LINE_OCTETS_MAX);
	setvbuf(stdout, room, _IOFBF, sizeof(room));
	while (good && buf_reserve(&b, CHUNK) == 0) {
		size_t from = b.len;
		ssize_t got = read(STDIN_FILENO, b.p + from, CHUNK);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		b.len += (size_t)got;
		good = take_lines(&b, from);
		fflush(stdout);
	}
	if (good && b.len) /* without a line end */
		good = take_line((const char *)b.p, b.len);
	fflush(stdout);
	for (size_t i = 0; i < BUCKETS; i++)
		while (connections[i])
			close_connection(&connections[i]);
	return good ? 0 : 64;
}
