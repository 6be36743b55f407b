/*
 * A plan of several proxies, all or nothing: everything that can be looked at beforehand is, and what only listening
 * can tell (a port in use) is undone when a later proxy fails. Open connections end when nothing can fail any more.
 */
#include <stdlib.h>
#include <string.h>

#include "harness/base/escape.h"
#include "harness/proxy/api_internal.h"

/* One proxy of the plan, done; enough to undo it. */
struct done {
	struct proxy *proxy;
	bool made, replaced;
	struct proxy_was was;      /* when replaced */
};

static int apply_new(struct api *api, const struct plan_proxy *wanted, struct done *d, struct err *e)
{
	int r = proxy_new(api->proxies, &wanted->o, &d->proxy, e);
	d->made = r == 0;
	return r;
}

/* An address that is written otherwise may be the same; the proxy knows. */
static int apply_old(const struct plan_proxy *wanted, struct proxy *p, struct done *d, struct err *e)
{
	struct proxy_was between;
	d->proxy = p;
	int r = proxy_move(p, wanted->o.listen, wanted->o.upstream, proxy_enabled(p), &d->was, e);
	if (r <= 0)
		return r;
	d->replaced = true;
	return wanted->o.enabled == d->was.enabled ? 0 : proxy_move(p, NULL, NULL, wanted->o.enabled, &between, e);
}

static void undo(struct done *d)
{
	if (d->made)
		proxy_free(d->proxy);
	else if (d->replaced)
		proxy_move_back(d->proxy, &d->was);
}

static int check_names(const struct api *api, const struct plan *plan, enum api_apply_how how, struct err *e)
{
	for (size_t i = 0; i < plan->n && how == API_CREATE; i++)
		if (proxies_find(api->proxies, plan->proxies[i].o.name)) {
			struct buf shown CLEANUP(buf_fini) = {0};
			return err_set(e, EEXIST, "proxy already exists: \"%s\"",
				       escape_word(&shown, plan->proxies[i].o.name));
		}
	return 0;
}

/* The addresses. On failure all is as before. */
static int apply_proxies(struct api *api, const struct plan *plan, struct done *done, struct err *e)
{
	for (size_t i = 0; i < plan->n; i++) {
		const struct plan_proxy *wanted = &plan->proxies[i];
		struct proxy *p = proxies_find(api->proxies, wanted->o.name);
		int r = p ? apply_old(wanted, p, &done[i], e) : apply_new(api, wanted, &done[i], e);
		if (r < 0) {
			for (size_t k = i + 1; k-- > 0;)
				undo(&done[k]);
			return r;
		}
	}
	return 0;
}

static void remove_toxics(struct api *api, struct proxy *p)
{
	for (const struct toxic *t = proxy_toxics(p)->first; t; t = t->next)
		api_tell_toxic(api, "toxic.remove", p, t);
	proxy_toxics_clear(p);
}

static int apply_toxics(struct api *api, const struct plan_proxy *wanted, struct done *d, struct err *e)
{
	struct toxic *toxic;
	int r = 0;
	if (d->replaced)
		proxy_moved(d->proxy, &d->was);
	if (!d->made && (d->replaced || wanted->toxics_given))
		remove_toxics(api, d->proxy);
	if (d->made || d->replaced)
		api_tell_proxy(api, d->made ? "proxy.add" : "proxy.change", d->proxy);
	for (size_t i = 0; i < wanted->n_toxics && r == 0; i++) {
		r = proxy_toxic_add(d->proxy, &wanted->toxics[i].spec, &toxic, e);
		if (r == 0)
			api_tell_toxic(api, "toxic.add", d->proxy, toxic);
	}
	return r;
}

int api_apply(struct api *api, const struct plan *plan, enum api_apply_how how, struct err *e)
{
	int r = check_names(api, plan, how, e);
	if (r == 0)
		r = plan_check(plan, api->proxies, e);
	if (r < 0)
		return r;
	struct done *done = calloc(plan->n + 1, sizeof(*done));
	if (!done)
		return err_set(e, ENOMEM, "out of memory");
	r = apply_proxies(api, plan, done, e);
	/* plan_check has said that these can be added: only memory can fail, or a file that has gone since. */
	for (size_t i = 0; i < plan->n && r == 0; i++)
		r = apply_toxics(api, &plan->proxies[i], &done[i], e);
	free(done);
	return r;
}
