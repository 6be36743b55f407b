#pragma once
/*
 * A case is a row: an id that never changes, what it proves, and a list of steps that the interpreter (interp.h) runs on one connection
 * (or several in turn). Rows live in suites/; nothing in a row is code.
 *
 * How the interpreter reads a list of steps:
 *  - Request steps (SET, ADD, DROP, METHOD, ...) come first and change the opening handshake that will be sent.
 *  - A reply step (OPENS, REJECTS, HTTP) sends it and judges the answer. Without one, the first other step opens the connection by itself and
 *    a target that refuses makes the case inconclusive. Steps after a reply step run only when the connection was opened.
 *  - Sending steps (SEND, MESSAGE, RAW, ...) write at once, each frame as its own write unless CHOP, GATHER or CUT say otherwise.
 *  - What was sent is remembered: every complete data message owes an echo, every ping a pong. An ECHO or PONG step waits for it. Whatever else
 *    arrives (a message nobody sent, an echo with other octets, echoes out of order, a pong that matches no ping) fails the case.
 *  - SEND(..., .bad = true), or a RAW_BAD, is the violation of the case: frames sent after it owe nothing, and an answer to it or to them is a fail.
 *    FAILS(code) waits for the end of the connection and grades it; when the target shows no reaction the interpreter sends a Ping after a
 *    while: a Pong proves that the violation was overlooked.
 *  - What is sent after our own Close owes nothing. A Pong for such a Ping is a note before the target's Close and a warn after it (RFC 6455 5.5.2).
 *  - QUIET proves absence: a Ping is sent, and its Pong must be the next thing seen.
 *  - When the steps are done and the connection is open it is closed politely; that part is not graded.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/ws/frame.h"

/* MUST: a deviation is a fail. SHOULD: a warn. INFO: recorded, never graded. */
enum req_level { REQ_MUST, REQ_SHOULD, REQ_INFO };

enum need_bit {
#define NEED(NAME, name, why) NEED_BIT_##NAME,
#include "harness/run/needs.def"
#undef NEED
	NEED_COUNT
};
enum need {
#define NEED(NAME, name, why) NEED_##NAME = 1u << NEED_BIT_##NAME,
#include "harness/run/needs.def"
#undef NEED
};
enum watch {
#define WATCH(NAME, about) WATCH_##NAME,
#include "harness/run/watch.def"
#undef WATCH
	WATCH_COUNT
};

/* How good a reaction is. The default, zero, is a fail: a reaction that no row names is wrong. NOTE: pass, and the report says what came. */
enum grade { GRADE_FAIL, GRADE_WARN, GRADE_NOTE, GRADE_PASS };

/* In a numeric field that says so: the number of the repeat, counted from `first_iter`. */
#define AT_ITER (-1)

/* Octets of a payload: literal, or `pattern` octets made up by the interpreter: position-dependent printable ASCII for text, all octet
 * values for anything else, from the case's seed. `repeat_lit` repeats the literal to `pattern` octets. */
struct payload {
	const char *lit;
	size_t lit_len;
	size_t pattern;
	bool repeat_lit;
};
enum mask_mode { MASK_RANDOM, MASK_NONE, MASK_ZERO, MASK_ONES, MASK_1234 /* 01 02 03 04 */, MASK_EXAMPLE /* 37 fa 21 3d, RFC 6455 5.7 */ };

/* One frame to send. */
struct frame_spec {
	uint8_t opcode;
	struct payload payload;
	bool more;             /* FIN 0 */
	uint8_t rsv;
	bool rsv_iter;         /* rsv is the number of the repeat */
	bool opcode_iter;      /* opcode is the number of the repeat */
	enum mask_mode mask;
	enum frame_form form;
	bool declare;          /* write `declared` as the length */
	uint64_t declared;
	int cut;               /* >0: send only this many octets of the frame; AT_ITER allowed. 0: all */
	unsigned times;        /* send it this often; 0 is 1 */
	bool numbered;         /* append "-<index>" to the payload each time */
	bool bad;              /* this is the violation */
	unsigned fragment;     /* MESSAGE: fragment size in octets; the message becomes ceil(len/fragment) frames, at least one */
	int split;             /* MESSAGE: two frames, the first of this many octets; AT_ITER allowed */
	bool empty_last;       /* MESSAGE: one more empty frame with FIN */
};

/* How the end of a connection is graded. Code lists end at 0 (close code 0 cannot be listed; it is unsendable). */
struct end_rule {
	uint16_t pass[6], note[4], warn[4];
	enum grade same;       /* Close with the code that we sent */
	enum grade normal;     /* Close 1000 when not listed and not `same` */
	enum grade none;       /* Close with an empty body */
	enum grade other;      /* Close with another sendable code */
	enum grade unsendable; /* Close with a code that must never be on the wire, or a one-octet body */
	enum grade fin, rst;   /* TCP ends by FIN or RST and no Close frame was seen */
	enum grade open;       /* still open at the deadline */
	enum grade tcp_open;   /* a Close frame came, but TCP was still open at the deadline */
	enum grade overlooked; /* the violation was taken for good: the one thing that came is the right echo or Pong for it, or the probing Ping's Pong */
	bool clean;            /* after the Close TCP must end by FIN (TLS: after a close_notify); RST or no close_notify is a warn */
	uint32_t slow_close_ms; /* not 0: the target's Close later than this after ours is a warn */
	uint32_t slow_ms;      /* not 0: TCP's end later than this after both Closes (or after the Close of a failing target) is a warn */
};

