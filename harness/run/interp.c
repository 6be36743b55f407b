/* The step machine: repeats, connections, waiting steps, and what is left when all is decided. */
#include "harness/run/interp.h"

#include <stdio.h>
#include <stdlib.h>

#include "harness/base/clock.h"
#include "harness/base/escape.h"
#include "harness/run/interp_internal.h"

enum {
	NOTE_TEXT_MAX = 300,
	SECOND_LOOK_MS = 20,      /* a deadline that fires is looked at again after what was already in the socket has been read */
	WAIT_FACTOR_MAX = 12,     /* a target that keeps trickling octets is waited for this many deadlines at most */
	KEPT_MAX = 1 << 20,
};

static void begin_repeat(struct case_run *run);

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
	uint64_t last = run->conn.last_read_us > run->wait_since_us ? run->conn.last_read_us : run->wait_since_us;
	if (now - last < timeout_us && now - run->wait_since_us < timeout_us * WAIT_FACTOR_MAX) {
		timer_start(&run->timer, run->env->loop, (timeout_us - (now - last)) / 1000 + 1, case_on_silence, run);
		return;
	}
	timer_start(&run->timer, run->env->loop, SECOND_LOOK_MS, on_second_look, run);
}

static void wait_answer(struct case_run *run, enum case_wait wait)
{
	case_wait_for(run, wait, run->env->timeout_ms, case_on_silence);
}

/* The end of a repeat -------------------------------------------------------------------------------------------------------- */

static void collect_watches(struct case_run *run)
{
	struct case_env *env = run->env;
	for (int w = 0; w < WATCH_COUNT; w++) {
		const struct conn_watch *seen = &run->conn.watch[w];
		env->watch[w].samples += seen->samples;
		env->watch[w].seen += seen->seen;
		if (!seen->seen || env->watch_case[w])
			continue;
		struct buf text;
		buf_init(&text, TRANSCRIPT_MAX);
		transcript_render(&run->transcript, &text);
		env->watch_case[w] = run->tc->id;
		env->watch_evidence[w] = strdup(buf_cstr(&text));
		buf_fini(&text);
	}
}

void case_run_transcript(const struct case_run *run, struct buf *out)
{
	if (run->worst_transcript)
		buf_append_span(out, span_str(run->worst_transcript));
}

static char *render(struct case_run *run)
{
	struct buf text;
	buf_init(&text, TRANSCRIPT_MAX);
	for (size_t i = 0; i < run->n_earlier; i++) {
		transcript_render(&run->earlier[i], &text);
		buf_printf(&text, "\n-- next connection --\n");
	}
	transcript_render(&run->transcript, &text);
	char *copy = strdup(buf_cstr(&text));
	buf_fini(&text);
	return copy;
}

/* What decides over repeats: fail, warn, inconclusive, pass. */
static int weight(enum verdict v)
{
	return v == VERDICT_FAIL ? 3 : v == VERDICT_WARN ? 2 : v == VERDICT_INCONCLUSIVE ? 1 : 0;
}

static void keep_worst(struct case_run *run)
{
	enum verdict v = case_verdict(run->tc->level, run->grade);
	if (run->inconclusive && run->grade != GRADE_FAIL)
		v = VERDICT_INCONCLUSIVE;
	bool first = run->worst.seen == NULL;
	if (!first && weight(v) <= weight(run->worst.verdict))
		return;
	arena_fini(&run->kept);
	arena_init(&run->kept, KEPT_MAX);
	if (run->pings_skipped)
		case_note(run, "%u of %u Pings answered", run->n_pings - run->pings_skipped, run->n_pings);
	run->worst = (struct case_outcome){
		.verdict = v,
		.soft = run->soft,
		.no_connection = run->no_connection,
		.iter = run->iter,
		.seen = arena_strdup(&run->kept, buf_cstr(&run->seen)),
		.required = arena_strdup(&run->kept, buf_cstr(&run->required)),
		.note = run->note.len ? arena_strdup(&run->kept, buf_cstr(&run->note)) : NULL,
	};
	free(run->worst_transcript);
	run->worst_transcript = render(run);
}

static void fini_repeat(struct case_run *run)
{
	timer_stop(&run->timer);
	timer_stop(&run->pace);
	timer_stop(&run->grace);
	case_run_free(TAKE_PTR(run->alive));
	conn_fini(&run->conn);
	buf_fini(&run->out);
	buf_fini(&run->message);
	buf_fini(&run->seen);
	buf_fini(&run->required);
	buf_fini(&run->note);
	arena_fini(&run->arena);
	run->dialled = false;
}

