/* What can be done with a proxy: made, changed, enabled, given toxics, counted, looked at. */
#include "harness/proxy/proxy.h"

#include <stdio.h>
#include <stdlib.h>

#include "harness/base/clock.h"
#include "harness/net/address.h"
#include "harness/proxy/credentials.h"
#include "harness/proxy/relay.h"

/* Making ----------------------------------------------------------------------------------------------------------- */

void proxy_tell(struct proxy *p, const char *what, uint64_t connection, const char *detail)
{
	struct fault_event event = {.plane = FAULT_STREAM, .what = what, .node = p->name, .connection = connection,
				    .detail = detail};
	if (p->set->on_event)
		p->set->on_event(p->set->owner, p, &event);
}

static void on_toxic_event(void *owner, const struct fault_event *event)
{
	struct proxy *p = owner;
	if (p->set->on_event)
		p->set->on_event(p->set->owner, p, event);
}

static int check_name(const char *name, struct err *e)
{
	size_t len = name ? strlen(name) : 0;
	if (!len || len > PROXY_NAME_MAX)
		return err_set(e, EINVAL, "a proxy has a name of 1 to %d octets", PROXY_NAME_MAX);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f || name[i] == '/')
			return err_set(e, EINVAL, "a proxy's name has no '/' and no control characters");
	return 0;
}

/* All but listening. The listener's name is not resolved yet. */
static int fill(struct proxy *p, const struct proxy_options *o, struct err *e)
{
	int r = check_name(o->name, e);
	if (r == 0)
		r = endpoint_parse(o->listen, "listen", &p->listen, e);
	if (r == 0)
		r = endpoint_parse(o->upstream, "upstream", &p->upstream, e);
	if (r == 0 && o->tls)
		r = credentials_new(o->tls, p->upstream.host, &p->credentials, e);
	if (r < 0)
		return r;
	snprintf(p->name, sizeof(p->name), "%s", o->name);
	p->connect_timeout_ms = o->connect_timeout_ms ? o->connect_timeout_ms : CONNECT_TIMEOUT_MS;
	return 0;
}

int proxy_check(const struct proxy_options *o, struct err *e)
{
	struct proxy p = {0};
	int r = fill(&p, o, e);
	credentials_free(p.credentials);
	return r;
}

static void append(struct proxies *set, struct proxy *p)
{
	struct proxy **at = &set->first;
	while (*at)
		at = &(*at)->next;
	*at = p;
	set->n++;
}

int proxy_new(struct proxies *set, const struct proxy_options *o, struct proxy **ret_proxy, struct err *e)
{
	if (set->n >= PROXIES_MAX)
		return err_set(e, ENOSPC, "there are %d proxies already, the most there may be", PROXIES_MAX);
	if (o->name && proxies_find(set, o->name))
		return err_set(e, EEXIST, "there is a proxy named %s already", o->name);
	struct proxy *p = calloc(1, sizeof(*p));
	if (!p)
		return err_set(e, ENOMEM, "out of memory");
	p->set = set;
	p->listener_fd = -1;
	p->relays_end = &p->relays;
	int r = fill(p, o, e);
	if (r == 0) {
		toxics_init(&p->toxics, set->seed, p->name);
		p->toxics.on_event = on_toxic_event;
		p->toxics.owner = p;
		p->toxics.certificate = p->credentials ? p->credentials->server : NULL;
		r = o->enabled ? proxy_enable(p, e) : 0;
	}
	if (r < 0) {
		credentials_free(p->credentials);
		free(p);
		return r;
	}
	append(set, p);
	if (ret_proxy)
		*ret_proxy = p;
	return 0;
}

void proxy_free(struct proxy *p)
{
	if (!p)
		return;
	proxy_disable(p);
	alarm_clear(&p->expiry);
	toxics_fini(&p->toxics);
	struct proxy **at = &p->set->first;
	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	p->set->n--;
	credentials_free(p->credentials);
	free(p);
}

const char *proxy_name(const struct proxy *p)
{
	return p->name;
}

const char *proxy_listen(const struct proxy *p)
{
	return p->listen.text;
}

const char *proxy_upstream(const struct proxy *p)
{
	return p->upstream.text;
}

bool proxy_enabled(const struct proxy *p)
{
	return p->listener != NULL;
}

const struct proxy_tls *proxy_tls(const struct proxy *p)
{
	return p->credentials ? &p->credentials->o : NULL;
}

