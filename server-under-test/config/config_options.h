#ifndef SERVER_CONFIG_OPTIONS_H
#define SERVER_CONFIG_OPTIONS_H

#include "server-under-test/config/config.h"
#include "server-under-test/base/text.h"

/*
 * The options: one row each, from which the flags, the configuration file, --help, --print-config and the reference
 * page are made. For the files config*.c alone.
 */
enum option_kind {
	OPTION_TEXT,
	OPTION_CHOICE, /* text, one of .value separated by | */
	OPTION_COUNT,
	OPTION_SIZE,
	OPTION_SECONDS,
	OPTION_LIST,
	OPTION_KIND_COUNT,
};

struct option {
	const char *key; /* as in a configuration file; a flag has - in the place of . and _ */
	enum option_kind kind;
	size_t offset;
	double min, max; /* of a number, in the unit of the field */
	const char *initial; /* NULL: none */
	const char *value; /* how --help names the value */
	const char *help;
};

#define OPTIONS_MAX 80
#define OPTION_NAME_MAX 64 /* bytes of a key, and of what an expectation says */

extern const struct option config_options[];
extern const size_t config_option_count;

void *option_field(const struct option *option, struct config *config);
bool option_is_set(const struct option *option, const struct config *config); /* false: NULL, or an empty list */
const struct option *option_by_key(struct text key); /* NULL: none */
const struct option *option_by_flag(struct text flag); /* without the -- */

/*
 * Reads value into the field. A text must outlive config; a list takes "a,b" and appends to what it holds. 0 or
 * -EINVAL.
 */
int option_set(const struct option *option, struct config *config, const char *value);
/* Appends one entry. -EINVAL when it is empty or the list is full. */
int option_list_add(struct config_list *list, const char *item, size_t len);
void option_list_clear(struct config_list *list);

/* What a value must be, as "a time (such as 500ms, 10s, 5m) from 1ms to 31d". */
void option_expectation(const struct option *option, char *buffer, size_t size);
/* What the field holds, as option_set would take it; not for lists, not when it is not set. */
void option_show(const struct option *option, const struct config *config, char *buffer, size_t size);
/* "tls.cert" is spelled --tls-cert. */
void option_flag(const struct option *option, char buffer[OPTION_NAME_MAX]);

/* The word that a misspelled name means most likely: begin, try each word, and .word is it, or NULL. */
struct nearest {
	struct text name;
	unsigned distance; /* as far as this, a word is not like the name any more */
	const char *word;
};
void nearest_begin(struct nearest *nearest, struct text name);
bool nearest_try(struct nearest *nearest, const char *word); /* true: it is the nearest until now */

/* The key most like `name` (a key, or a flag without its dashes), or NULL when none is like it. */
const struct option *option_nearest(struct text name);

/*
 * Reads a configuration file over what config holds. seen[i]: option i was in it. 0, or -EINVAL with the sentence in
 * err. Texts are kept in config.
 */
int config_file_read(struct config *config, const char *path, bool *seen, struct err *err);

/* A copy that config_fini frees. */
const char *config_keep(struct config *config, const char *text, size_t len);

#endif
