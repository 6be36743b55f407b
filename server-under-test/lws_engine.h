#ifndef SERVER_LWS_ENGINE_H
#define SERVER_LWS_ENGINE_H

#include <libwebsockets.h>

#include "server-under-test/door.h"
#include "server-under-test/handshake.h"
#include "server-under-test/server.h"
#include "server-under-test/utf8.h"

#define LWS_ECHO_QUEUE_MAX (4u * 1024 * 1024) /* unsent octets above which the peer is not read */
#define LWS_TICK_S 0.1 /* how late the library's timeouts may be */
#define LWS_ECHO_WRITE_MAX (1024u * 1024) /* payload octets of one frame we send */

/*
 * One whole message, waiting to be sent or being received. LWS_PRE octets are kept free before the payload for the
 * library.
 */
struct lws_message {
	struct lws_message *next;
	bool binary;
	struct utf8 utf8; /* of a text being received */
	size_t len;
	size_t sent;
	size_t capacity;
	unsigned char *room; /* LWS_PRE + capacity octets */
};

/* One accepted socket, behind the library's opaque pointer from the adoption to LWS_CALLBACK_WSI_DESTROY. */
struct lws_conn {
	struct lws_conn *next, *prev;
	struct lws_engine *engine;
	struct lws *wsi;
	struct conn_info info;
	struct conn_end end; /* code 0: no Close yet */
	bool vetted; /* it came through a door: the library's head is ours */
	bool websocket; /* established and not over */
	bool closing; /* our Close is wanted or sent: data is ignored */
	bool close_sent;
	bool read_paused;
	struct lws_message *incoming;
	struct lws_message *queue, **queue_end;
	size_t queued;
};

struct lws_engine {
	struct server *server;
	struct lws_context *context;
	struct lws_vhost *vhost;
	struct lws_conn *conns;
	unsigned websockets;
	ev_timer tick;
	struct doors doors; /* plain sockets before they are the library's */
	struct lws_conn *adopting; /* until the library knows the pointer */
	/*
	 * Name of the one protocol row that clients can match: set to what is wanted for the moment in which the library
	 * looks it up.
	 */
	char wildcard[LOG_TEXT_MAX];
};

/* Library callbacks by concern. Each returns what the library's callback returns. */
void lws_gate_expect(struct lws_conn *conn, struct text subprotocol, struct text offer);
int lws_gate_filter(struct lws_conn *conn); /* the library has found its protocol row */
int lws_gate_confirm(struct lws_conn *conn); /* an upgrade is asked for: 0 go on, 1 refused and answered */
int lws_gate_http(struct lws_conn *conn); /* a plain request */
int lws_gate_add_headers(struct lws_conn *conn, struct lws_process_html_args *args);

int lws_echo_established(struct lws_conn *conn);
int lws_echo_receive(struct lws_conn *conn, const void *data, size_t len);
int lws_echo_writeable(struct lws_conn *conn);
int lws_echo_peer_close(struct lws_conn *conn, const unsigned char *body, size_t len);
void lws_echo_closed(struct lws_conn *conn);
/* starts the closing handshake; false when one is under way */
bool lws_echo_close(struct lws_conn *conn, unsigned code);
void lws_echo_fini(struct lws_conn *conn);

#endif
