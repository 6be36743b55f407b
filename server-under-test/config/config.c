/* The command line: a file first, then the flags over it, then what only the whole can tell. */
#include "server-under-test/config/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "server-under-test/config/config_options.h"
#include "server-under-test/defects.h"

#define SHOWN_MAX 80 /* bytes of a value in a complaint */

/* Words that stand alone. */
static const struct {
	const char *flag;
	enum config_command command;
} commands[] = {
	{ "--help", CONFIG_HELP },
	{ "-h", CONFIG_HELP },
	{ "--version", CONFIG_VERSION },
	{ "--list-defects", CONFIG_LIST_DEFECTS },
	{ "--list-options", CONFIG_LIST_OPTIONS },
	{ "--print-config", CONFIG_PRINT },
};

/* A text that config owns. */
struct config_kept {
	struct config_kept *next;
	char text[];
};

const char *config_keep(struct config *config, const char *text, size_t len)
{
	struct config_kept *kept = malloc(sizeof(*kept) + len + 1);

	if (!kept)
		abort();
	memcpy(kept->text, text, len);
	kept->text[len] = '\0';
	kept->next = config->kept;
	config->kept = kept;
	return kept->text;
}

static void config_defaults(struct config *config)
{
	*config = (struct config){ 0 };
	for (size_t i = 0; i < config_option_count; i++)
		if (config_options[i].initial && option_set(&config_options[i], config, config_options[i].initial) < 0)
			abort();
}

static bool command_find(const char *argument, enum config_command *ret)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argument, commands[i].flag) == 0) {
			*ret = commands[i].command;
			return true;
		}
	}
	return false;
}

/* "--name value" or "--name=value". value NULL: it is missing. */
struct argument {
	struct text name; /* without the dashes; len 0: there are none */
	const char *value;
	int used;
};

static struct argument argument_split(int argc, char **argv)
{
	const char *word = argv[0];
	size_t len = strcspn(word, "=");
	bool has_dashes = strncmp(word, "--", 2) == 0;
	struct argument argument = { .used = 1 };

	argument.name = has_dashes ? text_of(word + 2, len - 2) : text_of(word, 0);
	if (word[len] == '=') {
		argument.value = word + len + 1;
	} else if (argc > 1) {
		argument.value = argv[1];
		argument.used = 2;
	}
	return argument;
}

static int complain_unknown(const char *word, const struct argument *argument, struct err *err)
{
	const struct option *nearest = option_nearest(argument->name);
	char flag[OPTION_NAME_MAX];

	if (argument->name.len == 0 || !nearest) {
		err_set(err, "unknown option %.*s (--help lists them)", SHOWN_MAX, word);
		return -EINVAL;
	}
	option_flag(nearest, flag);
	err_set(err, "unknown option --%.*s; the nearest is --%s", (int)argument->name.len, argument->name.p, flag);
	return -EINVAL;
}

static int complain_value(const struct option *option, const char *value, struct err *err)
{
	char flag[OPTION_NAME_MAX], expected[256];

	option_flag(option, flag);
	option_expectation(option, expected, sizeof(expected));
	if (value)
		err_set(err, "option --%s cannot be \"%.*s\"; it takes %s", flag, SHOWN_MAX, value, expected);
	else
		err_set(err, "option --%s needs a value: %s", flag, expected);
	return -EINVAL;
}

/* Takes one option; returns how many arguments it used. A list given once replaces its default or the file's. */
static int parse_argument(struct config *config, int argc, char **argv, bool *seen, struct err *err)
{
	struct argument argument = argument_split(argc, argv);
	const struct option *option = option_by_flag(argument.name);

	if (text_equal(argument.name, "config"))
		return argument.used;
	if (!option)
		return complain_unknown(argv[0], &argument, err);
	if (!argument.value)
		return complain_value(option, NULL, err);
	if (option->kind == OPTION_LIST && !seen[option - config_options])
		option_list_clear(option_field(option, config));
	seen[option - config_options] = true;
	if (option_set(option, config, argument.value) < 0)
		return complain_value(option, argument.value, err);
	return argument.used;
}

/* The file of --config, wherever it stands; *ret NULL: there is none. */
static int find_file(int argc, char **argv, const char **ret, struct err *err)
{
	enum config_command command;
	struct argument argument;

	*ret = NULL;
	for (int i = 1; i < argc; i += argument.used) {
		argument = (struct argument){ .used = 1 };
		if (!command_find(argv[i], &command))
			argument = argument_split(argc - i, argv + i);
		if (!text_equal(argument.name, "config"))
			continue;
		if (*ret || !argument.value || *argument.value == '\0') {
			err_set(err, *ret ? "option --config can be given once only" : "option --config needs a value: FILE");
			return -EINVAL;
		}
		*ret = argument.value;
	}
	return 0;
}

