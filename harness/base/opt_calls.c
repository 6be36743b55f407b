/* Lists whose items name something with keys of its own: the faults of a phase, the checks of a scenario. */
#include "harness/base/opt_internal.h"

#include <stdalign.h>
#include <string.h>

#include "harness/base/escape.h"
#include "harness/base/limits.h"
#include "harness/base/near.h"

enum { SHOWN_MAX = 60 };

static size_t rows(const struct opt *table)
{
	size_t n = 0;
	while (table && table[n].name)
		n++;
	return n;
}

/* Where the common struct begins behind the callee's own. */
static size_t common_at(const struct opt_callee *c)
{
	size_t unit = alignof(max_align_t);
	return (c->options_size + unit - 1) / unit * unit;
}

const struct opt *opt_callee_table(const struct opt_callees *all, const struct opt_callee *c, struct arena *a)
{
	size_t own = rows(c->options), common = rows(all->common), at = common_at(c);
	struct opt *table = arena_alloc(a, (own + common + 1) * sizeof(*table));
	if (!table)
		return NULL;
	memcpy(table, c->options, own * sizeof(*table));
	for (size_t i = 0; i < common; i++) {
		table[own + i] = all->common[i];
		table[own + i].offset += at;
		if (table[own + i].seen)
			table[own + i].seen += at;
	}
	return table;
}

static int unknown(const struct opt_callees *all, const char *name, struct err *e)
{
	const char *names[OPT_ROWS_MAX];
	struct opt_callee c;
	struct buf shown CLEANUP(buf_fini) = {0};
	size_t n = 0;
	for (; n < OPT_ROWS_MAX && all->get(n, &c); n++)
		names[n] = c.name;
	const char *near = near_word(name, names, n);
	buf_init(&shown, ERR_TEXT_MAX);
	escape_text_max(&shown, span_str(name), SHOWN_MAX);
	return err_set(e, EINVAL, "unknown %s \"%s\"%s%s%s", all->kind, buf_cstr(&shown), near ? ", did you mean \"" : "",
		       near ? near : "", near ? "\"?" : "");
}

static bool find(const struct opt_callees *all, const char *name, struct opt_callee *ret)
{
	for (size_t i = 0; all->get(i, ret); i++)
		if (strcmp(ret->name, name) == 0)
			return true;
	return false;
}

int opt_calls_add(const struct opt *o, void *to, const char *name, struct arena *a, struct opt_call **ret_call,
		  const struct opt **ret_table, struct err *e)
{
	struct opt_calls *list = (struct opt_calls *)((char *)to + o->offset);
	struct opt_callee callee;
	if (!find(o->callees, name, &callee))
		return unknown(o->callees, name, e);
	const struct opt *table = opt_callee_table(o->callees, &callee, a);
	size_t at = common_at(&callee);
	char *options = arena_alloc(a, at + o->callees->common_size + 1);
	struct opt_call *call = opt_grow((void **)&list->items, &list->len, &list->cap, sizeof(*call), a);
	if (!table || !options || !call || opt_defaults(table, options, a) < 0)
		return err_set(e, ENOMEM, "out of memory");
	*call = (struct opt_call){.callee = callee, .options = options, .common = o->callees->common ? options + at : NULL};
	*ret_call = call;
	*ret_table = table;
	return 0;
}
