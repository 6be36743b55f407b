/*
 * Waiting for the end of a connection. A target that shows no reaction is asked: by a Ping after a violation (its Pong proves that the
 * violation was overlooked), by our own Close when it sent a Close and leaves TCP open. Only the last resort is the deadline.
 */
#include "harness/base/clock.h"
#include "harness/run/interp_internal.h"

enum {
	TCP_OPEN_FACTOR = 5, /* TCP still open this many times slow_ms after the Closes: given up and graded `tcp_open` */
	ENDS_FACTOR_MAX = 4, /* a target that keeps sending is waited for this many deadlines */
};

static const struct end_rule *rule(const struct case_run *run)
{
	return &run->at->end;
}

static uint32_t elapsed_ms(const struct case_run *run)
{
	return (uint32_t)((clock_now_us() - run->ends_since_us) / 1000);
}

static void decide(struct case_run *run)
{
	struct buf seen, required;
	buf_init(&seen, SEEN_TEXT_MAX);
	buf_init(&required, SEEN_TEXT_MAX);
	run->end.our_code = run->conn.we_closed ? run->our_code : -2;
	run->end.waited_ms = elapsed_ms(run);
	enum grade grade = judge_end(rule(run), &run->end, &seen, &required);
	bool leaving = run->end.close_body && (run->end.code == 1001 || run->end.code == 1012 || run->end.code == 1013);
	bool timed = !run->end.eof && !run->end.rst && !run->end.error;
	if (grade < GRADE_NOTE && (timed || leaving || rule(run)->slow_ms || rule(run)->slow_close_ms || !run->end.close))
		run->soft = true;
	if (run->probed && !timed && grade >= GRADE_NOTE) {
		/* It may have lost its place in the stream and stumbled over the Ping: run again with more patience, and a warn if it stays so. */
		run->soft = true;
		grade = GRADE_WARN;
		buf_printf(&seen, ", and only when a Ping followed");
	}
	case_grade(run, grade, buf_cstr(&required), "%s", buf_cstr(&seen));
	if (run->end.rst && !run->end.close && run->bad)
		case_note(run, "RST: a Close frame may have been lost with it");
	buf_fini(&seen);
	buf_fini(&required);
	run->at++;
	run->wait = WAIT_NOTHING;
	timer_stop(&run->timer);
	case_advance(run);
}

static void on_tcp_open(void *owner)
{
	struct case_run *run = owner;
	run->end.we_dropped = true;
	conn_fin(&run->conn);
	decide(run);
}

/* A Close frame came and TCP is open: a client would answer it now. */
static void on_answer_close(void *owner)
{
	struct case_run *run = owner;
	if (!run->conn.we_closed && conn_alive(&run->conn) && !run->sync_lost) {
		int code = run->end.close_body ? run->end.code : -1;
		case_send_close(run, code, (struct span){0});
		run->our_code = -2;
		run->chop = run->cut = 0;
		case_flush(run);
	}
	case_wait_for(run, WAIT_ENDS, run->env->patience_ms, on_tcp_open);
}

/* Octets that keep coming move the deadline; not for ever. */
static void on_deadline(void *owner)
{
	struct case_run *run = owner;
	bool trickles = !run->bad && !run->env->chatty && run->conn.progress_us > run->ends_wait_us;
	run->ends_wait_us = clock_now_us();
	if (trickles && elapsed_ms(run) < run->env->timeout_ms * ENDS_FACTOR_MAX)
		case_wait_for(run, WAIT_ENDS, run->env->patience_ms, on_deadline);
	else
		decide(run);
}

/*
 * How long a target may stay silent after it was asked. Where staying open is not a fail, or where it may rightly wait for octets that never come,
 * a few patiences tell as much as the whole deadline.
 */
static uint32_t last_wait_ms(const struct case_run *run)
{
	uint32_t some = run->env->patience_ms * SILENT_PATIENCES;
	if (rule(run)->open >= GRADE_NOTE)
		return run->env->patience_ms;
	if (rule(run)->open == GRADE_FAIL && !run->sync_lost)
		return run->env->timeout_ms;
	return some < run->env->timeout_ms ? some : run->env->timeout_ms;
}

static void ask(void *owner)
{
	struct case_run *run = owner;
	run->ends_phase = ENDS_ASKED;
	if (run->bad && conn_alive(&run->conn) && !run->sync_lost && !run->conn.we_closed) {
		run->chop = run->cut = 0;
		case_send_ping(run, "overlooked");
		run->probed = true;
	}
	run->ends_wait_us = clock_now_us();
	case_wait_for(run, WAIT_ENDS, last_wait_ms(run), on_deadline);
}

static void after_close_frame(struct case_run *run)
{
	run->ends_phase = ENDS_ANSWERED;
	if (!run->bad && !run->conn.we_closed && conn_alive(&run->conn)) {
		/* The target began the closing handshake: answer at once (5.5.1). */
		case_send_close(run, run->end.close_body ? run->end.code : -1, (struct span){0});
		run->our_code = -2;
		case_flush(run);
	}
	run->end.close_ms = elapsed_ms(run);
	run->ends_since_us = clock_now_us();
	if (rule(run)->slow_ms)
		case_wait_for(run, WAIT_ENDS, rule(run)->slow_ms * TCP_OPEN_FACTOR, on_tcp_open);
	else
		case_wait_for(run, WAIT_ENDS, run->env->patience_ms, run->bad ? on_answer_close : on_tcp_open);
}

void case_ends_event(struct case_run *run)
{
	if (run->end.eof || run->end.rst || run->end.error) {
		decide(run);
		return;
	}
	if (run->end.close && run->ends_phase != ENDS_ANSWERED)
		after_close_frame(run);
}

void case_ends_start(struct case_run *run)
{
	run->wait = WAIT_ENDS;
	run->ends_phase = ENDS_WATCHING;
	run->ends_since_us = clock_now_us();
	if (run->end.eof || run->end.rst || run->end.error || run->end.close) {
		case_ends_event(run);
		return;
	}
	bool asks = run->bad || rule(run)->open >= GRADE_NOTE;
	if (asks)
		case_wait_for(run, WAIT_ENDS, run->env->patience_ms, ask);
	else
		case_wait_for(run, WAIT_ENDS, run->env->timeout_ms, on_deadline);
}
