#pragma once
/*
 * Option tables. An option is one row; its name, default, unit, bounds and help line are written there and nowhere
 * else. From the row come the command line parser, --help, the manual pages, the YAML reader (conf.h) and the JSON
 * Schema of a file.
 *
 *	struct load_options {
 *		int64_t jobs;
 *		uint64_t timeout_ms;
 *		const char *target;
 *	};
 *	static const struct opt load_table[] = {
 *		{.name = "jobs", .letter = 'j', .type = OPT_INT, .offset = offsetof(struct load_options, jobs),
 *		 .def = "64", .min = 1, .max = JOBS_MAX, .metavar = "N", .help = "connections at once"},
 *		{.name = "timeout", .type = OPT_DURATION, .def = "10s", .help = "deadline of one answer",
 *		 .offset = offsetof(struct load_options, timeout_ms)},
 *		{.name = "target", .type = OPT_STRING, .help = "a target file",
 *		 .offset = offsetof(struct load_options, target)},
 *		{0},
 *	};
 *
 * Order of use: opt_defaults, then conf_read_file if there is a file, then opt_parse_argv. Each later one changes only
 * what it is told. Everything that is pointed to lives in the caller's arena.
 *
 * Names are written with underscores (as a file has them); on the command line each underscore is a dash: dry_run is
 * --dry-run.
 *
 * Errors: -EINVAL with one sentence for what the user wrote, -ENOMEM (also with a sentence) when the arena is full.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "harness/base/arena.h"
#include "harness/base/buf.h"
#include "harness/base/err.h"

enum opt_type {
	OPT_FLAG,     /* bool. Command line: --name, --no-name. File: true, false */
	OPT_STRING,   /* const char *; NULL without a default */
	OPT_INT,      /* int64_t, decimal */
	OPT_U64,      /* uint64_t, decimal */
	OPT_SIZE,     /* uint64_t octets: 256B, 64KiB, 1MB; unit.h */
	OPT_DURATION, /* uint64_t milliseconds: 200ms, 25s, 2m; unit.h */
	OPT_MICROS,   /* uint64_t microseconds: 50us, 1.5ms, 2s; unit.h */
	OPT_RATE,     /* double a second: 100/s; unit.h */
	OPT_PERCENT,  /* double 0 to 1: 1%, 0.1%; unit.h */
	OPT_ENUM,     /* int, the index in choices */
	OPT_STRINGS,  /* struct opt_strings. Command line: repeated, and split at commas with OPT_COMMAS */
	OPT_MAP,      /* struct opt_map of strings. Command line: repeated --name key=value */
	OPT_SECTION,  /* the struct of `sub` itself, embedded. File only */
	OPT_SECTIONS, /* struct opt_sections, a list of the struct of `sub`. File only */
	OPT_CALLS,    /* struct opt_calls, a list of names of `callees`, each alone or with keys of its own. File only */
};

enum opt_flags {
	OPT_REQUIRED = 1,  /* must be given; not having it is an error of the parser and the reader */
	OPT_SECRET = 2,    /* the value never appears in an error, a help text or a document */
	OPT_CLI_ONLY = 4,  /* unknown to a file */
	OPT_FILE_ONLY = 8, /* unknown to the command line; sections are so by nature */
	OPT_COMMAS = 16,   /* OPT_STRINGS: on the command line and in `def`, a comma separates items */
	OPT_STOP = 32,     /* OPT_FLAG such as --help: parsing ends there with success, nothing is required any more */
};

struct opt_callees;

struct opt {
	const char *name;              /* NULL ends a table */
	char letter;                   /* 'n' makes -n, 0 none */
	enum opt_type type;
	unsigned flags;                /* enum opt_flags */
	size_t offset;                 /* of the field in the options struct; its C type: see enum opt_type */
	const char *def;               /* default, as a user writes it; NULL: zero, NULL, empty, the first choice */
	const char *metavar;           /* what --help calls the value; NULL: a word that fits the type */
	const char *help;              /* lower case, no full stop; default, unit, bounds and choices are added to it */
	/* OPT_INT, U64, SIZE, DURATION, RATE: inclusive, in the stored unit; both 0: none; INT64_MAX: no upper one. */
	int64_t min, max;
	/* SIZE, MICROS: where numbers come without a unit (Toxiproxy's API), one is this many of the stored unit; 0: never. */
	int64_t bare;
	const char *const *choices;    /* OPT_ENUM: the words, NULL at the end */
	const struct opt *sub;         /* OPT_SECTION, OPT_SECTIONS: the table of the part */
	size_t item_size;              /* OPT_SECTIONS: sizeof the struct of one item */
	const struct opt_callees *callees; /* OPT_CALLS: what can be named */
	size_t seen;                   /* OPT_SEEN of a bool that becomes true when a user gave a value; 0 none */
	/*
	 * Looks at a text that is otherwise fine (OPT_STRING, each item of OPT_STRINGS, each value of OPT_MAP); 0, or
	 * err_set(e, EINVAL, ...) with a sentence that says what was expected ("expected a ws:// or wss:// URL") and
	 * never holds the text: it may be secret, and is added where it may be seen.
	 */
	int (*check)(const char *text, struct err *e);
};

#define OPT_SEEN(type, member) (offsetof(type, member) + 1)

struct opt_strings {
	const char **items;
	size_t len, cap; /* cap is the library's */
};

