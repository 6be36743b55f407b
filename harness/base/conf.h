#pragma once
/*
 * Strict YAML into an options struct, by the option table (opt.h) that describes it.
 *
 * Accepted: one document of YAML 1.1 as libyaml reads it, UTF-8, block or flow style, a mapping at the top. Only the
 * table says what a value means: there are no implicit types beyond it.
 *	OPT_FLAG     true or false, nothing else (not yes, on, 1)
 *	OPT_INT U64  decimal, without quotes
 *	OPT_SIZE OPT_DURATION OPT_RATE OPT_ENUM   a scalar, quoted or not; units are never left out
 *	OPT_STRING   text; a plain word that YAML itself takes for a number, a truth value or null needs quotes
 *	OPT_STRINGS  a sequence of such text; OPT_MAP a mapping to such text
 *	OPT_SECTION  a mapping; OPT_SECTIONS a sequence of mappings
 *	OPT_CALLS    a sequence; each item a name, or a mapping of one name to a mapping of its keys
 *
 * In the text of OPT_STRING, OPT_STRINGS and OPT_MAP values, ${NAME} is replaced by the environment variable NAME; a
 * variable that is not set, or not UTF-8, is an error that names it. $${ stands for ${ itself; any other $ is itself.
 * What came from the environment never appears in an error, nor does a value of an OPT_SECRET row.
 *
 * Refused, each with one sentence that starts with "name:line:column: " (from 1, columns in characters) and says what
 * was expected: unknown key (with the nearest known one), duplicate key, missing required key, wrong type, missing
 * unit, out of bounds, anchors, aliases, tags, directives, merge keys, a second document, an empty document, invalid
 * UTF-8, NUL and every other character of rune_is_control except tab and line breaks, nesting deeper than
 * CONF_DEPTH_MAX, more than CONF_KEYS_MAX keys in one mapping. Refused as "name: ...": more than CONF_FILE_MAX octets,
 * a tree that needs more than CONF_TREE_MAX octets, values that do not fit the caller's arena.
 */
#include "harness/base/opt.h"

/*
 * Writes into `to`, which opt_defaults has filled; only what the text mentions changes, and a list or map that it
 * mentions is replaced. 0, or on failure -EINVAL for the text, -EFBIG for its size, -ENOMEM, or the errno of reading; e
 * then has the sentence and `to` may be partly written.
 */
int conf_read_file(const char *path, const struct opt *table, void *to, struct arena *a, struct err *e);
/* `name` stands for the file in errors. */
int conf_read_text(struct span text, const char *name, const struct opt *table, void *to, struct arena *a,
		   struct err *e);