uint32_t proxy_connect_timeout_ms(const struct proxy *p)
{
	return p->connect_timeout_ms;
}

/* Toxics ----------------------------------------------------------------------------------------------------------- */

struct toxics *proxy_toxics(struct proxy *p)
{
	return &p->toxics;
}

static void on_expiry(void *owner, uint64_t now_us);

static void tell_expired(struct proxy *p, uint64_t now_us)
{
	for (const struct toxic *t = p->toxics.first; t; t = t->next) {
		struct fault_event event = {.fault = t->fault->name, .name = t->name, .plane = FAULT_STREAM,
					    .what = "expire", .node = p->name};
		if (t->ends_us <= now_us && p->set->on_event)
			p->set->on_event(p->set->owner, p, &event);
	}
}

/* After every change: durations, and what the chains have said meanwhile. */
static void toxics_changed(struct proxy *p, uint64_t now_us)
{
	tell_expired(p, now_us);
	uint64_t next_us = toxics_expire(&p->toxics, now_us);
	alarm_set(&p->expiry, p->set->alarms, next_us, on_expiry, p); /* no memory: it ends with the next change */
	relays_settle(p);
}

static void on_expiry(void *owner, uint64_t now_us)
{
	toxics_changed(owner, now_us);
}

int proxy_toxic_add(struct proxy *p, const struct toxic_spec *spec, struct toxic **ret_toxic, struct err *e)
{
	uint64_t now_us = clock_now_us();
	int r = toxics_add(&p->toxics, spec, now_us, ret_toxic, e);
	toxics_changed(p, now_us);
	return r;
}

int proxy_toxic_update(struct proxy *p, struct toxic *toxic, const struct toxic_spec *spec, struct err *e)
{
	uint64_t now_us = clock_now_us();
	int r = toxics_update(&p->toxics, toxic, spec, now_us, e);
	toxics_changed(p, now_us);
	return r;
}

void proxy_toxic_remove(struct proxy *p, struct toxic *toxic)
{
	uint64_t now_us = clock_now_us();
	toxics_remove(&p->toxics, toxic, now_us);
	toxics_changed(p, now_us);
}

void proxy_toxics_clear(struct proxy *p)
{
	uint64_t now_us = clock_now_us();
	toxics_clear(&p->toxics, now_us);
	toxics_changed(p, now_us);
}

/* Connections ------------------------------------------------------------------------------------------------------ */

const char *proxy_connection_state_name(enum proxy_connection_state state)
{
	static const char *const names[] = {
		[CONNECTION_OPENING] = "opening", [CONNECTION_OPEN] = "open", [CONNECTION_HALF] = "half",
		[CONNECTION_SILENT] = "silent",
	};
	return names[state];
}

static struct proxy_connection describe(const struct relay *r)
{
	return (struct proxy_connection){.number = r->number, .client = r->client, .upstream = r->upstream,
					 .opened_us = r->opened_us, .state = relay_state(r),
					 .octets = {r->octets[UPSTREAM], r->octets[DOWNSTREAM]}};
}

void proxy_connections(const struct proxy *p, void (*visit)(void *owner, const struct proxy_connection *c), void *owner)
{
	for (const struct relay *r = p->relays; r; r = r->next) {
		struct proxy_connection c = describe(r);
		visit(owner, &c);
	}
}

static struct relay *find_relay(const struct proxy *p, uint64_t number)
{
	struct relay *r = p->relays;
	while (r && r->number != number)
		r = r->next;
	return r;
}

bool proxy_connection_find(const struct proxy *p, uint64_t number,
			   void (*visit)(void *owner, const struct proxy_connection *c), void *owner)
{
	const struct relay *r = find_relay(p, number);
	if (r) {
		struct proxy_connection c = describe(r);
		visit(owner, &c);
	}
	return r;
}

int proxy_kill(struct proxy *p, uint64_t number, bool rst, struct err *e)
{
	struct relay *r = find_relay(p, number);
	if (!r)
		return err_set(e, ENOENT, "%s has no connection %llu", p->name, (unsigned long long)number);
	relay_end(r, rst ? STREAM_END_RST : STREAM_END_FIN, "user", "kill");
	return 0;
}

void proxy_count(const struct proxy *p, struct proxy_counters *ret_counters)
{
	*ret_counters = p->counters;
}
