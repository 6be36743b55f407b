/*
 * What every proxied connection goes through, whatever its sockets speak: a number, the name of its upstream, the
 * chain of toxics, one alarm, and an end that is told exactly once.
 *
 * A chain speaks from inside calls (chain_data, or a change of the toxics) in which it must not be freed. So its
 * wishes are noted, and done by relay_leave(), or by relays_settle() after a change of the toxics.
 */
#include "harness/proxy/relay.h"

#include <assert.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/base/clock.h"
#include "harness/net/address.h"

static void link_relay(struct relay *r, struct relay **at)
{
	r->next = *at;
	r->link = at;
	if (r->next)
		r->next->link = &r->next;
	*at = r;
}

static void unlink_relay(struct relay *r)
{
	if (r->proxy && r->proxy->relays_end == &r->next)
		r->proxy->relays_end = r->link;
	*r->link = r->next;
	if (r->next)
		r->next->link = r->link;
	r->link = NULL;
}

/* The upstream's addresses ----------------------------------------------------------------------------------------- */

struct resolving {
	uv_getaddrinfo_t request;
	struct relay *relay;       /* NULL: it has gone meanwhile */
};

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
	struct resolving *resolving = (struct resolving *)request;
	struct relay *r = resolving->relay;
	struct dial_addresses addresses = {0};
	for (struct addrinfo *a = status == 0 ? found : NULL; a && addresses.n < DIAL_ADDRESSES_MAX; a = a->ai_next)
		if (a->ai_family == AF_INET || a->ai_family == AF_INET6)
			memcpy(&addresses.list[addresses.n++], a->ai_addr, a->ai_addrlen);
	uv_freeaddrinfo(found);
	free(resolving);
	if (!r)
		return;
	r->resolving = NULL;
	relay_enter(r);
	if (addresses.n)
		r->ops->resolved(r, &addresses);
	else
		relay_end(r, STREAM_END_RST, "server", "unresolved");
	relay_leave(r);
}

static void resolve(struct relay *r, const struct endpoint *ep)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	char service[8];
	if (ep->literal) {
		struct dial_addresses one = {.list = {ep->address}, .n = 1};
		r->ops->resolved(r, &one);
		return;
	}
	snprintf(service, sizeof(service), "%u", (unsigned)ep->port);
	struct resolving *resolving = malloc(sizeof(*resolving));
	if (resolving)
		*resolving = (struct resolving){.relay = r};
	if (!resolving ||
	    uv_getaddrinfo(&r->set->loop->uv, &resolving->request, on_resolved, ep->host, service, &hints) < 0) {
		free(resolving);
		relay_end(r, STREAM_END_RST, "proxy", "error");
		return;
	}
	r->resolving = resolving;
}

/* The chain -------------------------------------------------------------------------------------------------------- */

static void on_alarm(void *owner, uint64_t now_us)
{
	struct relay *r = owner;
	relay_enter(r);
	if (r->proxy && r->chain && !r->silent)
		chain_wake(r->chain, now_us);
	else
		r->ops->on_alarm(r);
	relay_leave(r);
}

void relay_set_alarm(struct relay *r, uint64_t after_ms)
{
	if (alarm_set(&r->alarm, r->set->alarms, clock_now_us() + after_ms * 1000, on_alarm, r) < 0 && !r->proxy)
		r->ops->abort(r);
}

/* Something is to be done for r once the call into a chain is over. */
void relay_note(struct relay *r)
{
	if (r->busy || r->unsettled || !r->proxy)
		return;
	r->unsettled = true;
	r->unsettled_next = r->proxy->unsettled;
	r->proxy->unsettled = r;
}

static void on_out(void *owner, enum direction d, struct span octets)
{
	struct relay *r = owner;
	if (!r->proxy)
		return;
	r->octets[d] += octets.len;
	r->proxy->counters.sent[d] += octets.len;
	r->ops->out(r, d, octets);
	relay_note(r);
}

static void on_out_eof(void *owner, enum direction d)
{
	struct relay *r = owner;
	r->ops->out_eof(r, d);
	relay_note(r);
}

void relay_wish_end(struct relay *r, enum stream_end how)
{
	r->end_wished = true;
	r->end_how = how;
	relay_note(r);
}

static void on_end(void *owner, enum stream_end how)
{
	struct relay *r = owner;
	if (how == STREAM_END_FIN && r->ops->drain && r->ops->drain(r))
		relay_note(r);
	else
		relay_wish_end(r, how);
}

static void on_wake_at(void *owner, uint64_t at_us)
{
	struct relay *r = owner;
	if (alarm_set(&r->alarm, r->set->alarms, at_us, on_alarm, r) < 0)
		relay_wish_end(r, STREAM_END_RST); /* what it holds would never come out */
}

static void on_change(void *owner)
{
	relay_note(owner);
}

static const struct chain_events chain_events = {
	.on_out = on_out, .on_out_eof = on_out_eof, .on_end = on_end, .on_wake_at = on_wake_at, .on_change = on_change,
};

int relay_opened(struct relay *r)
{
	uint64_t now_us = clock_now_us();
	alarm_clear(&r->alarm);
	int n = chain_new(&r->proxy->toxics, r->number, r->proxy->credentials ? CHAIN_CLEAR : CHAIN_BOTH, &chain_events, r,
			  now_us, &r->chain);
	if (n == 0)
		chain_open(r->chain, now_us);
	return n;
}

