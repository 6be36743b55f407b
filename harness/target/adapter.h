#pragma once
/*
 * An adapter: a process that translates the messages of a protocol which templates cannot express (a binary one). It
 * never touches the network: the connection stays ours, with its faults, close codes and reconnects. One process serves
 * all connections. A dialect with `transport: adapter` names its command and has ordinary rules for the JSON between.
 *
 *	session  --say-->  adapter  --send-->  connection
 *	session  <-heard-  adapter  <-message- connection
 *
 * It reads lines of JSON on its standard input and answers each with any number of lines and one {"connection":N,
 * "done":true}, in order; its standard error is ours.
 *
 *	to it      {"connection":7,"open":true}                       a new connection; N is not in use
 *	           {"connection":7,"say":JSON}                        what the session says
 *	           {"connection":7,"message":BASE64,"binary":true}    a whole message of the target's
 *	           {"connection":7,"closed":true}                     it is over; forget it
 *	from it    {"connection":7,"send":BASE64,"binary":true}       a message to the target
 *	           {"connection":7,"heard":JSON}                      what the session is to hear
 *	           {"connection":7,"broken":"why"}                    the target broke the protocol
 *	           {"connection":7,"done":true}
 *
 * It ends with status 0 at the end of its input. Written in docs/adding-a-dialect.md for those who write one.
 */
#include "harness/base/opt.h"
#include "harness/net/loop.h"

enum {
	ADAPTER_LINE_MAX = 96 << 20,   /* octets of one line of its */
	ADAPTER_UNREAD_MAX = 256 << 20, /* octets that wait for it to read them */
	ADAPTER_LINKS_MAX = 200000,
	ADAPTER_STOP_MS = 2000,        /* between the end of its input and SIGKILL */
};

struct adapter;
struct adapter_link;                   /* one connection */

/* From the loop only. `broken` comes once, and nothing of this link after it: also when the process is gone. */
struct adapter_events {
	void (*send)(void *owner, struct span message, bool binary);
	void (*heard)(void *owner, struct span message); /* for session_receive() */
	void (*broken)(void *owner, const char *why);
};

/* command: its first word is looked for beside our own executable, then in PATH. Negative errno with a sentence. */
int adapter_start(struct loop *l, const struct opt_strings *command, struct adapter **ret_adapter, struct err *e);
/* Ends its input, waits at most ADAPTER_STOP_MS. NULL is fine; links must be closed. */
void adapter_stop(struct adapter *a);

/* -ENOBUFS: ADAPTER_LINKS_MAX, or it does not read; -EPIPE: it is gone; -ENOMEM. */
int adapter_open(struct adapter *a, const struct adapter_events *events, void *owner, struct adapter_link **ret_link);
int adapter_message(struct adapter_link *link, struct span message, bool binary);
/* message: of the session's `say`, a JSON text. */
int adapter_say(struct adapter_link *link, struct span message);
/* How long something that it was told has been waiting for its answer: about as far as it is behind. */
uint64_t adapter_behind_us(const struct adapter *a, uint64_t now_us);
/* No callback comes any more. From inside one, too. NULL is fine. */
void adapter_close(struct adapter_link *link);
