/* The record of a connection. Copies are made at once, because spans of a stream live only during the callback. */
#include "harness/run/transcript.h"

#include <stdarg.h>
#include <stdio.h>

#include "harness/base/escape.h"
#include "harness/base/limits.h"
#include "harness/ws/close_code.h"

void transcript_init(struct transcript *t, struct arena *a, uint64_t now_us)
{
	*t = (struct transcript){.arena = a, .start_us = now_us};
}

static struct transcript_event *add(struct transcript *t, uint64_t now_us, enum transcript_kind kind)
{
	if (t->n == TRANSCRIPT_EVENTS_MAX) {
		t->dropped++;
		return NULL;
	}
	if (t->n == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 32;
		struct transcript_event *events = arena_alloc(t->arena, cap * sizeof(*events));
		if (!events) {
			t->dropped++;
			return NULL;
		}
		if (t->n)
			memcpy(events, t->events, t->n * sizeof(*events));
		t->events = events;
		t->cap = cap;
	}
	struct transcript_event *e = &t->events[t->n++];
	*e = (struct transcript_event){.at_us = now_us, .kind = kind};
	return e;
}

static void keep(struct transcript *t, struct transcript_event *e, struct span octets, uint64_t total)
{
	e->octets = arena_span(t->arena, span_sub(octets, 0, TRANSCRIPT_PAYLOAD_MAX));
	e->total = total;
}

void transcript_note(struct transcript *t, uint64_t now_us, const char *fmt, ...)
{
	struct transcript_event *e = add(t, now_us, TRANSCRIPT_NOTE);
	if (!e)
		return;
	char text[256];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	e->text = arena_strdup(t->arena, text);
}

void transcript_octets(struct transcript *t, uint64_t now_us, bool sent, struct span octets)
{
	struct transcript_event *e = add(t, now_us, TRANSCRIPT_OCTETS);
	if (!e)
		return;
	e->sent = sent;
	keep(t, e, octets, octets.len);
}

void transcript_frame(struct transcript *t, uint64_t now_us, bool sent, const struct frame_head *head, struct span payload, uint64_t total)
{
	struct transcript_event *e = add(t, now_us, TRANSCRIPT_FRAME);
	if (!e)
		return;
	e->sent = sent;
	e->head = *head;
	keep(t, e, payload, total);
}

static void render_hex(struct buf *out, struct span octets, uint64_t total)
{
	for (size_t at = 0; at < octets.len; at += 16) {
		buf_printf(out, "                    %04zx  ", at);
		for (size_t i = 0; i < 16; i++)
			if (at + i < octets.len)
				buf_printf(out, "%02x ", octets.p[at + i]);
			else
				buf_printf(out, "   ");
		buf_printf(out, " ");
		for (size_t i = at; i < at + 16 && i < octets.len; i++)
			buf_append_u8(out, octets.p[i] >= 0x20 && octets.p[i] < 0x7f ? octets.p[i] : '.');
		buf_printf(out, "\n");
	}
	if (total > octets.len)
		buf_printf(out, "                    ... %llu more octets\n", (unsigned long long)(total - octets.len));
}

static void render_frame(struct buf *out, const struct transcript_event *e)
{
	const struct frame_head *h = &e->head;
	buf_printf(out, "%s FIN %d", opcode_name(h->opcode), h->fin);
	if (h->rsv)
		buf_printf(out, " RSV %d%d%d", h->rsv >> 2 & 1, h->rsv >> 1 & 1, h->rsv & 1);
	if (h->masked)
		buf_printf(out, " masked %02x%02x%02x%02x", h->key[0], h->key[1], h->key[2], h->key[3]);
	buf_printf(out, ", %s length %llu", h->form == FRAME_FORM_7 ? "7-bit" : h->form == FRAME_FORM_16 ? "16-bit" : "64-bit",
		   (unsigned long long)h->len);
	if (h->opcode == OPCODE_CLOSE && e->octets.len >= 2) {
		unsigned code = (unsigned)e->octets.p[0] << 8 | e->octets.p[1];
		buf_printf(out, ", code %u (%s), reason \"", code, close_code_name((uint16_t)code));
		escape_text(out, span_sub(e->octets, 2, e->octets.len));
		buf_printf(out, "\"");
	}
	buf_printf(out, "\n");
}

static void render_event(const struct transcript *t, const struct transcript_event *e, struct buf *out)
{
	uint64_t us = e->at_us - t->start_us;
	buf_printf(out, "%6llu.%03llu ms  ", (unsigned long long)(us / 1000), (unsigned long long)(us % 1000));
	if (e->kind == TRANSCRIPT_NOTE) {
		buf_printf(out, "     %s\n", e->text ? e->text : "");
		return;
	}
	buf_printf(out, "%s ", e->sent ? ">>>>" : "<<<<");
	if (e->kind == TRANSCRIPT_FRAME)
		render_frame(out, e);
	else
		buf_printf(out, "%llu octets\n", (unsigned long long)e->total);
	render_hex(out, e->octets, e->total);
}

/* A run of octets in one direction, which may have been written in pieces. Returns the event behind it. */
static size_t hide_run(struct transcript *t, size_t first)
{
	struct buf all CLEANUP(buf_fini) = {0};
	bool sent = t->events[first].sent, cut = false;
	size_t end = first;
	buf_init(&all, TRANSCRIPT_EVENTS_MAX * TRANSCRIPT_PAYLOAD_MAX);
	for (; end < t->n && !cut && t->events[end].kind != TRANSCRIPT_FRAME; end++) {
		const struct transcript_event *e = &t->events[end];
		if (e->kind != TRANSCRIPT_OCTETS || e->sent != sent)
			continue;
		cut = e->total > e->octets.len;
		if (buf_append_span(&all, e->octets) < 0)
			cut = true;
	}
	secrets_hide(t->secrets, all.p, all.len, true); /* what comes behind it may never have been written */
	for (size_t i = first, at = 0; i < end && at < all.len; i++) {
		struct transcript_event *e = &t->events[i];
		if (e->kind != TRANSCRIPT_OCTETS || e->sent != sent)
			continue;
		memcpy((uint8_t *)e->octets.p, all.p + at, e->octets.len); /* in our arena */
		at += e->octets.len;
	}
	return end;
}

static void hide_secrets(struct transcript *t)
{
	bool told[2] = {false, false};
	size_t until[2] = {0, 0};
	for (size_t i = 0; i < t->n; i++) {
		struct transcript_event *e = &t->events[i];
		if (e->kind == TRANSCRIPT_FRAME)
			secrets_hide(t->secrets, (uint8_t *)e->octets.p, e->octets.len, e->total > e->octets.len);
		if (e->kind != TRANSCRIPT_OCTETS || (told[e->sent] && i < until[e->sent]))
			continue;
		until[e->sent] = hide_run(t, i);
		told[e->sent] = true;
	}
}

void transcript_render(struct transcript *t, struct buf *out)
{
	if (t->secrets && t->secrets->n)
		hide_secrets(t);
	for (size_t i = 0; i < t->n; i++)
		render_event(t, &t->events[i], out);
	if (t->dropped)
		buf_printf(out, "... %zu more events\n", t->dropped);
}
