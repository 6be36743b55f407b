#pragma once
/*
 * Histories for tests, written so that they read like a story, one statement a line (or between ';'):
 *
 *	c1 subs ch1 =44/1            client 1 subscribes to channel 1, and is told number 44 of epoch 1
 *	p9 says ch1 #1-3             publisher 9 publishes messages 1 to 3 there, and each is taken
 *	c1 gets ch1 p9 #1-3 =45/1    they come, numbered 45 to 47
 *	+500 c1 end code=1006 by=network
 *
 * A statement: [+MS] [cN|pN] VERB then words in any order. Time goes on by 1 ms a statement, or by MS. The words:
 *	invoke ok fail info     the type, where the verb leaves it open (ok)
 *	@N #N[-M] =N[/E] chN nN  connection, index (one event for each), seq and epoch, channel, node
 *	cN pN                   client, publisher
 *	yes no                  recovered
 *	clean corrupt replay resumes    flags
 *	KEY=VALUE               any field by its name in a history's file
 * The verbs: see story.c. A connection is the client's newest when it is not said; `up` makes a new one.
 */
#include "harness/check/check.h"

struct story_case {
	const char *name;
	const char *contract;      /* "ordered resume_window=10s": keys of a contract; NULL: all that FULL promises */
	const char *options;       /* of the checker: "within=5s"; NULL: its defaults */
	const char *story;
	bool by_session;           /* numbers are one run for a session: contract.numbered_by_session */
	bool no_reasons;           /* the target file does not say where the log has reasons */
	bool no_log;               /* the target file says nothing of a log */
	/* Violations: "delivery.lost delivery.duplicate:3"; NULL: none at all. Of other checks there must be none. */
	const char *fails;
	const char *passes;        /* checks that must pass, with samples; NULL: not looked at */
	const char *open;          /* that must be inconclusive */
	const char *skips;
	const char *seen;          /* a text that the first finding must hold; without findings: why it is open or skipped */
};

/* Calls on_event for each event of the story. A word that is none fails the test. */
void story_tell(const char *story, void (*on_event)(void *owner, const struct event *e), void *owner);
/* Runs each case of a checker; names those that go wrong, and fails the test if there are any. */
void story_run(const char *checker, const struct story_case *cases, size_t n);
