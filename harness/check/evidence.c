/* A ring of events for each client. Few events have texts; those are copied beside the ring. */
#include "harness/check/evidence.h"

#include <stdlib.h>
#include <string.h>

#include "harness/base/buf.h"
#include "harness/base/json.h"
#include "harness/check/map.h"
#include "harness/history/history.h"

enum { IDS = 1 << 14, TEXT_KEEP = 400, WAITING = 64 };

struct kept {
	struct event event;
	char *texts;               /* what event's texts point into; NULL: it has none */
};

struct ring {
	struct kept kept[CHECK_RING];
	uint64_t n;                /* ever */
};

struct evidence {
	struct ring **rings;       /* by client */
	size_t n_rings;
	/* Whose a connection is, by a hash of its correlation id. One that is pushed out costs evidence, no verdict. */
	struct {
		uint64_t hash;
		uint32_t client;
	} ids[IDS];
	/* Log lines that came before their connection was known. */
	struct kept waiting[WAITING];
	uint64_t n_waiting;
};

int evidence_new(struct evidence **ret_evidence)
{
	*ret_evidence = calloc(1, sizeof(**ret_evidence));
	return *ret_evidence ? 0 : -ENOMEM;
}

void evidence_free(struct evidence *ev)
{
	if (!ev)
		return;
	for (size_t i = 0; i < ev->n_rings; i++) {
		for (size_t k = 0; ev->rings[i] && k < CHECK_RING; k++)
			free(ev->rings[i]->kept[k].texts);
		free(ev->rings[i]);
	}
	for (size_t i = 0; i < WAITING; i++)
		free(ev->waiting[i].texts);
	free(ev->rings);
	free(ev);
}

static struct ring *ring_of(struct evidence *ev, uint32_t client)
{
	if (client == 0 || client > CHECK_CLIENTS_MAX)
		return NULL;
	if (client >= ev->n_rings) {
		size_t n = ev->n_rings * 2 > client ? ev->n_rings * 2 : (size_t)client + 64;
		struct ring **rings = realloc(ev->rings, n * sizeof(struct ring *));
		if (!rings)
			return NULL;
		memset(rings + ev->n_rings, 0, (n - ev->n_rings) * sizeof(struct ring *));
		ev->rings = rings;
		ev->n_rings = n;
	}
	if (!ev->rings[client])
		ev->rings[client] = calloc(1, sizeof(struct ring));
	return ev->rings[client];
}

static size_t text_size(const char *text)
{
	return text ? strnlen(text, TEXT_KEEP) + 1 : 0;
}

static const char *move_text(char **at, const char *text)
{
	if (!text)
		return NULL;
	char *to = *at;
	size_t len = text_size(text) - 1;
	memcpy(to, text, len);
	to[len] = 0;
	*at += len + 1;
	return to;
}

static void keep(struct kept *k, const struct event *e)
{
	if (k->texts) {
		free(k->texts);
		k->texts = NULL;
	}
	k->event = *e;
	size_t size = text_size(e->text) + text_size(e->note) + text_size(e->id) + text_size(e->line);
	if (!size)
		return;
	char *at = k->texts = malloc(size);
	k->event.text = at ? move_text(&at, e->text) : NULL;
	k->event.note = at ? move_text(&at, e->note) : NULL;
	k->event.id = at ? move_text(&at, e->id) : NULL;
	k->event.line = at ? move_text(&at, e->line) : NULL;
}

/* The connection is this client's: what was logged about it before goes to its ring. */
static void note_id(struct evidence *ev, const struct event *e, struct ring *ring)
{
	uint64_t hash = map_text(e->id);
	ev->ids[hash % IDS].hash = hash;
	ev->ids[hash % IDS].client = e->client;
	for (size_t i = 0; i < WAITING; i++) {
		struct kept *w = &ev->waiting[i];
		if (w->event.id && strcmp(w->event.id, e->id) == 0) {
			keep(&ring->kept[ring->n++ % CHECK_RING], &w->event);
			w->event.id = NULL;
		}
	}
}

uint32_t evidence_event(struct evidence *ev, const struct event *e)
{
	uint32_t client = e->client;
	if (!client && e->id) {
		uint64_t hash = map_text(e->id);
		client = ev->ids[hash % IDS].hash == hash ? ev->ids[hash % IDS].client : 0;
		if (!client)
			keep(&ev->waiting[ev->n_waiting++ % WAITING], e);
	}
	struct ring *ring = ring_of(ev, client);
	if (!ring)
		return client;
	if (e->kind == EVENT_CONNECT && e->id)
		note_id(ev, e, ring);
	keep(&ring->kept[ring->n++ % CHECK_RING], e);
	return client;
}

const char *evidence_line(struct arena *a, const struct event *e)
{
	struct buf b CLEANUP(buf_fini) = {0};
	buf_init(&b, HISTORY_LINE_MAX);
	return event_append(&b, e) == 0 ? (const char *)arena_span(a, buf_span(&b)).p : NULL;
}

static int by_number(const void *a, const void *b)
{
	const struct event *const *x = a, *const *y = b;
	return ((*x)->number > (*y)->number) - ((*x)->number < (*y)->number);
}

const char **evidence_lines(struct evidence *ev, struct arena *a, const struct event *at, uint32_t client)
{
	const struct event *shown[CHECK_RING + 1];
	size_t n = 0, lines = 0;
	struct ring *ring = ring_of(ev, client);
	for (uint64_t i = 0; ring && i < CHECK_RING && i < ring->n; i++)
		if (!at || ring->kept[i].event.number != at->number)
			shown[n++] = &ring->kept[i].event;
	if (at)
		shown[n++] = at;
	qsort((void *)shown, n, sizeof(shown[0]), by_number);
	const char **ret = arena_alloc(a, (CHECK_EVIDENCE_MAX + 1) * sizeof(*ret));
	for (size_t i = 0; ret && i < n; i++) {
		ret[lines] = evidence_line(a, shown[i]);
		lines += ret[lines] != NULL;
	}
	return ret;
}
