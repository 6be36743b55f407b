/* The options of a fault from the words of a command line, by the fault's own table. */
#include <stdio.h>
#include <string.h>

#include "harness/inject.h"

static bool is_list(const struct opt *row)
{
	return row->type == OPT_STRINGS || row->type == OPT_MAP;
}

/* Where commas separate items each is one. */
static int set_items(const struct opt *row, void *options, char *text, struct arena *a, struct err *e)
{
	int r = 0;
	for (char *item = text, *next; item && r == 0; item = next) {
		next = row->type == OPT_STRINGS && (row->flags & OPT_COMMAS) ? strchr(item, ',') : NULL;
		if (next)
			*next++ = 0;
		r = opt_set(row, options, item, a, e);
	}
	return r;
}

static int set_one(const struct fault *f, const char *word, void *options, bool *mentioned, struct arena *a,
		   struct err *e)
{
	char *key = arena_strdup(a, word), *value = key ? strchr(key, '=') : NULL;
	struct err why;
	if (!value)
		return err_set(e, EINVAL, "expected KEY=VALUE for %s, not '%.60s'", f->name, word);
	*value++ = 0;
	const struct opt *row = opt_find(f->options, key, OPT_IN_FILE);
	if (!row) {
		opt_unknown(f->options, key, OPT_IN_FILE, &why);
		return err_set(e, EINVAL, "%s: %s", f->name, why.text);
	}
	if (is_list(row) && !mentioned[row - f->options])
		opt_clear(row, options);
	mentioned[row - f->options] = true;
	int r = set_items(row, options, value, a, &why);
	return r < 0 ? err_set(e, -r, "%s: %s: %s", f->name, key, why.text) : 0;
}

static int set_defaults(const struct fault *f, struct arena *a, void *options)
{
	const struct opt *nodes = opt_find(f->options, "nodes", OPT_IN_FILE);
	int r = opt_defaults(f->options, options, a);
	if (r < 0 || !nodes || nodes->type != OPT_STRINGS)
		return r;
	opt_clear(nodes, options);
	return opt_set(nodes, options, "all", a, NULL);
}

int inject_read_options(const struct fault *f, const struct opt_strings *words, struct arena *a, void **ret_options,
			struct err *e)
{
	bool mentioned[OPT_ROWS_MAX] = {false};
	void *options = arena_alloc(a, f->options_size ? f->options_size : 1);
	if (!options || set_defaults(f, a, options) < 0)
		return err_set(e, ENOMEM, "out of memory");
	for (size_t i = 1; i < words->len; i++) {
		int r = set_one(f, words->items[i], options, mentioned, a, e);
		if (r < 0)
			return r;
	}
	int r = f->check ? f->check(options, e) : 0;
	if (r == 0)
		*ret_options = options;
	return r;
}
