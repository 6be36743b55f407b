/* Every defect against the whole suite. */
#include "harness/selftest.h"

#include <stdio.h>
#include <stdlib.h>

#include "harness/base/glob.h"
#include "harness/campaign_internal.h"
#include "harness/cmd.h"

#define NO_DEFECT "none"           /* as a --case: the server without one */

enum {
	DEFECTS_TEXT_MAX = 1 << 20,
	SHOWN_MAX = 6,
	SELFTEST_TIMEOUT_MS = 2000, /* unless --timeout says otherwise: several selftests may share a machine */
};

static int read_all(const char *path, struct buf *ret_text, struct err *e)
{
	char command[1100], chunk[4096];
	snprintf(command, sizeof(command), "'%s' --list-defects", path);
	FILE *out = popen(command, "re");
	if (!out)
		return err_set(e, errno, "%s cannot be started: %s", path, strerror(errno));
	buf_init(ret_text, DEFECTS_TEXT_MAX);
	for (size_t n; (n = fread(chunk, 1, sizeof(chunk), out)) > 0;)
		buf_append(ret_text, chunk, n);
	return pclose(out) == 0 ? 0 : err_set(e, ECHILD, "%s --list-defects failed", path);
}

int selftest_defects_load(struct selftest_defects *ret_defects, struct err *e)
{
	char path[1024];
	struct buf text = {0};
	struct selftest_defects d = {0};
	process_beside_us("wsquall-server", path, sizeof(path));
	int r = read_all(path, &text, e);
	if (r == 0)
		d.document = json_loadb((const char *)text.p, text.len, 0, NULL);
	buf_fini(&text);
	if (r < 0)
		return r;
	d.n = json_array_size(d.document);
	d.list = calloc(d.n + 1, sizeof(*d.list));
	if (!d.n || !d.list) {
		selftest_defects_free(&d);
		return err_set(e, EPROTO, "%s --list-defects gave no list of defects", path);
	}
	for (size_t i = 0; i < d.n; i++) {
		json_t *item = json_array_get(d.document, i);
		d.list[i].name = json_string_value(json_object_get(item, "name"));
		d.list[i].about = json_string_value(json_object_get(item, "about"));
		d.list[i].kind = json_string_value(json_object_get(item, "kind"));
		d.list[i].catches = json_object_get(item, "catches");
		if (d.list[i].name && d.list[i].about && d.list[i].kind && json_array_size(d.list[i].catches))
			continue;
		selftest_defects_free(&d);
		return err_set(e, EPROTO, "%s --list-defects gave an entry without name, kind, about or catches", path);
	}
	*ret_defects = d;
	return 0;
}

void selftest_defects_free(struct selftest_defects *d)
{
	json_decref(d->document);
	free(d->list);
	*d = (struct selftest_defects){0};
}

/* One defect ------------------------------------------------------------------------------------------------------------------ */

struct comparison {
	const json_t *globs;
	unsigned caught, missed, surprising;
	struct buf text;           /* what was missed and what was surprising */
};

/* A glob that begins with ? names what may fail: where it is for TCP to decide how octets are cut, or which of two answers is first. */
enum selftest_naming selftest_naming(const json_t *globs, const char *id)
{
	enum selftest_naming found = NOT_NAMED;
	for (size_t i = 0; i < json_array_size(globs); i++) {
		const char *glob = json_string_value(json_array_get(globs, i));
		if (glob && glob[0] == '?' && glob_match(glob + 1, id))
			found = MAY_FAIL;
		else if (glob && glob[0] != '?' && glob_match(glob, id))
			return MUST_FAIL;
	}
	return found;
}

/* runner_item is only a few words; the verdict is what counts here. */
static struct comparison *current;

static void compare(const struct runner_item *item)
{
	const char *id = item->c.tc->id;
	bool bad = item->verdict != VERDICT_PASS && item->verdict != VERDICT_SKIP;
	enum selftest_naming naming = selftest_naming(current->globs, id);
	bool must = naming == MUST_FAIL;
	if (naming == MAY_FAIL || (item->verdict == VERDICT_SKIP && !must))
		return;
	if (bad && must)
		current->caught++;
	else if (bad && ++current->surprising <= SHOWN_MAX)
		buf_printf(&current->text, "    surprise  %s: %s: %s\n", id, verdict_name(item->verdict), item->seen ? item->seen : "");
	else if (!bad && must && ++current->missed <= SHOWN_MAX)
		buf_printf(&current->text, "    missed    %s: %s: %s\n", id, verdict_name(item->verdict), item->seen ? item->seen : "");
}

