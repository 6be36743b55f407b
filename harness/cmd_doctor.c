/*
 * wsquall doctor: what this machine can run, which faults it can make, and what killed runs have left. One row each: of
 * an ability and of a fault on a plane "driven", "emulated" or "missing" and why; of a leftover "left", "undone", "failed"
 * or "damaged". With --format json one object a line: {"kind": "ability" | "fault" | "leftover", "name", "plane",
 * "state", "detail"}; a leftover's name is its journal. Exit status 1: an ability is missing, or something is left.
 */
#include <openssl/opensslv.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#include "harness/base/json.h"
#include "harness/cmd.h"
#include "harness/doctor.h"
#include "harness/net/tls.h"
#include "harness/target/process.h"
#include "harness/ws/mask.h"
#include "suites/suites.h"

struct doctor_command {
	int format;
	bool clean, help;
};
static const char *const formats[] = {"text", "json", NULL};
const struct opt cmd_doctor_options[] = {
	{.name = "format", .letter = 'f', .type = OPT_ENUM, .choices = formats, .offset = offsetof(struct doctor_command, format), .def = "text",
	 .help = "how to print"},
	{.name = "clean", .type = OPT_FLAG, .offset = offsetof(struct doctor_command, clean),
	 .help = "undo what runs left that were killed together with their guard, and say each; nothing else"},
	{.name = "help", .letter = 'h', .type = OPT_FLAG, .flags = OPT_STOP, .offset = offsetof(struct doctor_command, help), .help = "this text"},
	{0},
};

struct finding {
	bool ok;
	char detail[ERR_TEXT_MAX];        /* what there is, or why it is missing and what to do */
};

static void examine_suite(struct finding *f)
{
	size_t n = 0;
	for (size_t t = 0; t < case_tables_len; t++)
		n += strcmp(case_tables[t].suite, "conformance") == 0 ? case_tables[t].n : 0;
	f->ok = n > 0;
	snprintf(f->detail, sizeof(f->detail), "%zu cases, RFC 6455", n);
}

static void examine_server(struct finding *f)
{
	char path[1024];
	process_beside_us("wsquall-server", path, sizeof(path));
	f->ok = strchr(path, '/') && access(path, X_OK) == 0;
	snprintf(f->detail, sizeof(f->detail), f->ok ? "%s" : "%s is not beside this program: certify without a target and the selftest need it", path);
}

static void examine_tls(struct finding *f)
{
	struct tls_context *context = NULL;
	struct tls_options o = {0};
	struct err e;
	f->ok = tls_context_new(&o, &context, &e) == 0;
	snprintf(f->detail, sizeof(f->detail), "%s", f->ok ? OPENSSL_VERSION_TEXT : e.text);
	tls_context_free(context);
}

static void examine_files(struct finding *f)
{
	struct rlimit limit = {0};
	getrlimit(RLIMIT_NOFILE, &limit);
	f->ok = limit.rlim_max >= 256;
	snprintf(f->detail, sizeof(f->detail), "%llu open files%s", (unsigned long long)limit.rlim_max, f->ok ? "" : ": raise it with ulimit -n, or use --jobs 16");
}

static void examine_loop(struct finding *f)
{
	f->ok = true;
	snprintf(f->detail, sizeof(f->detail), "libuv %s, masking by %s", uv_version_string(), mask_variant());
}

static const struct {
	const char *name;
	void (*examine)(struct finding *f);
} abilities[] = {
	{"conformance suite", examine_suite}, {"reference server", examine_server}, {"TLS", examine_tls},
	{"event loop", examine_loop}, {"descriptors", examine_files},
};

void doctor_row_json(struct doctor *d, const char *kind, const char *name, const char *plane, const char *state, const char *detail)
{
	const char *const keys[] = {"kind", "name", "plane", "state", "detail"}, *const values[] = {kind, name, plane, state, detail};
	json_t *row = json_object();
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (values[i])
			json_object_set_new(row, keys[i], json_text(span_str(values[i])));
	json_append(&d->out, row);
	buf_append_u8(&d->out, '\n');
	json_decref(row);
}

static void examine_abilities(struct doctor *d)
{
	for (size_t i = 0; i < ARRAY_LEN(abilities); i++) {
		struct finding f = {0};
		abilities[i].examine(&f);
		const char *state = f.ok ? "driven" : "missing";
		d->ok = d->ok && f.ok;
		if (d->json)
			doctor_row_json(d, "ability", abilities[i].name, NULL, state, f.detail);
		else
			buf_printf(&d->out, "%-8s  %-30s  %s\n", state, abilities[i].name, f.detail);
	}
}

static int examine(const struct doctor_command *o)
{
	struct doctor d = {.json = o->format == 1, .ok = true};
	buf_init(&d.out, 1 << 20);
	if (!o->clean) {
		examine_abilities(&d);
		doctor_faults(&d);
	}
	doctor_leftovers(&d, o->clean);
	int code = cmd_print(&d.out);
	return code ? code : d.ok ? EXIT_PASSED : EXIT_FAILED;
}

int cmd_doctor(const struct command *c, int argc, char **argv)
{
	struct doctor_command o;
	struct opt_strings words;
	struct arena a;
	arena_init(&a, 1 << 20);
	int code = cmd_parse(c, argc, argv, &o, &o.help, &a, 0, "doctor takes no arguments", &words);
	if (code < 0)
		code = examine(&o);
	arena_fini(&a);
	return code;
}
