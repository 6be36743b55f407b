#pragma once
/*
 * One line of a target's log, by the `logs` section of its file: what happened, to which connection, with which code.
 * Pure. A line is hostile: whatever octets it holds, it is either read or it is not.
 *
 *	json    an object; the keys of `logs` are JSON pointers (RFC 6901): /event, /ctx/conn, /0/x
 *	logfmt  key=value key="quoted value"; the keys of `logs` are keys; without a sign "=" a key is true
 *	regex   a POSIX extended regular expression (`pattern`); the keys of `logs` are groups: a number, or the name of
 *	        one that is written (?<name>...)
 */
#include "harness/base/err.h"
#include "harness/base/opt.h"
#include "harness/base/span.h"

enum {
	LOG_LINE_MAX = 64 << 10,   /* octets of a line that are looked at; what is longer is no line that can be read */
	LOG_VALUE_MAX = 256,       /* octets kept of one value */
	LOG_REGEX_MAX = 8 << 10,   /* octets of a line that a regular expression is tried on: its time may grow faster */
	LOG_POINTER_STEPS_MAX = 16,
	LOG_GROUPS_MAX = 32,
};

enum log_format { LOG_JSON, LOG_LOGFMT, LOG_REGEX };

/* What one means that wsquall knows; log_words.def. */
enum log_word {
	LOG_WORD_OTHER,
#define LOG_WORD(name, about) LOG_WORD_##name,
#include "harness/target/log_words.def"
#undef LOG_WORD
	LOG_WORDS
};
/* "disconnect"; NULL of OTHER. */
const char *log_word_name(enum log_word word);

/* `logs` of a target file. Where a value is, as the format says; NULL: nowhere. */
struct target_logs {
	struct opt_strings files;  /* none: the `log` of each node */
	int format;                /* enum log_format */
	const char *pattern;       /* of LOG_REGEX */
	const char *event, *connection, *code, *reason, *level, *time, *node, *address, *initiator;
	struct opt_strings words[LOG_WORDS]; /* the log's own words for each; words[0] is not used */
};

struct log_rules;

/* -EINVAL with a sentence: a pointer, a pattern or a group that is none, a word with two meanings. -ENOMEM. */
int log_rules_new(const struct target_logs *logs, struct log_rules **ret_rules, struct err *e);
/* NULL is fine. */
void log_rules_free(struct log_rules *r);

struct log_entry {
	enum log_word word;
	char event[LOG_VALUE_MAX]; /* as the log has it; "": the line tells none */
	char connection[LOG_VALUE_MAX], reason[LOG_VALUE_MAX], level[LOG_VALUE_MAX], node[LOG_VALUE_MAX];
	char address[LOG_VALUE_MAX], initiator[LOG_VALUE_MAX];
	int code;                  /* 0: none, or none that a Close frame or an HTTP status can have */
	double time_s;             /* the line's own time, seconds since 1970; 0: none that can be read */
};

/*
 * line: without its end. False when it is not of the format: no JSON object, a bare word only, no match. A value that is not
 * there, or is no scalar, is "". Texts are cut at LOG_VALUE_MAX - 1 octets and hold what the log holds, also octets that
 * are not UTF-8 (made safe by who shows them); a NUL ends them.
 */
bool log_line_parse(const struct log_rules *r, struct span line, struct log_entry *ret_entry);

/*
 * A time as logs write it, seconds since 1970; 0 for what is none: RFC 3339 with 'T' or a blank, with fraction (point
 * or comma), with Z, an offset, or without one (UTC); a number of seconds, milliseconds, microseconds or nanoseconds,
 * told apart by its size.
 */
double log_time_parse(struct span text);
