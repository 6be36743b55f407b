/* Opening: the connection, the request, and the judging of the reply. */
#include "harness/base/clock.h"
#include "harness/run/approach.h"
#include "harness/run/interp_internal.h"

void case_dial(struct case_run *run)
{
	struct dial_options o = approach_dial(run->env, run->plain);
	int r = conn_dial(&run->conn, run->env->loop, &o, &run->arena, &run->transcript, case_on_event, run);
	run->dialled = true;
	run->conn.request = &run->request;
	run->conn.edited = run->edited;
	run->conn.odd_offer = run->odd_offer;
	if (r < 0) {
		run->soft = run->no_connection = run->inconclusive = true;
		run->refused = r == -ECONNREFUSED;
		case_grade(run, GRADE_WARN, "a connection", "no connection: %s", strerror(-r));
		case_finish(run);
		return;
	}
	case_wait_for(run, WAIT_OPEN, run->env->timeout_ms * 2, case_on_silence);
}

static void shuffle(struct case_run *run)
{
	struct handshake_request *q = &run->request;
	for (size_t i = q->n_fields; i > 1; i--) {
		size_t j = (size_t)rng_below(&run->rng, i);
		struct handshake_field f = q->fields[i - 1];
		q->fields[i - 1] = q->fields[j];
		q->fields[j] = f;
	}
}

void case_send_request(struct case_run *run)
{
	if (run->shuffled)
		shuffle(run);
	long chop = run->chop, cut = run->cut;
	if (run->at->kind != STEP_HTTP)
		run->chop = run->cut = 0;
	if (!run->no_send) {
		handshake_request_write(&run->request, &run->out);
		transcript_octets(&run->transcript, clock_now_us(), true, buf_span(&run->out));
		bool gather = run->gather;
		run->gather = false;
		case_flush(run);
		run->gather = gather;
	}
	if (run->at->kind != STEP_HTTP) {
		run->chop = chop;
		run->cut = cut;
	}
	run->asked = true;
	if (run->at->kind == STEP_HTTP && run->at->http.silent > GRADE_FAIL)
		case_wait_for(run, WAIT_REPLY, run->env->patience_ms * SILENT_PATIENCES, case_on_wait_over);
	else
		case_wait_answer(run, WAIT_REPLY);
}

/* The standard request of a case about something else: only 101 lets it go on. */
void case_judge_implicit_reply(struct case_run *run)
{
	run->reply_judged = true;
	if (run->http.open)
		return;
	run->soft = run->inconclusive = true;
	run->no_connection = run->http.status >= 500 || run->http.status == 429 || !run->http.status;
	case_grade(run, GRADE_WARN, "HTTP 101", run->http.status ? "the opening handshake was answered with HTTP %d" :
		   "the opening handshake was not answered (status %d)", run->http.status);
	case_finish(run);
}

void case_judge_reply(struct case_run *run)
{
	struct buf seen, required;
	buf_init(&seen, SEEN_TEXT_MAX);
	buf_init(&required, SEEN_TEXT_MAX);
	if (run->plain && run->http.not_http) { /* a TLS alert */
		run->http.not_http = false;
		run->http.eof = true;
	}
	enum grade grade = judge_http(&run->at->http, &run->http, &seen, &required);
	if (grade < GRADE_NOTE && !run->http.status)
		run->soft = true;
	if (grade < GRADE_NOTE && (run->http.status == 429 || run->http.status >= 500))
		run->soft = true;
	case_grade(run, grade, buf_cstr(&required), "%s", buf_cstr(&seen));
	buf_fini(&seen);
	buf_fini(&required);
	bool bare = run->at->http.bare;
	run->reply_judged = true;
	run->at++;
	if (!run->http.open)
		return;
	if (grade == GRADE_FAIL) {
		case_finish(run);
		return;
	}
	run->chop = run->cut = 0;
	if (bare)
		return;
	case_send_works(run);
	case_wait_answer(run, WAIT_WORKS);
}
