/* The store in memory behind a queue, so that a test chooses when an answer comes, and that none does. */
#include "server-under-test/client/test_client.h"

#include <stdlib.h>

/* One question to the slow store. */
struct question {
	struct question *next;
	enum { ASK_PUBLISH, ASK_ATTACH, ASK_RANGE, ASK_CLAIM } kind;
	struct store *store;
	struct store_op *op;
	char *texts[4];
	uint64_t numbers[4];
};

static struct question *questions, **questions_end;
static struct store_sink sink;
static unsigned saves;

void store_slow_reset(void)
{
	questions = NULL;
	questions_end = &questions;
	saves = 0;
}

void store_say_taken_over(const char *session, const char *by_conn)
{
	sink.taken_over(sink.arg, session, by_conn);
}

static struct question *ask(int kind, struct store *store, struct store_op *op)
{
	struct question *question = calloc(1, sizeof(*question));

	question->kind = kind;
	question->store = store;
	question->op = op;
	*questions_end = question;
	questions_end = &question->next;
	return question;
}

static int slow_start(struct store **ret, struct ev_loop *loop, const struct config *config,
		      const struct store_sink *to, struct err *err)
{
	sink = *to;
	return store_memory.start(ret, loop, config, to, err);
}

static void slow_stop(struct store *store)
{
	store_memory.stop(store);
}

static void slow_publish(struct store *store, struct text channel, struct text data, struct text key,
			 struct store_op *op)
{
	struct question *question = ask(ASK_PUBLISH, store, op);

	question->texts[0] = strndup(channel.p, channel.len);
	question->texts[1] = strndup(data.p, data.len);
	question->texts[2] = strndup(key.len ? key.p : "", key.len);
}

static void slow_attach(struct store *store, const char *channel, struct store_op *op)
{
	ask(ASK_ATTACH, store, op)->texts[0] = strdup(channel);
}

static void slow_detach(struct store *store, const char *channel)
{
	store_memory.detach(store, channel);
}

static void slow_range(struct store *store, const char *channel, uint64_t from, uint64_t to, size_t max_count,
		       size_t max_bytes, struct store_op *op)
{
	struct question *question = ask(ASK_RANGE, store, op);

	question->texts[0] = strdup(channel);
	question->numbers[0] = from;
	question->numbers[1] = to;
	question->numbers[2] = max_count;
	question->numbers[3] = max_bytes;
}

static void slow_claim(struct store *store, const char *wanted, const char *fresh, const char *user, const char *conn,
		       struct store_op *op)
{
	struct question *question = ask(ASK_CLAIM, store, op);

	question->texts[0] = wanted ? strdup(wanted) : NULL;
	question->texts[1] = strdup(fresh);
	question->texts[2] = strdup(user);
	question->texts[3] = strdup(conn);
}

static void slow_save(struct store *store, const struct session_record *record, const char *conn, bool ended,
		      struct store_op *op)
{
	saves++;
	store_memory.session_save(store, record, conn, ended, op);
}

const struct store_ops store_slow = {
	.name = "slow",
	.start = slow_start,
	.stop = slow_stop,
	.publish = slow_publish,
	.attach = slow_attach,
	.detach = slow_detach,
	.range = slow_range,
	.session_claim = slow_claim,
	.session_save = slow_save,
};

/* store NULL: the answer is that the store is away. */
static void answer(struct question *q)
{
	const struct store_answer away = { .status = HUB_UNAVAILABLE };
	char **t = q->texts;
	uint64_t *n = q->numbers;

	if (!q->store)
		q->op->done(q->op, &away);
	else if (q->kind == ASK_PUBLISH)
		store_memory.publish(q->store, text_from(t[0]), text_from(t[1]), text_from(t[2]), q->op);
	else if (q->kind == ASK_ATTACH)
		store_memory.attach(q->store, t[0], q->op);
	else if (q->kind == ASK_RANGE)
		store_memory.range(q->store, t[0], n[0], n[1], n[2], n[3], q->op);
	else
		store_memory.session_claim(q->store, t[0], t[1], t[2], t[3], q->op);
	for (unsigned i = 0; i < 4; i++)
		free(t[i]);
	free(q);
}

bool bench_answer(void)
{
	struct question *question = questions;

	if (!question)
		return false;
	questions = question->next;
	if (!questions)
		questions_end = &questions;
	answer(question);
	bench_pump();
	return true;
}

void bench_answer_all(void)
{
	while (bench_answer())
		;
}

void bench_down(void)
{
	for (struct question *q = questions; q; q = q->next)
		q->store = NULL;
	bench_answer_all();
	sink.up(sink.arg, false);
	bench_pump();
}

void bench_up(void)
{
	sink.up(sink.arg, true);
	bench_pump();
}

unsigned bench_saves(void)
{
	return saves;
}
