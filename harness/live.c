/* The live part of a terminal. */
#include "harness/live.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "harness/base/buf.h"
#include "harness/base/clock.h"
#include "harness/base/err.h"

enum {
	COLUMNS_OTHERWISE = 80,
	ROWS_OTHERWISE = 24,
	MARGIN = 2,                /* columns left free: a full line would wrap */
};

static struct winsize window_of(int fd)
{
	struct winsize size = {0};
	return ioctl(fd, TIOCGWINSZ, &size) == 0 ? size : (struct winsize){0};
}

unsigned live_columns(int fd, unsigned otherwise)
{
	unsigned columns = window_of(fd).ws_col;
	return columns ? columns : otherwise;
}

void live_init(struct live *l, bool wanted)
{
	*l = (struct live){.on = wanted && isatty(STDERR_FILENO)};
}

bool live_due(const struct live *l)
{
	return l->on && clock_now_us() >= l->drawn_us + LIVE_INTERVAL_US;
}

static void add_clear(const struct live *l, struct buf *b)
{
	buf_printf(b, "\r");
	if (l->drawn)
		buf_printf(b, "\033[%uA", l->drawn);
	buf_printf(b, "\033[J");
}

/* The octets of one character of UTF-8, 1 where it is none. */
static size_t width_of(uint8_t first)
{
	return first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

static void add_cut(unsigned columns, struct span line, struct buf *b)
{
	unsigned most = columns > MARGIN ? columns - MARGIN : 1;
	for (unsigned column = 0; line.len && column < most; column++) {
		size_t n = width_of(line.p[0]) < line.len ? width_of(line.p[0]) : line.len;
		bool control = line.p[0] < 0x20 || line.p[0] == 0x7f || (line.p[0] == 0xc2 && n == 2 && line.p[1] < 0xa0);
		buf_append_span(b, control ? span_str("?") : (struct span){line.p, n});
		line.p += n;
		line.len -= n;
	}
	buf_printf(b, "\n");
}

void live_draw(struct live *l, struct span text)
{
	if (!l->on)
		return;
	/* Each time: a window changes its size. */
	struct winsize size = window_of(STDERR_FILENO);
	unsigned columns = size.ws_col ? size.ws_col : COLUMNS_OTHERWISE, rows = size.ws_row ? size.ws_row : ROWS_OTHERWISE;
	struct buf b CLEANUP(buf_fini) = {0};
	buf_init(&b, 4 * LIVE_TEXT_MAX);
	add_clear(l, &b);
	l->drawn = 0;
	while (text.len && l->drawn + 1 < rows) {
		const uint8_t *end = memchr(text.p, '\n', text.len);
		size_t n = end ? (size_t)(end - text.p) : text.len;
		add_cut(columns, (struct span){text.p, n}, &b);
		l->drawn++;
		text.p += end ? n + 1 : n;
		text.len -= end ? n + 1 : n;
	}
	fwrite(b.p, 1, b.len, stderr);
	fflush(stderr);
	l->drawn_us = clock_now_us();
}

void live_clear(struct live *l)
{
	struct buf b CLEANUP(buf_fini) = {0};
	if (!l->on || !l->drawn)
		return;
	buf_init(&b, LIVE_TEXT_MAX);
	add_clear(l, &b);
	fwrite(b.p, 1, b.len, stderr);
	fflush(stderr);
	l->drawn = 0;
	l->drawn_us = 0;
}

const char *live_bar(char *to, unsigned columns, uint64_t done, uint64_t all)
{
	columns = columns < LIVE_BAR ? columns : LIVE_BAR;
	uint64_t filled = all == 0 ? 0 : done >= all ? columns : done * columns / all;
	to[0] = '\0';
	for (unsigned i = 0; i < columns; i++)
		memcpy(to + 3 * (size_t)i, i < filled ? "\u2588" : "\u2591", 4);
	return to;
}