static int run_one(const struct campaign_options *o, const char *defect, struct comparison *ret_comparison, struct err *e)
{
	struct campaign c = {.o = *o, .scratch = true, .on_item = compare, .reference = {.out = -1}};
	char argument[160];
	const char *arguments[] = {"--engine=naive", argument}, *suites[] = {"conformance"};
	snprintf(argument, sizeof(argument), "--defect=%s", defect ? defect : "");
	arena_init(&c.arena, 256 << 20);
	c.o.cases = (struct opt_strings){0};
	c.o.suites = (struct opt_strings){.items = suites, .len = 1};
	c.o.target = NULL;
	c.o.ignore_known = true;
	if (!c.o.timeout_given)
		c.o.timeout_ms = SELFTEST_TIMEOUT_MS;
	c.o.timeout_given = true;
	c.o.server_args = (struct opt_strings){.items = arguments, .len = defect ? 2 : 1};
	current = ret_comparison;
	int code = campaign_init(&c, e);
	if (code == 0)
		code = campaign_run(&c, e);
	campaign_fini(&c);
	return code == EXIT_OURS || code == EXIT_UNREACHABLE || code == EXIT_USAGE ? code : 0;
}

static bool wanted(const struct campaign_options *o, const struct selftest_defect *defect)
{
	for (size_t i = 0; i < o->cases.len; i++)
		if (glob_match(o->cases.items[i], defect->name))
			return true;
	return o->cases.len == 0;
}

/* One row; none when the run is stopped in it. */
static void check(const struct campaign_options *o, const char *name, const json_t *globs, struct selftest_count *count)
{
	struct comparison got = {.globs = globs};
	struct err e = {0};
	buf_init(&got.text, 1 << 16);
	int code = run_one(o, name, &got, &e);
	if (campaign_interrupted()) {
		buf_fini(&got.text);
		return;
	}
	bool ok = code == 0 && got.missed == 0 && got.surprising == 0 && (!name || got.caught > 0);
	printf("%s  %-32s %3u caught, %u missed, %u surprising%s%s\n", ok ? "ok  " : "FAIL", name ? name : "(no defect)", got.caught, got.missed,
	       got.surprising, code ? ": " : "", code ? e.text : "");
	if (!ok)
		fputs(buf_cstr(&got.text), stdout);
	fflush(stdout);
	buf_fini(&got.text);
	ok ? count->passed++ : count->failed++;
}

static void run_wire(const struct campaign_options *o, const struct selftest_defects *defects, struct selftest_count *count)
{
	if (o->cases.len == 0)
		check(o, NULL, NULL, count);
	for (size_t i = 0; i < defects->n && !campaign_interrupted(); i++) {
		const struct selftest_defect *d = &defects->list[i];
		if (wanted(o, d) && strcmp(d->kind, "wire") == 0)
			check(o, d->name, d->catches, count);
	}
}

static void run_service(const struct campaign_options *o, const struct selftest_defects *defects, struct arena *a,
			struct selftest_count *count)
{
	const struct selftest_defect **list = arena_alloc(a, (defects->n + 1) * sizeof(*list));
	size_t n = 0;
	if (!list)
		return;
	if (wanted(o, &(struct selftest_defect){.name = NO_DEFECT}))
		list[n++] = NULL;
	for (size_t i = 0; i < defects->n; i++)
		if (wanted(o, &defects->list[i]) && strcmp(defects->list[i].kind, "wire") != 0)
			list[n++] = &defects->list[i];
	if (n && !campaign_interrupted())
		selftest_service_run(o, list, n, count);
}

int selftest_run(const struct campaign_options *o, struct arena *a)
{
	struct selftest_defects defects;
	struct err e;
	struct selftest_count count = {0};
	if (selftest_defects_load(&defects, &e) < 0) {
		fprintf(stderr, "wsquall: %s\n", e.text);
		return EXIT_OURS;
	}
	campaign_catch_signals();
	if (!o->target)
		run_wire(o, &defects, &count);
	run_service(o, &defects, a, &count);
	selftest_defects_free(&defects);
	printf("%u passed, %u failed", count.passed, count.failed);
	printf(count.skipped ? ", %u skipped\n" : "\n", count.skipped);
	if (campaign_interrupted()) {
		fprintf(stderr, "wsquall: the run was stopped: the other defects were not tried\n");
		return count.failed ? EXIT_FAILED : EXIT_STOPPED;
	}
	if (count.passed + count.failed + count.skipped == 0)
		return cmd_usage_error(NULL, (err_set(&e, EINVAL, "--case matches no defect"), &e));
	return count.failed ? EXIT_FAILED : EXIT_PASSED;
}
