/* How connections end: answered, logged, and told to the client through everything that lies between. */
#include <stdio.h>

#include "harness/readiness/rows.h"
#include "harness/ws/close_code.h"

enum { OUR_CODE = 3777 /* of nobody: RFC 6455 7.4.2 */ };

/* The closing handshake ------------------------------------------------------------------------------------------ */

struct closing {
	struct link *links[2];
};

static const int closing_codes[] = {1000, OUR_CODE};

static void judge_closing(struct dialogue *d, const struct link *l)
{
	if (!l->opened)
		dialogue_unknown(d, "it was not let in: %s", link_how(l));
	else if (!l->closed && link_gone(l))
		dialogue_fail(d, "Close %d is not answered: %s", l->our_code, l->error_text);
	else if (!l->closed)
		dialogue_fail_timed(d, "Close %d is not answered", l->our_code);
	else if (l->code != l->our_code && l->code != CLOSE_NO_CODE && l->code != 1000)
		dialogue_warn(d, "Close %d is answered with %d", l->our_code, l->code);
	else if (!link_gone(l))
		dialogue_warn(d, "Close %d is answered, but TCP is left open", l->our_code);
	else
		dialogue_pass(d, "Close %d is answered with %s, then %s", l->our_code,
			      l->code == CLOSE_NO_CODE ? "a Close without a code" : link_how(l), l->error_text);
}

static void talk_handshake(struct dialogue *d)
{
	struct closing *c = d->state;
	TALK_BEGIN(d);
	for (size_t i = 0; i < 2; i++)
		c->links[i] = dialogue_link(
			d, &(struct link_options){.label = i ? "closes with a code of its own" : "closes with 1000"});
	TALK_AWAIT(d, dialogue_patience(d), link_settled(c->links[0]) && link_settled(c->links[1]));
	for (size_t i = 0; i < 2; i++)
		link_close(c->links[i], closing_codes[i], i ? "wsquall leaves" : "");
	TALK_AWAIT(d, dialogue_patience(d), (link_gone(c->links[0]) || c->links[0]->refused) &&
		   (link_gone(c->links[1]) || c->links[1]->refused));
	for (size_t i = 0; i < 2; i++)
		judge_closing(d, c->links[i]);
	TALK_END(d);
}

const struct dialogue_row dialogue_close_handshake = {
	.check = "close.handshake", .about = "closes with 1000 and with a code of its own",
	.needs = 0, .state_size = sizeof(struct closing), .talk = talk_handshake,
};

/* A Close by the target ------------------------------------------------------------------------------------------ */

static bool has_trigger(const struct dialogue *d)
{
	return d->r->site->target->close_trigger && d->r->site->target->has_echo;
}

static bool can_provoke(const struct dialogue *d)
{
	return has_trigger(d) || d->r->site->contract.max_message;
}

static struct link *to_be_closed(struct dialogue *d)
{
	return dialogue_link(d, &(struct link_options){.label = "makes the target close", .echo = has_trigger(d)});
}

static void provoke(struct dialogue *d, struct link *l)
{
	if (has_trigger(d))
		link_text(l, span_str(d->r->site->target->close_trigger));
	else
		link_announce(l, d->r->site->contract.max_message + 1, SPAN_LIT("{"));
}

/* In the log ----------------------------------------------------------------------------------------------------- */

enum { WE, THEY, NOBODY, ENDS };

struct logged {
	struct link *links[ENDS];  /* we close; the target does; cut */
};

static const char reason_plain[] = "wsquall leaves", reason_quoted[] = "wsquall said \"goodbye\"";

static const struct journal_entry *entry_of(const struct dialogue *d, const struct link *l, enum log_word word)
{
	return l && l->id[0] ? journal_find(d->r->journal, l->id, word) : NULL;
}

static bool all_logged(const struct dialogue *d, const struct logged *l)
{
	bool all = true;
	for (size_t i = 0; i < ENDS; i++)
		all &= !l->links[i] || !l->links[i]->opened || entry_of(d, l->links[i], LOG_WORD_disconnect);
	return all;
}

static bool all_settled(const struct logged *l)
{
	bool all = true;
	for (size_t i = 0; i < ENDS; i++)
		all &= !l->links[i] || link_settled(l->links[i]);
	return all;
}

static void end_all(struct dialogue *d, struct logged *l, const char *reason)
{
	link_close(l->links[WE], OUR_CODE, reason);
	if (l->links[THEY])
		provoke(d, l->links[THEY]);
	link_reset(l->links[NOBODY]);
}

static void judge_entry(struct dialogue *d, const struct link *l, int code, const char *reason, const char *initiator,
			const char *what)
{
	const struct journal_entry *e = entry_of(d, l, LOG_WORD_disconnect);
	const struct target_logs *logs = &d->r->site->target->logs;
	if (!l->opened || !l->id[0])
		dialogue_unknown(d, "%s: the connection %s", what, l->opened ? "was told no id" : "was not let in");
	else if (!e && journal_full(d->r->journal))
		dialogue_unknown(d, "the log is larger than what is kept of it");
	else if (!e)
		dialogue_fail(d, "%s: no line of the log with its id is about its end", what);
	else if (e->code != code)
		dialogue_fail(d, "%s: it ended with %d, the log has %d", what, code, e->code);
	else if (logs->reason && reason && strncmp(e->reason, reason, JOURNAL_TEXT_MAX - 1) != 0)
		dialogue_fail(d, "%s: the reason that was sent is not in the log", what);
	else if (logs->initiator && strcmp(e->initiator, initiator) != 0)
		dialogue_fail(d, "%s: it was ended by the %s, the log has \"%s\"", what, initiator, e->initiator);
	else
		dialogue_pass(d, "%s: %d", what, code);
}

