#ifndef SERVER_CLIENT_H
#define SERVER_CLIENT_H

#include "server-under-test/base/clock.h"
#include "server-under-test/client/json_scan.h"
#include "server-under-test/limits.h"
#include "server-under-test/base/list.h"
#include "server-under-test/client/messages.h"
#include "server-under-test/metrics.h"
#include "server-under-test/server.h"
#include "server-under-test/store/store.h"
#include "server-under-test/base/table.h"
#include "server-under-test/wire.h"

#define ID_BYTES_MAX 64 /* of a message's id: of a number's text, of a string once its escapes are resolved */
#define CLIENT_PUBLISHES_MAX 256 /* awaiting their answer; beyond it the peer is not read */
#define CLIENT_PUBLISH_BYTES_MAX (4u * 1024 * 1024) /* of data in those */
#define CLIENT_QUEUE_MAX (2u * 1024 * 1024) /* unsent octets above which the peer is not read */
#define CLIENT_SAVES 10.0 /* of a session, a second; */
#define CLIENT_SAVES_BURST 20.0 /* and at once */
#define CLIENT_STRIKES_S 60.0 /* without a strike, after which they are forgotten */

enum client_close {
	CLOSE_UNSUPPORTED = 1003,
	CLOSE_POLICY = 1008, /* only a deliberate bug says this */
	CLOSE_INTERNAL = 1011,
	CLOSE_TAKEN_OVER = 4000,
	CLOSE_TOKEN_EXPIRED = 4001,
	CLOSE_SLOW_CONSUMER = 4008,
	CLOSE_HEARTBEAT = 4010,
	CLOSE_RATE_LIMITED = 4029,
};

/* One subscription of one client, until it is unsubscribed or the connection is over. */
struct client_sub {
	struct subscription at;
	struct client *client;
	struct client_request *request; /* the subscribe that awaits its answer; NULL: none, or the session's */
	bool awaited; /* hub_subscribe has not answered */
	bool confirmed; /* the client was told `subscribed` */
	/* What the session keeps: highest acked seq, or where it began. epoch "": it has not begun yet. */
	struct position cursor;
	char name[];
};

/* A subscribe, publish or history whose answer is awaited. */
struct client_request {
	struct hub_op op;
	struct link link; /* of client->requests, for the hub_op */
	struct client *client;
	double started_s;
	size_t size; /* octets of data */
	bool publish;
	size_t id_len;
	char text[]; /* the id as it was sent, then the channel, NUL-terminated */
};

struct client_claim;

/*
 * One connection that speaks wsquall.v1, from the opening handshake until the wire says that it is over. While its
 * session, a subscribe or a history is awaited, its input waits: messages are handled in their order. Publishes are
 * sent on without waiting, for the hub keeps their order. Times are of clock_monotonic_s().
 */
struct client {
	struct wire *wire;
	struct server *server;
	struct identity *identity; /* NULL: no credentials are needed */
	struct client_claim *claim; /* of the session; NULL once answered */
	char *session; /* NULL until it is ours */
	struct table_node by_session; /* while it holds the session */
	struct client_entry *subs; /* by hash of the name, in no order */
	unsigned sub_count, sub_capacity;
	unsigned window; /* messages; 0: none */
	unsigned awaiting; /* answers without which no more input is handled */
	unsigned publishes;
	unsigned strikes;
	size_t publish_bytes;
	struct link requests;
	struct bucket bucket; /* of messages */
	struct bucket saves;
	struct link savings; /* that what is said next waits for */
	ev_timer timer; /* at the earliest of the times below; INFINITY: none */
	double ping_due_s;
	double pong_due_s; /* a Ping is unanswered */
	uint64_t pong_sent; /* messages that had left when pong_due_s was set */
	double expires_s; /* the token, with the leeway */
	double slow_due_s; /* slow_consumer_grace_s after the queue rose above slow_consumer_bytes */
	double save_due_s; /* the session has changed */
	double resume_due_s; /* input may go on: in a loop turn of its own */
	double strike_s; /* the last one */
	bool holds; /* the session, as far as this process knows */
	bool paused; /* as wire_pause was told */
	bool logged; /* ws.connect */
	bool closing; /* our Close is wanted: nothing is said or heard any more */
	bool changed; /* the session, since it was saved */
};

