#pragma once
/* The inside of a dialect: its file as it is read, and the parsed templates. dialect*.c and session*.c alone use it. */
#include "harness/target/dialect.h"
#include "harness/target/sign.h"
#include "harness/target/template.h"

enum {
	DIALECT_ARENA_MAX = 8 << 20,
	DIALECT_HEADERS_MAX = 16,       /* fields of `connect.headers` and of `resume.headers` */
	DIALECT_RULES_MAX = 64,         /* patterns of all kinds */
	DIALECT_ID_MAX = 64,            /* octets of a dialect's name */
};

enum dialect_framing { DIALECT_FRAMING_MESSAGE, DIALECT_FRAMING_LINES, DIALECT_FRAMING_RECORD_SEPARATOR };
enum dialect_resume { RESUME_BY_NOTHING, RESUME_BY_SUBSCRIBE, RESUME_BY_CONNECT, RESUME_BY_QUERY, RESUME_BY_HEADER };
enum dialect_scope { DIALECT_SCOPE_CHANNEL, DIALECT_SCOPE_CONNECTION };

struct dialect_code {
	uint64_t from, to;              /* to 0: from alone */
	int then;                       /* enum session_then */
};

/* The keys of a file. */
struct dialect_file {
	const char *name, *about, *url;
	int transport, framing, channel_by;
	struct opt_strings subprotocols, adapter;
	struct opt_map variables;
	struct {
		const char *query, *after, *say, *ok, *fail;
		struct opt_map headers;
	} connect;
	struct {
		const char *say, *then, *ok, *fail;
	} subscribe;
	struct {
		const char *say, *ok;
	} unsubscribe;
	struct {
		const char *say, *ok, *fail, *unsure;
		bool subscribed;
		struct dialect_http {
			const char *method, *target, *type, *body, *ok, *fail, *key, *secret;
			int sign;  /* enum sign */
		} http;
	} publish;
	struct opt_strings deliver, moved, ended, error, ignore;
	struct {
		const char *say;
		uint64_t every;
	} ack;
	struct {
		int by;
		const char *say, *query, *ok, *lost, *restored;
		struct opt_map headers;
		bool at_once, restores;
	} resume;
	struct {
		const char *hear, *answer, *say;
		uint64_t every_ms;
	} heartbeat;
	struct {
		int kind, scope;
		bool repeats;
	} cursor;
	struct opt_sections codes;
	struct contract contract;
};

enum dialect_say {
#define SAY(ID, field, key, names) SAY_##ID,
#define LINE(ID, field, key, names) LINE_##ID,
#include "harness/target/dialect_patterns.def"
	DIALECT_SAYS
};

enum dialect_hear {
#define HEAR(ID, field, key) HEAR_##ID,
#define HEAR_ALL(ID, field, key) HEAR_##ID,
#include "harness/target/dialect_patterns.def"
	DIALECT_HEARS
};

struct dialect_rule {
	enum dialect_hear kind;
	const struct template *pattern;
};

struct dialect_header {
	const char *name;
	const struct template *value;
};

struct dialect_rules {
	struct dialect_file file;
	struct template_names names;
	const struct template *say[DIALECT_SAYS];    /* or NULL */
	bool hears[DIALECT_HEARS];                   /* there is a pattern for it */
	struct dialect_rule rules[DIALECT_RULES_MAX]; /* in the order in which they are tried */
	size_t n_rules;
	struct dialect_header connect_headers[DIALECT_HEADERS_MAX], resume_headers[DIALECT_HEADERS_MAX];
	size_t n_connect_headers, n_resume_headers;
	const struct template *resumed, *lost;       /* of `resume.ok`, `resume.lost`: the answer to connecting */
	const struct template *http_ok, *http_fail;  /* of the answer's body */
};

/* Parses all templates and looks whether they go together. `text` is the file's, for the places of mistakes. */
int dialect_compile(struct dialect_rules *d, struct span text, const char *name, struct arena *a, struct err *e);
/* Fills e with "name:line:column: " of the key ("resume.say") and the sentence; returns -EINVAL. */
int dialect_fail(struct span text, const char *name, const char *key, struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* The same for the place where `word` stands in the file. */
int dialect_fail_word(struct span text, const char *name, const char *word, struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
