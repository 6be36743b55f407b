/* The step machine: what to do next, what to wait for, and how long. */
#include "harness/run/interp.h"

#include <stdio.h>

#include "harness/base/clock.h"
#include "harness/base/escape.h"
#include "harness/run/interp_internal.h"

enum {
	SECOND_LOOK_MS = 20,  /* a deadline that fires is looked at again after what was already in the socket has been read */
	WAIT_FACTOR_CHATTY = 2, /* of one that talks on its own, what it says is no sign of an answer */
	WAIT_FACTOR_MAX = 12, /* a target that keeps trickling octets is waited for this many deadlines at most */
};

/* Deciding ------------------------------------------------------------------------------------------------------------------- */

void case_grade(struct case_run *run, enum grade grade, const char *required, const char *fmt, ...)
{
	bool first = run->seen.len == 0;
	if (!first && grade >= run->grade)
		return;
	if (grade < run->grade)
		run->grade = grade;
	run->seen.len = run->required.len = 0;
	char text[SEEN_TEXT_MAX];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	escape_text(&run->seen, span_str(text));
	if (required)
		buf_append_span(&run->required, span_str(required));
}

void case_note(struct case_run *run, const char *fmt, ...)
{
	if (run->note.len > NOTE_TEXT_MAX / 2)
		return;
	va_list ap;
	va_start(ap, fmt);
	if (run->note.len)
		buf_printf(&run->note, "; ");
	buf_vprintf(&run->note, fmt, ap);
	va_end(ap);
}

enum verdict case_verdict(enum req_level level, enum grade grade)
{
	if (grade >= GRADE_NOTE || level == REQ_INFO)
		return VERDICT_PASS;
	return grade == GRADE_WARN || level == REQ_SHOULD ? VERDICT_WARN : VERDICT_FAIL;
}

/* Waiting -------------------------------------------------------------------------------------------------------------------- */

void case_wait_for(struct case_run *run, enum case_wait wait, uint32_t ms, void (*on_timeout)(void *owner))
{
	if (run->wait != wait)
		run->wait_since_us = clock_now_us();
	run->wait = wait;
	if (run->dialled && wait != WAIT_SENDING && wait != WAIT_PAUSE)
		stream_pause(run->conn.stream, false);
	timer_start(&run->timer, run->env->loop, ms, on_timeout, run);
}

static const char *silence_text(const struct case_run *run)
{
	switch (run->wait) {
	case WAIT_OPEN: return "no connection";
	case WAIT_REPLY: return "no reply to the opening handshake";
	case WAIT_WORKS: return "HTTP 101, but no answer to a message or Ping afterwards";
	case WAIT_ECHO: return "no echo";
	case WAIT_PONG: return "no Pong";
	case WAIT_QUIET: return "no Pong to the Ping sent as barrier";
	default: return "nothing";
	}
}

static void on_second_look(void *owner)
{
	struct case_run *run = owner;
	run->soft = true;
	if (run->wait == WAIT_OPEN)
		run->no_connection = run->inconclusive = true;
	if (run->wait == WAIT_REPLY && run->at->kind == STEP_HTTP) {
		run->wait = WAIT_NOTHING;
		case_advance(run);
		return;
	}
	case_grade(run, run->wait == WAIT_OPEN ? GRADE_WARN : GRADE_FAIL, "an answer before the deadline", "%s within %u ms", silence_text(run),
		   run->env->timeout_ms);
	case_finish(run);
}

/* Silence, not slowness, is what a deadline is for: octets that keep coming move it. */
void case_on_silence(void *owner)
{
	struct case_run *run = owner;
	uint64_t now = clock_now_us(), timeout_us = (uint64_t)run->env->timeout_ms * 1000;
	uint64_t last = run->conn.progress_us > run->wait_since_us ? run->conn.progress_us : run->wait_since_us;
	unsigned factor = run->env->chatty ? WAIT_FACTOR_CHATTY : WAIT_FACTOR_MAX;
	if (now - last < timeout_us && now - run->wait_since_us < timeout_us * factor) {
		timer_start(&run->timer, run->env->loop, (timeout_us - (now - last)) / 1000 + 1, case_on_silence, run);
		return;
	}
	timer_start(&run->timer, run->env->loop, SECOND_LOOK_MS, on_second_look, run);
}

void case_wait_answer(struct case_run *run, enum case_wait wait)
{
	case_wait_for(run, wait, run->env->timeout_ms, case_on_silence);
}

/* Steps ---------------------------------------------------------------------------------------------------------------------- */

void case_on_wait_over(void *owner)
{
	struct case_run *run = owner;
	run->wait = WAIT_NOTHING;
	case_advance(run);
}

static void reconnect(void *owner)
{
	struct case_run *run = owner;
	case_leave_connection(run);
	run->wait = WAIT_NOTHING;
	case_advance(run);
}

