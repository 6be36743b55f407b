/*
 * A server's log is written and rotated by others, at times of their choosing. What is read is bounded in each turn of
 * the loop: a log that is faster than we are makes us late with it, never with the clients.
 */
#include "harness/target/log_tail.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/buf.h"
#include "harness/base/clock.h"
#include "harness/net/watch.h"

/* One inode that is read. */
struct grip {
	int fd;                        /* -1: none */
	dev_t dev;
	ino_t ino;
	off_t at;
	bool skip;                     /* to the next line end: the rest of a line that was told, or begun before us */
	struct buf part;               /* of a line that has no end yet */
	uint64_t grown_us;             /* when something was read last */
};

struct tailed {
	char *path;
	size_t index;
	struct grip now, before;       /* before: what the path was, until nothing comes of it any more */
	bool watched;                  /* its folder is */
	struct log_tail_state state;
};

struct log_tail {
	struct loop *loop;
	const struct log_tail_events *events;
	void *owner;
	struct watch inotify;          /* handle NULL: there is none */
	struct timer poll, more;
	size_t n, turn;                /* turn: who begins */
	uint8_t chunk[LOG_TAIL_CHUNK];
	struct tailed files[];
};

/* --- lines --- */

static void tell(struct log_tail *t, struct tailed *f, struct span line, bool cut)
{
	if (line.len && line.p[line.len - 1] == '\r')
		line.len--;
	f->state.lines++;
	f->state.cut += cut;
	t->events->on_line(t->owner, f->index, line, cut);
}

/* `piece` is the rest of the line, with its end or (ended false) without it yet. */
static void take_piece(struct log_tail *t, struct tailed *f, struct grip *g, struct span piece, bool ended)
{
	if (!g->skip && g->part.len == 0 && ended && piece.len <= LOG_TAIL_LINE_MAX)
		return tell(t, f, piece, false);
	if (!g->skip) {
		struct span fits = span_sub(piece, 0, LOG_TAIL_LINE_MAX - g->part.len);
		bool kept = buf_append_span(&g->part, fits) == 0;
		if (!kept || fits.len < piece.len) {
			tell(t, f, buf_span(&g->part), true);
			g->skip = true;
		} else if (ended) {
			tell(t, f, buf_span(&g->part), false);
		}
		if (g->skip || ended)
			buf_consume(&g->part, g->part.len);
	}
	if (ended)
		g->skip = false;
}

static void take_chunk(struct log_tail *t, struct tailed *f, struct grip *g, struct span chunk)
{
	while (chunk.len) {
		const uint8_t *end = memchr(chunk.p, '\n', chunk.len);
		size_t len = end ? (size_t)(end - chunk.p) : chunk.len;
		take_piece(t, f, g, span_sub(chunk, 0, len), end != NULL);
		chunk = span_sub(chunk, len + (end != NULL), chunk.len);
	}
}

static void tell_part(struct log_tail *t, struct tailed *f, struct grip *g)
{
	if (g->part.len)
		tell(t, f, buf_span(&g->part), true);
	buf_consume(&g->part, g->part.len);
}

/* --- files --- */

static void let_go(struct log_tail *t, struct tailed *f, struct grip *g)
{
	if (g->fd < 0)
		return;
	tell_part(t, f, g);
	cleanup_fd(&g->fd);
	g->skip = false;
}

/* At most `most` octets; how many came. */
static size_t read_some(struct log_tail *t, struct tailed *f, struct grip *g, size_t most)
{
	struct stat st;
	if (g->fd < 0)
		return 0;
	if (fstat(g->fd, &st) == 0 && st.st_size < g->at) { /* cut off */
		tell_part(t, f, g);
		g->at = 0;
		g->skip = false;
		f->state.rotations++;
	}
	ssize_t n = pread(g->fd, t->chunk, most < sizeof(t->chunk) ? most : sizeof(t->chunk), g->at);
	if (n < 0)
		f->state.error = -errno;
	if (n <= 0)
		return 0;
	g->at += n;
	g->grown_us = clock_now_us();
	f->state.octets += (uint64_t)n;
	take_chunk(t, f, g, span_of(t->chunk, (size_t)n));
	return (size_t)n;
}

/* 1: opened; 0: it is not there; negative errno. */
static int open_grip(const char *path, struct grip *g)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return -EINVAL;
	}
	g->fd = fd;
	g->dev = st.st_dev;
	g->ino = st.st_ino;
	g->at = 0;
	g->skip = false;
	g->grown_us = clock_now_us();
	return 1;
}

/* To the end, which may be within a line. */
static void to_end(struct grip *g)
{
	struct stat st;
	char last = '\n';
	if (fstat(g->fd, &st) < 0 || st.st_size == 0)
		return;
	g->at = st.st_size;
	if (pread(g->fd, &last, 1, st.st_size - 1) == 1)
		g->skip = last != '\n';
}

/* Is the path another file than the one that is read? */
static void follow(struct log_tail *t, struct tailed *f)
{
	struct stat st;
	bool held = f->now.fd >= 0;
	if (held && (stat(f->path, &st) < 0 || (st.st_dev == f->now.dev && st.st_ino == f->now.ino)))
		return;
	if (held) {
		let_go(t, f, &f->before);
		struct buf spare = f->before.part;
		f->before = f->now;
		f->now = (struct grip){.fd = -1, .part = spare};
		f->state.rotations++;
	}
	int r = open_grip(f->path, &f->now);
	f->state.there = r > 0;
	if (r < 0)
		f->state.error = r;
}

/* --- turns --- */