/* What one message holds, as far as any message has it. The values are borrowed from it. */
enum client_field {
	FIELD_TYPE,
	FIELD_ID,
	FIELD_CHANNEL,
	FIELD_SINCE,
	FIELD_DATA,
	FIELD_KEY,
	FIELD_SEQ,
	FIELD_FROM,
	FIELD_TO,
	FIELD_TOKEN,
	FIELD_COUNT,
};
struct incoming {
	double at_s;
	struct text id; /* as it was sent; "null" when there was none */
	char channel_name[CHANNEL_NAME_MAX];
	struct text channel; /* once client_channel said that it is good */
	struct scan_member fields[FIELD_COUNT];
};


/* client.c: the service, output and the end. */
void client_send(struct client *client, struct frame *frame, enum message_type type); /* takes the frame over */
void client_send_shared(struct client *client, struct frame *frame, enum message_type type);
void client_error(struct client *client, struct text id, enum error_code code, const char *reason);
/* Starts the end. What the client held is let go when the wire says that it is over. */
void client_close(struct client *client, enum client_close code, const char *reason);
void client_abort(struct client *client, enum client_close code, const char *reason);
void client_slow_consumer(struct client *client);
void client_check_pause(struct client *client);
bool client_waits_for_store(const struct client *client);

/* client_dispatch.c: one message, told when it came. */
void client_message(struct client *client, const uint8_t *data, size_t len, double now_s);
/*
 * Counts one message against rate_messages. False: it was refused with rate_limited, or with 4029 after rate_strikes
 * of those.
 */
bool client_rate_ok(struct client *client, struct text id, double now_s);
void client_refuse(struct client *client, const struct incoming *in, enum error_code code, const char *reason);
/*
 * Checks `channel` and that the token covers it; fills in->channel. False: answered. An ack is covered by its
 * subscription.
 */
bool client_channel_ok(struct client *client, struct incoming *in);
bool client_channel_covered(struct client *client, struct incoming *in);
void client_observe(double started_s); /* an answer has been queued */

/* client_subscribe.c */
void client_on_subscribe(struct client *client, struct incoming *in);
void client_on_unsubscribe(struct client *client, struct incoming *in);
void client_on_ack(struct client *client, struct incoming *in);
void client_restore(struct client *client, const struct session_record *record); /* its subscriptions */
void client_drop_uncovered(struct client *client); /* after the token changed */
void client_drop_subs(struct client *client); /* without a word, at the end */
struct client_sub *client_sub_at(const struct client *client, unsigned index);

/* client_publish.c: what goes to the hub and has one answer. */
void client_on_publish(struct client *client, struct incoming *in);
void client_on_history(struct client *client, struct incoming *in);
struct client_request *client_request_new(struct client *client, const struct incoming *in);
static inline struct text client_request_id(const struct client_request *request)
{
	return text_of(request->text, request->id_len);
}
void client_request_free(struct client_request *request); /* also when nothing was asked of the hub */
void client_drop_requests(struct client *client);

/* client_session.c */
void client_claim_session(struct client *client, const struct wire_opening *opening);
/*
 * The session is to be saved: at once while CLIENT_SAVES allows, so that an ack counts when another node takes over,
 * else soon.
 */
void client_changed(struct client *client, double now_s);
void client_changed_for_good(struct client *client); /* it is saved now: an answer that follows promises it */
void client_save(struct client *client, bool ended);
void client_forget_savings(struct client *client);
void client_end_session(struct client *client); /* whatever state it is in */

/* client_auth.c */
void client_on_auth(struct client *client, struct incoming *in);
void client_set_identity(struct client *client, struct identity *identity); /* takes it over; NULL: none needed */

/* client_timers.c */
double client_next_s(const struct client *client); /* the earliest time something is due; INFINITY: nothing */
void client_run_timers(struct client *client, double now_s);
void client_init_timers(struct client *client);
void client_start_heartbeat(struct client *client, double now_s);
void client_arm(struct client *client); /* after a time was set to something earlier */
/*
 * Is a client without a window reading what it is sent? The grace begins and ends here; now_s -INFINITY: it is not
 * judged, for that may close.
 */
void client_watch_queue(struct client *client, double now_s);

#endif
