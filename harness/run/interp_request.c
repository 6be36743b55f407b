/* The opening handshake of a case: a standard request, edited step by step, with the target's own names filled in. */
#include <stdio.h>

#include "harness/run/approach.h"
#include "harness/run/interp_internal.h"

static const char *swapped_case(struct case_run *run, const char *word)
{
	char *copy = word ? arena_strdup(&run->arena, word) : NULL;
	for (char *c = copy; c && *c; c++)
		if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z'))
			*c ^= 0x20;
	return copy;
}

/* "example.com:8080" of "https://example.com:8080" */
static const char *origin_host(struct case_run *run)
{
	const char *origin = run->env->target->origins.allowed, *host = origin ? strstr(origin, "://") : NULL;
	return host ? host + 3 : origin;
}

static const char *accept_text(struct case_run *run)
{
	const struct handshake_field *f = handshake_request_find(&run->request, "Sec-WebSocket-Key");
	char *accept = arena_alloc(&run->arena, HANDSHAKE_ACCEPT_LEN + 1);
	if (!f || !accept)
		return NULL;
	handshake_accept(span_trim(f->value), accept);
	return accept;
}

static const char *placeholder(struct case_run *run, struct span name)
{
	const struct target *t = run->env->target;
	const struct {
		const char *name, *value;
	} known[] = {
		{"host", t->echo.host_field}, {"target", t->echo.target},
		{"subprotocol", t->subprotocols.len ? t->subprotocols.items[0] : NULL},
		{"forbidden_origin", t->origins.forbidden}, {"allowed_origin", t->origins.allowed},
		{"absent", t->paths.absent}, {"protected", t->paths.protected_}, {"redirect", t->paths.redirect},
		{"text_only", t->paths.text_only}, {"other", t->paths.other}, {"close_trigger", t->close_trigger},
	};
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (span_eq(name, span_str(known[i].name)))
			return known[i].value;
	if (span_eq(name, SPAN_LIT("SUBPROTOCOL")))
		return swapped_case(run, placeholder(run, SPAN_LIT("subprotocol")));
	if (span_eq(name, SPAN_LIT("origin_host")))
		return origin_host(run);
	if (span_eq(name, SPAN_LIT("accept")))
		return accept_text(run);
	if (span_eq(name, SPAN_LIT("key"))) {
		const struct handshake_field *f = handshake_request_find(&run->request, "Sec-WebSocket-Key");
		return f ? (const char *)f->value.p : NULL;
	}
	return NULL;
}

struct span case_text(struct case_run *run, const char *text, size_t len)
{
	struct span rest = span_of(text, len);
	if (!len || !memchr(text, '{', len))
		return rest;
	struct buf b;
	buf_init(&b, HANDSHAKE_REPLY_MAX);
	while (rest.len) {
		const uint8_t *open = memchr(rest.p, '{', rest.len);
		const uint8_t *close = open ? memchr(open, '}', rest.len - (size_t)(open - rest.p)) : NULL;
		struct span name = close ? span_of(open + 1, (size_t)(close - open) - 1) : (struct span){0};
		const char *value = close ? placeholder(run, name) : NULL;
		size_t plain = value ? (size_t)(open - rest.p) : open ? (size_t)(open - rest.p) + 1 : rest.len;
		buf_append(&b, rest.p, plain);
		if (value)
			buf_append_span(&b, span_str(value));
		rest = span_sub(rest, value ? (size_t)(close + 1 - rest.p) : plain, rest.len);
	}
	struct span out = arena_span(&run->arena, buf_span(&b));
	buf_fini(&b);
	return out;
}

void case_request_init(struct case_run *run)
{
	approach_request(run->env, &run->rng, &run->arena, &run->request);
}

bool case_is_request_step(enum step_kind kind)
{
	return kind >= STEP_METHOD && kind <= STEP_PLAIN;
}

static void add_padding(struct case_run *run, long n)
{
	for (long i = 0; i < n; i++) {
		const char *line = arena_printf(&run->arena, "X-Padding-%ld: v\r\n", i);
		if (line)
			handshake_request_add_raw(&run->request, span_str(line));
	}
}

/*
 * Offers that are not plain lists of names and `name=token` parameters: which of them a reply may take up is not ours to say. Raw lines are
 * taken for odd without a look.
 */
