/* A shelf of pipes, so that ten thousand idle connections need none and a busy one does not make its own each time. */
#include "harness/proxy/pipes.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct pipes {
	struct pipe *free;
	size_t lent;
};

struct pipes *pipes_new(void)
{
	return calloc(1, sizeof(struct pipes));
}

static void close_pipe(struct pipe *p)
{
	close(p->in);
	close(p->out);
	free(p);
}

void pipes_free(struct pipes *ps)
{
	if (!ps)
		return;
	assert(!ps->lent);
	for (struct pipe *p = ps->free, *next; p; p = next) {
		next = p->next;
		close_pipe(p);
	}
	free(ps);
}

static struct pipe *open_pipe(void)
{
	int fds[2];
	struct pipe *p = malloc(sizeof(*p));
	if (!p || pipe2(fds, O_NONBLOCK | O_CLOEXEC) < 0) {
		free(p);
		return NULL;
	}
	*p = (struct pipe){.in = fds[1], .out = fds[0]};
	fcntl(p->in, F_SETPIPE_SZ, PIPE_OCTETS); /* where the kernel does not let us, it holds what it holds */
	return p;
}

struct pipe *pipes_lend(struct pipes *ps)
{
	struct pipe *p = ps->free;
	if (p)
		ps->free = p->next;
	else if (ps->lent < PIPES_MAX)
		p = open_pipe();
	ps->lent += p != NULL;
	return p;
}

void pipes_take_back(struct pipes *ps, struct pipe *p)
{
	if (!p)
		return;
	ps->lent--;
	if (p->held) {
		close_pipe(p);
		return;
	}
	p->next = ps->free;
	ps->free = p;
}
