/* Receiving: each event is matched with what was sent; what fits nothing that was sent is a violation. */
#include "harness/base/clock.h"
#include "harness/run/interp_internal.h"
#include "harness/ws/close_code.h"

enum { LIMIT_PLAUSIBLE = 16 << 10 }; /* a Close 1009 on a smaller message is no sensible limit */

static void drop(struct owed_list *list, struct owed *upto)
{
	list->first = upto->next;
	if (!list->first)
		list->last = &list->first;
}

static struct owed *find(struct owed_list *list, const struct conn_event *e, size_t *ret_skipped)
{
	size_t skipped = 0;
	for (struct owed *o = list->first; o; o = o->next, skipped++)
		if (o->opcode == e->opcode && span_eq(o->octets, e->octets)) {
			*ret_skipped = skipped;
			return o;
		}
	return NULL;
}

bool case_echoes_done(const struct case_run *run)
{
	for (const struct owed *o = run->echoes.first; o; o = o->next)
		if (!o->after_bad && !o->after_close && !o->optional)
			return false;
	return true;
}

/* The machine waited for this; go on. */
static void arrived(struct case_run *run)
{
	run->wait = WAIT_NOTHING;
	case_advance(run);
}

/* No step of the rest can be done but the grading of the end. */
static void skip_to_end(struct case_run *run)
{
	while (run->at->kind != STEP_END && run->at->kind != STEP_ENDS)
		run->at++;
	timer_stop(&run->pace);
	run->out.len = run->out_at = 0;
	arrived(run);
}

/* An answer to the violation, or to something after it: how bad that is says the rule that waits for the end. */
static enum grade grade_overlooked(const struct case_run *run)
{
	const struct step *s = run->at;
	while (s->kind != STEP_END && s->kind != STEP_ENDS)
		s++;
	return s->kind == STEP_ENDS ? s->end.overlooked : GRADE_FAIL;
}

/* Data ----------------------------------------------------------------------------------------------------------------------- */

/* An echo gone wrong has something of what was sent: its octets, its beginning, or its length. */
static bool resembles(const struct owed *o, struct span got)
{
	return o && (o->octets.len == got.len || (got.len && o->octets.len && got.p[0] == o->octets.p[0]) || got.len == 0);
}

static void wrong_echo(struct case_run *run, const struct owed *o, const struct conn_event *e)
{
	size_t at = 0, n = o->octets.len < e->octets.len ? o->octets.len : e->octets.len;
	while (at < n && o->octets.p[at] == e->octets.p[at])
		at++;
	if (o->opcode != e->opcode)
		case_grade(run, GRADE_FAIL, "an echo of the same type", "a %s message of %zu octets as echo of a %s message of %zu octets",
			   opcode_name(e->opcode), e->octets.len, opcode_name(o->opcode), o->octets.len);
	else
		case_grade(run, GRADE_FAIL, "an echo with the same octets", "an echo of %zu octets that differs from the %zu sent from octet %zu on",
			   e->octets.len, o->octets.len, at);
}

/*
 * Nothing that was sent. Without a likeness it may be a message that the target sends on its own: then it is soft, until the listener has heard
 * whether this target does that.
 */
static void wrong_message(struct case_run *run, const struct conn_event *e)
{
	const struct owed *o = run->echoes.first;
	const char *name = opcode_name(e->opcode);
	run->soft = !resembles(o, e->octets);
	if (run->bad)
		case_grade(run, GRADE_FAIL, "no data after the violation", "a %s message of %zu octets after the violation", name, e->octets.len);
	else if (o)
		wrong_echo(run, o, e);
	else
		case_grade(run, GRADE_FAIL, "no message that nobody sent", "a %s message of %zu octets that nobody sent", name, e->octets.len);
	case_finish(run);
}

static void on_message(struct case_run *run, const struct conn_event *e)
{
	size_t skipped;
	struct owed *o = run->conn.extension ? NULL : find(&run->echoes, e, &skipped);
	if (run->end.close) {
		case_grade(run, GRADE_FAIL, "no data after the Close", "a %s message of %zu octets after the target's own Close",
			   opcode_name(e->opcode), e->octets.len);
		case_finish(run);
		return;
	}
	if (!o) {
		if (run->conn.extension || run->env->chatty || !run->env->has_echo)
			return;
		wrong_message(run, e);
		return;
	}
	if (o->after_bad || o->after_close) {
		case_grade(run, o->after_bad ? grade_overlooked(run) : GRADE_FAIL, o->after_bad ? "nothing processed after the violation" : "nothing processed after our Close",
			   "an echo of a %s message sent %s", opcode_name(o->opcode), o->after_bad ? "in or after the violation" : "after our Close");
		case_finish(run);
		return;
	}
	if (skipped && !run->triggered) {
		case_grade(run, GRADE_FAIL, "echoes in the order of the messages", "an echo that came before %zu earlier one%s", skipped,
			   skipped == 1 ? "" : "s");
		case_finish(run);
		return;
	}
	drop(&run->echoes, o);
	bool waiting = run->wait == WAIT_ECHO || (run->wait == WAIT_WORKS && !run->barrier);
	if (waiting && case_echoes_done(run))
		arrived(run);
}

