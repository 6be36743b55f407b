/* Small cases against a scripted server: each step, each way a verdict comes about, each rule that is watched on the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/run/interp.h"
#include "harness/run/test_server.h"

#undef ECHO /* termios.h has one */
#include "harness/run/case_rows.h"

enum { LONG_MS = 20000, PATIENCE_MS = 40, SHORT_MS = 120, ANY_VERDICT = -1 };

struct row {
	const char *name;
	const struct step *steps;
	const struct act *script, *then;
	int verdict;
	const char *seen;        /* a part of it; NULL: it is empty, or does not matter */
	const char *note;        /* a part of it; NULL: there is none, or it does not matter */
	uint64_t broken;         /* bits of the watches that must be broken; no other may be */
	enum req_level level;
	unsigned repeat;
	int iter;                /* that decides */
	bool soft, no_connection, chatty, refused;
	uint64_t max_message;    /* of the contract; 0: none */
	size_t too_big;          /* what another case was told 1009 for; 0: none was */
	bool silent, asked;      /* the deadline has to pass; only the patience, after which the target is asked */
};

struct fixture {
	struct loop loop;
	struct arena arena;
	struct target target;
	struct case_env env;
	struct server server;
	struct case_outcome outcome;
	char *transcript;
};

/* All rows are run, whatever the first ones give. */
static unsigned complaints;

__attribute__((format(printf, 1, 2))) static void complain(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vprint_error(fmt, ap);
	va_end(ap);
	print_error("\n");
	complaints++;
}

static void on_done(void *owner, struct case_run *run)
{
	struct fixture *f = owner;
	loop_stop(&f->loop);
	(void)run;
}

static void set_up(struct fixture *f, const struct row *row)
{
	char url[64];
	struct err e = {0};
	f->server = (struct server){.script = row->script, .then = row->then};
	server_start(&f->server);
	if (row->refused)
		server_stop(&f->server);
	arena_init(&f->arena, 1 << 20);
	snprintf(url, sizeof(url), "ws://127.0.0.1:%u/echo", f->server.port);
	assert_int_equal(loop_init(&f->loop), 0);
	assert_int_equal(target_load(url, &f->arena, &f->target, &e), 0);
	f->target.close_trigger = "please close";
	f->target.contract.max_message = row->max_message;
	f->env = (struct case_env){.loop = &f->loop, .target = &f->target, .seed = 1, .has_echo = true, .chatty = row->chatty, .too_big = row->too_big,
				   .timeout_ms = row->silent ? SHORT_MS : LONG_MS,
				   .patience_ms = row->silent || row->asked ? PATIENCE_MS : LONG_MS};
	assert_int_equal(dial_resolve("127.0.0.1", f->server.port, &f->env.echo_addresses, &e), 0);
}

static void tear_down(struct fixture *f, const struct row *row)
{
	if (!row->refused)
		server_stop(&f->server);
	loop_fini(&f->loop);
	arena_fini(&f->arena);
	case_env_fini(&f->env);
	free(f->transcript);
}

static void assert_part(const struct row *row, const char *what, const char *part, const char *whole)
{
	if (part && !(whole && strstr(whole, part)))
		complain("%s: %s is '%s', expected '%s' in it", row->name, what, whole ? whole : "(none)", part);
}

static void assert_printable(const struct row *row, const char *text)
{
	for (const char *c = text; text && *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			complain("%s: octet %02x in '%s'", row->name, (unsigned char)*c, text);
}

static void check_outcome(const struct row *row, const struct case_outcome *o)
{
	if (row->verdict != ANY_VERDICT && (int)o->verdict != row->verdict)
		complain("%s: %s (%s), expected %s", row->name, verdict_name(o->verdict), o->seen, verdict_name((enum verdict)row->verdict));
	assert_part(row, "seen", row->seen, o->seen);
	assert_part(row, "note", row->note, o->note);
	assert_printable(row, o->seen);
	assert_printable(row, o->required);
	assert_printable(row, o->note);
	if (row->verdict == ANY_VERDICT)
		return;
	if (!row->note && o->note)
		complain("%s: an unexpected note '%s'", row->name, o->note);
	if (o->verdict != VERDICT_PASS && o->soft != row->soft)
		complain("%s: %s", row->name, o->soft ? "soft" : "not soft");
	if (o->no_connection != row->no_connection)
		complain("%s: %s", row->name, o->no_connection ? "no connection" : "a connection");
	if (row->iter && o->iter != row->iter)
		complain("%s: decided by repeat %d", row->name, o->iter);
}

static void check_watches(const struct row *row, const struct case_env *env)
{
	static const char *const names[] = {
#define WATCH(NAME, about) #NAME,
#include "harness/run/watch.def"
#undef WATCH
	};
	for (int w = 0; w < WATCH_COUNT; w++)
		if ((env->watch[w].seen > 0) != ((row->broken >> w & 1) != 0))
			complain("%s: %s was seen %u times", row->name, names[w], env->watch[w].seen);
		else if (env->watch[w].seen && strcmp(env->watch[w].first, "test/row") != 0)
			complain("%s: %s in %s", row->name, names[w], env->watch[w].first);
		else if (env->watch[w].seen > env->watch_samples[w])
			complain("%s: %s broken %u of %u times", row->name, names[w], env->watch[w].seen, env->watch_samples[w]);
}

static void run_row(const struct row *row)
{
	struct fixture f = {0};
	struct case_run *run;
	struct buf text;
	const struct test_case tc = {.id = "test/row", .title = row->name, .rfc = "6455", .level = row->level, .repeat = row->repeat,
				     .first_iter = row->repeat ? 1 : 0, .steps = row->steps};
	set_up(&f, row);
	assert_int_equal(case_run_new(&f.env, &tc, on_done, &f, &run), 0);
	loop_run(&f.loop);
	check_outcome(row, case_run_outcome(run));
	case_env_confirm_cuts(&f.env, f.env.cut.seen);
	check_watches(row, &f.env);
	buf_init(&text, TRANSCRIPT_MAX);
	case_run_transcript(run, &text);
	if (!text.len)
		complain("%s: no transcript", row->name);
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] != '\n' && (text.p[i] < 0x20 || text.p[i] == 0x7f))
			complain("%s: octet %02x in the transcript", row->name, text.p[i]);
	buf_fini(&text);
	case_run_free(run);
	tear_down(&f, row);
}

