#pragma once
/* The state of a running case, shared by the files interp*.c and by nobody else. */
#include "harness/run/interp.h"

/* Something sent that an answer may come for. */
struct owed {
	struct owed *next;
	uint8_t opcode;
	struct span octets;
	bool optional;               /* an answer may come and is not waited for */
	bool after_bad, after_close; /* sent after the violation, after our Close: an answer is wrong */
};

struct owed_list {
	struct owed *first, **last;
};

enum case_wait {
	WAIT_NOTHING, /* the step machine is running */
	WAIT_OPEN,    /* TCP, TLS */
	WAIT_REPLY,
	WAIT_WORKS,   /* an echo or a Pong after OPENS */
	WAIT_SENDING, /* the paced writer */
	WAIT_PAUSE,
	WAIT_ECHO, WAIT_PONG, WAIT_QUIET,
	WAIT_ENDS,
	WAIT_STRAY,
	WAIT_ALIVE,
	WAIT_FAREWELL,
	WAIT_DONE,
};

enum { NOTE_TEXT_MAX = 300, SILENT_PATIENCES = 3 };
enum { ENDS_WATCHING, ENDS_ASKED, ENDS_ANSWERED };

struct case_run {
	struct case_env *env;
	const struct test_case *tc;
	case_on_done *on_done;
	void *owner;
	struct arena arena;        /* of the current repeat */
	struct rng rng;
	int iter;
	const struct step *at;
	enum case_wait wait;
	struct timer timer, pace, grace;
	uint64_t wait_since_us;

	/* the connection */
	struct conn conn;
	bool dialled;
	struct transcript transcript;
	struct transcript earlier[4]; /* of connections that NEW_CONNECTION left */
	size_t n_earlier;
	struct handshake_request request;
	bool edited, odd_offer, no_send, plain, shuffled, other_service; /* other_service: the path need not echo */
	bool asked, reply_judged;  /* the request was sent; its reply was judged */
	struct http_seen http;

	/* the writer */
	struct buf out;            /* octets not yet written */
	size_t out_at, pieces;
	long chop, cut;
	bool gather, cut_from_end; /* cut counts from the end of the write */

	/* what was sent */
	struct owed_list echoes, pings;
	struct buf message;        /* the message being sent in fragments */
	uint8_t message_opcode;
	bool message_open, bad, sync_lost, triggered;
	unsigned n_closes;         /* Close frames that we sent */
	int our_code;              /* of our Close, as in struct end_seen */
	unsigned n_pings, pings_skipped;
	struct owed *barrier;      /* the Ping of QUIET, of the probe, of OPENS */
	struct owed *newest_ping;
	bool newest_ping_answered, barrier_answered;
	uint32_t pong_ms;          /* PONG_WITHIN; 0: no limit */
	bool probed;               /* the Ping that asks an unmoved target was sent */
	bool stray;                /* stray frames were sent; what came is not judged yet */

	/* the end */
	struct end_seen end;
	int ends_phase;
	uint64_t ends_since_us, ends_wait_us;

	struct case_run *alive;    /* the canary of an ALIVE step */

	/* what is decided */
	enum grade grade;
	bool soft, inconclusive, no_connection, refused, bare, decided;
	bool over_limit;           /* a message was larger than the target takes: nothing is graded */
	struct buf seen, required, note;
	struct case_outcome worst; /* over the repeats so far */
	struct arena kept;         /* holds worst's strings and its transcript */
	char *worst_transcript;
};

/* interp.c */
void case_advance(struct case_run *run);
void case_wait_for(struct case_run *run, enum case_wait wait, uint32_t ms, void (*on_timeout)(void *owner));
/* Lowers the grade; the first reason for the lowest grade is the one reported. Required may be NULL. */
void case_grade(struct case_run *run, enum grade grade, const char *required, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void case_note(struct case_run *run, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void case_on_silence(void *owner);
void case_wait_answer(struct case_run *run, enum case_wait wait);
/* The wait is over and that is all: the next step. */
void case_on_wait_over(void *owner);

/* interp_repeat.c */
/* Decided: no further step; what is left is the polite end. */
void case_finish(struct case_run *run);
/* On the loop's next turn, when no callback of the connection is on the stack any more. */
void case_later(struct case_run *run, void (*what)(void *owner));
void case_leave_connection(struct case_run *run);

/* interp_open.c */
void case_dial(struct case_run *run);
void case_send_request(struct case_run *run);
void case_judge_reply(struct case_run *run);
void case_judge_implicit_reply(struct case_run *run);

/* interp_request.c */
void case_request_init(struct case_run *run);
bool case_is_request_step(enum step_kind kind);
void case_request_step(struct case_run *run, const struct step *s);
/* Replaces {words}; the result lives in the arena. */
struct span case_text(struct case_run *run, const char *text, size_t len);
void case_check_field(struct case_run *run, const struct step *s);

/* interp_send.c: each returns true when the machine has to wait for the paced writer. */
bool case_send_step(struct case_run *run, const struct step *s);
bool case_flush(struct case_run *run);
struct owed *case_send_ping(struct case_run *run, const char *prefix);
void case_send_close(struct case_run *run, long code, struct span reason);
void case_send_works(struct case_run *run);
void case_send_trigger(struct case_run *run);
/* Stray frames on a refused connection, and whether an answer to one has come. */
void case_send_stray(struct case_run *run);
bool case_stray_answered(const struct case_run *run);

/* interp_receive.c */
void case_on_event(void *owner, const struct conn_event *e);
bool case_echoes_done(const struct case_run *run);

/* interp_end.c */
void case_ends_start(struct case_run *run);
void case_ends_event(struct case_run *run);
