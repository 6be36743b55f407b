#pragma once
/*
 * What happens during a scenario, as one ordered history: operations of the clients, frames of interest, faults, lines
 * of the target's log, samples of its metrics. Checkers (harness/check) see the events as they come; history.h writes
 * them down. An event is small and flat, so that half a million a second can be looked at.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "harness/base/buf.h"
#include "harness/base/err.h"

enum { EVENT_TEXT_MAX = 3000 }; /* octets of one text that are written down; the rest is left out */

enum { EVENT_NODES_MAX = 64 }; /* nodes that who reads a history tells apart, as many as a target file may have */

enum event_kind {
#define EVENT(NAME, name, about) EVENT_##NAME,
#include "harness/history/events.def"
#undef EVENT
	EVENT_KINDS
};
const char *event_kind_name(enum event_kind kind);
const char *event_kind_about(enum event_kind kind);

enum event_type { EVENT_INVOKE, EVENT_OK, EVENT_FAIL, EVENT_INFO, EVENT_TYPES };
const char *event_type_name(enum event_type type);

/* What a server says about a resume: nothing, that everything missed follows, that something is gone. */
enum recovered { RECOVERED_UNTOLD, RECOVERED_YES, RECOVERED_NO };

/* Who ended a connection. NETWORK: no Close frame went either way before it was gone. */
enum end_by { END_BY_NOBODY, END_BY_CLIENT, END_BY_SERVER, END_BY_NETWORK };
const char *end_by_name(enum end_by by);

/* Numbers count from 1; 0 is none. Texts may be NULL, are UTF-8 made safe by json_text(), and live during the call. */
struct event {
	uint64_t at_us;            /* since the run began; a log line: when it was read */
	uint64_t number;           /* in the history; set by history_add() */
	enum event_kind kind;
	enum event_type type;
	uint32_t client;           /* a subscriber or publisher */
	uint32_t connection;       /* of that client */
	uint32_t node;             /* of the target file */
	uint32_t channel;
	uint32_t publisher;        /* the client that published the message, as the message itself says; 0: not readable */
	uint64_t index;            /* the how manyth of that publisher on that channel */
	uint64_t sent_us;          /* when it was published, as the message itself says */
	uint32_t said_channel;     /* the channel it was published on, as the message itself says */
	bool corrupt;              /* its checksum is wrong, or it is none of this run */
	bool replay;
	bool resumes;              /* a subscribe asks to go on at a position, with a number or with none that can be read */
	uint64_t seq;              /* the server's number; 0: it gives none */
	uint32_t epoch;            /* the distinct epochs of a channel, numbered as they come */
	enum recovered recovered;
	int code;                  /* close code or HTTP status */
	enum end_by by;
	bool clean;                /* Close frames went both ways */
	double value;
	const char *text, *note;
	const char *id;            /* correlation id of a connection, as the target's log has it */
	const char *line;          /* of the target's log, itself */
};

/*
 * One line of the file without its line end: {"n":7,"at":1.234567,"event":"deliver","type":"ok","client":3,...}; fields
 * that are 0, false or NULL are left out. at and sent are seconds; a number above 2^63 - 1 is written as that one; a
 * value that is not finite is left out. A new reference, NULL without memory.
 */
json_t *event_to_json(const struct event *e);
/* Appends the same text, fast. 0, -ENOBUFS or -ENOMEM with part of it appended. */
int event_append(struct buf *b, const struct event *e);
/* Texts are borrowed from the object. -EINVAL with a sentence for what is none; an unknown field is refused. */
int event_from_json(const json_t *o, struct event *ret, struct err *e);
