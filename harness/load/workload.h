#pragma once
/*
 * The workload of a scenario: subscribers and publishers over channels, as the users of a deployment would be. It is
 * open-loop: publishers keep their rate whatever the target does. Each client follows its own reconnect policy
 * (backoff.h), speaks the target's dialect (harness/target/session.h), and tells everything to the history.
 *
 * Clients are numbered from 1: first the subscribers, then the publishers. Channels are numbered from 1: first those
 * that are published on, then the quiet ones; their names hold the run's seed, so that two runs never meet.
 */
#include "harness/history/history.h"
#include "harness/load/backoff.h"
#include "harness/net/alarm.h"
#include "harness/net/dial.h"
#include "harness/target/dialect.h"

enum {
	WORKLOAD_CLIENTS_MAX = 100000,
	WORKLOAD_CHANNELS_MAX = 10000,
	WORKLOAD_PAYLOAD_MAX = 16 << 20,
	WORKLOAD_RATE_MAX = 1000000,   /* publishes a second */
};

/* Keys of `workload` in a scenario. */
struct workload_options {
	uint64_t subscribers, publishers;
	uint64_t channels, quiet_channels;
	uint64_t channels_each;        /* channels of one subscriber; client i begins at channel i */
	double rate;                   /* publishes a second, over all publishers */
	uint64_t payload;              /* octets of one message's data, as payload_sizes() has it */
	double vary;                   /* 0 to 1: and by how much it differs */
	double open_rate;              /* connections a second while the workload comes up */
	bool keyed;                    /* publishes carry a key and are repeated after an unknown outcome */
	uint64_t ping_ms;              /* an idle client pings this often to notice a dead path; 0: never */
	uint64_t ping_timeout_ms;      /* and gives the connection up after this long without any octet */
	uint64_t answer_ms;            /* a subscribe or publish is given up (info) after this */
	struct backoff_options reconnect;
};
extern const struct opt workload_table[];
/* What a table cannot say; 0 or -EINVAL with a sentence. */
int workload_check(const struct workload_options *o, struct err *e);

struct toxics;

/* One way to the target. */
struct workload_way {
	const struct dial_addresses *addresses;
	struct tls_context *tls;       /* NULL: plain */
	const char *server_name;       /* TLS only */
	const char *host;              /* of the Host field */
	const char *target;            /* path and query */
	const char *http_target;       /* what publishes by HTTP are relative to: "/" */
	uint32_t node;                 /* of the target file, from 1; 0: through the front door */
};

/* Everything is borrowed and outlives the workload. */
struct workload_site {
	struct loop *loop;
	struct alarms *alarms;
	struct history_log *history;
	uint64_t (*now_us)(void *owner); /* time of the history */
	uint64_t seed;
	const struct dialect *dialect;
	const struct contract *contract; /* of the target; NULL: the dialect's */
	const struct opt_map *variables; /* of the dialect; may be NULL */
	const struct opt_map *headers; /* the target's own fields; may be NULL */
	const struct workload_way *ways; /* clients are spread over them in turn; a reconnect takes the next one */
	size_t n_ways;
	const char *source;            /* local address, or NULL */
	const char *id_header;         /* of the target's answer to a handshake, with its correlation id; NULL: none */
	/* Stream faults on the clients' connections; NULL: none. A connection's number in the set is always the same, so
	 * that a seed chooses the same ones whoever comes first: workload_find_connection(). */
	struct toxics *subscriber_toxics, *publisher_toxics;
	void *owner;
};

struct workload;

struct workload_state {
	uint64_t clients, up;          /* all; those that are connected and may speak */
	uint64_t subscribed, wanted;   /* subscriptions that are confirmed, of those that are wanted */
	uint64_t published, unsure, refused, delivered; /* publishes answered ok, info, fail; messages that came */
	uint64_t waiting;              /* publishes without an outcome yet */
	uint64_t missing;              /* confirmed messages that subscribers which are up have not been given yet, a message
					* once for each of them; what is owed: account.h */
	uint64_t skipped;              /* turns to publish that passed, because the publisher could not */
	uint64_t reconnects, given_up; /* connections after a client's first; clients that will not come back */
};

/* -EINVAL, -ENOTSUP (the dialect cannot publish, ...), -ENOMEM, with a sentence. */
int workload_new(const struct workload_site *site, const struct workload_options *o, struct workload **ret_workload,
		 struct err *e);
/* Opens all, subscribers first; publishing begins when told. */
void workload_open(struct workload *w);
void workload_publish(struct workload *w, bool on);
/* n messages at the same rate, and then no more. */
void workload_publish_some(struct workload *w, uint64_t n);
/* Of those, so many are not published yet; 0 while it publishes without an end. */
uint64_t workload_unpublished(const struct workload *w);
/* Off: subscribers acknowledge nothing. On: what is due at once. */
void workload_acks(struct workload *w, bool on);
/*
 * So many of the subscribers, the first ones, dial again while their connection is open, as a device does that changes
 * networks: what comes over the old one from then on is told as a Ping, and its end.
 */
void workload_take_over(struct workload *w, double share);
void workload_state(const struct workload *w, struct workload_state *ret);
/* Everybody is up and subscribed, every publish has its outcome, and nothing is missing. */
bool workload_settled(const struct workload *w);
/* Each client says Close 1000 and takes no new connection. */
void workload_close(struct workload *w);
bool workload_closed(const struct workload *w);
void workload_free(struct workload *w);
/* Whose a connection of a set of toxics is (chain_connection()); 0, 0: nobody's. A publisher by HTTP: the client, and
 * the how manyth of its connections. */
void workload_find_connection(const struct workload *w, bool publishers, uint64_t number, uint32_t *ret_client,
			      uint32_t *ret_connection);
const char *workload_channel_name(const struct workload *w, uint32_t channel);
uint32_t workload_channels(const struct workload *w);
/* Drops the connections of the first n clients that are up (0: all) without a Close, by RST. */
void workload_drop(struct workload *w, uint64_t n);
