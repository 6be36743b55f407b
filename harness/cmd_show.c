/* wsquall show: the file of a built-in scenario or dialect, octet for octet, to copy and change it. */
#include <string.h>

#include "harness/base/near.h"
#include "harness/cmd.h"
#include "harness/scenario/scenario.h"
#include "harness/target/dialect.h"

enum { SHOW_MAX = 1 << 20, NAMES_MAX = 256 };

struct show_command {
	bool help;
};
const struct opt cmd_show_options[] = {
	{.name = "help", .letter = 'h', .type = OPT_FLAG, .flags = OPT_STOP, .offset = offsetof(struct show_command, help),
	 .help = "this text"},
	{0},
};

static const char *scenario_name(size_t i)
{
	return i < scenario_builtins_len ? scenario_builtins[i].name : NULL;
}

static const char *scenario_text(size_t i)
{
	return scenario_builtins[i].text;
}

/* What can be shown; name(i) is NULL past the end. */
static const struct kind {
	const char *word;
	const char *(*name)(size_t i);
	const char *(*text)(size_t i);
} kinds[] = {
	{"scenario", scenario_name, scenario_text},
	{"dialect", dialect_builtin_name, dialect_builtin_text},
};

static int refuse(const struct command *c, const char *what, const char *word, const char *const *names, size_t n)
{
	const char *near = near_word(word, names, n);
	struct err e;
	err_set(&e, EINVAL, "there is no %s '%.60s'%s%s%s", what, word, near ? ", did you mean '" : "", near ? near : "",
		near ? "'?" : "");
	return cmd_usage_error(c, &e);
}

static int show_name(const struct command *c, const struct kind *kind, const char *name)
{
	const char *names[NAMES_MAX], *at;
	size_t n = 0;
	for (size_t i = 0; (at = kind->name(i)); i++) {
		if (strcmp(at, name) == 0) {
			struct buf b;
			buf_init(&b, SHOW_MAX);
			buf_append_span(&b, span_str(kind->text(i)));
			return cmd_print(&b);
		}
		if (n < NAMES_MAX)
			names[n++] = at;
	}
	return refuse(c, kind->word, name, names, n);
}

static int show(const struct command *c, const char *word, const char *name)
{
	const char *words[ARRAY_LEN(kinds)];
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		words[i] = kinds[i].word;
		if (strcmp(word, words[i]) == 0)
			return show_name(c, &kinds[i], name);
	}
	return refuse(c, "kind of file", word, words, ARRAY_LEN(words));
}

int cmd_show(const struct command *c, int argc, char **argv)
{
	struct show_command o;
	struct opt_strings words;
	struct arena a;
	arena_init(&a, SHOW_MAX);
	int code = cmd_parse(c, argc, argv, &o, &o.help, &a, 2, "show takes 'scenario' or 'dialect' and a name; 'wsquall list' has them", &words);
	if (code < 0)
		code = show(c, words.items[0], words.items[1]);
	arena_fini(&a);
	return code;
}