/* Control -------------------------------------------------------------------------------------------------------------------- */

static void on_ping(struct case_run *run, const struct conn_event *e)
{
	if (run->bad || run->conn.we_closed || !conn_alive(&run->conn) || e->octets.len > CONTROL_PAYLOAD_MAX || run->out.len)
		return;
	struct frame f = {.fin = true, .opcode = OPCODE_PONG, .masked = true, .payload = e->octets};
	rng_fill(&run->rng, f.key, 4);
	struct buf b;
	buf_init(&b, 256);
	if (frame_write(&b, &f) == 0)
		conn_write(&run->conn, buf_span(&b));
	buf_fini(&b);
}

static void unmatched_pong(struct case_run *run, const struct conn_event *e)
{
	if (e->octets.len == 0 || !run->pings.first || run->bad) {
		case_note(run, "an unsolicited Pong of %zu octets", e->octets.len);
		return;
	}
	case_grade(run, GRADE_FAIL, "a Pong with the octets of the Ping", "a Pong of %zu octets that repeats no Ping that is open", e->octets.len);
	case_finish(run);
}

static void on_pong(struct case_run *run, const struct conn_event *e)
{
	size_t skipped;
	struct conn_event as_ping = *e;
	as_ping.opcode = OPCODE_PING;
	struct owed *o = find(&run->pings, &as_ping, &skipped);
	if (!o) {
		unmatched_pong(run, e);
		return;
	}
	drop(&run->pings, o);
	run->pings_skipped += (unsigned)skipped;
	if (o->after_bad) {
		case_grade(run, grade_overlooked(run), "nothing processed after the violation",
			   "a Pong to a Ping sent in or after the violation: it was overlooked");
		case_finish(run);
		return;
	}
	if (o->after_close) {
		if (run->conn.peer_closed)
			case_grade(run, GRADE_WARN, "no Pong after the Close", "a Pong after the target's own Close");
		else
			case_note(run, "a Pong to a Ping sent after our Close");
	}
	if (o == run->newest_ping) {
		run->newest_ping_answered = true;
		uint32_t ms = (uint32_t)((clock_now_us() - run->wait_since_us) / 1000);
		if (run->wait == WAIT_PONG && run->pong_ms && ms > run->pong_ms) {
			run->soft = true;
			case_grade(run, GRADE_WARN, "a Pong without delay", "a Pong after %u ms", ms);
		}
	}
	if (o == run->barrier)
		run->barrier_answered = true;
	if ((run->wait == WAIT_PONG && run->newest_ping_answered) ||
	    ((run->wait == WAIT_QUIET || run->wait == WAIT_WORKS) && run->barrier && run->barrier_answered))
		arrived(run);
}

/* Octets of the largest message that is not answered. */
static size_t largest_owed(const struct case_run *run)
{
	size_t largest = 0;
	for (const struct owed *o = run->echoes.first; o; o = o->next)
		if (o->octets.len > largest)
			largest = o->octets.len;
	return largest;
}

/* The same, complete or not. */
static size_t largest_sent(const struct case_run *run)
{
	size_t owed = largest_owed(run);
	return run->message_open && run->message.len > owed ? run->message.len : owed;
}

/* The contract does not say that the target takes it. */
static bool may_be_too_big(const struct case_run *run, size_t octets)
{
	uint64_t promised = run->env->target->contract.max_message;
	return octets >= LIMIT_PLAUSIBLE && (!promised || octets > promised);
}

/* 10.4: a limit of its own is the target's right, and 1009 is how it says so. */
static bool is_over_limit(const struct case_run *run, size_t octets)
{
	return run->end.close_body && run->end.code == 1009 && may_be_too_big(run, octets);
}

static void not_graded(struct case_run *run, size_t octets, const char *how)
{
	struct case_env *env = run->env;
	if (!env->too_big || octets < env->too_big)
		env->too_big = octets;
	run->over_limit = true;
	case_grade(run, GRADE_WARN, NULL, "a message of %zu octets is over a limit of the target: %s", octets, how);
	if (!env->target->contract.max_message)
		case_note(run, "state the limit with `contract: {max_message: ...}` in a target file");
}

static void unexpected_close(struct case_run *run)
{
	const struct end_seen *end = &run->end;
	const char *name = close_code_name(end->code);
	run->soft = true;
	if (is_over_limit(run, largest_sent(run))) {
		not_graded(run, largest_sent(run), "Close 1009");
	} else if (end->close_body && (end->code == 1000 || end->code == 1001 || end->code == 1012 || end->code == 1013)) {
		run->inconclusive = true; /* 7.3: a server may close whenever it wants */
		case_grade(run, GRADE_WARN, "an open connection", "Close %u (%s) by the target in the middle of the case", end->code, name);
	} else if (end->close_body) {
		case_grade(run, GRADE_FAIL, "an open connection", "Close %u (%s) though nothing was wrong", end->code, name);
	} else {
		case_grade(run, GRADE_FAIL, "an open connection", "a Close without a code though nothing was wrong");
	}
	if (!run->conn.we_closed) {
		case_send_close(run, end->close_body && close_code_sendable(end->code) ? end->code : 1000, (struct span){0});
		run->chop = run->cut = 0;
		case_flush(run);
	}
	case_finish(run);
}

