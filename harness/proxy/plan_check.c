/* Whether a plan can be carried out, as far as that can be known without doing it. */
#include "harness/base/escape.h"
#include "harness/net/tls.h"
#include "harness/proxy/plan.h"

static bool is_same_tls(const struct proxy_tls *wanted, const struct proxy_tls *is)
{
	if (!is || !wanted->terminate)
		return !is && !wanted->terminate;
	json_t *a = plan_show_tls(wanted), *b = plan_show_tls(is);
	bool same = json_equal(a, b);
	json_decref(a);
	json_decref(b);
	return same;
}

int plan_check_kept(const struct plan_proxy *p, const struct proxy *old, struct err *e)
{
	const char *what = NULL;
	struct buf shown CLEANUP(buf_fini) = {0};
	if (p->o.tls && !is_same_tls(p->o.tls, proxy_tls(old)))
		what = "tls";
	else if (p->o.connect_timeout_ms && p->o.connect_timeout_ms != proxy_connect_timeout_ms(old))
		what = "connect_timeout";
	return what ? err_set(e, EINVAL, "%s of proxy \"%s\" cannot be changed: delete the proxy first", what,
			      escape_word(&shown, p->o.name)) : 0;
}

/* What the toxics of a proxy that is not there yet would be added to. NULL: it will end no TLS. */
static int certificate_of(const struct proxy_tls *tls, struct tls_context **ret, struct err *e)
{
	if (!tls || !tls->terminate)
		return 0;
	return tls_server_context_new(&(struct tls_server_options){.certificate = tls->certificate, .key = tls->key}, ret, e);
}

static int check_toxics(const struct plan_proxy *p, const struct tls_context *certificate, struct err *e)
{
	struct toxics scratch;
	int r = 0;
	toxics_init(&scratch, 0, p->o.name);
	scratch.certificate = certificate;
	for (size_t i = 0; i < p->n_toxics && r == 0; i++)
		r = toxics_add(&scratch, &p->toxics[i].spec, 0, NULL, e);
	toxics_fini(&scratch);
	return r;
}

static int check_new(const struct plan_proxy *p, struct err *e)
{
	struct tls_context *certificate = NULL;
	int r = certificate_of(p->o.tls, &certificate, e);
	if (r == 0)
		r = check_toxics(p, certificate, e);
	tls_context_free(certificate);
	return r;
}

static int check_old(const struct plan_proxy *p, struct proxy *old, struct err *e)
{
	int r = plan_check_kept(p, old, e);
	return r < 0 ? r : check_toxics(p, proxy_toxics(old)->certificate, e);
}

int plan_check(const struct plan *p, const struct proxies *existing, struct err *e)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct plan_proxy *wanted = &p->proxies[i];
		struct proxy *old = existing ? proxies_find(existing, wanted->o.name) : NULL;
		int r = proxy_check(&wanted->o, e);
		if (r == 0)
			r = old ? check_old(wanted, old, e) : check_new(wanted, e);
		if (r < 0)
			return r;
	}
	return 0;
}
