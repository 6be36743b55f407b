/* The life of a running case: repeats, each on a fresh connection, the worst of them kept; and what is left when all is decided. */
#include <stdio.h>
#include <stdlib.h>

#include "harness/base/clock.h"
#include "harness/run/interp_internal.h"

enum {
	KEPT_MAX = 1 << 20,
};

const struct test_case case_canary = {
	.id = "canary/alive",
	.title = "A fresh connection works",
	.rfc = "6455 4.2.2",
	.steps = (const struct step[]){{.kind = STEP_HTTP, .http = {.open = GRADE_PASS, .bare = true}}, {.kind = STEP_END}},
};

static void begin_repeat(struct case_run *run);

static void note_broken(struct watch_broken *broken, unsigned seen, struct case_run *run)
{
	broken->seen += seen;
	if (!seen || broken->first)
		return;
	struct buf text;
	buf_init(&text, TRANSCRIPT_MAX);
	transcript_render(&run->transcript, &text);
	broken->first = run->tc->id;
	broken->evidence = strdup(buf_cstr(&text));
	buf_fini(&text);
}

static void collect(struct case_run *run)
{
	struct case_env *env = run->env;
	run->bare |= !run->no_connection && (run->conn.upgraded ? !run->conn.peer_closed : !run->conn.received);
	for (int w = 0; w < WATCH_COUNT; w++) {
		const struct conn_watch *seen = &run->conn.watch[w];
		env->watch_samples[w] += seen->samples;
		note_broken(w == WATCH_CUT_FRAME ? &env->cut : &env->watch[w], seen->seen, run);
	}
}

void case_env_confirm_cuts(struct case_env *env, unsigned n)
{
	struct watch_broken *sure = &env->watch[WATCH_CUT_FRAME], *cut = &env->cut;
	n = n < cut->seen ? n : cut->seen;
	if (!n)
		return;
	sure->seen += n;
	cut->seen -= n;
	if (!sure->first) {
		sure->first = cut->first;
		sure->evidence = TAKE_PTR(cut->evidence);
	}
	if (!cut->seen)
		case_env_forget_cuts(env);
}

void case_env_forget_cuts(struct case_env *env)
{
	free(env->cut.evidence);
	env->cut = (struct watch_broken){0};
}

void case_env_forget_watch(struct case_env *env, enum watch w)
{
	free(env->watch[w].evidence);
	env->watch[w] = (struct watch_broken){0};
}

void case_env_fini(struct case_env *env)
{
	case_env_forget_cuts(env);
	for (int w = 0; w < WATCH_COUNT; w++)
		case_env_forget_watch(env, (enum watch)w);
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

/* What decides over repeats: fail, warn, what could not be graded, pass. */
static int weight(enum verdict v)
{
	return v == VERDICT_FAIL ? 3 : v == VERDICT_WARN ? 2 : v == VERDICT_INCONCLUSIVE || v == VERDICT_SKIP ? 1 : 0;
}

static void keep_worst(struct case_run *run)
{
	enum verdict v = case_verdict(run->tc->level, run->grade);
	if (run->inconclusive && run->grade != GRADE_FAIL)
		v = VERDICT_INCONCLUSIVE;
	if (run->over_limit && run->grade != GRADE_FAIL)
		v = VERDICT_SKIP;
	bool first = run->worst.seen == NULL;
	run->worst.answered |= run->conn.received > 0;
	run->worst.bare |= run->bare;
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
		.refused = run->refused,
		.answered = run->worst.answered,
		.bare = run->worst.bare,
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
		collect(run);
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

void case_later(struct case_run *run, void (*what)(void *owner))
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
	timer_stop(&run->grace); /* a NEW_CONNECTION that was about to happen */
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
	case_later(run, end_repeat);
}

static void on_start(void *owner)
{
	struct case_run *run = owner;
	run->wait = WAIT_NOTHING;
	case_advance(run);
}

/* What belongs to one connection. */
static void reset_connection(struct case_run *run)
{
	run->conn = (struct conn){0};
	run->dialled = run->asked = run->reply_judged = false;
	run->edited = run->odd_offer = run->no_send = run->plain = run->shuffled = run->other_service = false;
	run->http = (struct http_seen){0};
	run->end = (struct end_seen){0};
	run->our_code = -2;
	run->n_closes = 0;
	run->out.len = run->out_at = run->pieces = 0;
	run->chop = run->cut = 0;
	run->gather = run->cut_from_end = run->stray = run->probed = false;
	run->message.len = 0;
	run->message_open = run->bad = run->sync_lost = run->triggered = false;
	run->echoes = run->pings = (struct owed_list){0};
	run->barrier = run->newest_ping = NULL;
	transcript_init(&run->transcript, &run->arena, clock_now_us());
	run->transcript.secrets = run->env->secrets;
	case_request_init(run);
}

void case_leave_connection(struct case_run *run)
{
	collect(run);
	if (run->n_earlier < ARRAY_LEN(run->earlier))
		run->earlier[run->n_earlier++] = run->transcript;
	timer_stop(&run->pace);
	conn_fini(&run->conn);
	reset_connection(run);
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
	run->n_pings = run->pings_skipped = 0;
	run->n_earlier = 0;
	run->soft = run->inconclusive = run->over_limit = run->no_connection = run->refused = run->bare = run->decided = false;
	run->grade = GRADE_PASS;
	run->at = run->tc->steps;
	run->wait = WAIT_PAUSE;
	reset_connection(run);
	case_later(run, on_start);
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

/* Octets of the largest message that the case wants to be taken; those that the contract sizes aside. */
static size_t largest_wanted(const struct test_case *tc)
{
	size_t largest = 0, message = 0;
	for (const struct step *s = tc->steps; s && s->kind != STEP_END; s++) {
		const struct frame_spec *f = &s->frame;
		if ((s->kind != STEP_SEND && s->kind != STEP_MESSAGE) || f->bad || f->opcode & 8)
			continue;
		size_t len = f->payload.pattern ? f->payload.pattern : f->payload.lit_len, times = f->times ? f->times : 1;
		if (f->payload.pattern > FRAME_PAYLOAD_KEEP_MAX)
			continue;
		message += f->more ? len * times : len;
		if (f->more && s->kind == STEP_SEND)
			continue;
		largest = message > largest ? message : largest;
		message = 0;
	}
	return largest;
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
		[NEED_BIT_MAX_MESSAGE] = t->contract.max_message > 0 && t->contract.max_message < FRAME_PAYLOAD_KEEP_MAX,
	};
	for (int i = 0; i < NEED_COUNT; i++)
		if ((tc->needs & 1u << i) && !have[i])
			return why[i];
	if (t->contract.max_message && largest_wanted(tc) > t->contract.max_message)
		return "it sends a message that is larger than the `max_message` of the contract";
	return NULL;
}