static void run_rows(const struct row *rows, size_t n)
{
	complaints = 0;
	for (size_t i = 0; i < n; i++)
		run_row(&rows[i]);
	assert_int_equal(complaints, 0);
}

#define DO(...) .steps = (const struct step[]){__VA_ARGS__, {.kind = STEP_END}}
#define PASS .verdict = VERDICT_PASS
#define WARN .verdict = VERDICT_WARN
#define FAIL .verdict = VERDICT_FAIL
#define SKIP .verdict = VERDICT_SKIP
#define INCONCLUSIVE .verdict = VERDICT_INCONCLUSIVE
#define BROKEN(NAME) (1ull << WATCH_##NAME)
#define TEXT_HI SEND(TEXT, LIT("hi"))
#define PING_A SEND(PING, LIT("a"))
#define PING_B SEND(PING, LIT("b"))

static const struct row echoes_and_messages_rows[] = {
	{.name = "right", DO(TEXT_HI, ECHO), .script = BEHAVES, PASS},
	{.name = "right, of every length form", DO(SEND(BINARY, PATTERN(125)), SEND(BINARY, PATTERN(126)), SEND(BINARY, PATTERN(65536)), ECHO),
	 .script = BEHAVES, PASS},
	{.name = "in fragments", DO(MESSAGE(TEXT, LIT("hello"), .fragment = 2), ECHO),
	 .script = SCRIPT(S_OPEN, S_GET(0x01), S_GET(0x00), S_GET(0x80), S_SAY("\x01\x02he\x00\x02ll\x80\x01o")), PASS},
	{.name = "none", DO(TEXT_HI, ECHO), .script = SCRIPT(S_OPEN, S_GET(0x81)), FAIL, .seen = "no echo", .soft = true, .silent = true},
	{.name = "other octets", DO(TEXT_HI, ECHO), .script = SCRIPT(S_OPEN, S_GET(0x81), S_SAY("\x81\x02hj")), FAIL,
	 .seen = "an echo of 2 octets that differs from the 2 sent from octet 1 on"},
	{"nothing alike", DO(TEXT_HI, ECHO), .script = SCRIPT(S_OPEN, S_GET(0x81), S_SAY("\x81\x04tick")), FAIL, .seen = "an echo of 4 octets", .soft = true},
	{.name = "longer", DO(TEXT_HI, ECHO), .script = SCRIPT(S_OPEN, S_GET(0x81), S_SAY("\x81\x03hi!")), FAIL, .seen = "from octet 2 on"},
	{.name = "other type", DO(TEXT_HI, ECHO), .script = SCRIPT(S_OPEN, S_GET(0x81), S_BACK(0x82)), FAIL,
	 .seen = "a binary message of 2 octets as echo of a text message of 2 octets"},
	{.name = "swapped", DO(TEXT_HI, SEND(TEXT, LIT("ho")), ECHO), .script = SCRIPT(S_OPEN, S_GET(0x81), S_GET(0x81), S_SAY("\x81\x02ho\x81\x02hi")),
	 FAIL, .seen = "an echo that came before 1 earlier one"},
	{.name = "twice", DO(TEXT_HI, ECHO, QUIET), .script = SCRIPT(S_OPEN, S_GET(0x81), S_SAY("\x81\x02hi\x81\x02hi")), FAIL, .seen = "that nobody sent", .soft = true},
	{.name = "nobody sent", DO(QUIET), .script = SCRIPT(S_OPEN, S_SAY("\x82\x01x")), FAIL, .seen = "a binary message of 1 octets that nobody sent", .soft = true},
	{.name = "nobody sent, of a target that talks", DO(QUIET), .script = SCRIPT(S_OPEN, S_SAY("\x82\x01x")), PASS, .chatty = true},
	{.name = "numbered, gathered", DO(GATHER, SEND(TEXT, LIT("m"), .times = 3, .numbered = true), ECHO), .script = BEHAVES, PASS},
	{.name = "chopped and cut", DO(CHOP(1), TEXT_HI, CHOP(0), CUT(3), TEXT_HI, CUT_BEFORE_END(1), TEXT_HI, ECHO), .script = BEHAVES, PASS},
	{.name = "after a pause of reading", DO(TEXT_HI, STOP_READING, PAUSE(1), ECHO), .script = BEHAVES, PASS},
	{.name = "after the Close", DO(SEND_CLOSE(1000), CLOSES), .script = SCRIPT(S_OPEN, S_GET(0x88), S_SAY("\x88\x02\x03\xe8\x81\x01x"), S_FIN), FAIL,
	 .seen = "after the target's own Close", .broken = BROKEN(DATA_AFTER_CLOSE)},
	{.name = "should", DO(TEXT_HI, ECHO), .script = SCRIPT(S_OPEN, S_GET(0x81), S_BACK(0x82)), WARN, .level = REQ_SHOULD, .seen = "as echo of"},
	{.name = "info", DO(TEXT_HI, ECHO), .script = SCRIPT(S_OPEN, S_GET(0x81), S_BACK(0x82)), PASS, .level = REQ_INFO, .seen = "as echo of"},
};

