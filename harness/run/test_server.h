#pragma once
/*
 * For the tests of this folder: a WebSocket server in threads with blocking sockets, none of the code under test. Each connection follows a
 * script of acts; when the script has ended the server behaves: it echoes, answers Pings, answers a Close and ends with FIN.
 */
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum act_kind {
	ACT_END,     /* of the script: behave from now on */
	ACT_OPEN,    /* read the request, answer a correct 101; text: more lines in it, or NULL */
	ACT_ASKED,   /* only read the request */
	ACT_GET,     /* read frames until one with this first octet comes (FIN and opcode); it is kept */
	ACT_SAY,     /* octets as they are, in one send */
	ACT_FILL,    /* number: that many octets 'x' */
	ACT_BACK,    /* the kept payload in a frame with this first octet */
	ACT_ACCEPT,  /* the Accept value of the request, as text */
	ACT_FIN, ACT_RST,
	ACT_HANG,    /* neither read nor write until the client is gone or the server is stopped */
};

struct act {
	enum act_kind kind;
	const char *text;
	size_t len;      /* of text; or the number */
	uint8_t first;
};

#define S_OPEN {.kind = ACT_OPEN}
#define S_ASKED {.kind = ACT_ASKED}
#define S_GET(octet) {.kind = ACT_GET, .first = (octet)}
#define S_SAY(s) {.kind = ACT_SAY, .text = (s), .len = sizeof(s) - 1}
#define S_FILL(n) {.kind = ACT_FILL, .len = (n)}
#define S_BACK(octet) {.kind = ACT_BACK, .first = (octet)}
#define S_ACCEPT {.kind = ACT_ACCEPT}
#define S_FIN {.kind = ACT_FIN}
#define S_RST {.kind = ACT_RST}
#define S_HANG {.kind = ACT_HANG}
#define SCRIPT(...) (const struct act[]){__VA_ARGS__, {.kind = ACT_END}}
/* Script of a correct 101. */
#define BEHAVES SCRIPT(S_OPEN)

enum { SERVER_CONNECTIONS_MAX = 256 };

struct server {
	const struct act *script;      /* of every connection */
	const struct act *then;        /* not NULL: of every connection but the first */
	bool late;                     /* after its first death it dies late: the connection behind the poison is the last one, and is served */
	int guest;                     /* not 0: its first death waits for the connection of this number (0: the first), which is cut off unanswered */
	bool reborn;                   /* its death cuts everybody off, but the next process listens already: nobody is refused */
	bool brief;                    /* each connection is cut off as soon as the next one comes */
	const char *poison;            /* not NULL: a text message with these octets kills the server: every socket is closed at once */
	uint16_t port;
	int listener;
	atomic_int count;              /* of connections, all that ever were */
	atomic_int deaths;
	atomic_bool dead, dying;
	pthread_mutex_t lock;
	pthread_t acceptor, threads[SERVER_CONNECTIONS_MAX];
	int fds[SERVER_CONNECTIONS_MAX], n_threads;
};

/* Set script, then, poison before; port 0: a free one. Asserts. */
void server_start(struct server *s);
/* Ends all connections and threads. */
void server_stop(struct server *s);