/* The old one first; the new one once nothing more is in it. */
static size_t read_file(struct log_tail *t, struct tailed *f, size_t most)
{
	follow(t, f);
	size_t n = read_some(t, f, &f->before, most);
	if (n)
		return n;
	if (f->before.fd >= 0 && clock_now_us() - f->before.grown_us > LOG_TAIL_LINGER_MS * 1000ull)
		let_go(t, f, &f->before);
	return read_some(t, f, &f->now, most);
}

static void look(void *owner)
{
	struct log_tail *t = owner;
	size_t left = LOG_TAIL_TURN;
	bool more = true;
	assert(t->n > 0);
	while (more && left) {
		more = false;
		for (size_t i = 0; i < t->n && left; i++) {
			size_t n = read_file(t, &t->files[(t->turn + i) % t->n], left);
			left -= n;
			more |= n > 0;
		}
		t->turn = (t->turn + 1) % t->n;
	}
	if (more)
		timer_start(&t->more, t->loop, 0, look, t);
}

static void watch_folders(struct log_tail *t)
{
	for (size_t i = 0; i < t->n && t->inotify.handle; i++) {
		char folder[4096];
		const char *path = t->files[i].path, *slash = strrchr(path, '/');
		if (t->files[i].watched)
			continue;
		snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
		t->files[i].watched = inotify_add_watch(t->inotify.fd, folder, IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE) >= 0;
	}
}

static void on_poll(void *owner)
{
	struct log_tail *t = owner;
	watch_folders(t);
	look(t);
	timer_start(&t->poll, t->loop, LOG_TAIL_POLL_MS, on_poll, t);
}

/* What has changed does not matter: a look costs two system calls a file. */
static void on_inotify(void *owner)
{
	struct log_tail *t = owner;
	char events[16 << 10];
	while (read(t->inotify.fd, events, sizeof(events)) > 0)
		;
	look(t);
}

/* --- life --- */

static int begin(struct log_tail *t, struct tailed *f, const char *path, struct err *e)
{
	f->now.fd = f->before.fd = -1;
	buf_init(&f->now.part, LOG_TAIL_LINE_MAX);
	buf_init(&f->before.part, LOG_TAIL_LINE_MAX);
	f->path = strdup(path);
	f->index = t->n++;
	if (!f->path)
		return err_set(e, ENOMEM, "no memory for the log %.200s", path);
	int r = open_grip(path, &f->now);
	if (r == -EINVAL)
		return err_set(e, EINVAL, "the log %.200s is no file", path);
	if (r < 0)
		return err_set(e, -r, "the log %.200s cannot be read: %s", path, strerror(-r));
	f->state.there = r > 0;
	if (r > 0)
		to_end(&f->now);
	return 0;
}

int log_tail_new(struct loop *l, const char *const *paths, size_t n, const struct log_tail_events *events, void *owner,
		 struct log_tail **ret_tail, struct err *e)
{
	if (n == 0 || n > LOG_TAIL_FILES_MAX)
		return err_set(e, n ? E2BIG : EINVAL, "from 1 to %d logs are possible, not %zu", LOG_TAIL_FILES_MAX, n);
	struct log_tail *t = calloc(1, sizeof(*t) + n * sizeof(t->files[0]));
	if (!t)
		return err_set(e, ENOMEM, "no memory for logs");
	t->loop = l;
	t->events = events;
	t->owner = owner;
	int r = 0, fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (fd >= 0) /* without it, polling is enough */
		watch_start(&t->inotify, l, fd, false, on_inotify, t);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = begin(t, &t->files[i], paths[i], e);
	if (r == 0)
		watch_folders(t);
	if (r == 0 && timer_start(&t->poll, l, 0, on_poll, t) < 0)
		r = err_set(e, ENOMEM, "no memory for logs");
	if (r < 0)
		log_tail_free(t);
	else
		*ret_tail = t;
	return r;
}

void log_tail_free(struct log_tail *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n; i++) {
		struct tailed *f = &t->files[i];
		struct grip *const grips[] = {&f->now, &f->before};
		for (size_t g = 0; g < ARRAY_LEN(grips); g++) {
			cleanup_fd(&grips[g]->fd);
			buf_fini(&grips[g]->part);
		}
		free(f->path);
	}
	watch_stop(&t->inotify);
	timer_fini(&t->poll);
	timer_fini(&t->more);
	free(t);
}

/* Up to where the file ends now: a writer that never rests must not hold us. */
static void read_up(struct log_tail *t, struct tailed *f, struct grip *g)
{
	struct stat st;
	if (g->fd < 0 || fstat(g->fd, &st) < 0)
		return;
	off_t end = st.st_size;
	if (end < g->at)
		read_some(t, f, g, LOG_TAIL_CHUNK);
	while (g->at < end && read_some(t, f, g, (size_t)(end - g->at)) > 0)
		;
}

void log_tail_catch_up(struct log_tail *t)
{
	for (size_t i = 0; i < t->n; i++) {
		struct tailed *f = &t->files[i];
		follow(t, f);
		read_up(t, f, &f->before);
		read_up(t, f, &f->now);
	}
}

void log_tail_finish(struct log_tail *t)
{
	log_tail_catch_up(t);
	for (size_t i = 0; i < t->n; i++) {
		struct grip *const grips[] = {&t->files[i].before, &t->files[i].now};
		for (size_t g = 0; g < ARRAY_LEN(grips); g++) {
			if (grips[g]->part.len == 0)
				continue;
			tell_part(t, &t->files[i], grips[g]);
			grips[g]->skip = true; /* its rest, should it come, is no line */
		}
	}
}

void log_tail_state(const struct log_tail *t, size_t file, struct log_tail_state *ret)
{
	*ret = t->files[file].state;
}
