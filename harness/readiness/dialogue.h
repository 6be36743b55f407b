#pragma once
/*
 * A dialogue: a few connections to the target, made to see whether it does one thing that a check of checks.def asks
 *for: refuses a foreign origin, gives up an unfinished message, counts what it says it counts. It is a row of rows.def
 *and a function that is written down in the order in which things happen:
 *
 *	static void talk(struct dialogue *d)
 *	{
 *		struct talk *t = d->state;
 *		TALK_BEGIN(d);
 *		t->link = dialogue_link(d, &(struct link_options){.label = "as any page"});
 *		TALK_AWAIT(d, dialogue_patience(d), link_settled(t->link));
 *		if (!t->link->opened)
 *			dialogue_unknown(d, "it was not let in");
 *		TALK_END(d);
 *	}
 *
 * The function is left at TALK_AWAIT while the condition does not hold, and called again whenever something of the
 * dialogue happened. So its local variables do not last: what must is in d->state, zeroed at the start. No TALK_AWAIT
 * inside a switch.
 *
 * All dialogues run at once, on one loop, but for those that fill the target up or count what is in it: these come
 * alone, afterwards.
 */
#include "harness/check/check.h"
#include "harness/readiness/journal.h"
#include "harness/readiness/link.h"
#include "harness/readiness/reading.h"
#include "harness/run/result.h"
#include "harness/scenario/site.h"

enum {
	DIALOGUE_LINKS_MAX = 4096,   /* connections of one dialogue, over its time */
	DIALOGUE_PATIENCE_MS = 5000, /* an answer that does not come by then does not come; the target's `timeout` if longer */
	DIALOGUE_LOG_MS = 5000,      /* a line of the log comes within this */
	DIALOGUE_METRICS_MS = 15000, /* a page of metrics shows what happened within this */
	DIALOGUE_LAG_MS = 500,       /* our own loop was late by more: what rests on time is inconclusive */
	DIALOGUE_NOTES_MAX = 64 << 10,
	DIALOGUE_SHOWN_MAX = 8,      /* connections whose transcripts are evidence */
	DIALOGUE_SHOWN_OCTETS = 32 << 10, /* of each */
};

/* What the target file must tell for a dialogue; needs.def. */
enum dialogue_need_bit {
#define NEED(NAME, why) DIALOGUE_NEED_BIT_##NAME,
#include "harness/readiness/needs.def"
#undef NEED
	DIALOGUE_NEEDS
};
enum dialogue_need {
#define NEED(NAME, why) NEEDS_##NAME = 1u << DIALOGUE_NEED_BIT_##NAME,
#include "harness/readiness/needs.def"
#undef NEED
};

struct dialogue;

struct dialogue_row {
	const char *check;         /* id of checks.def */
	const char *about;         /* what is done, a clause: "connects with foreign origins" */
	unsigned needs;            /* enum dialogue_need */
	bool alone;
	size_t state_size;
	void (*talk)(struct dialogue *d);
	/* Frees what its state points to; its connections are gone. May be NULL. */
	void (*stop)(struct dialogue *d);
	/* What else it lacks here: a clause; NULL: nothing. May be NULL. */
	const char *(*lacks)(const struct site *s);
};
extern const struct dialogue_row *const dialogue_rows[];
extern const size_t dialogue_rows_len;
const struct dialogue_row *dialogue_row_find(const char *check);
/* Why it cannot be had with this target: a clause for a skip; NULL: it can. */
const char *dialogue_lacks(const struct dialogue_row *row, const struct site *s);

/* What all of them share. Everything is borrowed. */
struct readiness {
	struct site *site;
	const struct secrets *secrets;
	struct journal *journal;   /* NULL: the target has no log */
	struct dial_addresses echo; /* of target->echo, where it has one */
	uint64_t lag_us;           /* most that our loop was late since the beginning */
	uint64_t channels;         /* names given so far */
};