static void echoes_and_messages(void **state)
{
	(void)state;
	run_rows(echoes_and_messages_rows, ARRAY_LEN(echoes_and_messages_rows));
}

static const struct row pongs_rows[] = {
	{.name = "right", DO(PING_A, PONG), .script = BEHAVES, PASS},
	{.name = "other octets", DO(PING_A, PONG), .script = SCRIPT(S_OPEN, S_GET(0x89), S_SAY("\x8a\x01z")), FAIL, .seen = "a Pong of 1 octets that repeats no Ping"},
	{.name = "twice", DO(PING_A, PONG, PING_B, PONG), .script = SCRIPT(S_OPEN, S_GET(0x89), S_SAY("\x8a\x01" "a"), S_GET(0x89), S_SAY("\x8a\x01" "a")), FAIL,
	 .seen = "repeats no Ping that is open"},
	{.name = "only the newest", DO(PING_A, PING_B, PONG), .script = SCRIPT(S_OPEN, S_GET(0x89), S_GET(0x89), S_BACK(0x8a)), PASS, .note = "1 of 2 Pings answered"},
	{.name = "unsolicited, empty", DO(PING_A, PONG), .script = SCRIPT(S_OPEN, S_GET(0x89), S_SAY("\x8a\x00"), S_BACK(0x8a)), PASS, .note = "an unsolicited Pong of 0 octets"},
	{.name = "unsolicited, before any Ping", DO(PAUSE(1), TEXT_HI, ECHO), .script = SCRIPT(S_OPEN, S_SAY("\x8a\x01u")), PASS, .note = "an unsolicited Pong of 1 octets"},
	{.name = "none", DO(PING_A, PONG), .script = SCRIPT(S_OPEN, S_GET(0x89)), FAIL, .seen = "no Pong", .soft = true, .silent = true},
	{.name = "in good time", DO(PING_A, PONG_WITHIN(LONG_MS)), .script = BEHAVES, PASS},
	{.name = "the target's own Ping is answered", DO(TEXT_HI, ECHO), .script = SCRIPT(S_OPEN, S_SAY("\x89\x03own"), S_GET(0x8a), S_SAY("\x81\x02hi")), PASS},
	{.name = "after our Close, before the target's", DO(GATHER, SEND_CLOSE(1000), PING_A, CLOSES),
	 .script = SCRIPT(S_OPEN, S_GET(0x88), S_GET(0x89), S_SAY("\x8a\x01" "a\x88\x02\x03\xe8"), S_FIN), PASS, .note = "a Pong to a Ping sent after our Close"},
	{.name = "after the target's Close", DO(GATHER, SEND_CLOSE(1000), PING_A, CLOSES),
	 .script = SCRIPT(S_OPEN, S_GET(0x88), S_GET(0x89), S_SAY("\x88\x02\x03\xe8\x8a\x01" "a"), S_FIN), WARN, .seen = "a Pong after the target's own Close"},
	{.name = "quiet", DO(TEXT_HI, ECHO, QUIET), .script = BEHAVES, PASS},
	{.name = "quiet without a Pong", DO(QUIET), .script = SCRIPT(S_OPEN, S_GET(0x89)), FAIL, .seen = "no Pong to the Ping sent as barrier", .soft = true, .silent = true},
};

static void pongs(void **state)
{
	(void)state;
	run_rows(pongs_rows, ARRAY_LEN(pongs_rows));
}

#define BAD SEND_OPCODE(3, LIT("bad"), .bad = true)
#define AFTER_BAD S_OPEN, S_GET(0x83)