static bool is_odd_offer(const struct step *s, struct span value)
{
	bool protocol = s->name && span_eq_nocase(span_str(s->name), SPAN_LIT("Sec-WebSocket-Protocol"));
	bool extension = s->name && span_eq_nocase(span_str(s->name), SPAN_LIT("Sec-WebSocket-Extensions"));
	if (s->kind == STEP_FIELD_RAW || s->kind == STEP_REQUEST_RAW)
		return true;
	if (!protocol && !extension)
		return false;
	while (value.len) {
		size_t len = 0;
		while (len < value.len && !memchr(extension ? ",;=" : ",", value.p[len], extension ? 3 : 1))
			len++;
		if (!handshake_is_token(span_trim(span_sub(value, 0, len))))
			return true;
		value = span_sub(value, len + (len < value.len), value.len);
	}
	return false;
}

void case_request_step(struct case_run *run, const struct step *s)
{
	struct handshake_request *q = &run->request;
	struct span text = s->text ? case_text(run, s->text, s->text_len) : (struct span){0};
	run->edited = true;
	run->odd_offer = run->odd_offer || is_odd_offer(s, text);
	switch (s->kind) {
	case STEP_METHOD: q->method = text; break;
	case STEP_TARGET:
		q->target = text;
		run->other_service = strstr(s->text, "{other}") || strstr(s->text, "{text_only}") || strstr(s->text, "{protected}");
		break;
	case STEP_VERSION: q->version = text; break;
	case STEP_SET: handshake_request_set(q, s->name, text); break;
	case STEP_ADD: handshake_request_add(q, s->name, text); break;
	case STEP_DROP: handshake_request_drop(q, s->name); break;
	case STEP_FIELD_RAW: handshake_request_add_raw(q, text); break;
	case STEP_REQUEST_RAW: q->raw = text; break;
	case STEP_BODY: q->body = text; break;
	case STEP_LF_ONLY: q->lf_only = true; break;
	case STEP_PADDING: add_padding(run, s->number); break;
	case STEP_SHUFFLE: run->shuffled = true; break;
	case STEP_NO_SEND: run->no_send = true; break;
	case STEP_PLAIN: run->plain = true; break;
	default: break;
	}
}

/* Subprotocol names are compared with their letter case (RFC 6455 4.1). */
static bool has_exact_element(const struct handshake_reply *r, const char *name, struct span want)
{
	enum { ELEMENTS_MAX = 64 };
	struct span element;
	for (size_t i = 0; i < ELEMENTS_MAX && handshake_reply_element(r, name, i, &element); i++)
		if (span_eq(element, want))
			return true;
	return false;
}

void case_check_field(struct case_run *run, const struct step *s)
{
	const struct handshake_reply *r = &run->conn.reply;
	if (!run->conn.replied || (s->number && s->number != (s->number < 10 ? r->status / 100 : r->status)))
		return;
	struct span value = {0}, want = s->text ? case_text(run, s->text, strlen(s->text)) : (struct span){0};
	size_t count = handshake_reply_count(r, s->name, &value);
	bool ok;
	char wanted[128];
	snprintf(wanted, sizeof(wanted), "%.*s", (int)(want.len > 100 ? 100 : want.len), want.p ? (const char *)want.p : "");
	if (s->text && span_eq_nocase(span_str(s->name), SPAN_LIT("Sec-WebSocket-Protocol")))
		ok = has_exact_element(r, s->name, want) == (s->kind != STEP_FIELD_LACKS) && (s->kind != STEP_FIELD_IS || count == 1);
	else if (s->kind == STEP_FIELD_IS)
		ok = count == 1 && span_eq(value, want);
	else
		ok = (s->text ? handshake_reply_has_token(r, s->name, wanted) : count > 0) == (s->kind == STEP_FIELD_HAS);
	if (ok)
		return;
	const char *required = arena_printf(&run->arena, "%s%s%s%s", s->kind == STEP_FIELD_LACKS ? "no " : "", s->name, s->text ? ": " : "",
					    s->text ? wanted : "");
	if (count)
		case_grade(run, s->grade, required, "HTTP %d with %s: %.*s", r->status, s->name, (int)(value.len > 100 ? 100 : value.len),
			   (const char *)value.p);
	else
		case_grade(run, s->grade, required, "HTTP %d without a %s field", r->status, s->name);
}
