/* The `logs` section made ready: pointers cut into steps, the pattern compiled, words looked at. */
#include "harness/target/log_rules.h"

#include <stdlib.h>

enum { RULES_ARENA_MAX = 1 << 20 };

static const char *const word_names[LOG_WORDS] = {
#define LOG_WORD(name, about) [LOG_WORD_##name] = #name,
#include "harness/target/log_words.def"
#undef LOG_WORD
};

const char *log_word_name(enum log_word word)
{
	return word_names[word];
}

/* RFC 6901 3 and 4: "~1" is '/', "~0" is '~'. */
static bool unescape(char *step)
{
	char *to = step;
	for (const char *at = step; *at; at++) {
		if (*at == '~' && at[1] != '0' && at[1] != '1')
			return false;
		*to++ = *at == '~' ? (*++at == '1' ? '/' : '~') : *at;
	}
	*to = 0;
	return true;
}

static int cut_pointer(struct log_rules *r, struct log_place *p, const char *key, const char *text, struct err *e)
{
	char *copy = arena_strdup(&r->arena, text);
	if (!copy)
		return -ENOMEM;
	if (*copy != '/')
		return err_set(e, EINVAL, "logs: %s: expected a JSON pointer such as /%.60s, not '%.60s'", key, text, text);
	for (char *step = copy; step; p->n++) {
		char *next = strchr(step + 1, '/');
		if (next)
			*next = 0;
		if (p->n == LOG_POINTER_STEPS_MAX || !unescape(step + 1))
			return err_set(e, EINVAL, "logs: %s: '%.60s' is no JSON pointer of at most %d steps (RFC 6901)", key, text,
				       LOG_POINTER_STEPS_MAX);
		p->steps[p->n] = step + 1;
		step = next;
	}
	return 0;
}

static int find_group(struct log_place *p, const char *key, const char *text, const char *const *names, size_t groups,
		      struct err *e)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);
	if (text[0] >= '1' && text[0] <= '9' && !*end) {
		p->group = n;
	} else {
		for (size_t i = 1; i <= groups && i < LOG_GROUPS_MAX; i++)
			if (names[i] && strcmp(names[i], text) == 0)
				p->group = i;
	}
	if (p->group == 0 || p->group > groups)
		return err_set(e, EINVAL, "logs: %s: the pattern has no group '%.60s'", key, text);
	return 0;
}

static int place(struct log_rules *r, size_t at, const char *key, const char *text, const char *const *names,
		 size_t groups, struct err *e)
{
	struct log_place *p = &r->places[at];
	if (!text)
		return 0;
	p->told = true;
	if (r->format == LOG_JSON)
		return cut_pointer(r, p, key, text, e);
	if (r->format == LOG_REGEX)
		return find_group(p, key, text, names, groups, e);
	p->steps[0] = arena_strdup(&r->arena, text[0] == '/' ? text + 1 : text);
	p->n = 1;
	return p->steps[0] ? 0 : -ENOMEM;
}

static int compile(struct log_rules *r, const char *pattern, const char **names, size_t *ret_groups, struct err *e)
{
	const char *plain;
	char why[128];
	if (!pattern)
		return err_set(e, EINVAL, "logs: format regex needs a `pattern`");
	int error = log_pattern_plain(pattern, &r->arena, &plain, names, ret_groups, e);
	if (error < 0)
		return error;
	error = regcomp(&r->regex, plain, REG_EXTENDED);
	if (error) {
		regerror(error, &r->regex, why, sizeof(why));
		return err_set(e, EINVAL, "logs: pattern: %s", why);
	}
	r->regex_made = true;
	return 0;
}

static int check_words(const struct log_rules *r, struct err *e)
{
	for (size_t w = 0; w < LOG_WORDS; w++)
		for (size_t i = 0; i < r->words[w].len; i++)
			for (size_t v = 0; v < w; v++)
				for (size_t k = 0; k < r->words[v].len; k++)
					if (strcmp(r->words[w].items[i], r->words[v].items[k]) == 0)
						return err_set(e, EINVAL, "logs: words: '%.60s' stands for %s and for %s",
							       r->words[w].items[i], word_names[v], word_names[w]);
	return 0;
}

static int copy_words(struct log_rules *r, const struct target_logs *logs)
{
	for (size_t w = 1; w < LOG_WORDS; w++) {
		const struct opt_strings *from = &logs->words[w];
		r->words[w].items = arena_alloc(&r->arena, (from->len + 1) * sizeof(char *));
		if (!r->words[w].items)
			return -ENOMEM;
		for (size_t i = 0; i < from->len; i++, r->words[w].len++) {
			r->words[w].items[i] = arena_strdup(&r->arena, from->items[i]);
			if (!r->words[w].items[i])
				return -ENOMEM;
		}
	}
	return 0;
}

static int fill(struct log_rules *r, const struct target_logs *logs, struct err *e)
{
	const struct {
		const char *key, *text;
	} places[LOG_PLACES] = {
		[LOG_AT_EVENT] = {"event", logs->event},    [LOG_AT_CONNECTION] = {"connection", logs->connection},
		[LOG_AT_CODE] = {"code", logs->code},       [LOG_AT_REASON] = {"reason", logs->reason},
		[LOG_AT_LEVEL] = {"level", logs->level},    [LOG_AT_TIME] = {"time", logs->time},
		[LOG_AT_NODE] = {"node", logs->node},       [LOG_AT_ADDRESS] = {"address", logs->address},
		[LOG_AT_INITIATOR] = {"initiator", logs->initiator},
	};
	const char *names[LOG_GROUPS_MAX] = {NULL};
	size_t groups = 0;
	int error = copy_words(r, logs);
	if (error == 0 && r->format == LOG_REGEX)
		error = compile(r, logs->pattern, names, &groups, e);
	else if (error == 0 && logs->pattern)
		error = err_set(e, EINVAL, "logs: a `pattern` belongs to format regex alone");
	for (size_t i = 0; error == 0 && i < LOG_PLACES; i++)
		error = place(r, i, places[i].key, places[i].text, names, groups, e);
	return error == 0 ? check_words(r, e) : error;
}

int log_rules_new(const struct target_logs *logs, struct log_rules **ret_rules, struct err *e)
{
	struct log_rules *r = calloc(1, sizeof(*r));
	if (!r)
		return err_set(e, ENOMEM, "no memory for the rules of the log");
	arena_init(&r->arena, RULES_ARENA_MAX);
	r->format = (enum log_format)logs->format;
	int error = fill(r, logs, e);
	if (error == -ENOMEM)
		err_set(e, ENOMEM, "no memory for the rules of the log");
	if (error < 0)
		log_rules_free(r);
	else
		*ret_rules = r;
	return error;
}

void log_rules_free(struct log_rules *r)
{
	if (!r)
		return;
	if (r->regex_made)
		regfree(&r->regex);
	arena_fini(&r->arena);
	free(r);
}