static void judge_logged(struct dialogue *d, const struct logged *l)
{
	const struct link *they = l->links[THEY];
	judge_entry(d, l->links[WE], OUR_CODE, reason_plain, "client", "closed by the client");
	judge_entry(d, l->links[NOBODY], CLOSE_ABNORMAL, NULL, "network", "cut");
	if (they && they->closed)
		judge_entry(d, they, they->code, they->reason, "server", "closed by the server");
	else if (they)
		dialogue_note(d, "the target did not close as asked: %s", link_how(they));
}

static void talk_logged(struct dialogue *d)
{
	struct logged *l = d->state;
	TALK_BEGIN(d);
	l->links[WE] = dialogue_link(d, &(struct link_options){.label = "closes"});
	l->links[NOBODY] = dialogue_link(d, &(struct link_options){.label = "is cut"});
	if (can_provoke(d))
		l->links[THEY] = to_be_closed(d);
	TALK_AWAIT(d, dialogue_patience(d), all_settled(l));
	end_all(d, l, reason_plain);
	TALK_AWAIT(d, dialogue_patience(d), link_ended(l->links[WE]) && (!l->links[THEY] || link_ended(l->links[THEY])));
	TALK_AWAIT(d, DIALOGUE_LOG_MS, all_logged(d, l));
	judge_logged(d, l);
	TALK_END(d);
}

const struct dialogue_row dialogue_close_logged = {
	.check = "close.logged.server", .about = "ends connections in three ways and looks for each in the log",
	.needs = NEEDS_LOG | NEEDS_LOG_CODE, .state_size = sizeof(struct logged), .talk = talk_logged,
};

/* Lines that can be read ----------------------------------------------------------------------------------------- */

struct lines {
	struct logged ends;
	uint64_t bad_before;
};

static void judge_line(struct dialogue *d, const struct link *l, const char *what)
{
	bool told = d->r->site->target->logs.words[LOG_WORD_connect].len;
	if (!l->opened)
		dialogue_unknown(d, "%s: it was not let in", what);
	else if (!l->id[0])
		dialogue_fail(d, "%s: the answer to its handshake names no id", what);
	else if (journal_full(d->r->journal))
		dialogue_unknown(d, "the log is larger than what is kept of it");
	else if (told && !entry_of(d, l, LOG_WORD_connect))
		dialogue_fail(d, "%s: no line with its id says that it came", what);
	else if (!entry_of(d, l, LOG_WORD_disconnect))
		dialogue_fail(d, "%s: no line with its id says that it ended", what);
	else
		dialogue_pass(d, "%s: its lines are found by its id", what);
}

static void talk_lines(struct dialogue *d)
{
	struct lines *s = d->state;
	struct logged *l = &s->ends;
	const char *bad;
	TALK_BEGIN(d);
	s->bad_before = journal_bad(d->r->journal, &bad);
	l->links[WE] = dialogue_link(d, &(struct link_options){.label = "closes with quotation marks in the reason"});
	l->links[NOBODY] = dialogue_link(d, &(struct link_options){.label = "is cut"});
	TALK_AWAIT(d, dialogue_patience(d), all_settled(l));
	end_all(d, l, reason_quoted);
	TALK_AWAIT(d, DIALOGUE_LOG_MS, all_logged(d, l));
	if (journal_bad(d->r->journal, &bad) > s->bad_before) {
		dialogue_fail(d, "a line of the log is not of its format: %s", bad);
	} else {
		judge_line(d, l->links[WE], "closed by the client");
		judge_line(d, l->links[NOBODY], "cut");
	}
	TALK_END(d);
}

const struct dialogue_row dialogue_observe_logs = {
	.check = "observe.logs", .about = "ends connections, one with quotation marks in its reason, and reads the log",
	.needs = NEEDS_LOG, .state_size = sizeof(struct lines), .talk = talk_lines,
};

/* Through the path ----------------------------------------------------------------------------------------------- */

struct told {
	struct link *link;
};

static void talk_path(struct dialogue *d)
{
	struct told *t = d->state;
	TALK_BEGIN(d);
	t->link = to_be_closed(d);
	TALK_AWAIT(d, dialogue_patience(d), link_settled(t->link));
	provoke(d, t->link);
	TALK_AWAIT(d, dialogue_patience(d), link_gone(t->link));
	if (!t->link->opened)
		dialogue_unknown(d, "it was not let in: %s", link_how(t->link));
	else if (t->link->closed && t->link->code != CLOSE_NO_CODE)
		dialogue_pass(d, "the client sees %s", link_how(t->link));
	else if (t->link->closed)
		dialogue_fail(d, "the client sees a Close without its code");
	else if (link_gone(t->link))
		dialogue_fail(d, "the client sees no Close: %s", t->link->error_text);
	else
		dialogue_unknown(d, "the target did not close as asked");
	TALK_END(d);
}

const struct dialogue_row dialogue_path_close = {
	.check = "path.close", .about = "makes the target close, and looks for the code",
	.needs = NEEDS_CLOSES, .state_size = sizeof(struct told), .talk = talk_path,
};