static const struct row failing_ends_rows[] = {
	{.name = "the code", DO(BAD, FAILS(1002)), .script = SCRIPT(AFTER_BAD, S_SAY("\x88\x02\x03\xea"), S_FIN), PASS, .seen = "Close 1002 (protocol error), then FIN"},
	{.name = "one of two codes", DO(BAD, FAILS(1007, 1002)), .script = SCRIPT(AFTER_BAD, S_SAY("\x88\x02\x03\xea"), S_FIN), PASS},
	{.name = "the code, then RST", DO(BAD, FAILS(1002)), .script = SCRIPT(AFTER_BAD, S_SAY("\x88\x02\x03\xea"), S_GET(0x88), S_RST), PASS, .asked = true},
	{.name = "another code", DO(BAD, FAILS(1002)), .script = SCRIPT(AFTER_BAD, S_SAY("\x88\x02\x03\xf3"), S_FIN), WARN, .seen = "Close 1011"},
	{.name = "the normal code", DO(BAD, FAILS(1002)), .script = SCRIPT(AFTER_BAD, S_SAY("\x88\x02\x03\xe8"), S_FIN), WARN, .seen = "Close 1000"},
	{.name = "no code", DO(BAD, FAILS(1002)), .script = SCRIPT(AFTER_BAD, S_SAY("\x88\x00"), S_FIN), PASS, .seen = "empty body"},
	{.name = "an unsendable code", DO(BAD, FAILS(1002)), .script = SCRIPT(AFTER_BAD, S_SAY("\x88\x02\x03\xed"), S_FIN), FAIL, .seen = "Close 1005", .broken = BROKEN(CLOSE_CODE)},
	{.name = "one octet", DO(BAD, FAILS(1002)), .script = SCRIPT(AFTER_BAD, S_SAY("\x88\x01\x03"), S_FIN), FAIL, .seen = "one octet", .broken = BROKEN(CLOSE_ONE_OCTET)},
	{.name = "going away", DO(BAD, FAILS(1002)), .script = SCRIPT(AFTER_BAD, S_SAY("\x88\x02\x03\xe9"), S_FIN), WARN, .seen = "Close 1001", .soft = true},
	{.name = "FIN", DO(BAD, FAILS(1002)), .script = SCRIPT(AFTER_BAD, S_FIN), PASS, .seen = "FIN without a Close frame"},
	{.name = "RST", DO(BAD, FAILS(1002)), .script = SCRIPT(AFTER_BAD, S_RST), PASS, .seen = "RST without a Close frame", .note = "may have been lost"},
	{.name = "overlooked", DO(BAD, FAILS(1002)), .script = SCRIPT(AFTER_BAD), FAIL, .asked = true,
	 .seen = "a Pong to a Ping sent in or after the violation: it was overlooked"},
	{.name = "silent and open", DO(BAD, FAILS(1002)), .script = SCRIPT(AFTER_BAD, S_HANG), FAIL, .seen = "the connection stayed open", .soft = true, .silent = true},
	{.name = "echoed", DO(SEND(TEXT, LIT("bad"), .rsv = 4, .bad = true), FAILS(1002)), .script = SCRIPT(S_OPEN, S_GET(0xc1), S_BACK(0x81)), FAIL,
	 .seen = "an echo of a text message sent in or after the violation"},
	{.name = "echoed, which only warns", DO(SEND(TEXT, LIT("bad"), .rsv = 4, .bad = true), ENDS(FAIL_BASE, .pass = {1002}, .overlooked = GRADE_WARN)),
	 .script = SCRIPT(S_OPEN, S_GET(0xc1), S_BACK(0x81)), WARN, .seen = "sent in or after the violation"},
	{.name = "what follows is processed", DO(GATHER, BAD, TEXT_HI, FAILS(1002)), .script = SCRIPT(AFTER_BAD), FAIL, .seen = "sent in or after the violation"},
	{.name = "something else comes", DO(BAD, FAILS(1002)), .script = SCRIPT(AFTER_BAD, S_SAY("\x81\x02no")), FAIL, .seen = "a text message of 2 octets after the violation", .soft = true},
	{.name = "an earlier echo still comes", DO(GATHER, TEXT_HI, BAD, FAILS(1002)), .script = SCRIPT(AFTER_BAD, S_SAY("\x81\x02hi\x88\x02\x03\xea"), S_FIN), PASS},
	{.name = "raw octets", DO(RAW_BAD("\x81\x81\x00\x00\x00\x00\xff"), FAILS(1007)), .script = SCRIPT(S_OPEN, S_GET(0x81), S_SAY("\x88\x02\x03\xef"), S_FIN), PASS},
	{.name = "a second Close", DO(BAD, FAILS(1002)), .script = SCRIPT(AFTER_BAD, S_SAY("\x88\x02\x03\xea\x88\x02\x03\xea"), S_FIN), PASS, .broken = BROKEN(SECOND_CLOSE)},
	{.name = "TCP left open", DO(BAD, FAILS(1002)), .script = SCRIPT(AFTER_BAD, S_SAY("\x88\x02\x03\xea"), S_HANG), PASS, .seen = "TCP left open for us to close", .silent = true},
	{.name = "TCP left open where that counts", DO(BAD, ENDS(FAIL_BASE, .pass = {1002}, .slow_ms = 10)),
	 .script = SCRIPT(AFTER_BAD, S_SAY("\x88\x02\x03\xea"), S_HANG), FAIL, .seen = "TCP left open", .soft = true, .silent = true},
};

static void failing_ends(void **state)
{
	(void)state;
	run_rows(failing_ends_rows, ARRAY_LEN(failing_ends_rows));
}

#define CLOSE_WITH(octets, ...) SCRIPT(S_OPEN, S_GET(0x88), S_SAY(octets), ##__VA_ARGS__)

#define OVER_LIMIT SCRIPT(S_OPEN, S_GET(0x82), S_SAY("\x88\x02\x03\xf1"), S_FIN)