void relay_data(struct relay *r, enum direction d, struct span octets)
{
	r->proxy->counters.received[d] += octets.len;
	if (chain_idle(r->chain))
		on_out(r, d, octets);
	else
		chain_data(r->chain, d, octets, clock_now_us());
}

void relay_passed(struct relay *r, enum direction d, size_t octets)
{
	r->proxy->counters.received[d] += octets;
	r->proxy->counters.sent[d] += octets;
	r->octets[d] += octets;
}

void relay_eof(struct relay *r, enum direction d)
{
	if (!r->half)
		r->first_fin = d;
	r->half |= 1u << d;
	if (chain_idle(r->chain))
		r->ops->out_eof(r, d);
	else
		chain_eof(r->chain, d, clock_now_us());
}

/* Beginning and end ------------------------------------------------------------------------------------------------ */

void relay_start(struct proxy *p, int fd, const struct sockaddr_storage *client)
{
	const struct relay_ops *ops = p->credentials ? &relay_tls : &relay_raw;
	struct relay *r = calloc(1, ops->size);
	if (!r) {
		close(fd);
		return;
	}
	r->ops = ops;
	r->set = p->set;
	r->proxy = p;
	r->number = ++p->numbered;
	r->opened_us = clock_now_us();
	address_text(client, r->client);
	link_relay(r, p->relays_end);
	p->relays_end = &r->next;
	p->counters.accepted++;
	p->counters.open++;
	proxy_tell(p, "open", r->number, NULL);
	relay_enter(r);
	if (ops->start(r, fd) < 0)
		relay_end(r, STREAM_END_RST, "proxy", "error");
	else
		resolve(r, &p->upstream);
	relay_leave(r);
}

static void count_end(struct proxy *p, const char *by, const char *how)
{
	struct proxy_counters *n = &p->counters;
	n->open--;
	if (strcmp(by, "toxic") == 0)
		n->ended_toxic++;
	else if (strcmp(by, "user") == 0)
		n->ended_user++;
	else if (strcmp(how, "fin") == 0)
		n->ended_fin++;
	else if (strcmp(how, "rst") == 0)
		n->ended_rst++;
	else
		n->ended_other++;
}

static void forget_unsettled(struct relay *r)
{
	struct relay **at = &r->proxy->unsettled;
	while (r->unsettled && *at != r)
		at = &(*at)->unsettled_next;
	if (r->unsettled)
		*at = r->unsettled_next;
	r->unsettled = false;
}

void relay_end(struct relay *r, enum stream_end end, const char *by, const char *how)
{
	char detail[160];
	struct proxy *p = r->proxy;
	if (!p)
		return;
	assert(!p->toxics.busy);
	count_end(p, by, how);
	if (!r->chain && strcmp(by, "server") == 0)
		p->counters.failed++;
	unlink_relay(r);
	forget_unsettled(r);
	alarm_clear(&r->alarm);
	if (r->resolving)
		TAKE_PTR(r->resolving)->relay = NULL;
	chain_free(TAKE_PTR(r->chain));
	r->proxy = NULL;
	link_relay(r, &r->set->ending);
	snprintf(detail, sizeof(detail), "by=%s how=%s upstream=%" PRIu64 " downstream=%" PRIu64, by, how,
		 r->octets[UPSTREAM], r->octets[DOWNSTREAM]);
	proxy_tell(p, "end", r->number, detail);
	relay_enter(r);
	r->ops->end(r, end);
	relay_leave(r);
}

const char *relay_blame(enum direction d, int error)
{
	return error == ENOBUFS || error == ENOMEM ? "proxy" : d == UPSTREAM ? "client" : "server";
}

void relay_gone(struct relay *r)
{
	r->gone = true;
	if (!r->busy) {
		relay_enter(r);
		relay_leave(r);
	}
}

void relay_enter(struct relay *r)
{
	r->busy++;
}

/* What the chain wished; false when r has ended by it. */
static bool grant(struct relay *r)
{
	r->end_wished = false;
	if (r->end_how != STREAM_END_SILENCE) {
		relay_end(r, r->end_how, "toxic", r->end_how == STREAM_END_FIN ? "fin" : "rst");
		return false;
	}
	r->silent = true;
	chain_silence(r->chain);
	return true;
}

void relay_leave(struct relay *r)
{
	if (r->busy == 1 && r->proxy && r->proxy->toxics.busy) { /* only noted, until toxics.c is through */
		r->busy--;
		relay_note(r);
		return;
	}
	while (r->busy == 1 && r->proxy && (!r->end_wished || grant(r))) {
		r->ops->settle(r);
		if (!r->end_wished) /* by what settling has brought through the chain */
			break;
	}
	if (--r->busy || !r->gone)
		return;
	alarm_clear(&r->alarm);
	unlink_relay(r);
	if (r->ops->fini)
		r->ops->fini(r);
	free(r);
}

void relays_settle(struct proxy *p)
{
	while (p->unsettled) {
		struct relay *r = p->unsettled;
		forget_unsettled(r);
		relay_enter(r);
		relay_leave(r);
	}
}

enum proxy_connection_state relay_state(const struct relay *r)
{
	return r->silent ? CONNECTION_SILENT : !r->chain ? CONNECTION_OPENING : r->half ? CONNECTION_HALF : CONNECTION_OPEN;
}
