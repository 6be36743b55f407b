/* Dialect files: the ones that are built in, the ones of the user, and their keys. What they mean: dialect_compile.c. */
#include "harness/target/dialect.h"

#include <string.h>

#include "harness/base/conf.h"
#include "harness/base/escape.h"
#include "harness/base/file.h"
#include "harness/base/limits.h"
#include "harness/base/near.h"
#include "harness/target/dialect_rules.h"

static const struct {
	const char *folder, *name, *text;
} builtin_dialects[] = {
#include "harness/target/builtin_dialects.h"
};

#define FIELD(key, field, opt_type, help_text, ...) \
	{.name = key, .type = opt_type, .offset = offsetof(struct dialect_file, field), .help = help_text, ##__VA_ARGS__}
/* A row of a part of the file. */
#define PART(part, key, opt_type, help_text, ...) \
	{.name = #key, .type = opt_type, .help = help_text, \
	 .offset = offsetof(struct dialect_file, part.key) - offsetof(struct dialect_file, part), ##__VA_ARGS__}
#define SAY_(part, key, help_text) PART(part, key, OPT_STRING, help_text, .check = template_check_say)
#define HEAR_(part, key, help_text) PART(part, key, OPT_STRING, help_text, .check = template_check_match)
#define LINE_(part, key, help_text) PART(part, key, OPT_STRING, help_text, .check = template_check_line)

static const char *const transports[] = {"websocket", "sse", "adapter", NULL};
static const char *const framings[] = {"message", "lines", "record_separator", NULL};
static const char *const channel_bys[] = {"message", "url", NULL};
static const char *const resume_bys[] = {"nothing", "subscribe", "connect", "query", "header", NULL};
static const char *const cursor_kinds[] = {"none", "numeric", "gappy", "opaque", "implicit", NULL};
static const char *const scopes[] = {"channel", "connection", NULL};
static const char *const signs[] = {"nothing", "pusher", NULL}; /* enum sign */
static const char *const thens[] = {"reconnect", "afresh", "stop", NULL};

static const struct opt connect_table[] = {
	LINE_(connect, query, "added to the query of every connection's request"),
	PART(connect, headers, OPT_MAP, "header fields of every connection's request", .check = template_check_line),
	HEAR_(connect, after, "what the server says first; `say` waits for it"),
	SAY_(connect, say, "first message of the client"),
	HEAR_(connect, ok, "from here on the connection may be used; without it: as soon as it is open"),
	HEAR_(connect, fail, "the server refuses the client"),
	{0},
};

static const struct opt subscribe_table[] = {
	SAY_(subscribe, say, "asks for a channel"),
	SAY_(subscribe, then, "said right behind it, where the answer to this is all that confirms a subscription"),
	HEAR_(subscribe, ok, "the channel is subscribed; without it: as soon as it is asked for. $newest: where it stands"),
	HEAR_(subscribe, fail, "it is refused"),
	{0},
};

static const struct opt unsubscribe_table[] = {
	SAY_(unsubscribe, say, "ends a subscription"),
	HEAR_(unsubscribe, ok, "it is ended"),
	{0},
};

#define HTTP_(key, help_text, ...) PART(publish.http, key, OPT_STRING, help_text, ##__VA_ARGS__)
static const struct opt http_table[] = {
	HTTP_(method, "method of the request", .def = "POST"),
	HTTP_(target, "path of the request", .check = template_check_line, .flags = OPT_REQUIRED),
	HTTP_(type, "Content-Type of the request"),
	HTTP_(body, "body of the request", .check = template_check_say, .flags = OPT_REQUIRED),
	PART(publish.http, sign, OPT_ENUM, "how the request is signed: not at all, or as Pusher's HTTP API wants it", .choices = signs),
	HTTP_(key, "who signs", .check = template_check_line),
	HTTP_(secret, "what it is signed with", .check = template_check_line),
	HTTP_(ok, "body of an answer 2xx, for what it tells", .check = template_check_match),
	HTTP_(fail, "body of an answer 4xx or 5xx, for what it tells", .check = template_check_match),
	{0},
};

static const struct opt publish_table[] = {
	SAY_(publish, say, "publishes"),
	HEAR_(publish, ok, "the server has it; without it: nobody knows, and it counts as done once it is sent"),
	HEAR_(publish, fail, "it is refused"),
	HEAR_(publish, unsure, "it is refused, and may have been done all the same"),
	PART(publish, subscribed, OPT_FLAG, "only who is subscribed to a channel may publish there"),
	PART(publish, http, OPT_SECTION, "publishes by a request of its own instead", .sub = http_table),
	{0},
};

static const struct opt ack_table[] = {
	SAY_(ack, say, "acknowledges everything up to $seq or $cursor"),
	PART(ack, every, OPT_U64, "messages between two of them", .def = "1", .min = 1, .max = 1000000),
	{0},
};

static const struct opt resume_table[] = {
	PART(resume, by, OPT_ENUM, "where a client says where it was: nothing, or in which request", .choices = resume_bys),
	SAY_(resume, say, "instead of `subscribe.say` or `connect.say`, when all it needs is known"),
	LINE_(resume, query, "added to the query of the request"),
	PART(resume, headers, OPT_MAP, "header fields added to the request", .check = template_check_line),
	HEAR_(resume, ok, "the answer to a resume that says yes, where $recovered does not; $session and variables must be the old ones"),
	HEAR_(resume, lost, "the answer to a resume that says no; without it: any other one"),
	PART(resume, at_once, OPT_FLAG, "a session that goes on is not answered: it may be used as soon as it is open"),
	PART(resume, restores, OPT_FLAG, "the subscriptions of a session that goes on need not be asked for again"),
	HEAR_(resume, restored, "the server says that a channel was restored"),
	{0},
};

static const struct opt heartbeat_table[] = {
	HEAR_(heartbeat, hear, "a heartbeat of the server"),
	SAY_(heartbeat, answer, "the client's answer to it"),
	SAY_(heartbeat, say, "a heartbeat of the client"),
	{.name = "every", .type = OPT_DURATION, .help = "time between two of the client's",
	 .offset = offsetof(struct dialect_file, heartbeat.every_ms) - offsetof(struct dialect_file, heartbeat),
	 .min = 1, .max = 3600000},
	{0},
};

static const struct opt cursor_table[] = {
	PART(cursor, kind, OPT_ENUM, "how a message says where it stands: a number without gaps, one with gaps, a text, "
	     "not at all but counted", .choices = cursor_kinds),
	PART(cursor, scope, OPT_ENUM, "what one position and one run of numbers are for: each channel, or all channels of a session", .choices = scopes),
	PART(cursor, repeats, OPT_FLAG, "by the protocol, the client drops a message whose number is not above the newest one's"),
	{0},
};

static const struct opt code_table[] = {
	{.name = "from", .type = OPT_U64, .offset = offsetof(struct dialect_code, from), .help = "first close code",
	 .flags = OPT_REQUIRED, .min = 1000, .max = 4999},
	{.name = "to", .type = OPT_U64, .offset = offsetof(struct dialect_code, to), .help = "last one; without it: the same",
	 .min = 1000, .max = 4999},
	{.name = "then", .type = OPT_ENUM, .offset = offsetof(struct dialect_code, then), .flags = OPT_REQUIRED,
	 .help = "what a client is to do: come back, come back as a new one, or stay away", .choices = thens},
	{0},
};

#define LIST(key, help_text) FIELD(#key, key, OPT_STRINGS, help_text, .check = template_check_match)
const struct opt dialect_table[] = {
	FIELD("dialect", name, OPT_STRING, "its name", .flags = OPT_REQUIRED),
	FIELD("about", about, OPT_STRING, "what it speaks to, in one line"),
	FIELD("transport", transport, OPT_ENUM, "what carries it", .choices = transports),
	FIELD("adapter", adapter, OPT_STRINGS, "command of the process that translates, word by word"),
	FIELD("framing", framing, OPT_ENUM, "what one message holds: one unit, units with line ends, units with 0x1E behind "
	      "each", .choices = framings),
	FIELD("subprotocols", subprotocols, OPT_STRINGS, "to offer"),
	FIELD("variables", variables, OPT_MAP, "values in CAPITALS that a target file may change, with what they are otherwise"),
	FIELD("channel_by", channel_by, OPT_ENUM, "where a channel is named", .choices = channel_bys),
	FIELD("url", url, OPT_STRING, "path of a channel, where the URL names it", .check = template_check_line),
	FIELD("connect", connect, OPT_SECTION, "how a connection begins", .sub = connect_table),
	FIELD("subscribe", subscribe, OPT_SECTION, "how a channel is asked for", .sub = subscribe_table),
	FIELD("unsubscribe", unsubscribe, OPT_SECTION, "how a subscription is ended", .sub = unsubscribe_table),
	FIELD("publish", publish, OPT_SECTION, "how a message is published", .sub = publish_table),
	LIST(deliver, "messages that were published"),
	LIST(moved, "a channel begins anew: another epoch"),
	LIST(ended, "the server ended a subscription"),
	LIST(error, "something went wrong"),
	LIST(ignore, "known, and of no interest"),
	FIELD("ack", ack, OPT_SECTION, "how deliveries are acknowledged", .sub = ack_table),
	FIELD("resume", resume, OPT_SECTION, "how a client goes on where it was", .sub = resume_table),
	FIELD("heartbeat", heartbeat, OPT_SECTION, "heartbeats that are messages", .sub = heartbeat_table),
	FIELD("cursor", cursor, OPT_SECTION, "where a client stands", .sub = cursor_table),
	FIELD("codes", codes, OPT_SECTIONS, "close codes after which a client does not simply come back; the first row that has the code counts", .sub = code_table,
	      .item_size = sizeof(struct dialect_code)),
	FIELD("contract", contract, OPT_SECTION, "what the protocol promises", .sub = contract_table),
	{0},
};

static int compile(struct span text, const char *name, struct arena *a, const struct dialect **ret, struct err *e)
{
	struct dialect_rules *rules = ARENA_NEW(a, struct dialect_rules);
	struct dialect *d = ARENA_NEW(a, struct dialect);
	if (!rules || !d || opt_defaults(dialect_table, &rules->file, a) < 0)
		return err_set(e, ENOMEM, "%s: needs more memory than is allowed", name);
	int r = conf_read_text(text, name, dialect_table, &rules->file, a, e);
	if (r == 0)
		r = dialect_compile(rules, text, name, a, e);
	if (r < 0)
		return r;
	const struct dialect_file *f = &rules->file;
	*d = (struct dialect){
		.name = f->name,
		.about = f->about,
		.transport = f->transport,
		.channel_by = f->channel_by,
		.cursor = f->cursor.kind,
		.cursor_of_connection = f->cursor.scope == DIALECT_SCOPE_CONNECTION,
		.resumes = f->resume.by != RESUME_BY_NOTHING,
		.sessions = f->resume.restores && f->resume.by != RESUME_BY_NOTHING && f->resume.by != RESUME_BY_SUBSCRIBE,
		.can_publish = f->publish.say || f->publish.http.target,
		.publish_by_http = f->publish.http.target,
		.publish_subscribed = !f->publish.http.target &&
				      (f->publish.subscribed || f->channel_by == DIALECT_CHANNEL_BY_URL),
		.subprotocols = f->subprotocols,
		.adapter = f->adapter,
		.contract = f->contract,
		.rules = rules,
	};
	d->contract.numbered_by_session = d->cursor_of_connection;
	*ret = d;
	return 0;
}

const char *dialect_builtin_name(size_t i)
{
	return i < ARRAY_LEN(builtin_dialects) ? builtin_dialects[i].name : NULL;
}

const char *dialect_builtin_text(size_t i)
{
	return i < ARRAY_LEN(builtin_dialects) ? builtin_dialects[i].text : NULL;
}

static int load_builtin(const char *name, struct arena *a, const struct dialect **ret, struct err *e)
{
	const char *words[ARRAY_LEN(builtin_dialects)];
	struct buf shown CLEANUP(buf_fini) = {0};
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		words[i] = builtin_dialects[i].name;
		if (strcmp(words[i], name) == 0)
			return compile(span_str(builtin_dialects[i].text), words[i], a, ret, e);
	}
	const char *near = near_word(name, words, ARRAY_LEN(words));
	buf_init(&shown, ERR_TEXT_MAX);
	escape_text_max(&shown, span_str(name), DIALECT_ID_MAX);
	if (near)
		return err_set(e, ENOENT, "unknown dialect %s, did you mean %s?", buf_cstr(&shown), near);
	return err_set(e, ENOENT, "unknown dialect %s; `wsquall list dialects` shows those that are built in, and a file of "
		       "your own is named by a path or ends in .yaml", buf_cstr(&shown));
}

static bool is_path(const char *name)
{
	size_t len = strlen(name);
	return strchr(name, '/') || (len > 5 && strcmp(name + len - 5, ".yaml") == 0);
}

int dialect_load(const char *name, const char *folder, struct arena *a, const struct dialect **ret_dialect,
		 struct err *e)
{
	struct buf text CLEANUP(buf_fini) = {0};
	if (!is_path(name))
		return load_builtin(name, a, ret_dialect, e);
	const char *path = folder && name[0] != '/' ? arena_printf(a, "%s/%s", folder, name) : name;
	if (!path)
		return err_set(e, ENOMEM, "%s: needs more memory than is allowed", name);
	int r = file_read(path, CONF_FILE_MAX, &text, e);
	return r < 0 ? r : compile(buf_span(&text), path, a, ret_dialect, e);
}

int dialect_load_variant(const char *name, const struct dialect *base, const char *variant, const char *folder,
			 struct arena *a, const struct dialect **ret_dialect, struct err *e)
{
	size_t len = strlen(name), stem = is_path(name) && len > 5 && strcmp(name + len - 5, ".yaml") == 0 ? len - 5 : len;
	const char *other = arena_printf(a, "%.*s-%s%s", (int)stem, name, variant, name + stem);
	if (!other)
		return err_set(e, ENOMEM, "%s: needs more memory than is allowed", name);
	struct err why;
	int r = dialect_load(other, folder, a, ret_dialect, &why);
	if (r == 0)
		return 0;
	if (r != -ENOENT)
		return err_set(e, -r, "%s", why.text);
	if (base->sessions && strcmp(variant, "sessions") == 0) {
		*ret_dialect = base;
		return 0;
	}
	if (!is_path(name))
		return err_set(e, ENOENT, "the dialect %s has no variant \"%s\"", base->name, variant);
	return err_set(e, ENOENT, "the dialect %s has no variant \"%s\": there is no %s", base->name, variant, other);
}

const struct opt_map *dialect_variables(const struct dialect *d)
{
	return &d->rules->file.variables;
}

int dialect_variables_check(const struct dialect *d, const struct opt_map *variables, struct err *e)
{
	const struct opt_map *known = dialect_variables(d);
	for (size_t i = 0; i < variables->len; i++) {
		const char *name = variables->items[i].key, *words[TEMPLATE_VARIABLES_MAX + 1] = {NULL};
		struct buf shown CLEANUP(buf_fini) = {0};
		if (opt_map_get(known, name) || strcmp(name, "client") == 0)
			continue;
		for (size_t k = 0; k < known->len && k < TEMPLATE_VARIABLES_MAX; k++)
			words[k] = known->items[k].key;
		const char *near = near_word(name, words, TEMPLATE_VARIABLES_MAX);
		buf_init(&shown, ERR_TEXT_MAX);
		escape_text_max(&shown, span_str(name), DIALECT_ID_MAX);
		return err_set(e, EINVAL, "the dialect %s has no variable %s%s%s%s", d->name, buf_cstr(&shown),
			       near ? ", did you mean " : "", near ? near : "", near ? "?" : "");
	}
	return 0;
}