struct dialogue {
	struct readiness *r;
	const struct dialogue_row *row;
	void *state;
	int at;                    /* line of the TALK_AWAIT it waits in; -1: it is over */
	bool late;                 /* the last TALK_AWAIT ended by its time */
	enum verdict verdict;
	bool judged;
	char seen[SEEN_TEXT_MAX];
	struct link **links;
	size_t n_links, links_cap;
	struct reading *readings;  /* all, to be freed */
	struct buf notes;          /* what happened, one line each */
	uint64_t started_us, until_us;
	uint64_t began_lag_us;
	struct timer timer;
	struct rng rng;
	struct arena arena;        /* of what lives as long as it */
	unsigned busy;
	void (*on_done)(void *owner, struct dialogue *d);
	void *owner;
};

#define TALK_BEGIN(d) \
	switch ((d)->at) { \
	case 0:
#define TALK_AWAIT(d, ms, condition) \
	do { \
		(d)->at = __LINE__; \
		dialogue_wait(d, ms); \
		__attribute__((fallthrough)); \
	case __LINE__: \
		(d)->late = !(condition); \
		if ((d)->late && !dialogue_is_late(d)) \
			return; \
	} while (0)
/* For a time that truly has to pass. */
#define TALK_PAUSE(d, ms) TALK_AWAIT(d, ms, false)
#define TALK_END(d) \
	; /* a label may stand before it */ \
	} \
	dialogue_over(d)
/* In the middle of it. */
#define TALK_STOP(d) \
	do { \
		dialogue_over(d); \
		return; \
	} while (0)

/* on_done comes once, from the loop; the dialogue may be freed inside. -ENOMEM. */
int dialogue_new(struct readiness *r, const struct dialogue_row *row, void (*on_done)(void *owner, struct dialogue *d),
		 void *owner, struct dialogue **ret_dialogue);
void dialogue_start(struct dialogue *d);
/* Ends its connections. NULL is fine. */
void dialogue_free(struct dialogue *d);
/* What happened, with transcripts; for a file of evidence. */
void dialogue_render(struct dialogue *d, struct buf *out);

/* For the rows ------------------------------------------------------------------------------------------------- */

/*
 * What was seen, one clause without a full stop. The worst word counts, and its first sentence; without any the
 * dialogue is inconclusive.
 */
void dialogue_pass(struct dialogue *d, const char *seen, ...) __attribute__((format(printf, 2, 3)));
void dialogue_unknown(struct dialogue *d, const char *seen, ...) __attribute__((format(printf, 2, 3)));
void dialogue_warn(struct dialogue *d, const char *seen, ...) __attribute__((format(printf, 2, 3)));
void dialogue_fail(struct dialogue *d, const char *seen, ...) __attribute__((format(printf, 2, 3)));
/* A fail that rests on time: inconclusive when our own loop was late meanwhile. */
void dialogue_fail_timed(struct dialogue *d, const char *seen, ...) __attribute__((format(printf, 2, 3)));
void dialogue_note(struct dialogue *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A new connection, begun; never NULL. Lives as long as the dialogue. */
struct link *dialogue_link(struct dialogue *d, const struct link_options *o);
/* The longest wait for an answer, ms. */
uint64_t dialogue_patience(const struct dialogue *d);
/* Its connections can speak the dialect. */
bool dialogue_speaks(const struct dialogue *d);
/* A channel that nobody else has; in the dialogue's arena. */
const char *dialogue_channel(struct dialogue *d);
/* The channel of a link that publishes on this one: where the URL must name it; else NULL. */
const char *dialogue_url_channel(const struct dialogue *d, const char *channel);
uint64_t dialogue_since_ms(uint64_t us);

/* Inside -------------------------------------------------------------------------------------------------------- */

void dialogue_wait(struct dialogue *d, uint64_t ms);
bool dialogue_is_late(const struct dialogue *d);
void dialogue_over(struct dialogue *d);
/* Something happened: from callbacks of the loop only, as their last act. */
void dialogue_step(struct dialogue *d);
