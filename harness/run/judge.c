/* Alternatives are data: a rule is a set of reactions, each with a grade; the first that fits what was seen decides. */
#include "harness/run/judge.h"

#include "harness/ws/close_code.h"

static bool listed(const uint16_t *list, size_t n, int value)
{
	for (size_t i = 0; i < n && list[i]; i++)
		if (list[i] == value)
			return true;
	return false;
}
#define LISTED(list, value) listed((list), sizeof(list) / sizeof(*(list)), (value))

/* Words joined by commas. */
struct words {
	struct buf *out;
	unsigned n;
};

static void word(struct words *w, const char *text)
{
	buf_printf(w->out, "%s%s", w->n++ ? ", " : "", text);
}

static void number(struct words *w, const char *what, int value)
{
	buf_printf(w->out, "%s%s %d", w->n++ ? ", " : "", what, value);
}

static void numbers(struct words *w, const char *what, const uint16_t *list, size_t n)
{
	for (size_t i = 0; i < n && list[i]; i++)
		number(w, what, list[i]);
}
#define NUMBERS(w, what, list) numbers((w), (what), (list), sizeof(list) / sizeof(*(list)))

static enum grade grade_close(const struct end_rule *r, const struct end_seen *s)
{
	if (s->close_short)
		return r->unsendable;
	if (!s->close_body && s->bad_close)
		return grade_worst(r->none, GRADE_WARN);
	if (!s->close_body)
		return s->our_code == -1 && r->same > r->none ? r->same : r->none;
	if (LISTED(r->pass, s->code))
		return GRADE_PASS;
	if (LISTED(r->note, s->code))
		return GRADE_NOTE;
	if (LISTED(r->warn, s->code))
		return GRADE_WARN;
	if (!close_code_sendable(s->code))
		return r->unsendable;
	if (s->code == s->our_code)
		return r->same;
	if (s->code == 1000)
		return r->normal;
	return r->other;
}

static enum grade grade_tcp(const struct end_rule *r, const struct end_seen *s)
{
	if (r->clean && (s->rst || s->unclean))
		return GRADE_WARN;
	if (r->slow_close_ms && s->close_ms > r->slow_close_ms)
		return GRADE_WARN;
	if (!r->slow_ms)
		return s->we_dropped ? GRADE_NOTE : GRADE_PASS;
	if (s->we_dropped)
		return r->tcp_open;
	return s->waited_ms > r->slow_ms ? GRADE_WARN : GRADE_PASS;
}

static void say_end(const struct end_seen *s, struct buf *out)
{
	if (s->close_short)
		buf_printf(out, "Close with a body of one octet");
	else if (s->close && s->close_body)
		buf_printf(out, "Close %u (%s)", s->code, close_code_name(s->code));
	else if (s->close)
		buf_printf(out, "Close with an empty body");
	const char *joint = s->close ? ", then " : "";
	const char *bare = s->close ? "" : " without a Close frame";
	if (s->rst)
		buf_printf(out, "%sRST%s", joint, bare);
	else if (s->eof)
		buf_printf(out, "%sFIN%s%s", joint, bare, s->unclean ? " and without close_notify" : "");
	else if (s->error)
		buf_printf(out, "%sthe connection broke (%s)%s", joint, strerror(-s->error), bare);
	else if (s->close)
		buf_printf(out, ", TCP left open for us to close (%u ms)", s->waited_ms);
	else
		buf_printf(out, "the connection stayed open for %u ms", s->waited_ms);
}

static void say_end_rule(const struct end_rule *r, const struct end_seen *s, struct buf *out)
{
	struct words w = {out};
	NUMBERS(&w, "Close", r->pass);
	if (r->same == GRADE_PASS && s->our_code >= 0 && !LISTED(r->pass, s->our_code))
		number(&w, "Close", s->our_code);
	if (r->same == GRADE_PASS && s->our_code == -1)
		word(&w, "a Close without a code");
	NUMBERS(&w, "Close", r->note);
	if (r->normal >= GRADE_NOTE && s->our_code != 1000 && !LISTED(r->pass, 1000) && !LISTED(r->note, 1000))
		word(&w, "Close 1000");
	if (r->none >= GRADE_NOTE && s->our_code != -1)
		word(&w, "a Close without a code");
	if (r->other >= GRADE_NOTE)
		word(&w, "a Close with another code that may be sent");
	if (r->fin >= GRADE_NOTE)
		word(&w, "FIN without a Close");
	if (r->rst >= GRADE_NOTE)
		word(&w, "RST");
	if (r->open >= GRADE_NOTE)
		word(&w, "a connection that stays open");
	if (r->slow_ms)
		buf_printf(out, "; TCP closed within %u ms", r->slow_ms);
	if (r->slow_close_ms)
		buf_printf(out, "; the Close within %u ms", r->slow_close_ms);
	if (r->clean)
		buf_printf(out, "; then a clean end of TCP (FIN; on TLS close_notify first)");
}

enum grade judge_end(const struct end_rule *r, const struct end_seen *s, struct buf *seen_text, struct buf *required_text)
{
	say_end(s, seen_text);
	say_end_rule(r, s, required_text);
	if (s->close)
		return grade_worst(grade_close(r, s), grade_tcp(r, s));
	if (s->rst || s->error)
		return r->rst;
	return s->eof ? r->fin : r->open;
}

enum grade judge_http(const struct http_rule *r, const struct http_seen *s, struct buf *seen_text, struct buf *required_text)
{
	struct words w = {required_text};
	if (r->open >= GRADE_NOTE)
		word(&w, "HTTP 101");
	NUMBERS(&w, "HTTP", r->pass);
	NUMBERS(&w, "HTTP", r->note);
	if (r->client_error >= GRADE_NOTE)
		word(&w, w.n ? "another HTTP 4xx" : "HTTP 4xx");
	if (r->server_error >= GRADE_NOTE)
		word(&w, "HTTP 5xx");
	if (r->ok >= GRADE_NOTE)
		word(&w, "a plain HTTP reply");
	if (r->closed >= GRADE_NOTE)
		word(&w, "a closed connection");
	if (r->silent >= GRADE_NOTE)
		word(&w, "silence");

	if (s->not_http)
		buf_printf(seen_text, "octets that are no HTTP reply");
	else if (s->status)
		buf_printf(seen_text, "HTTP %d", s->status);
	else if (s->rst)
		buf_printf(seen_text, "RST without an HTTP reply");
	else if (s->eof || s->error)
		buf_printf(seen_text, "%s without an HTTP reply", s->eof ? "FIN" : strerror(-s->error));
	else
		buf_printf(seen_text, "no reply");

	if (s->not_http)
		return GRADE_FAIL;
	if (!s->status)
		return s->eof || s->rst || s->error ? r->closed : r->silent;
	if (LISTED(r->fail, s->status))
		return GRADE_FAIL;
	if (s->status == 101)
		return r->open;
	if (LISTED(r->pass, s->status))
		return GRADE_PASS;
	if (LISTED(r->note, s->status))
		return GRADE_NOTE;
	if (LISTED(r->warn, s->status))
		return GRADE_WARN;
	switch (s->status / 100) {
	case 2: return r->ok;
	case 3: return r->redirect;
	case 4: return r->client_error;
	case 5: return r->server_error;
	default: return GRADE_FAIL;
	}
}