struct opt_pair {
	const char *key, *value;
};

struct opt_map {
	struct opt_pair *items; /* in the order written; keys differ */
	size_t len, cap;
};

struct opt_sections {
	void *items; /* item i is at (char *)items + i * item_size */
	size_t len, cap;
};

/* What an item of OPT_CALLS can name: a fault, a checker. */
struct opt_callee {
	const char *name, *about;
	const void *what;              /* the owner's row */
	const struct opt *options;     /* table over its options struct; never NULL */
	size_t options_size;
	int (*check)(const void *options, struct err *e); /* of options that are each fine; may be NULL */
};

struct opt_callees {
	const char *kind;              /* "fault" */
	bool (*get)(size_t i, struct opt_callee *ret); /* false past the last one */
	/* Keys that all of them have beside their own, none of the same name; NULL: none. */
	const struct opt *common;
	size_t common_size;
};

/* One item: `name`, or `{name: {key: value, ...}}`. */
struct opt_call {
	struct opt_callee callee;
	void *options, *common;        /* in the arena; common NULL when there is none */
	size_t line;                   /* of the file */
};

struct opt_calls {
	struct opt_call *items;
	size_t len, cap;
};

/*
 * Writes every field of the table (sections included) with its default. A default that its own row refuses is our bug
 * and asserts. 0 or -ENOMEM.
 */
int opt_defaults(const struct opt *table, void *to, struct arena *a);

/*
 * Reads argv[0..argc), the arguments after the program's and the command's name. Options and positionals may be mixed;
 * what is not an option goes to ret_positional (in the arena; items are the argv strings), "-" too; after "--"
 * everything does. --name VALUE, --name=VALUE, -n VALUE, -nVALUE, --flag, --no-flag, -abc for three flags. A value is
 * taken even if it starts with a dash. The last one wins; a list or a map starts empty at its first mention and grows
 * with the others. An unknown option's sentence names the nearest known one. ret_positional is untouched on failure,
 * `to` may be partly written.
 */
int opt_parse_argv(const struct opt *table, int argc, char *const *argv, void *to, struct arena *a,
		   struct opt_strings *ret_positional, struct err *e);

/* The value of a map for a key, or NULL. */
const char *opt_map_get(const struct opt_map *m, const char *key);

/* For --help: two columns, wrapped at 100, one entry a row, each ended by a newline. -ENOBUFS, -ENOMEM. */
int opt_help(const struct opt *table, struct buf *b);
/* The same of a flat table whose rows are keys: "latency=DURATION", "tell=true|false". */
int opt_help_keys(const struct opt *table, struct buf *b);

enum opt_place { OPT_ON_COMMAND_LINE, OPT_IN_FILE };

/*
 * The same as a markdown table, and as the .TP entries of a man page. In a file, the rows of sections follow theirs as
 * `part.name`, `parts[].name`.
 */
int opt_markdown(const struct opt *table, enum opt_place place, struct buf *b);
int opt_man(const struct opt *table, enum opt_place place, struct buf *b);

/*
 * JSON Schema (draft 2020-12) of a file that conf.h reads with this table: closed objects, types, bounds, patterns of
 * units, choices, defaults, required keys. A new reference, NULL without memory. `title` may be NULL.
 */
json_t *opt_schema(const struct opt *table, const char *title);

/* --- for the readers --- */

/* The row that goes by this name in this place, or NULL. On the command line `name` has dashes. */
const struct opt *opt_find(const struct opt *table, const char *name, enum opt_place place);
/*
 * "unknown option --tymeout, did you mean --timeout?" (or, with nothing near, what is known). Returns -EINVAL. `name`
 * without dashes in front.
 */
int opt_unknown(const struct opt *table, const char *name, enum opt_place place, struct err *e);
/*
 * Sets one value from its text: every scalar type; OPT_STRINGS appends one item; OPT_MAP takes "key=value". The
 * sentence on failure says what was expected and, unless secret, what was there; the caller puts the option's name or
 * the place in front. The text is copied.
 */
int opt_set(const struct opt *o, void *to, const char *text, struct arena *a, struct err *e);
int opt_map_put(const struct opt *o, void *to, const char *key, const char *value, struct arena *a, struct err *e);
/* A new last item, filled with its defaults, or NULL without memory. Older item addresses are no longer valid. */
void *opt_sections_add(const struct opt *o, void *to, struct arena *a);
/* Empties a list, a map or a list of sections. */
void opt_clear(const struct opt *o, void *to);
/*
 * A new last item for the callee of this name, with defaults. ret_table: the rows of its own and of the common keys
 * over the memory at call->options, for the reader; in the arena. -EINVAL with the nearest known name, -ENOMEM.
 */
int opt_calls_add(const struct opt *o, void *to, const char *name, struct arena *a, struct opt_call **ret_call,
		  const struct opt **ret_table, struct err *e);
/* The same rows, for documents and schemas; NULL without memory. */
const struct opt *opt_callee_table(const struct opt_callees *all, const struct opt_callee *c, struct arena *a);
/* Says in the row's `seen` that a user gave it. */
void opt_mark_seen(const struct opt *o, void *to);
/* "a duration with its unit (ms, s, m, h), such as 25s", "one of: a, b": what a value of this row must be. */
int opt_expected(const struct opt *o, struct buf *b);
