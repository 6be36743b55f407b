#pragma once
/*
 * wsquall init: a look at a server that nobody has described yet, and the target file that comes of it. A few
 * connections one after the other, each with a deadline; what the server says is data, and whatever it says, a file
 * comes out that `wsquall certify` takes.
 */
#include "harness/base/rng.h"
#include "harness/live.h"
#include "harness/run/conn.h"
#include "harness/target/dialect.h"
#include "harness/target/target.h"

enum {
	INIT_SUBPROTOCOLS_MAX = 16,
	INIT_SHOWN_MAX = 200,    /* octets of a message that are shown */
	INIT_PAGE_MAX = 4 << 20, /* octets of a page of metrics */
	INIT_NAMES_MAX = 8,      /* names of metrics that are proposed for one thing */
};

/* Keys of `metrics` in a target file that names are proposed for, in the order of the file. */
#define INIT_METRIC_LIST(KEY) \
	KEY(connections) KEY(queue) KEY(received) KEY(sent) KEY(slow_consumers) KEY(backplane_up) KEY(closes) KEY(latency)
enum init_metric {
#define KEY(key) INIT_METRIC_##key,
	INIT_METRIC_LIST(KEY)
#undef KEY
	INIT_METRIC_KEYS
};

/* What a page calls so, in its order; sure: it can be nothing else. */
struct init_names {
	const char *names[INIT_NAMES_MAX];
	bool sure[INIT_NAMES_MAX];
	size_t n;
};

enum init_page { INIT_METRICS, INIT_READYZ, INIT_HEALTHZ, INIT_READY, INIT_HEALTH, INIT_PAGES };

/* What was seen. Texts live in the arena; NULL, 0, false: not, or not known. */
struct init_found {
	const char *server; /* the Server field, made printable */
	bool echo;          /* at `echo_url` */
	const char *echo_url;
	bool pong;
	unsigned unasked;     /* messages that came before anything was said */
	const char *first;    /* the first of them, made printable */
	int answer_close;     /* code by which it answered Close 1000; 1005: an empty one; 0: no Close came */
	bool answer_fin;      /* and then it ended the connection */
	int text_close;       /* code by which it closed on a text it did not know; 1006: without a Close */
	int early_close;      /* the same, before it was told anything */
	int bare_status;      /* of the URL as it was given, when only a dialect's request is answered by 101 */
	bool any_subprotocol; /* it takes whatever is offered first */
	const char *subprotocols[INIT_SUBPROTOCOLS_MAX];
	size_t n_subprotocols;
	const char *deflate;                     /* how it answered an offer of permessage-deflate, made printable */
	int absent_status;                       /* of a path that should not exist */
	int origin_status;                       /* of an Origin that nobody allows; 101: it is let in */
	int origin_status_echo;                  /* the same at `echo_url` */
	const char *id_header;                   /* a field that names the connection: another value each time */
	const char *dialect;                     /* a built-in one that it speaks */
	const char *dialect_proof;               /* what shows it, a clause */
	int pages[INIT_PAGES];                   /* HTTP status of each; 0: no answer */
	bool metrics_samples;                    /* and the first is a page of metrics */
	struct init_names metrics[INIT_METRIC_KEYS]; /* by key of the target file */
	bool memory, descriptors; /* it tells those by their usual names */
	long pid;                 /* of the process that listens, when it is on this machine */
	const char *command;      /* its name */
};

struct init {
	struct loop loop;
	struct arena arena;
	struct target target; /* the URL alone */
	struct dial_addresses addresses;
	struct tls_context *tls;
	struct rng rng;
	const struct opt_map *headers; /* sent with every handshake; secret */
	const char *ca;                /* as told; NULL: the system's */
	bool insecure;
	uint32_t timeout_ms;
	struct live live;             /* a line that says what is looked at */
	const char *talk_target;      /* path and query that are answered by 101; NULL: the URL's */
	const char *talk_subprotocol; /* that it does not go without; NULL: none */
	struct init_found found;
};

/* One connection --------------------------------------------------------------------------------------------------- */

struct init_visit {
	/* Set before: */
	const char *target;                             /* path and query; NULL: the URL's */
	const char *subprotocols, *extensions, *origin; /* values of fields, or NULL */
	const struct opt_pair *headers;                 /* more of them */
	size_t n_headers;
	void (*on_event)(struct init_visit *v,
			 const struct conn_event *e); /* after CONN_OPEN; NULL: the reply is enough */
	void (*on_time)(struct init_visit *v);        /* init_visit_wait() is over; NULL: that ends the visit */
	void *owner;

	/* Set by it: */
	struct init *in;
	struct conn conn;
	struct arena arena;
	struct transcript transcript;
	struct handshake_request request;
	struct timer timer;
	bool connected, over;
	int status;    /* of the reply; 0: none */
	char why[200]; /* there is no status */
};

/* Blocks until it is over, at most the deadline for the reply and then what was waited for. Call init_visit_fini. */
void init_visit_run(struct init *in, struct init_visit *v);
void init_visit_fini(struct init_visit *v);
/* From on_event: */
void init_visit_say(struct init_visit *v, uint8_t opcode, struct span payload);
/* So long from now on; anew each time. */
void init_visit_wait(struct init_visit *v, uint32_t ms);
void init_visit_end(struct init_visit *v);

/* The parts of the look, each blocking -------------------------------------------------------------------------------
 */

/*
 * How it talks. -EHOSTUNREACH with a sentence: it cannot be reached, or answers no HTTP. -EPROTO: it refuses the
 * handshake (found.bare_status), perhaps for want of what a dialect would have said.
 */
int init_look_plain(struct init *in, struct err *e);
/* Again, by the request of the dialect that was found, or with the subprotocol without which it closes. */
void init_look_again(struct init *in);
void init_look_subprotocols(struct init *in);
void init_look_refusals(struct init *in);
void init_look_dialect(struct init *in);
void init_look_http(struct init *in);
void init_look_process(struct init *in);

/* What is looked at now, a clause: takes the place of what was there, on a terminal only. */
void init_tell(struct init *in, const char *what, ...) __attribute__((format(printf, 2, 3)));
/* What a peer said, as one line that is safe to show; at most INIT_SHOWN_MAX octets of it. In the arena. */
const char *init_printable(struct init *in, struct span s);
/* The path of a page. */
const char *init_page_path(enum init_page page);
/* A text in double quotation marks, as YAML and conf.h read it back. In the arena. */
const char *init_quoted(struct init *in, const char *text);
/* Names on a page of metrics, and the lines of the file under its `metrics`. */
void init_metrics_read(struct init *in, struct span page);
void init_metrics_write(struct init *in, struct buf *b);
/* "http://127.0.0.1:80" of the target. */
const char *init_origin(struct init *in);

/* The file. 0, -ENOBUFS, -ENOMEM. */
int init_write(struct init *in, struct buf *b);