static void on_close(struct case_run *run, const struct conn_event *e)
{
	struct end_seen *end = &run->end;
	if (end->close) {
		if (!run->decided && (run->n_closes > 1 || run->triggered))
			case_grade(run, GRADE_FAIL, "one Close frame", "a second Close frame");
		return;
	}
	end->close = true;
	end->close_short = e->octets.len == 1;
	end->close_body = e->octets.len >= 2;
	if (end->close_body)
		end->code = (uint16_t)(e->octets.p[0] << 8 | e->octets.p[1]);
	if (run->wait == WAIT_FAREWELL || run->wait == WAIT_DONE)
		return;
	if (!run->bad && !run->triggered && is_over_limit(run, largest_owed(run)))
		unexpected_close(run);
	else if (run->wait == WAIT_ENDS)
		case_ends_event(run);
	else if (run->bad || run->conn.we_closed || run->triggered)
		skip_to_end(run);
	else if (run->wait != WAIT_SENDING || run->at->kind != STEP_ENDS)
		unexpected_close(run);
}

/* The end -------------------------------------------------------------------------------------------------------------------- */

static void lost(struct case_run *run, const struct conn_event *e)
{
	const char *how = e->kind == CONN_EOF ? "FIN" : e->error == -ECONNRESET ? "RST" : strerror(-e->error);
	size_t largest = largest_sent(run);
	run->soft = true;
	if (run->env->too_big && largest >= run->env->too_big && may_be_too_big(run, largest)) {
		not_graded(run, largest, "it ended the connection; others as large got Close 1009");
		case_note(run, "%s without a Close frame", how);
	} else {
		case_grade(run, GRADE_FAIL, "an open connection", "%s without a Close frame though nothing was wrong", how);
	}
	case_finish(run);
}

static void on_end(struct case_run *run, const struct conn_event *e)
{
	struct end_seen *end = &run->end;
	if (e->kind == CONN_EOF) {
		end->eof = true;
		end->unclean = !e->clean;
	} else if (!end->eof)
		(e->error == -ECONNRESET ? (void)(end->rst = true) : (void)(end->error = e->error));
	switch (run->wait) {
	case WAIT_OPEN:
		run->soft = run->no_connection = run->inconclusive = true;
		run->refused = e->kind == CONN_ERROR && e->error == -ECONNREFUSED;
		case_grade(run, GRADE_WARN, "a connection", "no connection: %s", stream_error_text(run->conn.stream));
		case_finish(run);
		return;
	case WAIT_REPLY:
		run->http.eof = e->kind == CONN_EOF;
		run->http.rst = e->kind == CONN_ERROR && e->error == -ECONNRESET;
		run->http.error = e->kind == CONN_ERROR && e->error != -ECONNRESET ? e->error : 0;
		arrived(run);
		return;
	case WAIT_ENDS:
		case_ends_event(run);
		return;
	case WAIT_FAREWELL:
	case WAIT_DONE:
		case_finish(run);
		return;
	default:
		if (run->wait == WAIT_STRAY)
			arrived(run);
		else if (run->bad || run->conn.we_closed || run->triggered || !run->conn.upgraded || (run->at->kind == STEP_ENDS && run->wait == WAIT_SENDING))
			skip_to_end(run);
		else
			lost(run, e);
	}
}

void case_on_event(void *owner, const struct conn_event *e)
{
	struct case_run *run = owner;
	if (run->decided && run->wait != WAIT_FAREWELL)
		return;
	switch (e->kind) {
	case CONN_OPEN:
		if (run->wait == WAIT_OPEN)
			arrived(run);
		return;
	case CONN_REPLY:
		run->http.status = run->conn.reply.status;
		run->http.open = run->http.status == 101;
		run->http.not_http = run->http.status == 0;
		if (run->wait == WAIT_REPLY)
			arrived(run);
		return;
	case CONN_MESSAGE:
		if (!run->decided)
			on_message(run, e);
		return;
	case CONN_PING: on_ping(run, e); return;
	case CONN_PONG:
		if (!run->decided)
			on_pong(run, e);
		return;
	case CONN_CLOSE: on_close(run, e); return;
	case CONN_EOF:
	case CONN_ERROR: on_end(run, e); return;
	case CONN_ENDLESS:
		if (!run->decided)
			case_grade(run, GRADE_FAIL, "a bounded answer", "%s", run->conn.limit_text);
		case_finish(run);
		return;
	case CONN_FRAME: return;
	}
}
