/* What is told of the options: --help, --print-config (a file that --config reads back), --list-options. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "server-under-test/config/config_options.h"

/* Bytes of the key's first word. */
static size_t word_len(const struct option *option)
{
	return strcspn(option->key, ".");
}

static bool same_group(const struct option *a, const struct option *b)
{
	return word_len(a) == word_len(b) && strncmp(a->key, b->key, word_len(a)) == 0;
}

/* Does another option begin with the same word? They stand side by side. */
static bool is_grouped(const struct option *option)
{
	return (option > config_options && same_group(option, option - 1)) ||
	       (option + 1 < config_options + config_option_count && same_group(option, option + 1));
}

static bool begins_group(const struct option *option)
{
	return is_grouped(option) && (option == config_options || !same_group(option, option - 1));
}

static void help_option(const struct option *option)
{
	char flag[OPTION_NAME_MAX];

	option_flag(option, flag);
	printf("  --%s %s\n        %s", flag, option->value, option->help);
	if (option->initial)
		printf("; default %s", option->initial);
	putchar('\n');
}

void config_print_help(void)
{
	const struct option *end = config_options + config_option_count;

	puts("wsquall-server: the reference server of wsquall. /ws speaks wsquall.v1, /echo echoes messages, /healthz tells\n"
	     "that it lives.\n\n"
	     "usage: wsquall-server [--config FILE] [options]\n\n"
	     "  --config FILE\n        options in YAML, read before the others; a key is the option with . where it\n"
	     "        has its groups, as in `tls: {cert: server.pem}`; --print-config writes one");
	for (const struct option *o = config_options; o < end; o++)
		if (!is_grouped(o))
			help_option(o);
	for (const struct option *o = config_options; o < end; o++) {
		if (begins_group(o))
			printf("\n%.*s\n", (int)word_len(o), o->key);
		if (is_grouped(o))
			help_option(o);
	}
	puts("\nquestions\n  --print-config\n        print the options as they are set, as a configuration file\n"
	     "  --list-options\n        print the options as a JSON array\n"
	     "  --list-defects\n        print the deliberate bugs as a JSON array\n"
	     "  --version\n  --help\n\n"
	     "SIGTERM drains (Close 1001), SIGUSR2 drains for a restart (Close 1012), a second signal ends at once; SIGHUP\n"
	     "reads the certificate again.\n"
	     "Exit: 0 ended or drained, 64 usage error, 69 the address cannot be had, 70 our own error.");
}

/* A YAML text in double quotes, which JSON's are. */
static void print_quoted(const char *text)
{
	json_t *json = json_string(text);
	char *quoted = json ? json_dumps(json, JSON_ENCODE_ANY) : NULL;

	fputs(quoted ? quoted : "null", stdout); /* a text that is not UTF-8 cannot stand in a file */
	free(quoted);
	json_decref(json);
}

static void print_value(const struct option *option, struct config *config)
{
	const struct config_list *list = option_field(option, config);
	char text[OPTION_NAME_MAX];

	if (option->kind == OPTION_LIST) {
		putchar('[');
		for (unsigned i = 0; i < list->count; i++) {
			if (i > 0)
				fputs(", ", stdout);
			print_quoted(list->items[i]);
		}
		puts("]");
	} else if (!option_is_set(option, config)) {
		puts("null");
	} else if (option->kind == OPTION_TEXT) {
		print_quoted(*(const char **)option_field(option, config));
		putchar('\n');
	} else {
		option_show(option, config, text, sizeof(text));
		puts(text);
	}
}

void config_print(struct config *config)
{
	for (const struct option *o = config_options; o < config_options + config_option_count; o++) {
		bool nested = is_grouped(o) && !option_by_key(text_of(o->key, word_len(o)));

		if (nested && begins_group(o))
			printf("%.*s:\n", (int)word_len(o), o->key);
		printf("%s%s: ", nested ? "  " : "", nested ? o->key + word_len(o) + 1 : o->key);
		print_value(o, config);
	}
}

void config_print_options(void)
{
	json_t *rows = json_array();
	char flag[OPTION_NAME_MAX], takes[256];

	for (const struct option *o = config_options; o < config_options + config_option_count; o++) {
		option_flag(o, flag);
		option_expectation(o, takes, sizeof(takes));
		json_array_append_new(rows, json_pack("{s:s, s:s, s:s, s:s, s:s?, s:s}", "key", o->key, "flag", flag, "value",
						      o->value, "takes", takes, "default", o->initial, "help", o->help));
	}
	json_dumpf(rows, stdout, JSON_INDENT(1));
	putchar('\n');
	json_decref(rows);
}