static const struct row closing_rows[] = {
	{.name = "the same", DO(SEND_CLOSE(1003), CLOSES), .script = CLOSE_WITH("\x88\x02\x03\xeb", S_FIN), PASS},
	{.name = "without a code", DO(SEND_CLOSE_EMPTY, CLOSES), .script = CLOSE_WITH("\x88\x00", S_FIN), PASS},
	{.name = "1000 in place of it", DO(SEND_CLOSE(1003), CLOSES), .script = CLOSE_WITH("\x88\x02\x03\xe8", S_FIN), PASS, .seen = "Close 1000"},
	{.name = "another", DO(SEND_CLOSE(1003), CLOSES), .script = CLOSE_WITH("\x88\x02\x03\xf3", S_FIN), WARN, .seen = "Close 1011"},
	{.name = "with a reason", DO(SEND_CLOSE_REASON(1000, "bye"), CLOSES), .script = CLOSE_WITH("\x88\x05\x03\xe8" "bye", S_FIN), PASS},
	{.name = "none but FIN", DO(SEND_CLOSE(1000), CLOSES), .script = CLOSE_WITH("", S_FIN), FAIL, .seen = "FIN without a Close frame", .soft = true},
	{.name = "none at all", DO(SEND_CLOSE(1000), CLOSES), .script = CLOSE_WITH("", S_HANG), FAIL, .seen = "stayed open", .soft = true, .silent = true},
	{.name = "anyhow", DO(SEND_CLOSE(1000), ENDS_ANYHOW), .script = CLOSE_WITH("", S_RST), PASS},
	{.name = "soon enough", DO(SEND_CLOSE(1000), ENDS(.same = GRADE_PASS, .slow_ms = LONG_MS)), .script = BEHAVES, PASS},
	{.name = "TCP never ends", DO(SEND_CLOSE(1000), ENDS(.same = GRADE_PASS, .slow_ms = 10, .tcp_open = GRADE_WARN)), .script = CLOSE_WITH("\x88\x02\x03\xe8", S_HANG), WARN,
	 .seen = "TCP left open for us to close", .soft = true, .silent = true},
	{.name = "begun by us with FIN", DO(FIN, ENDS_ANYHOW), .script = BEHAVES, PASS},
	{.name = "begun by us with RST, others are served", DO(RESET, ALIVE), .script = BEHAVES, PASS},
	{.name = "by a trigger", DO(TRIGGER, ENDS(.other = GRADE_PASS, .normal = GRADE_PASS)), .script = SCRIPT(S_OPEN, S_GET(0x81), S_SAY("\x88\x02\x0b\xb8"), S_GET(0x88), S_FIN), PASS},
	{.name = "by the target, going away", DO(QUIET), .script = SCRIPT(S_OPEN, S_GET(0x89), S_SAY("\x88\x02\x03\xe9"), S_FIN), INCONCLUSIVE,
	 .seen = "Close 1001 (going away) by the target in the middle of the case", .soft = true},
	{.name = "by the target, protocol error", DO(QUIET), .script = SCRIPT(S_OPEN, S_GET(0x89), S_SAY("\x88\x02\x03\xea"), S_FIN), FAIL,
	 .seen = "Close 1002 (protocol error) though nothing was wrong", .soft = true},
	{.name = "by the target, no code", DO(QUIET), .script = SCRIPT(S_OPEN, S_GET(0x89), S_SAY("\x88\x00"), S_FIN), FAIL, .seen = "a Close without a code", .soft = true},
	{.name = "by the target, over its limit", DO(SEND(BINARY, PATTERN(20000)), ECHO), .script = SCRIPT(S_OPEN, S_GET(0x82), S_SAY("\x88\x02\x03\xf1"), S_FIN), SKIP,
	 .seen = "a message of 20000 octets is over a limit of the target: Close 1009", .note = "max_message", .soft = true},
	{.name = "by the target, over the limit of its contract", DO(SEND(BINARY, PATTERN(20000)), ECHO), .script = OVER_LIMIT, SKIP, .seen = "Close 1009", .soft = true, .max_message = 19999},
	{.name = "by the target, at the limit of its contract", DO(SEND(BINARY, PATTERN(20000)), ECHO), .script = OVER_LIMIT, FAIL, .seen = "Close 1009", .soft = true, .max_message = 20000},
	{.name = "by the target, over its limit, when we have said Close", DO(GATHER, SEND(BINARY, PATTERN(20000)), SEND_CLOSE(1000), CLOSES), .script = OVER_LIMIT, SKIP, .seen = "Close 1009",
	 .note = "max_message", .soft = true},
	{.name = "by the target, over its limit, where that is asked for", DO(SEND(BINARY, PATTERN(20000), .bad = true), ENDS(FAIL_BASE, .pass = {1009})), .script = OVER_LIMIT, PASS,
	 .seen = "Close 1009"},
	{.name = "by the target, RST like others got 1009", DO(SEND(BINARY, PATTERN(20000)), ECHO), .script = SCRIPT(S_OPEN, S_GET(0x82), S_RST), SKIP,
	 .seen = "others as large got Close 1009", .note = "RST without a Close frame", .soft = true, .too_big = 20000},
	{.name = "by the target, RST on less than others got 1009", DO(SEND(BINARY, PATTERN(19999)), ECHO), .script = SCRIPT(S_OPEN, S_GET(0x82), S_RST), FAIL,
	 .seen = "RST without a Close frame", .soft = true, .too_big = 20000},
	{.name = "by the target, an absurd limit", DO(TEXT_HI, ECHO), .script = SCRIPT(S_OPEN, S_GET(0x81), S_SAY("\x88\x02\x03\xf1"), S_FIN), FAIL, .seen = "Close 1009", .soft = true},
	{.name = "by the target, FIN", DO(QUIET), .script = SCRIPT(S_OPEN, S_GET(0x89), S_FIN), FAIL, .seen = "FIN without a Close frame though nothing was wrong", .soft = true},
	{.name = "by the target, RST", DO(QUIET), .script = SCRIPT(S_OPEN, S_GET(0x89), S_RST), FAIL, .seen = "RST without a Close frame though nothing was wrong", .soft = true},
	{.name = "a reason for a terminal", DO(SEND_CLOSE(1000), CLOSES), .script = CLOSE_WITH("\x88\x09\x03\xf3\x1b[31m\x07\xff", S_FIN), WARN, .seen = "Close 1011",
	 .broken = BROKEN(CLOSE_REASON_UTF8)},
};

static void closing(void **state)
{
	(void)state;
	run_rows(closing_rows, ARRAY_LEN(closing_rows));
}

#define ANSWERS(text) SCRIPT(S_ASKED, S_SAY(text), S_FIN)

