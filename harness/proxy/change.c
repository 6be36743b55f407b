/*
 * Where a proxy listens and goes. A change has two steps, for of several proxies all are to be changed or none: the
 * listening, which may fail and can be undone, and the end of open connections, which cannot.
 */
#include <stdio.h>
#include <string.h>

#include "harness/net/address.h"
#include "harness/proxy/credentials.h"
#include "harness/proxy/relay.h"

static void end_all(struct proxy *p)
{
	for (struct relay *r = p->relays, *next; r; r = next) {
		next = r->next;
		relay_end(r, STREAM_END_FIN, "user", "stop");
	}
}

/* Listens on ep, and only then lets the old socket go. */
static int move_to(struct proxy *p, struct endpoint *ep, struct err *e)
{
	int fd = -1, r = endpoint_resolve(ep, e);
	if (r == 0)
		r = proxy_listener_open(ep, &fd, e);
	if (r < 0)
		return r;
	uv_poll_t *poll = NULL;
	r = proxy_listener_start(p, fd, &poll);
	if (r < 0)
		return err_set(e, -r, "cannot listen on %s: %s", ep->text, strerror(-r));
	proxy_listener_stop(p);
	p->listener = poll;
	p->listener_fd = fd;
	p->listen = *ep;
	return 0;
}

int proxy_enable(struct proxy *p, struct err *e)
{
	struct endpoint ep = p->listen;
	if (p->listener)
		return 0;
	int r = move_to(p, &ep, e);
	if (r == 0)
		proxy_tell(p, "listen", 0, NULL);
	return r;
}

void proxy_disable(struct proxy *p)
{
	bool was = p->listener;
	proxy_listener_stop(p);
	end_all(p);
	if (was)
		proxy_tell(p, "stop", 0, NULL);
}

/*
 * The same port on another address of ours: both at once may be refused, so the old one goes first, and comes back when
 * it fails.
 */
static int move_on_same_port(struct proxy *p, struct endpoint *ep, struct err *e)
{
	struct endpoint old = p->listen;
	proxy_listener_stop(p);
	int r = move_to(p, ep, e);
	if (r < 0 && move_to(p, &old, NULL) < 0) {
		end_all(p);
		proxy_tell(p, "stop", 0, NULL);
	}
	return r;
}

/* Whether `text` names another listening address than the one there is. */
static int other_listener(struct proxy *p, const char *text, struct endpoint *ret, bool *ret_other, struct err *e)
{
	*ret = p->listen;
	*ret_other = false;
	if (!text || strcmp(text, p->listen.text) == 0)
		return 0;
	int r = endpoint_parse(text, "listen", ret, e);
	if (r == 0)
		r = endpoint_resolve(ret, e);
	if (r == 0)
		*ret_other = !p->listener || !address_eq(&ret->address, &p->listen.address);
	return r;
}

static void set_upstream(struct proxy *p, const struct endpoint *ep)
{
	p->upstream = *ep;
	if (p->credentials)
		credentials_set_host(p->credentials, ep->host);
}

int proxy_move(struct proxy *p, const char *listen, const char *upstream, bool enabled, struct proxy_was *ret_was,
	       struct err *e)
{
	struct endpoint new_listen, new_upstream = p->upstream;
	bool other_listen, other_upstream = upstream && strcmp(upstream, p->upstream.text) != 0;
	struct proxy_was was = {.enabled = p->listener};
	snprintf(was.listen, sizeof(was.listen), "%s", p->listen.text);
	snprintf(was.upstream, sizeof(was.upstream), "%s", p->upstream.text);
	int r = other_listener(p, listen, &new_listen, &other_listen, e);
	if (r == 0 && other_upstream)
		r = endpoint_parse(upstream, "upstream", &new_upstream, e);
	if (r == 0 && enabled && (other_listen || !was.enabled)) {
		r = move_to(p, &new_listen, e);
		if (r == -EADDRINUSE && was.enabled && new_listen.port == p->listen.port)
			r = move_on_same_port(p, &new_listen, e);
	}
	if (r < 0)
		return r;
	if (!enabled) {
		proxy_listener_stop(p);
		if (other_listen)
			p->listen = new_listen;
	}
	if (other_upstream)
		set_upstream(p, &new_upstream);
	was.moved = other_listen || other_upstream;
	*ret_was = was;
	return was.moved;
}

void proxy_moved(struct proxy *p, const struct proxy_was *was)
{
	bool enabled = proxy_enabled(p);
	if (was->moved || !enabled)
		end_all(p);
	if (was->enabled != enabled)
		proxy_tell(p, enabled ? "listen" : "stop", 0, NULL);
}

void proxy_move_back(struct proxy *p, const struct proxy_was *was)
{
	struct endpoint ep;
	if (endpoint_parse(was->upstream, "upstream", &ep, NULL) == 0)
		set_upstream(p, &ep);
	if (was->enabled && p->listener && strcmp(was->listen, p->listen.text) == 0)
		return;
	proxy_listener_stop(p);
	int r = endpoint_parse(was->listen, "listen", &ep, NULL);
	if (r == 0)
		p->listen = ep;
	if (r == 0 && was->enabled)
		r = move_to(p, &ep, NULL);
	if (r < 0) {
		end_all(p);
		proxy_tell(p, "stop", 0, NULL);
	}
}

int proxy_change(struct proxy *p, const char *listen, const char *upstream, bool enabled, struct err *e)
{
	struct proxy_was was;
	int r = proxy_move(p, listen, upstream, enabled, &was, e);
	if (r < 0)
		return r;
	proxy_moved(p, &was);
	return 0;
}
