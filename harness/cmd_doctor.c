/* wsquall doctor: what this machine can run. A row is one ability: driven, or missing and why. */
#include <openssl/opensslv.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#include "harness/base/json.h"
#include "harness/cmd.h"
#include "harness/net/tls.h"
#include "harness/target/process.h"
#include "harness/ws/mask.h"
#include "suites/suites.h"

struct doctor_command {
	int format;
	bool help;
};
static const char *const formats[] = {"text", "json", NULL};
const struct opt cmd_doctor_options[] = {
	{.name = "format", .letter = 'f', .type = OPT_ENUM, .choices = formats, .offset = offsetof(struct doctor_command, format), .def = "text",
	 .help = "how to print"},
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

static void print_text(struct buf *b, const char *name, const struct finding *f)
{
	buf_printf(b, "%-8s  %-18s  %s\n", f->ok ? "driven" : "missing", name, f->detail);
}

static void print_json(struct buf *b, const char *name, const struct finding *f)
{
	json_t *row = json_pack("{s:s, s:s, s:s}", "name", name, "state", f->ok ? "driven" : "missing", "detail", f->detail);
	json_append(b, row);
	buf_append_u8(b, '\n');
	json_decref(row);
}

static int examine(const struct doctor_command *o)
{
	struct buf b;
	bool ok = true;
	buf_init(&b, 1 << 16);
	for (size_t i = 0; i < ARRAY_LEN(abilities); i++) {
		struct finding f = {0};
		abilities[i].examine(&f);
		ok = ok && f.ok;
		(o->format == 1 ? print_json : print_text)(&b, abilities[i].name, &f);
	}
	int code = cmd_print(&b);
	return code ? code : ok ? EXIT_PASSED : EXIT_FAILED;
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
