#pragma once
/*
 * The opening handshake, RFC 6455 4: a request writer whose every line can be replaced, dropped, added or spoiled,
 * and a strict parser for the reply, which records what it saw and reports faults as data.
 */
#include "harness/base/arena.h"
#include "harness/base/buf.h"

enum { HANDSHAKE_KEY_LEN = 24, HANDSHAKE_ACCEPT_LEN = 28 };

/* base64 of 16 octets; out of HANDSHAKE_KEY_LEN + 1. */
void handshake_key(const uint8_t nonce[16], char out[HANDSHAKE_KEY_LEN + 1]);
/* RFC 6455 4.2.2 (5.4): base64(SHA-1(key text, trimmed by the caller, + GUID)); out of HANDSHAKE_ACCEPT_LEN + 1. */
void handshake_accept(struct span key, char out[HANDSHAKE_ACCEPT_LEN + 1]);

/* One header field of a request as it will be written: "name: value\r\n", or `raw` octets in place of it. */
struct handshake_field {
	struct span name, value;
	struct span raw;           /* when raw.p is set: written as is, line end not added */
};

struct handshake_request {
	struct span method, target, version; /* "GET", "/echo", "HTTP/1.1" */
	struct handshake_field fields[64];
	size_t n_fields;
	struct span raw;           /* when raw.p is set: the whole request, everything else is ignored */
	struct span body;          /* octets after the empty line */
	bool lf_only;              /* line ends are a bare LF */
};

/*
 * GET target HTTP/1.1 with Host, Upgrade, Connection, Sec-WebSocket-Key, Sec-WebSocket-Version: 13, in this order.
 * Spans are borrowed.
 */
void handshake_request_init(struct handshake_request *r, struct span target, struct span host, struct span key);
/* First field with this name (ASCII case-insensitive), or NULL. */
struct handshake_field *handshake_request_find(struct handshake_request *r, const char *name);
/* Removes every field with this name. */
void handshake_request_drop(struct handshake_request *r, const char *name);
/* Replaces the value of the first such field, drops the others; adds it when absent. -ENOSPC when fields are full. */
int handshake_request_set(struct handshake_request *r, const char *name, struct span value);
/* Adds one more field, whatever is there already. -ENOSPC. */
int handshake_request_add(struct handshake_request *r, const char *name, struct span value);
int handshake_request_add_raw(struct handshake_request *r, struct span raw);
/* 0, -ENOBUFS, -ENOMEM; nothing is appended on failure. */
int handshake_request_write(const struct handshake_request *r, struct buf *b);

/* Faults of a reply head: a bit set. The parser goes on after each as well as it can. */
enum handshake_fault {
	HANDSHAKE_FAULT_STATUS_LINE = 1 << 0,  /* not "HTTP/1.x NNN reason" */
	HANDSHAKE_FAULT_VERSION = 1 << 1,      /* well-formed but not HTTP/1.1 */
	HANDSHAKE_FAULT_FIELD = 1 << 2,        /* no colon, space before the colon, name not a token, empty name */
	HANDSHAKE_FAULT_VALUE = 1 << 3,        /* NUL, bare CR or another control octet in a value */
	HANDSHAKE_FAULT_LINE_END = 1 << 4,     /* bare LF */
	HANDSHAKE_FAULT_FOLD = 1 << 5,         /* obsolete line folding */
	HANDSHAKE_FAULT_TOO_LONG = 1 << 6,     /* over HANDSHAKE_REPLY_MAX octets or HANDSHAKE_FIELDS_MAX fields */
	HANDSHAKE_FAULT_NOT_HTTP = 1 << 7,     /* does not begin with "HTTP/" */
};

struct handshake_reply {
	unsigned faults;
	int status;                /* 0 when there was no status line to be read */
	int version_minor;         /* of HTTP/1.x; -1 unknown */
	struct span reason;
	struct handshake_field *fields; /* name and value trimmed; in order of arrival */
	size_t n_fields;
	size_t size;               /* octets of the head, empty line included */
};

/*
 * Parses the final reply head at the start of `in`; 1xx heads other than 101 before it are skipped and counted in size.
 * 1: complete. 0: more octets needed. Never negative for what a peer sent; -ENOMEM when the arena is full. Spans
 * point into `in`. Only a complete head takes memory of the arena, and then only once; more octets after a complete
 * head change nothing in the answer. Complete at once, without an empty line: octets that cannot become "HTTP/"
 * (NOT_HTTP; size is where they begin), and a head that has not ended within HANDSHAKE_REPLY_MAX octets (TOO_LONG). A folded value
 * keeps its line ends; a line with no name or no colon is not in fields.
 */
int handshake_reply_parse(struct span in, struct arena *a, struct handshake_reply *ret_reply);
/* Is s a token, RFC 9110 5.6.2? Not when empty. */
bool handshake_is_token(struct span s);
/* Number of fields with this name, and the first one's value in *ret_value (may be NULL). */
size_t handshake_reply_count(const struct handshake_reply *r, const char *name, struct span *ret_value);
/*
 * All values of this name joined as one list (RFC 9110 5.3): is `token` an element (ASCII case-insensitive,
 * parameters after ';' ignored)?
 */
bool handshake_reply_has_token(const struct handshake_reply *r, const char *name, const char *token);
/* The n-th non-empty element of the joined list; false when there are fewer. */
bool handshake_reply_element(const struct handshake_reply *r, const char *name, size_t n, struct span *ret_element);

/* Faults of a 101 as an answer to our request: a bit set. RFC 6455 4.1 (client checks 1 to 6) and 4.2.2. */
enum upgrade_fault {
	UPGRADE_FAULT_UPGRADE = 1 << 0,        /* Upgrade absent, repeated or not exactly "websocket" (any case) */
	UPGRADE_FAULT_CONNECTION = 1 << 1,     /* Connection list without "upgrade" */
	UPGRADE_FAULT_ACCEPT = 1 << 2,         /* Sec-WebSocket-Accept absent or wrong */
	UPGRADE_FAULT_ACCEPT_TWICE = 1 << 3,   /* 11.3.3: more than one Accept field */
	UPGRADE_FAULT_EXTENSION = 1 << 4,      /* an extension that was not offered */
	UPGRADE_FAULT_PROTOCOL = 1 << 5,       /* a subprotocol not offered (exact spelling), empty, or not a token */
	UPGRADE_FAULT_PROTOCOL_TWICE = 1 << 6, /* 11.3.4 */
	UPGRADE_FAULT_BODY = 1 << 7,           /* Content-Length above 0 or Transfer-Encoding */
	UPGRADE_FAULT_VERSION = 1 << 8,        /* 101 that is not HTTP/1.1 */
	UPGRADE_FAULT_HEAD = 1 << 9,           /* any handshake_fault in the head */
};
/*
 * request: what was sent (key, offers; lines given raw are read too). Only meaningful when reply->status is 101.
 * Without a key in the request no Accept can be right; with several, the answer to any of them is.
 */
unsigned handshake_upgrade_faults(const struct handshake_request *request, const struct handshake_reply *reply);
