#pragma once
/* Grading of what was seen against a rule of a row. Pure: what happened goes in, a grade and two sentences come out. */
#include "harness/base/buf.h"
#include "harness/run/case.h"

/* How a connection ended. */
struct end_seen {
	bool close;            /* a Close frame came */
	bool close_body;       /* with at least two octets of body */
	bool close_short;      /* with one octet of body */
	uint16_t code;         /* of the body */
	bool eof, rst;         /* TCP's end: FIN, RST */
	bool unclean;          /* on TLS: FIN without close_notify */
	int error;             /* another end: negative errno */
	bool bad_close;        /* the violation was itself a Close frame: answering it like a good one is a warn */
	bool we_dropped;       /* we gave TCP up ourselves after the Close frames */
	uint32_t waited_ms;    /* until TCP's end, or until we stopped waiting, counted from the Close of the target or from ours */
	uint32_t close_ms;     /* until the Close frame, counted from when it was waited for */
	int our_code;          /* code of the Close that we sent; -1: none in it, -2: we sent no Close */
};

/* Appends what was seen ("Close 1002 (protocol error), then FIN") and what the rule asks for ("Close 1002, FIN or RST"). */
enum grade judge_end(const struct end_rule *rule, const struct end_seen *seen, struct buf *seen_text, struct buf *required_text);

struct http_seen {
	bool open;             /* 101 */
	int status;            /* 0: no reply */
	bool eof, rst;         /* ended without a complete reply */
	int error;
	bool not_http;         /* something came that is no HTTP reply */
};
enum grade judge_http(const struct http_rule *rule, const struct http_seen *seen, struct buf *seen_text, struct buf *required_text);

static inline enum grade grade_worst(enum grade a, enum grade b)
{
	return a < b ? a : b;
}
