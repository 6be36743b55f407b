/* The process of an adapter: translated both ways, in order, for many connections; gone, deaf or talking nonsense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "harness/base/buf.h"
#include "harness/base/clock.h"
#include "harness/target/adapter.h"

enum { HANG_MS = 30000, LINKS = 3 };

static struct loop loop;
static struct buf log_;
static size_t wanted; /* the loop stops at so many lines */
static struct timer hang;
static char a_name[] = "a";

static void line(const char *what, void *owner, struct span text)
{
	buf_printf(&log_, "%s%s ", (const char *)owner, what);
	buf_append_span(&log_, text);
	buf_append_u8(&log_, '\n');
	size_t lines = 0;
	for (size_t i = 0; i < log_.len; i++)
		lines += log_.p[i] == '\n';
	if (lines >= wanted)
		loop_stop(&loop);
}

static void on_send(void *owner, struct span message, bool binary)
{
	line(binary ? " send" : " send text", owner, message);
}

static void on_heard(void *owner, struct span message)
{
	line(" heard", owner, message);
}

static void on_broken(void *owner, const char *why)
{
	line(" broken", owner, span_str(why));
}

static const struct adapter_events events = {on_send, on_heard, on_broken};

static void on_hang(void *owner)
{
	(void)owner;
	fail_msg("it hangs; so far:\n%s", buf_cstr(&log_));
}

static void run_until(size_t lines)
{
	wanted = lines;
	assert_int_equal(timer_start(&hang, &loop, HANG_MS, on_hang, NULL), 0);
	loop_run(&loop);
	timer_stop(&hang);
}

static int setup(void **state)
{
	(void)state;
	buf_init(&log_, 1 << 20);
	return loop_init(&loop);
}

static int teardown(void **state)
{
	(void)state;
	timer_fini(&hang);
	loop_fini(&loop);
	buf_fini(&log_);
	return 0;
}

static struct adapter *start(const char *program)
{
	const char *words[] = {"/usr/bin/python3", "-I", "-u", "-c", program};
	const struct opt_strings command = {.items = words, .len = ARRAY_LEN(words)};
	struct adapter *a = NULL;
	struct err e;
	if (adapter_start(&loop, &command, &a, &e) < 0)
		fail_msg("%s", e.text);
	return a;
}

/* What is said comes back as it is, in base64; what comes is heard. */
static const char echo[] =
	"import sys, json, base64\n"
	"for line in sys.stdin:\n"
	"    m = json.loads(line); n = m['connection']\n"
	"    out = lambda **w: print(json.dumps({'connection': n, **w}))\n"
	"    if 'say' in m: out(send=base64.b64encode(json.dumps(m['say']).encode()).decode(), binary=m['say'] != 'text')\n"
	"    if 'message' in m: out(heard={'got': base64.b64decode(m['message']).decode(), 'b': m['binary']})\n"
	"    if m.get('say') == 'break': out(broken='as asked')\n"
	"    out(done=True)\n";

static void translates(void **state)
{
	static char names[LINKS + 1][2] = {"a", "b", "c", "d"};
	struct adapter_link *links[LINKS];
	struct adapter *a = start(echo);
	(void)state;
	for (size_t i = 0; i < LINKS; i++)
		assert_int_equal(adapter_open(a, &events, names[i], &links[i]), 0);
	assert_int_equal(adapter_say(links[1], SPAN_LIT("{\"x\":[1]}")), 0);
	assert_int_equal(adapter_say(links[0], SPAN_LIT("\"text\"")), 0);
	assert_int_equal(adapter_message(links[2], SPAN_LIT("hi"), true), 0);
	assert_int_equal(adapter_message(links[2], span_of(NULL, 0), false), 0);
	assert_int_equal(adapter_say(links[0], SPAN_LIT("{")), -EINVAL);
	run_until(4);
	assert_string_equal(buf_cstr(&log_), "b send {\"x\": [1]}\na send text \"text\"\nc heard {\"got\":\"hi\",\"b\":true}\n"
					     "c heard {\"got\":\"\",\"b\":false}\n");
	log_.len = 0;
	adapter_say(links[0], SPAN_LIT("1"));
	adapter_close(links[0]); /* nothing of it is heard any more */
	adapter_say(links[1], SPAN_LIT("\"break\""));
	adapter_say(links[1], SPAN_LIT("2"));
	assert_int_equal(adapter_open(a, &events, names[3], &links[0]), 0);
	adapter_say(links[0], SPAN_LIT("3"));
	run_until(3);
	assert_string_equal(buf_cstr(&log_), "b send \"break\"\nb broken as asked\nd send 3\n");
	for (size_t i = 0; i < LINKS; i++)
		adapter_close(links[i]);
	adapter_stop(a);
}

/* More than a pipe holds, before it reads anything. */
static void waits_for_a_slow_one(void **state)
{
	static uint8_t octets[1 << 20];
	struct adapter_link *link;
	struct adapter *a = start("import sys, json\n"
				  "for line in sys.stdin:\n"
				  "    m = json.loads(line)\n"
				  "    if 'message' in m: print('{\"connection\":1,\"heard\":%d}' % len(m['message']))\n"
				  "    print('{\"connection\":1,\"done\":true}')\n");
	(void)state;
	memset(octets, 'x', sizeof(octets));
	assert_int_equal(adapter_behind_us(a, UINT64_MAX), 0);
	assert_int_equal(adapter_open(a, &events, a_name, &link), 0);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(adapter_message(link, span_of(octets, sizeof(octets)), true), 0);
	assert_true(adapter_behind_us(a, clock_now_us() + 1000000) >= 1000000);
	run_until(4);
	assert_string_equal(buf_cstr(&log_), "a heard 1398104\na heard 1398104\na heard 1398104\na heard 1398104\n");
	adapter_close(link);
	adapter_stop(a);
}

static void ends_and_lies(void **state)
{
	static const char *const programs[] = {
		"pass", "print('no JSON')", "print('{}')", "print('{\"connection\":9,\"done\":true}')",
		"print('{\"connection\":1,\"send\":\"%\"}')", "print('{\"connection\":1,\"what\":1}')",
		"import sys; sys.stdin.readline(); print('[1]'); sys.stdin.read()",
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
		struct adapter *a = start(programs[i]);
		struct adapter_link *link;
		log_.len = 0;
		assert_int_equal(adapter_open(a, &events, a_name, &link), 0);
		run_until(1);
		assert_string_equal(buf_cstr(&log_), "a broken the adapter's process has ended\n");
		assert_int_equal(adapter_say(link, SPAN_LIT("1")), -EPIPE);
		adapter_close(link);
		adapter_stop(a);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {TEST(translates), TEST(waits_for_a_slow_one), TEST(ends_and_lies)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