static void on_canary(void *owner, struct case_run *child)
{
	struct case_run *run = owner;
	enum verdict v = child->worst.verdict;
	if (v != VERDICT_PASS) {
		run->soft = true;
		case_grade(run, GRADE_FAIL, "a target that goes on serving", "a fresh connection no longer works: %s", child->worst.seen);
	}
	run->alive = NULL;
	case_run_free(child);
	run->wait = WAIT_NOTHING;
	case_advance(run);
}

static void start_canary(struct case_run *run)
{
	run->wait = WAIT_ALIVE;
	if (case_run_new(run->env, &case_canary, on_canary, run, &run->alive) < 0) {
		run->inconclusive = true;
		case_finish(run);
	}
}

static bool is_setting(enum step_kind kind)
{
	return kind == STEP_CHOP || kind == STEP_CUT || kind == STEP_GATHER;
}

static void set_delivery(struct case_run *run, const struct step *s)
{
	long n = s->number == AT_ITER ? run->iter : s->number;
	if (s->kind == STEP_GATHER) {
		run->gather = true;
		return;
	}
	*(s->kind == STEP_CHOP ? &run->chop : &run->cut) = n < 0 ? -1 - n : n;
	run->cut_from_end = s->kind == STEP_CUT && n < 0;
	run->pieces = 0;
}

/* A step that waits or ends: sends what was gathered, then waits when there is something to wait for. Returns with run->at moved on. */
static void waiting_step(struct case_run *run, const struct step *s)
{
	if (s->kind != STEP_ENDS)
		run->at++;
	switch (s->kind) {
	case STEP_ECHO:
		if (run->conn.upgraded && !case_echoes_done(run))
			case_wait_answer(run, WAIT_ECHO);
		return;
	case STEP_PONG:
		run->pong_ms = (uint32_t)s->number;
		if (run->conn.upgraded && run->newest_ping && !run->newest_ping_answered)
			case_wait_answer(run, WAIT_PONG);
		return;
	case STEP_STRAY:
		if (run->conn.upgraded || !conn_alive(&run->conn))
			return;
		case_send_stray(run);
		case_wait_for(run, WAIT_STRAY, run->env->patience_ms, case_on_wait_over);
		run->stray = true;
		return;
	case STEP_QUIET:
		if (!run->conn.upgraded)
			return;
		run->barrier_answered = false;
		run->barrier = case_send_ping(run, "quiet");
		case_wait_answer(run, WAIT_QUIET);
		return;
	case STEP_PAUSE:
		case_wait_for(run, WAIT_PAUSE, (uint32_t)s->number, case_on_wait_over);
		return;
	case STEP_ENDS: case_ends_start(run); return;
	case STEP_ALIVE: start_canary(run); return;
	case STEP_NEW_CONNECTION:
		run->wait = WAIT_PAUSE;
		case_later(run, reconnect);
		return;
	default: return;
	}
}

static void simple_step(struct case_run *run, const struct step *s)
{
	run->at++;
	switch (s->kind) {
	case STEP_FIELD_HAS:
	case STEP_FIELD_LACKS:
	case STEP_FIELD_IS: case_check_field(run, s); return;
	case STEP_FIN: conn_fin(&run->conn); return;
	case STEP_RESET: conn_reset(&run->conn); return;
	case STEP_TRIGGER: case_send_trigger(run); return;
	case STEP_STOP_READING: stream_pause(run->conn.stream, true); return;
	default:
		if (case_send_step(run, s))
			case_wait_for(run, WAIT_SENDING, run->env->timeout_ms * WAIT_FACTOR_MAX, case_on_silence);
	}
}

static bool waits(enum step_kind kind)
{
	return kind == STEP_PAUSE || kind == STEP_STRAY || (kind >= STEP_ECHO && kind <= STEP_ALIVE);
}

/* Opens the connection and gets the reply judged, as far as that is not done. False: wait, or decided. */
static bool ready(struct case_run *run)
{
	if (run->reply_judged)
		return true;
	if (!run->dialled)
		case_dial(run);
	else if (!run->asked)
		case_send_request(run);
	else if (run->at->kind == STEP_HTTP)
		case_judge_reply(run);
	else
		case_judge_implicit_reply(run);
	return false;
}

static void step(struct case_run *run)
{
	const struct step *s = run->at;
	if (run->stray && case_stray_answered(run))
		case_grade(run, GRADE_FAIL, "no frames on a refused connection", "an answer to a frame sent after the handshake was refused");
	run->stray = false;
	if (s->kind == STEP_END) {
		case_finish(run);
	} else if (case_is_request_step(s->kind)) {
		case_request_step(run, s);
		run->at++;
	} else if (is_setting(s->kind)) {
		set_delivery(run, s);
		run->at++;
	} else if (!ready(run)) {
		return;
	} else if (waits(s->kind)) {
		run->gather = false;
		if (case_flush(run))
			case_wait_for(run, WAIT_SENDING, run->env->timeout_ms * WAIT_FACTOR_MAX, case_on_silence);
		else
			waiting_step(run, s);
	} else {
		simple_step(run, s);
	}
}

void case_advance(struct case_run *run)
{
	timer_stop(&run->timer);
	while (!run->decided && run->wait == WAIT_NOTHING)
		step(run);
}