static int parse_flags(struct config *config, int argc, char **argv, bool *given, enum config_command *ret_command,
		       struct err *err)
{
	bool seen[OPTIONS_MAX] = { false };
	int used;

	for (int i = 1; i < argc; i += used) {
		used = 1;
		if (!command_find(argv[i], ret_command))
			used = parse_argument(config, argc - i, argv + i, seen, err);
		if (used < 0)
			return used;
	}
	for (size_t i = 0; i < config_option_count; i++)
		given[i] = given[i] || seen[i];
	return 0;
}

static int complain_defect(const char *name, struct err *err)
{
	struct nearest nearest;

	nearest_begin(&nearest, text_from(name));
	for (unsigned i = 0; i < DEFECT_COUNT; i++)
		nearest_try(&nearest, defects_name(i));
	if (nearest.word)
		err_set(err, "there is no defect %.*s; the nearest is %s", SHOWN_MAX, name, nearest.word);
	else
		err_set(err, "there is no defect %.*s (--list-defects prints them)", SHOWN_MAX, name);
	return -EINVAL;
}

/* The defects are there and all live in one engine, which is meant, unless another is asked for. */
static int settle_engine(struct config *config, struct err *err)
{
	static const char *const engines[] = { [DEFECT_KIND_WIRE] = "naive", [DEFECT_KIND_SERVICE] = "lws",
					       [DEFECT_KIND_NODES] = "lws" };
	const struct config_list *defects = &config->defects;
	const char *engine = config->engine;
	enum defect_kind kind;

	for (unsigned i = 0; i < defects->count; i++) {
		if (defects_kind(defects->items[i], &kind) < 0)
			return complain_defect(defects->items[i], err);
		if (engine && strcmp(engine, engines[kind]) != 0) {
			err_set(err, "defect %s lives in the engine %s, not in %s, which %s", defects->items[i],
				engines[kind], engine, config->engine ? "is asked for" : "the one before it lives in");
			return -EINVAL;
		}
		engine = engines[kind];
	}
	config->engine = engine ? engine : "lws";
	return 0;
}

static bool is_naive(const struct config *config)
{
	return strcmp(config->engine, "naive") == 0;
}

/* given[i]: option i was in the file or among the flags. */
static const char *config_fault(const struct config *config, const bool *given)
{
	if (!config->tls_cert != !config->tls_key)
		return "options --tls-cert and --tls-key go together: one of them is missing";
	if (config->workers > 1 && is_naive(config))
		return "the naive engine is one process: leave out --workers, or use --engine lws";
	if (config->workers > 1 && strcmp(config->store, "redis") != 0)
		return "option --workers needs --store redis: each worker would keep messages of its own";
	if (!config->auth_key && given[option_by_key(text_from("auth.algorithm")) - config_options])
		return "option --auth-algorithm needs --auth-key: without a key no token is looked at";
	if (config->channel_max_data > config->message_max)
		return "option --channel-max-data is more than --message-max: such a message would never get that far";
	return NULL;
}

int config_parse(struct config *config, int argc, char **argv, enum config_command *ret_command, struct err *err)
{
	bool given[OPTIONS_MAX] = { false };
	const char *path, *fault;
	int r;

	config_defaults(config);
	*ret_command = CONFIG_RUN;
	r = find_file(argc, argv, &path, err);
	if (r == 0 && path)
		r = config_file_read(config, path, given, err);
	if (r == 0)
		r = parse_flags(config, argc, argv, given, ret_command, err);
	if (r < 0 || (*ret_command != CONFIG_RUN && *ret_command != CONFIG_PRINT))
		return r;
	r = settle_engine(config, err);
	if (r < 0)
		return r;
	fault = config_fault(config, given);
	if (fault)
		err_set(err, "%s", fault);
	return fault ? -EINVAL : 0;
}

void config_fini(struct config *config)
{
	for (size_t i = 0; i < config_option_count; i++)
		if (config_options[i].kind == OPTION_LIST)
			option_list_clear(option_field(&config_options[i], config));
	while (config->kept) {
		struct config_kept *kept = config->kept;

		config->kept = kept->next;
		free(kept);
	}
}
