/* Outcomes as items of a result, with what was said as evidence. */
#include "harness/readiness/items.h"

#include <stdio.h>
#include <sys/stat.h>

#include "harness/base/clock.h"
#include "harness/base/escape.h"
#include "harness/base/file.h"

static const char *const none[] = {NULL};

int readiness_plan_item(const struct dialogue_row *row, struct arena *a, struct result_item *item)
{
	const struct check_row *check = check_row_find(row->check);
	*item = (struct result_item){
		.id = arena_printf(a, READINESS_SUITE "/%s", row->check), .title = check->title, .suite = READINESS_SUITE,
		.group = READINESS_SUITE, .kind = "check", .verdict = VERDICT_ERROR, .level = check->level, .requirements = none,
		.autobahn = none, .seen = "not run", .required = check->required, .explain = check->why, .fix = check->fix,
	};
	return item->id ? 0 : -ENOMEM;
}

static const char *write_evidence(struct dialogue *d, const char *folder, const struct result_item *item,
				  struct arena *a)
{
	struct buf b CLEANUP(buf_fini) = {0};
	struct err ignored;
	const char *name = arena_printf(a, "evidence/readiness-%s.txt", d->row->check);
	if (!folder || !name)
		return NULL;
	mkdir(arena_printf(a, "%s/evidence", folder), 0777);
	buf_init(&b, 2 * TRANSCRIPT_MAX);
	buf_printf(&b, "%s: %s\n%s, seed %llu, %s\nrequired  %s\nseen      %s\n\n", item->id, item->title,
		   verdict_name(item->verdict), (unsigned long long)d->r->site->seed, d->r->site->target->url.text,
		   item->required, item->seen);
	dialogue_render(d, &b);
	return file_write_atomic(arena_printf(a, "%s/%s", folder, name), buf_span(&b), &ignored) < 0 ? NULL : name;
}

/* Some of it may be a peer's words. */
static const char *safe(const char *text, struct arena *a)
{
	struct buf b CLEANUP(buf_fini) = {0};
	buf_init(&b, 4 * SEEN_TEXT_MAX + 64);
	escape_text(&b, span_str(text));
	return arena_strdup(a, buf_cstr(&b));
}

void readiness_fill_item(struct dialogue *d, const char *folder, const char *replay, struct arena *a,
			 struct result_item *item)
{
	item->verdict = d->verdict;
	item->seen = safe(d->seen, a);
	item->duration_ms = (double)(clock_now_us() - d->started_us) / 1000;
	if (d->verdict == VERDICT_PASS)
		return;
	item->evidence = write_evidence(d, folder, item, a);
	item->replay = replay;
}