static const struct row opening_rows[] = {
	{.name = "opens and works", DO(OPENS), .script = BEHAVES, PASS},
	{.name = "opens and works no more", DO(OPENS), .script = SCRIPT(S_OPEN, S_HANG), FAIL, .seen = "HTTP 101, but no answer", .soft = true, .silent = true},
	{.name = "opens, bare", DO(HTTP(.open = GRADE_PASS, .bare = true)), .script = SCRIPT(S_OPEN), PASS},
	{.name = "refused with the status", DO(REJECTS(400)), .script = ANSWERS("HTTP/1.1 400 Bad\r\n\r\n"), PASS},
	{.name = "refused with another 4xx", DO(REJECTS(400)), .script = ANSWERS("HTTP/1.1 418 Pot\r\n\r\n"), PASS, .seen = "HTTP 418"},
	{.name = "refused with 5xx", DO(REJECTS(400)), .script = ANSWERS("HTTP/1.1 500 No\r\n\r\n"), WARN, .seen = "HTTP 500", .soft = true},
	{.name = "refused with 2xx", DO(REJECTS(400)), .script = ANSWERS("HTTP/1.1 200 Hi\r\n\r\n"), WARN, .seen = "HTTP 200"},
	{.name = "refused with FIN", DO(REJECTS(400)), .script = SCRIPT(S_ASKED, S_FIN), WARN, .seen = "FIN without an HTTP reply", .soft = true},
	{.name = "refused with RST", DO(REJECTS(400)), .script = SCRIPT(S_ASKED, S_RST), WARN, .seen = "RST without an HTTP reply", .soft = true},
	{.name = "opened after all", DO(REJECTS(400)), .script = BEHAVES, FAIL, .seen = "HTTP 101"},
	{.name = "garbage", DO(REJECTS(400)), .script = ANSWERS("\x1b]0;title\x07\r\n\r\n"), FAIL, .seen = "octets that are no HTTP reply", .soft = true},
	{.name = "no reply", DO(REJECTS(400)), .script = SCRIPT(S_ASKED, S_HANG), FAIL, .seen = "no reply", .soft = true, .silent = true},
	{.name = "never asked", DO(NO_SEND, HTTP(.closed = GRADE_PASS)), .script = SCRIPT(S_FIN), PASS},
	{.name = "of another case, refused", DO(TEXT_HI, ECHO), .script = ANSWERS("HTTP/1.1 404 No\r\n\r\n"), INCONCLUSIVE, .seen = "HTTP 404", .soft = true},
	{.name = "of another case, overloaded", DO(TEXT_HI, ECHO), .script = ANSWERS("HTTP/1.1 503 No\r\n\r\n"), INCONCLUSIVE, .seen = "HTTP 503", .soft = true, .no_connection = true},
	{.name = "nobody listens", DO(TEXT_HI, ECHO), .script = BEHAVES, INCONCLUSIVE, .seen = "no connection", .soft = true, .no_connection = true, .refused = true},
	{.name = "a field it has", DO(REJECTS(426), FIELD_HAS_ON(4, "Sec-WebSocket-Version", "13"), FIELD_LACKS("Upgrade", "h2c"), FIELD_IS("X-A", "b")),
	 .script = ANSWERS("HTTP/1.1 426 No\r\nSec-WebSocket-Version: 8, 13\r\nUpgrade: websocket\r\nX-A: b\r\n\r\n"), PASS},
	{.name = "a field it lacks", DO(REJECTS(426), FIELD_HAS_ON(4, "Sec-WebSocket-Version", "13")), .script = ANSWERS("HTTP/1.1 426 No\r\n\r\n"), FAIL,
	 .seen = "HTTP 426 without a Sec-WebSocket-Version field"},
	{.name = "a field of another status", DO(REJECTS(426), FIELD_HAS_ON(401, "WWW-Authenticate", NULL)), .script = ANSWERS("HTTP/1.1 426 No\r\n\r\n"), PASS},
	{.name = "a field it must not have", DO(REJECTS(400), FIELD_LACKS("Sec-WebSocket-Accept", NULL)), .script = ANSWERS("HTTP/1.1 400 No\r\nSec-WebSocket-Accept: x\r\n\r\n"), FAIL,
	 .seen = "Sec-WebSocket-Accept: x"},
	{.name = "a field twice", DO(REJECTS(400), FIELD_IS("X-A", "b")), .script = ANSWERS("HTTP/1.1 400 No\r\nX-A: b\r\nX-A: b\r\n\r\n"), FAIL, .seen = "X-A: b"},
	{.name = "a field for a terminal", DO(REJECTS(400), FIELD_IS("X-A", "b")), .script = ANSWERS("HTTP/1.1 400 No\r\nX-A: \x1b[31mred\xff\r\n\r\n"), FAIL, .seen = "\\x1b[31mred\\xff"},
	{.name = "stray frames, not answered", DO(DROP("Sec-WebSocket-Key"), REJECTS(400), STRAY_FRAMES), .script = ANSWERS("HTTP/1.1 400 No\r\n\r\n"), PASS},
	{.name = "stray frames, another reply", DO(REJECTS(400), STRAY_FRAMES), .script = SCRIPT(S_ASKED, S_SAY("HTTP/1.1 400 No\r\n\r\n"), S_GET(0x89),
	 S_SAY("HTTP/1.1 400 No\r\n\r\n"), S_FIN), PASS},
	{.name = "stray frames, a Pong", DO(REJECTS(400), STRAY_FRAMES), .script = SCRIPT(S_ASKED, S_SAY("HTTP/1.1 400 No\r\n\r\n"), S_GET(0x89), S_BACK(0x8a), S_FIN), FAIL,
	 .seen = "an answer to a frame sent after the handshake was refused"},
	{.name = "a new connection", DO(TEXT_HI, ECHO, NEW_CONNECTION, TEXT_HI, ECHO), .script = BEHAVES, PASS},
	{.name = "a new connection that fails", DO(TEXT_HI, ECHO, NEW_CONNECTION, TEXT_HI, ECHO), .script = BEHAVES, .then = SCRIPT(S_OPEN, S_GET(0x81), S_BACK(0x82)), FAIL,
	 .seen = "as echo of"},
	{.name = "others are served", DO(TEXT_HI, ECHO, ALIVE), .script = BEHAVES, PASS},
	{.name = "others are not served", DO(TEXT_HI, ECHO, ALIVE), .script = BEHAVES, .then = ANSWERS("HTTP/1.1 404 No\r\n\r\n"), FAIL,
	 .seen = "a fresh connection no longer works: HTTP 404", .soft = true},
	{.name = "the worst of three", DO(TEXT_HI, ECHO), .script = BEHAVES, .then = SCRIPT(S_OPEN, S_GET(0x81), S_BACK(0x82)), FAIL, .repeat = 3, .iter = 2, .seen = "as echo of"},
	{.name = "all of three", DO(TEXT_HI, ECHO), .script = BEHAVES, PASS, .repeat = 3, .iter = 1},
};

