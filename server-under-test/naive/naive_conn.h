#ifndef SERVER_NAIVE_CONN_H
#define SERVER_NAIVE_CONN_H

#include <ev.h>

#include "server-under-test/http/http_head.h"
#include "server-under-test/naive/naive_session.h"
#include "server-under-test/server.h"

#define CONN_OUT_HIGH (1024 * 1024) /* unsent octets above which the peer is not read */
#define CONN_LINGER_S 2.0 /* after our FIN, for the peer's */

enum conn_phase {
	CONN_HEAD, /* the request head is being read */
	CONN_OPEN, /* session */
	CONN_FLUSH, /* what is queued is sent, then FIN */
	CONN_LINGER, /* our FIN is sent: octets are discarded until the peer's FIN, so that no RST destroys what we sent */
};

/* One accepted socket of the naive engine, in a list of its engine. */
struct naive_conn {
	struct naive_conn *next, *prev;
	struct naive_engine *engine;
	int fd;
	enum conn_phase phase;
	bool websocket; /* it was opened: a ws.disconnect is due */
	bool peer_ended; /* its FIN was read */
	ev_io read_io, write_io;
	ev_timer deadline;
	struct http_parser parser;
	struct session session; /* its `out` also carries HTTP replies */
	struct conn_info info;
};

struct naive_engine {
	struct server *server;
	struct naive_conn *conns;
	unsigned websockets;
};

/* Takes over fd. */
void naive_conn_new(struct naive_engine *engine, int fd, const char *ip);
void naive_conn_free(struct naive_conn *conn); /* also closes and logs */

/* True when a Close was queued: not for one that is closing already. */
bool naive_conn_close(struct naive_conn *conn, unsigned code);

#endif