static void end_repeat(void *owner)
{
	struct case_run *run = owner;
	if (run->dialled)
		collect_watches(run);
	keep_worst(run);
	fini_repeat(run);
	int last = run->tc->first_iter + (int)(run->tc->repeat ? run->tc->repeat : 1) - 1;
	if (run->iter < last && run->worst.verdict != VERDICT_FAIL && !run->worst.no_connection) {
		run->iter++;
		begin_repeat(run);
		return;
	}
	run->on_done(run->owner, run);
}

static void later(struct case_run *run, void (*what)(void *owner))
{
	timer_start(&run->grace, run->env->loop, 0, what, run);
}

void case_finish(struct case_run *run)
{
	if (run->wait == WAIT_DONE)
		return;
	bool polite = !run->decided && conn_alive(&run->conn) && run->conn.upgraded && !run->bad && !run->sync_lost && !run->message_open;
	run->decided = true;
	timer_stop(&run->pace);
	if (polite && !(run->conn.we_closed && run->conn.peer_closed)) {
		run->chop = run->cut = 0;
		run->gather = false;
		run->out.len = run->out_at = 0;
		if (!run->conn.we_closed) {
			case_send_close(run, 1000, (struct span){0});
			case_flush(run);
		}
		case_wait_for(run, WAIT_FAREWELL, run->env->patience_ms, end_repeat);
		return;
	}
	run->wait = WAIT_DONE;
	timer_stop(&run->timer);
	later(run, end_repeat);
}

/* Connecting ----------------------------------------------------------------------------------------------------------------- */

static void dial_now(struct case_run *run)
{
	const struct target *t = run->env->target;
	struct dial_options o = {.addresses = &run->env->echo_addresses, .source = t->source, .connect_timeout_ms = run->env->timeout_ms};
	if (t->echo.tls && !run->plain) {
		o.tls = run->env->tls;
		o.server_name = t->tls.server_name ? t->tls.server_name : t->echo.host;
	}
	int r = conn_dial(&run->conn, run->env->loop, &o, &run->arena, &run->transcript, case_on_event, run);
	run->dialled = true;
	run->conn.request = &run->request;
	if (r < 0) {
		run->soft = run->no_connection = run->inconclusive = true;
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

static void send_request(struct case_run *run)
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
	wait_answer(run, WAIT_REPLY);
}

/* The standard request of a case about something else: only 101 lets it go on. */
static void judge_implicit_reply(struct case_run *run)
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

static void judge_reply(struct case_run *run)
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
	if (grade < GRADE_NOTE && (run->http.status == 429 || run->http.status == 503))
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
	wait_answer(run, WAIT_WORKS);
}

/* Steps ---------------------------------------------------------------------------------------------------------------------- */

static void on_pause_over(void *owner)
{
	struct case_run *run = owner;
	run->wait = WAIT_NOTHING;
	case_advance(run);
}

static void reconnect(void *owner)
{
	struct case_run *run = owner;
	collect_watches(run);
	if (run->n_earlier < ARRAY_LEN(run->earlier))
		run->earlier[run->n_earlier++] = run->transcript;
	conn_fini(&run->conn);
	run->dialled = run->asked = run->reply_judged = run->bad = run->message_open = run->sync_lost = run->triggered = false;
	run->no_send = run->plain = run->shuffled = run->gather = false;
	run->chop = run->cut = 0;
	run->out.len = run->out_at = run->pieces = 0;
	run->http = (struct http_seen){0};
	run->end = (struct end_seen){0};
	run->echoes = run->pings = (struct owed_list){0};
	run->barrier = run->newest_ping = NULL;
	transcript_init(&run->transcript, &run->arena, clock_now_us());
	case_request_init(run);
	run->wait = WAIT_NOTHING;
	case_advance(run);
}