static void opening(void **state)
{
	(void)state;
	run_rows(opening_rows, ARRAY_LEN(opening_rows));
}

/* Octets that the target sends after the 101; the Ping of QUIET comes back behind them. */
#define SAYS(octets, bits) {.name = #octets, DO(QUIET), .script = SCRIPT(S_OPEN, S_SAY(octets)), .verdict = ANY_VERDICT, .chatty = true, .broken = (bits)}
#define SAYS_THEN(octets, next, bits) {.name = #octets " " #next, DO(QUIET), .script = SCRIPT(S_OPEN, S_SAY(octets), next), .verdict = ANY_VERDICT, .chatty = true, .broken = (bits)}

static const struct row watched_octets_rows[] = {
	SAYS("\x89\x80\x01\x02\x03\x04", BROKEN(MASKED)),
	SAYS("\x89\x00", 0),
	SAYS("\xc1\x00", BROKEN(RSV)),
	SAYS("\xa1\x00", BROKEN(RSV)),
	SAYS("\x91\x00", BROKEN(RSV)),
	SAYS("\x81\x00", 0),
	SAYS("\x83\x00", BROKEN(OPCODE)),
	SAYS("\x8b\x00", BROKEN(OPCODE)),
	SAYS("\x82\x00\x8a\x00", 0),
	SAYS_THEN("\x82\x7e\x00\x7d", S_FILL(125), BROKEN(NOT_MINIMAL)),
	SAYS_THEN("\x82\x7e\x00\x7e", S_FILL(126), 0),
	SAYS_THEN("\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff", S_FILL(65535), BROKEN(NOT_MINIMAL)),
	SAYS_THEN("\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", S_FILL(65536), 0),
	SAYS("\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00", BROKEN(TOP_BIT)),
	SAYS("\x82\x7f\x40\x00\x00\x00\x00\x00\x00\x00", 0),
	SAYS_THEN("\x89\x7e\x00\x7e", S_FILL(126), BROKEN(CONTROL_LONG)),
	SAYS_THEN("\x8a\x7e\x00\x7e", S_FILL(126), BROKEN(CONTROL_LONG)),
	SAYS_THEN("\x89\x7d", S_FILL(125), 0),
	SAYS("\x0a\x00", BROKEN(CONTROL_FRAGMENTED)),
	SAYS("\x8a\x00", 0),
	SAYS("\x80\x00", BROKEN(ORPHAN_CONTINUATION)),
	SAYS("\x01\x01" "a\x89\x00\x80\x01" "b", 0),
	SAYS("\x01\x01" "a\x81\x01" "b", BROKEN(INTERLEAVED)),
	SAYS("\x81\x01" "a\x81\x01" "b", 0),
	SAYS("\x81\x01\xff", BROKEN(TEXT_UTF8)),
	SAYS("\x01\x01\xe2\x80\x01\x28", BROKEN(TEXT_UTF8)),
	SAYS("\x01\x02\xe2\x82\x80\x01\xac\x82\x01\xff", 0),
	SAYS("\x88\x01\x03", BROKEN(CLOSE_ONE_OCTET)),
	SAYS("\x88\x02\x03\xed", BROKEN(CLOSE_CODE)),
	SAYS("\x88\x02\x03\xe7", BROKEN(CLOSE_CODE)),
	SAYS("\x88\x02\x13\x88", BROKEN(CLOSE_CODE)),
	SAYS("\x88\x02\x13\x87", 0),
	SAYS("\x88\x02\x03\xe8", 0),
	SAYS("\x88\x00", 0),
	SAYS("\x88\x02\x03\xf2", BROKEN(CLOSE_CODE_1010)),
	SAYS("\x88\x03\x03\xe8\xff", BROKEN(CLOSE_REASON_UTF8)),
	SAYS("\x88\x05\x03\xe8\xe2\x82\xac", 0),
	SAYS("\x88\x02\x03\xe8\x81\x00", BROKEN(DATA_AFTER_CLOSE)),
	SAYS("\x88\x02\x03\xe8\x8a\x00", 0),
	SAYS("\x88\x02\x03\xe8\x88\x02\x03\xe8", BROKEN(SECOND_CLOSE)),
	SAYS_THEN("\x82\x05" "a", S_FIN, BROKEN(CUT_FRAME)),
	SAYS_THEN("\x82", S_FIN, BROKEN(CUT_FRAME)),
	SAYS_THEN("\x82\x01" "a", S_FIN, 0),
	SAYS_THEN("\x82\x05" "a", S_RST, 0),
};

static void watched_octets(void **state)
{
	(void)state;
	run_rows(watched_octets_rows, ARRAY_LEN(watched_octets_rows));
}

