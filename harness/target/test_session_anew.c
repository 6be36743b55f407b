/*
 * A session that begins anew: what was known of the old one's numbers is neither acknowledged nor resumed from, and what
 * goes on keeps its place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "harness/target/test_session_rig.h"

#define CHANNELS \
	"dialect: d\n" \
	"subscribe: {say: 'sub $channel', ok: 'subbed $channel'}\n" \
	"deliver: ['msg $seq $channel $data']\n" \
	"ack: {say: 'ack $seq'}\n"
/* One run of numbers for all channels of a session. */
#define RUN CHANNELS "cursor: {kind: numeric, scope: connection}\n"
#define HELLO "connect: {say: 'hello', ok: 'welcome $session $recovered'}\n"
#define RESUME "resume: {by: connect, say: 'resume $session $seq', restores: true}\n"

static void go(const char *dialect)
{
	begin_text(dialect);
	session_subscribe(s, 1, "a");
	session_subscribe(s, 2, "b");
}

/* The first connection: three messages over two channels, and gone. */
static void up_to_three(const char *welcome)
{
	request("/", "/", false);
	session_open(s, 0);
	if (welcome)
		hear(welcome);
	hear("subbed a");
	hear("subbed b");
	log_.len = 0;
	hear("msg 1 a x");
	hear("msg 2 b x");
	hear("msg 3 a x");
	expect("message 1 seq=1 data=x\nsay ack 1\nacked 1 1\nmessage 2 seq=2 data=x\nsay ack 2\nacked 2 2\n"
	       "message 1 seq=3 data=x\nsay ack 3\nacked 1 3\n");
}

static void again(const char *welcome)
{
	struct session_request r;
	session_closed(s, 1006);
	assert_int_equal(session_request(s, "/", &r), 0);
	session_open(s, 0);
	if (welcome)
		hear(welcome);
}

static void a_recovered_session_goes_on(void **state)
{
	(void)state;
	go(RUN HELLO RESUME);
	up_to_three("welcome S false");
	again("welcome S true");
	expect("say resume S 3\nready 0 ok recovered\nsubscribed 1 ok recovered\nsubscribed 2 ok recovered\n");
	hear("msg 4 b x");
	expect("message 2 seq=4 data=x\nsay ack 4\nacked 2 4\n");
	/* It keeps its place also where nothing came in between, whatever the session is called now. */
	again("welcome T true");
	again("welcome T true");
	expect("say resume S 4\nready 0 ok recovered\nsubscribed 1 ok recovered\nsubscribed 2 ok recovered\n"
	       "say resume T 4\nready 0 ok recovered\nsubscribed 1 ok recovered\nsubscribed 2 ok recovered\n");
}

static void a_lost_session_begins_anew(void **state)
{
	(void)state;
	uint64_t seq;
	struct span epoch;
	go(RUN HELLO RESUME);
	up_to_three("welcome S false");
	again("welcome T false");
	expect("say resume S 3\nready 0 ok lost\nsay sub a\nsay sub b\n");
	assert_false(session_cursor(s, 1, &seq, &epoch));
	hear("subbed a");
	hear("msg 1 a x");
	hear("subbed b"); /* it does not take back what came on the other one */
	hear("msg 2 b x");
	expect("subscribed 1 ok lost\nmessage 1 seq=1 data=x\nsay ack 1\nacked 1 1\n"
	       "subscribed 2 ok lost\nmessage 2 seq=2 data=x\nsay ack 2\nacked 2 2\n");
	assert_true(session_cursor(s, 1, &seq, &epoch));
	assert_int_equal(seq, 2);
	again("welcome T true");
	expect("say resume T 2\nready 0 ok recovered\nsubscribed 1 ok recovered\nsubscribed 2 ok recovered\n");
	/* Lost before anything came: there is nothing to resume behind. */
	again("welcome U false");
	log_.len = 0;
	again("welcome V false");
	expect("say hello\nready 0 ok\nsay sub a\nsay sub b\n");
}

static void another_session_is_another_run(void **state)
{
	(void)state;
	go(RUN "connect: {say: 'hello', ok: 'welcome $session'}\n" RESUME);
	up_to_three("welcome S");
	again("welcome S");
	expect("say resume S 3\nready 0 ok\nsay sub a\nsay sub b\n"); /* untold, and the same: it may go on */
	hear("subbed a");
	hear("msg 4 a x");
	expect("subscribed 1 ok\nmessage 1 seq=4 data=x\nsay ack 4\nacked 1 4\n");
	again("welcome T");
	log_.len = 0;
	hear("subbed a");
	hear("msg 1 a x");
	expect("subscribed 1 ok\nmessage 1 seq=1 data=x\nsay ack 1\nacked 1 1\n");
}