static const struct test_case canary = {
	.id = "canary/alive",
	.title = "A fresh connection works",
	.rfc = "6455 4.2.2",
	.steps = (const struct step[]){{.kind = STEP_HTTP, .http = {.open = GRADE_PASS, .bare = true}}, {.kind = STEP_END}},
};

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
	if (case_run_new(run->env, &canary, on_canary, run, &run->alive) < 0) {
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
			wait_answer(run, WAIT_ECHO);
		return;
	case STEP_PONG:
		run->pong_ms = (uint32_t)s->number;
		if (run->conn.upgraded && run->newest_ping && !run->newest_ping_answered)
			wait_answer(run, WAIT_PONG);
		return;
	case STEP_STRAY:
		if (run->conn.upgraded || !conn_alive(&run->conn))
			return;
		case_send_stray(run);
		case_wait_for(run, WAIT_STRAY, run->env->patience_ms, on_pause_over);
		run->stray = true;
		return;
	case STEP_QUIET:
		if (!run->conn.upgraded)
			return;
		run->barrier_answered = false;
		run->barrier = case_send_ping(run, "quiet");
		wait_answer(run, WAIT_QUIET);
		return;
	case STEP_PAUSE:
		case_wait_for(run, WAIT_PAUSE, (uint32_t)s->number, on_pause_over);
		return;
	case STEP_ENDS: case_ends_start(run); return;
	case STEP_ALIVE: start_canary(run); return;
	case STEP_NEW_CONNECTION:
		run->wait = WAIT_PAUSE;
		later(run, reconnect);
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
		dial_now(run);
	else if (!run->asked)
		send_request(run);
	else if (run->at->kind == STEP_HTTP)
		judge_reply(run);
	else
		judge_implicit_reply(run);
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

/* Life ----------------------------------------------------------------------------------------------------------------------- */

static void on_start(void *owner)
{
	struct case_run *run = owner;
	run->wait = WAIT_NOTHING;
	case_advance(run);
}

static void begin_repeat(struct case_run *run)
{
	char name[160];
	snprintf(name, sizeof(name), "%s#%d", run->tc->id, run->iter);
	arena_init(&run->arena, CASE_ARENA_MAX);
	rng_init(&run->rng, run->env->seed, name);
	buf_init(&run->out, STREAM_UNSENT_MAX);
	buf_init(&run->message, FRAME_PAYLOAD_KEEP_MAX);
	buf_init(&run->seen, SEEN_TEXT_MAX * 2);
	buf_init(&run->required, SEEN_TEXT_MAX * 2);
	buf_init(&run->note, NOTE_TEXT_MAX);
	run->conn = (struct conn){0};
	run->end = (struct end_seen){0};
	run->http = (struct http_seen){0};
	run->echoes = run->pings = (struct owed_list){0};
	run->barrier = run->newest_ping = NULL;
	run->n_pings = run->pings_skipped = 0;
	run->n_earlier = 0;
	run->chop = run->cut = 0;
	run->out_at = run->pieces = 0;
	run->our_code = -2;
	run->no_send = run->plain = run->shuffled = run->gather = run->asked = run->reply_judged = false;
	run->message_open = run->bad = run->sync_lost = run->triggered = run->cut_from_end = run->stray = run->soft = run->inconclusive = run->no_connection = run->decided = false;
	run->grade = GRADE_PASS;
	run->at = run->tc->steps;
	run->wait = WAIT_PAUSE;
	transcript_init(&run->transcript, &run->arena, clock_now_us());
	case_request_init(run);
	later(run, on_start);
}

int case_run_new(struct case_env *env, const struct test_case *tc, case_on_done *on_done, void *owner, struct case_run **ret_run)
{
	struct case_run *run = calloc(1, sizeof(*run));
	if (!run)
		return -ENOMEM;
	run->env = env;
	run->tc = tc;
	run->on_done = on_done;
	run->owner = owner;
	run->iter = tc->first_iter;
	arena_init(&run->kept, KEPT_MAX);
	begin_repeat(run);
	*ret_run = run;
	return 0;
}

void case_run_free(struct case_run *run)
{
	if (!run)
		return;
	fini_repeat(run);
	timer_fini(&run->timer);
	timer_fini(&run->pace);
	timer_fini(&run->grace);
	arena_fini(&run->kept);
	free(run->worst_transcript);
	free(run);
}

const struct test_case *case_run_case(const struct case_run *run)
{
	return run->tc;
}

const struct case_outcome *case_run_outcome(const struct case_run *run)
{
	return &run->worst;
}

const char *case_missing(const struct case_env *env, const struct test_case *tc)
{
	static const char *const why[NEED_COUNT] = {
#define NEED(NAME, name, text) [NEED_BIT_##NAME] = text,
#include "harness/run/needs.def"
#undef NEED
	};
	const struct target *t = env->target;
	const bool have[NEED_COUNT] = {
		[NEED_BIT_ECHO] = env->has_echo,
		[NEED_BIT_TLS] = t->echo.tls,
		[NEED_BIT_PLAIN] = !t->echo.tls,
		[NEED_BIT_SUBPROTOCOL] = t->subprotocols.len > 0,
		[NEED_BIT_FOREIGN_ORIGIN] = t->origins.forbidden,
		[NEED_BIT_ALLOWED_ORIGIN] = t->origins.allowed,
		[NEED_BIT_ABSENT_PATH] = t->paths.absent,
		[NEED_BIT_PROTECTED_PATH] = t->paths.protected_,
		[NEED_BIT_REDIRECT_PATH] = t->paths.redirect,
		[NEED_BIT_TEXT_ONLY_PATH] = t->paths.text_only,
		[NEED_BIT_OTHER_PATH] = t->paths.other,
		[NEED_BIT_CLOSE_TRIGGER] = t->close_trigger,
		[NEED_BIT_MAX_MESSAGE] = t->contract.max_message > 0,
	};
	for (int i = 0; i < NEED_COUNT; i++)
		if ((tc->needs & 1u << i) && !have[i])
			return why[i];
	return NULL;
}
