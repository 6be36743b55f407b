/* Blame for a death: proof first, and only without one whoever was there. */
#include "harness/run/survival.h"

static size_t collect(const struct runner *r, bool proven, const char **ids, size_t max)
{
	size_t n = 0;
	for (size_t i = 0; i < r->n; i++) {
		const struct runner_item *item = &r->items[i];
		if (!(proven ? item->killed : item->suspect && !item->unmet))
			continue;
		if (n < max)
			ids[n] = item->c.tc->id;
		n++;
	}
	return n;
}

size_t survival_blamed(const struct runner *r, const char **ids, size_t max, bool *ret_proven)
{
	size_t n = collect(r, true, ids, max);
	*ret_proven = n > 0;
	return n ? n : collect(r, false, ids, max);
}

const char *survival_seen(struct runner *r)
{
	enum { TEXT_MAX = 1024 };
	const char *ids[SURVIVAL_NAMED];
	struct buf b CLEANUP(buf_fini) = {0};
	bool proven;
	size_t n = survival_blamed(r, ids, ARRAY_LEN(ids), &proven);
	buf_init(&b, TEXT_MAX);
	if (r->deaths)
		buf_printf(&b, "the target died %u time%s during the run", r->deaths, r->deaths == 1 ? "" : "s");
	else
		buf_append_span(&b, span_str("a process of the target, which is replaced at once, died during the run"));
	for (size_t i = 0; i < n && i < SURVIVAL_NAMED; i++)
		buf_printf(&b, "%s%s", i ? i + 1 == n ? " and " : ", " : proven ? ", of " : "; under way were ", ids[i]);
	if (n > SURVIVAL_NAMED)
		buf_printf(&b, " and %zu more", n - SURVIVAL_NAMED);
	return arena_strdup(&r->arena, buf_cstr(&b));
}