static void without_a_resume_each_connection_is_a_run(void **state)
{
	(void)state;
	go(RUN);
	up_to_three(NULL);
	again(NULL);
	expect("ready 0 ok\nsay sub a\nsay sub b\n");
	hear("subbed a");
	hear("msg 1 a x");
	expect("subscribed 1 ok\nmessage 1 seq=1 data=x\nsay ack 1\nacked 1 1\n");
}

/* A channel added later, told where the session stands: nothing goes back. */
static void a_later_channel_leaves_the_run_alone(void **state)
{
	(void)state;
	uint64_t seq;
	struct span epoch;
	go("dialect: d\nsubscribe: {say: 'sub $channel', ok: 'subbed $channel $newest'}\ndeliver: ['msg $seq $channel $data']\n"
	   "cursor: {kind: numeric, scope: connection}\n");
	session_open(s, 0);
	hear("subbed a 5");
	hear("msg 6 a x");
	hear("subbed b 5");
	assert_true(session_cursor(s, 2, &seq, &epoch));
	assert_int_equal(seq, 6);
	session_subscribe(s, 3, "c");
	hear("subbed c 8");
	assert_true(session_cursor(s, 2, &seq, &epoch));
	assert_int_equal(seq, 8);
}

/* Each channel has its own numbers, no epoch tells the old ones from the new ones, and the answer tells no number. */
static void a_lost_channel_begins_anew(void **state)
{
	(void)state;
	uint64_t seq;
	struct span epoch;
	go("dialect: d\nsubscribe: {say: 'sub $channel', ok: 'subbed $channel $recovered'}\n"
	   "deliver: ['msg $seq $channel $data']\nack: {say: 'ack $channel $seq'}\n"
	   "resume: {by: subscribe, say: 'since $channel $seq'}\ncursor: {kind: numeric}\n");
	session_open(s, 0);
	hear("subbed a false");
	hear("subbed b false");
	hear("msg 7 a x");
	hear("msg 9 b x");
	log_.len = 0;
	again(NULL);
	expect("ready 0 ok\nsay since a 7\nsay since b 9\n");
	hear("subbed a false");
	hear("subbed b true");
	assert_false(session_cursor(s, 1, &seq, &epoch));
	hear("msg 1 a x");
	hear("msg 10 b x");
	expect("subscribed 1 ok lost\nsubscribed 2 ok recovered\nmessage 1 seq=1 data=x\nsay ack a 1\nacked 1 1\n"
	       "message 2 seq=10 data=x\nsay ack b 10\nacked 2 10\n");
	again(NULL);
	expect("ready 0 ok\nsay since a 1\nsay since b 10\n");
	hear("subbed a false");
	again(NULL);
	expect("subscribed 1 ok lost\nready 0 ok\nsay sub a\nsay since b 10\n");
}

/* Channels with their own numbers, in a session that is resumed as one and was lost: the same. */
static void a_lost_session_loses_its_channels(void **state)
{
	(void)state;
	uint64_t seq;
	struct span epoch;
	go(CHANNELS HELLO "resume: {by: connect, say: 'resume $session', restores: true}\ncursor: {kind: numeric}\n");
	session_open(s, 0);
	hear("welcome S false");
	hear("subbed a");
	hear("subbed b");
	hear("msg 7 a x");
	hear("msg 9 b x");
	again("welcome S true");
	assert_true(session_cursor(s, 1, &seq, &epoch));
	assert_int_equal(seq, 7);
	again("welcome T false");
	assert_false(session_cursor(s, 1, &seq, &epoch));
	log_.len = 0;
	hear("subbed b");
	hear("msg 2 b x");
	expect("subscribed 2 ok lost\nmessage 2 seq=2 data=x\nsay ack 2\nacked 2 2\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_recovered_session_goes_on), TEST(a_lost_session_begins_anew), TEST(another_session_is_another_run),
		TEST(without_a_resume_each_connection_is_a_run), TEST(a_later_channel_leaves_the_run_alone),
		TEST(a_lost_channel_begins_anew), TEST(a_lost_session_loses_its_channels),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