#define START "HTTP/1.1 101 Switching Protocols\r\n"
#define UP "Upgrade: websocket\r\n"
#define CONNECTION "Connection: Upgrade\r\n"
#define REPLY(first, more, bits) {.name = first " .. " more, DO(QUIET), .script = SCRIPT(S_ASKED, S_SAY(first "Sec-WebSocket-Accept: "), S_ACCEPT, S_SAY("\r\n" more "\r\n")), \
	.verdict = ANY_VERDICT, .broken = (bits)}

static const struct row watched_replies_rows[] = {
	REPLY(START UP CONNECTION, "", 0),
	REPLY("HTTP/1.1 101 \r\n" "UPGRADE: WebSocket\r\n" "connection: keep-alive, UPGRADE\r\n", "X-A:\r\n", 0),
	REPLY("HTTP/1.0 101 Switching Protocols\r\n" UP CONNECTION, "", BROKEN(REPLY_STATUS_LINE)),
	REPLY(START UP CONNECTION "X A: b\r\n", "", BROKEN(REPLY_STATUS_LINE)),
	REPLY(START CONNECTION, "", BROKEN(REPLY_UPGRADE)),
	REPLY(START "Upgrade: websockets\r\n" CONNECTION, "", BROKEN(REPLY_UPGRADE)),
	REPLY(START UP, "", BROKEN(REPLY_CONNECTION)),
	REPLY(START UP "Connection: close\r\n", "", BROKEN(REPLY_CONNECTION)),
	REPLY(START UP CONNECTION "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", "", BROKEN(REPLY_ACCEPT) | BROKEN(REPLY_ACCEPT_TWICE)),
	REPLY(START UP CONNECTION, "Sec-WebSocket-Extensions: permessage-deflate\r\n", BROKEN(REPLY_EXTENSION)),
	REPLY(START UP CONNECTION, "Sec-WebSocket-Protocol: chat\r\n", BROKEN(REPLY_PROTOCOL)),
	REPLY(START UP CONNECTION, "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b\r\n", BROKEN(REPLY_PROTOCOL) | BROKEN(REPLY_PROTOCOL_TWICE)),
	REPLY(START UP CONNECTION, "Content-Length: 5\r\n", BROKEN(REPLY_BODY)),
	REPLY(START UP CONNECTION, "Content-Length: 0\r\n", 0),
	{.name = "a wrong Accept", DO(QUIET), .script = SCRIPT(S_ASKED, S_SAY(START UP CONNECTION "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")),
	 .verdict = ANY_VERDICT, .broken = BROKEN(REPLY_ACCEPT)},
	{.name = "no Accept", DO(QUIET), .script = SCRIPT(S_ASKED, S_SAY(START UP CONNECTION "\r\n")), .verdict = ANY_VERDICT, .broken = BROKEN(REPLY_ACCEPT)},
};

static void watched_replies(void **state)
{
	(void)state;
	run_rows(watched_replies_rows, ARRAY_LEN(watched_replies_rows));
}

/* Octets that the contract must allow; 0: none. */
static const struct {
	const struct step *steps;
	uint64_t octets;
} sized[] = {
	{(const struct step[]){SEND(TEXT, PATTERN(1000)), SEND(TEXT, LIT("hi")), {.kind = STEP_END}}, 1000},
	{(const struct step[]){SEND(TEXT, LIT("a"), .more = true), SEND(CONTINUATION, PATTERN(10), .more = true, .times = 5), SEND(PING, PATTERN(100)),
			       SEND(CONTINUATION, EMPTY), {.kind = STEP_END}}, 51},
	{(const struct step[]){MESSAGE(TEXT, PATTERN(70), .fragment = 7), MESSAGE(TEXT, PATTERN(60)), {.kind = STEP_END}}, 70},
	{(const struct step[]){SEND(TEXT, PATTERN(30), .times = 9), {.kind = STEP_END}}, 30},
	{(const struct step[]){SEND(TEXT, PATTERN(1000), .bad = true), MESSAGE(TEXT, PATTERN_LIMIT), MESSAGE(TEXT, PATTERN_LIMIT_PLUS_1, .bad = true), {.kind = STEP_END}}, 0},
	{(const struct step[]){SEND(TEXT, PATTERN(1000), .more = true), {.kind = STEP_END}}, 0},
};

static void what_is_missing_is_said(void **state)
{
	struct fixture f = {0};
	const struct row row = {.script = BEHAVES};
	(void)state;
	set_up(&f, &row);
	assert_null(case_missing(&f.env, &(const struct test_case){.needs = NEED_ECHO | NEED_PLAIN | NEED_CLOSE_TRIGGER}));
	assert_non_null(strstr(case_missing(&f.env, &(const struct test_case){.needs = NEED_TLS}), "not wss"));
	f.env.has_echo = false;
	assert_non_null(strstr(case_missing(&f.env, &(const struct test_case){.needs = NEED_ECHO}), "no echo path"));
	for (size_t i = 0; i < ARRAY_LEN(sized); i++)
		for (uint64_t spare = 0; spare < 2; spare++) {
			f.target.contract.max_message = sized[i].octets - 1 + spare;
			const char *why = case_missing(&f.env, &(const struct test_case){.steps = sized[i].steps});
			assert_true(spare || !sized[i].octets ? why == NULL : why && strstr(why, "max_message"));
		}
	tear_down(&f, &row);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(echoes_and_messages), cmocka_unit_test(pongs), cmocka_unit_test(failing_ends), cmocka_unit_test(closing),
		cmocka_unit_test(opening), cmocka_unit_test(watched_octets), cmocka_unit_test(watched_replies), cmocka_unit_test(what_is_missing_is_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