/* How the reply to the opening handshake is graded. Status lists end at 0. */
struct http_rule {
	uint16_t pass[8], note[6], warn[6], fail[4];
	enum grade open;           /* 101, and an echo (or a Ping) works afterwards */
	bool bare;                 /* 101 alone is enough: nothing is sent to see whether it works */
	enum grade ok, redirect;   /* 2xx, 3xx not listed */
	enum grade client_error, server_error; /* 4xx, 5xx not listed */
	enum grade closed;         /* TCP ended without a reply */
	enum grade silent;         /* neither a reply nor an end: not waited for until the deadline unless it is a fail */
};

enum step_kind {
	STEP_END,
	/* request */
	STEP_METHOD, STEP_TARGET, STEP_VERSION,  /* text replaces the part of the request line */
	STEP_SET, STEP_ADD, STEP_DROP,           /* header field name, text */
	STEP_FIELD_RAW,                          /* text: octets of one line, its line end included, after the other fields */
	STEP_REQUEST_RAW,                        /* text: the whole request */
	STEP_BODY,                               /* text: octets after the empty line */
	STEP_SHUFFLE,                            /* fields in seeded order */
	STEP_LF_ONLY,                            /* line ends are bare LFs */
	STEP_PADDING,                            /* number: that many harmless fields X-Padding-n: v */
	STEP_NO_SEND,                            /* connect and send nothing at all */
	STEP_PLAIN,                              /* plain TCP to the TLS port */
	/* reply */
	STEP_HTTP,                               /* http rule */
	STEP_FIELD_HAS, STEP_FIELD_LACKS,        /* of the last reply: name's list has / has not the element `text`; text NULL: field present / absent */
	STEP_FIELD_IS,                           /* of the last reply: exactly one field, with this value */
	                                         /* FIELD_*: number 0: any reply; 1 to 5: only one of that class; else: only that status. No reply: nothing */
	STEP_STRAY,                              /* on a connection whose handshake was refused: send stray frames, see STRAY_FRAMES */
	/* sending */
	STEP_SEND, STEP_MESSAGE,                 /* frame */
	STEP_RAW,                                /* text: octets as they are; number 1: this is the violation */
	STEP_SEND_CLOSE,                         /* number: code (-1: no body); text: reason; AT_ITER not allowed */
	STEP_CHOP,                               /* number: octets per write from now on, paced; 0: whole frames; AT_ITER allowed */
	STEP_CUT,                                /* number: the next write is cut after this many octets, the rest follows paced; AT_ITER allowed;
	                                            below -1: that many octets, less one, before its end. Before a reply step, CHOP and CUT cut the request */
	STEP_GATHER,                             /* everything up to the next waiting step goes out in one write */
	STEP_PAUSE,                              /* number: milliseconds; for what truly needs time */
	STEP_FIN, STEP_RESET,                    /* our FIN (half-close), our RST */
	STEP_TRIGGER,                            /* sends the text message of `close_trigger`; it owes no echo, but may have one. The Close that follows is
	                                          * answered at once with its own code, unless we have sent one */
	STEP_STOP_READING,                       /* read nothing until the next waiting step */
	/* waiting */
	STEP_ECHO,                               /* all owed echoes have come */
	STEP_PONG,                               /* the newest ping's pong has come (older ones may be skipped: note); number: not 0: after more ms a warn */
	STEP_QUIET,                              /* barrier */
	STEP_ENDS,                               /* end rule */
	STEP_NEW_CONNECTION,                     /* leave this connection (polite close), start over with an unchanged request */
	STEP_ALIVE,                              /* a fresh connection works: canary */
};

struct step {
	enum step_kind kind;
	const char *name, *text;
	size_t text_len;
	long number;
	enum grade grade;      /* FIELD_*: what a deviation is (GRADE_FAIL unless set) */
	struct frame_spec frame;
	struct http_rule http;
	struct end_rule end;
};

struct test_case {
	const char *id;            /* group/name, stable for ever */
	const char *title;         /* one sentence: what the target must do */
	const char *rfc;           /* "6455 5.5" */
	enum req_level level;
	const char *requirements;  /* ids, separated by spaces */
	const char *autobahn;      /* ids, separated by spaces, or NULL */
	const char *explain;       /* why it matters, and which reading of the RFC is graded; may be NULL where the title says all */
	const char *fix;           /* what to change in a server that fails; one or two sentences */
	unsigned needs;            /* NEED_* bits */
	enum watch watch;          /* a watcher has no steps */
	unsigned repeat;           /* run this often, each on a fresh connection; the worst result counts; 0 is 1 */
	int first_iter;            /* number of the first repeat */
	bool canary;               /* look whether the target lives afterwards, even when the case passed */
	const struct step *steps;  /* ends with STEP_END */
};

/* A table of cases; a suite is an array of these, in suites/suites.c. */
struct case_table {
	const char *suite;         /* "conformance" */
	const char *group;         /* id prefix without the slash */
	const char *about;         /* one line */
	const struct test_case *cases;
	size_t n;
};

/* One row of requirements.def: an RFC sentence, restated. */
struct requirement {
	const char *id, *rfc, *section, *level, *role, *observable, *text;
	const char *hole;          /* why no case covers it; NULL: cases must */
};
