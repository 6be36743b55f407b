/* Who is let in, and for how long: origins, credentials, their end, TLS, and whose address a client has. */
#include <stdio.h>

#include "harness/base/clock.h"
#include "harness/readiness/forge.h"
#include "harness/readiness/rows.h"

/* Refused before the upgrade? One who is let in is a fail; `what` is a subject: "a page of https://evil.example". */
static void judge_refusal(struct dialogue *d, const struct link *l, int wanted, const char *what)
{
	if (l->opened || l->ready)
		dialogue_fail(d, "%s gets in%s%s", what, l->closed ? ", and is closed only then: " : "",
			      l->closed ? link_how(l) : "");
	else if (!l->refused)
		dialogue_unknown(d, "%s got no answer to the handshake", what);
	else if (l->status == wanted)
		dialogue_pass(d, "%s gets %d", what, wanted);
	else if (l->status == 429 || l->status >= 500 || (!l->status && l->error != -ECONNRESET && !l->fin))
		dialogue_unknown(d, "%s got %s, which says nothing about it", what, link_how(l));
	else
		dialogue_warn(d, "%s is refused with %s, not with HTTP %d", what, link_how(l), wanted);
}

/* Origins -------------------------------------------------------------------------------------------------------- */

enum { FOREIGN_MAX = 6 };

struct origins {
	struct link *allowed, *foreign[FOREIGN_MAX];
	const char *names[FOREIGN_MAX];
	size_t n;
};

static struct link *from_origin(struct dialogue *d, const char *origin)
{
	struct opt_pair field = {"Origin", origin};
	return dialogue_link(d, &(struct link_options){.label = arena_printf(&d->arena, "with Origin: %s", origin),
						       .fields = &field, .n_fields = 1});
}

/* The forbidden one, and what a comparison by beginning, end or part takes for the allowed one. */
static void try_origins(struct dialogue *d, struct origins *o)
{
	const struct target_origins *t = &d->r->site->target->origins;
	o->names[o->n++] = t->forbidden;
	o->names[o->n++] = "null";
	if (t->allowed) {
		const char *host = strstr(t->allowed, "://");
		host = host ? host + 3 : t->allowed;
		o->names[o->n++] = arena_printf(&d->arena, "%s.evil.example", t->allowed);
		o->names[o->n++] = arena_printf(&d->arena, "https://evil%s", host);
		o->names[o->n++] = arena_printf(&d->arena, "https://evil.example/%s", host);
		o->allowed = from_origin(d, t->allowed);
	}
	for (size_t i = 0; i < o->n; i++)
		o->foreign[i] = from_origin(d, o->names[i]);
}

static bool origins_settled(const struct origins *o)
{
	bool all = !o->allowed || link_settled(o->allowed);
	for (size_t i = 0; i < o->n; i++)
		all &= link_settled(o->foreign[i]);
	return all;
}

static void talk_origin(struct dialogue *d)
{
	struct origins *o = d->state;
	TALK_BEGIN(d);
	try_origins(d, o);
	TALK_AWAIT(d, dialogue_patience(d), origins_settled(o));
	for (size_t i = 0; i < o->n; i++)
		judge_refusal(d, o->foreign[i], 403, arena_printf(&d->arena, "a page of %s", o->names[i]));
	if (o->allowed && !o->allowed->opened)
		dialogue_unknown(d, "the allowed origin is not let in either: %s", link_how(o->allowed));
	TALK_END(d);
}

const struct dialogue_row dialogue_security_origin = {
	.check = "security.origin", .about = "connects with foreign origins, and with names that look like the allowed one",
	.needs = NEEDS_FOREIGN_ORIGIN, .state_size = sizeof(struct origins), .talk = talk_origin,
};

/* Credentials ---------------------------------------------------------------------------------------------------- */

enum { BAD_MAX = 6 };

struct credentials {
	struct link *valid, *bad[BAD_MAX];
	const char *names[BAD_MAX];
	size_t n;
};

static struct link *with_credential(struct dialogue *d, const char *credential, const char *label)
{
	return dialogue_link(
		d, &(struct link_options){.label = label, .credential = credential, .hidden = true});
}

static void try_bad(struct dialogue *d, struct credentials *c, const char *credential, const char *name)
{
	if (!credential)
		return;
	c->names[c->n] = name;
	c->bad[c->n++] = with_credential(d, credential, name);
}

static void try_credentials(struct dialogue *d, struct credentials *c)
{
	const struct target_credentials *t = &d->r->site->target->credentials;
	c->valid = with_credential(d, NULL, "the valid credential");
	try_bad(d, c, t->anonymous ? NULL : "", "a client without a credential");
	try_bad(d, c, t->wrong, "the wrong credential");
	try_bad(d, c, t->anonymous ? NULL : "wsquall-nobody", "a credential that is none");
	try_bad(d, c, forge_signature(t->valid, &d->arena), "a token with a spoilt signature");
	try_bad(d, c, forge_unsigned(t->valid, &d->arena), "a token with \"alg\":\"none\"");
}

static bool credentials_settled(const struct credentials *c)
{
	bool all = link_settled(c->valid);
	for (size_t i = 0; i < c->n; i++)
		all &= link_settled(c->bad[i]);
	return all;
}

/* One in the first message is refused after the upgrade: there is no other way. */
static void judge_credential(struct dialogue *d, const struct credentials *c, size_t i)
{
	const struct link *l = c->bad[i];
	if (!d->r->site->target->credentials.variable)
		judge_refusal(d, l, 401, c->names[i]);
	else if (l->ready)
		dialogue_fail(d, "%s gets in", c->names[i]);
	else if (l->denied || (l->opened && link_ended(l)) || l->status == 401 || l->status == 403)
		dialogue_pass(d, "%s is refused: %s", c->names[i], link_how(l));
	else
		dialogue_unknown(d, "%s got no answer", c->names[i]);
}

static bool logged(const struct dialogue *d, const struct link *l)
{
	return !d->r->journal || !l->id[0] || journal_secrets(d->r->journal) ||
	       journal_find(d->r->journal, l->id, LOG_WORD_OTHER);
}

static void talk_auth(struct dialogue *d)
{
	struct credentials *c = d->state;
	TALK_BEGIN(d);
	try_credentials(d, c);
	TALK_AWAIT(d, dialogue_patience(d), credentials_settled(c));
	for (size_t i = 0; i < c->n; i++)
		judge_credential(d, c, i);
	if (!c->valid->opened || c->valid->denied) {
		dialogue_unknown(d, "the valid credential is refused, too: %s", link_how(c->valid));
		TALK_STOP(d);
	}
	TALK_AWAIT(d, DIALOGUE_LOG_MS, logged(d, c->valid));
	if (d->r->journal && journal_secrets(d->r->journal))
		dialogue_fail(d, "a credential stands in the log");
	TALK_END(d);
}

const struct dialogue_row dialogue_security_auth = {
	.check = "security.auth",
	.about = "connects without a credential, with wrong and forged ones; looks for the valid one in the log",
	.needs = NEEDS_CREDENTIAL,
	.state_size = sizeof(struct credentials),
	.talk = talk_auth,
};

/* Their end ------------------------------------------------------------------------------------------------------ */

enum { RENEWED_MS = 1500 };        /* who was renewed is looked at so long after the other one ended */

struct expiry {
	struct link *expired, *nobody, *kept, *ended, *living;
	uint64_t within_ms;
};

static void talk_expiring(struct dialogue *d)
{
	struct expiry *x = d->state;
	if (!x->ended->opened)
		dialogue_unknown(d, "the credential that is to expire is not let in any more: %s", link_how(x->ended));
	else if (!link_ended(x->ended))
		dialogue_fail_timed(d, "a connection outlived its credential: it was still open after %llu ms",
				    (unsigned long long)x->within_ms);
	else if (!x->ended->closed)
		dialogue_warn(d, "a connection whose credential expired ended without a Close");
	else
		dialogue_pass(d, "an expired credential ended its connection with %s", link_how(x->ended));
}

/* Where anybody gets in it says nothing that this one does: that is security.auth's. */
static void judge_expired(struct dialogue *d, const struct expiry *x)
{
	if (x->nobody->opened)
		dialogue_unknown(d, "a credential that is none gets in as well");
	else
		judge_refusal(d, x->expired, 401, "an expired credential");
}

static void judge_kept(struct dialogue *d, const struct expiry *x)
{
	if (link_alive(x->kept))
		dialogue_pass(d, "a renewed one stayed");
	else if (x->living && !link_alive(x->living))
		dialogue_unknown(d, "connections end whose credential is good for long: %s", link_how(x->living));
	else
		dialogue_fail(d, "a connection whose credential was renewed ended all the same: %s", link_how(x->kept));
}

static struct link *as_expiring(struct dialogue *d, const char *label)
{
	const char *credential = d->r->site->target->credentials.expiring;
	return dialogue_link(d, &(struct link_options){.label = label, .credential = credential, .hidden = true});
}

static void talk_expiry(struct dialogue *d)
{
	struct expiry *x = d->state;
	const struct target_credentials *c = &d->r->site->target->credentials;
	TALK_BEGIN(d);
	if (c->expired) {
		x->expired = with_credential(d, c->expired, "an expired credential");
		x->nobody = with_credential(d, "wsquall-nobody", "a credential that is none");
	}
	if (c->expiring) {
		x->within_ms = c->expiring_within_ms;
		x->ended = as_expiring(d, "a credential that expires soon");
		if (c->renewal)
			x->kept = as_expiring(d, "the same, renewed");
		if (c->valid)
			x->living = with_credential(d, NULL, "a credential that is good for long");
	}
	TALK_AWAIT(d, dialogue_patience(d),
		   (!x->expired || (link_settled(x->expired) && link_settled(x->nobody))) &&
			   (!x->ended || link_settled(x->ended)) && (!x->kept || link_settled(x->kept)));
	if (x->kept)
		link_text(x->kept, span_str(c->renewal));
	if (x->expired)
		judge_expired(d, x);
	if (!x->ended)
		TALK_STOP(d);
	TALK_AWAIT(d, x->within_ms, link_ended(x->ended));
	talk_expiring(d);
	if (!x->kept || !x->ended->opened || !link_ended(x->ended))
		TALK_STOP(d);
	TALK_PAUSE(d, RENEWED_MS);
	link_barrier(x->kept);
	TALK_AWAIT(d, dialogue_patience(d), link_ended(x->kept) || link_passed(x->kept));
	judge_kept(d, x);
	TALK_END(d);
}

/* A credential in the first message can be expired only by a dialect that says so, which none does. */
static const char *expiry_lacks(const struct site *s)
{
	return s->target->credentials.variable && !s->target->credentials.expired
		       ? "a credential in the dialect's first message cannot be followed to its end" : NULL;
}

const struct dialogue_row dialogue_security_expiry = {
	.check = "security.expiry",
	.about = "connects with an expired credential, and stays with one that expires, renewed or not",
	.needs = NEEDS_EXPIRED,
	.state_size = sizeof(struct expiry),
	.talk = talk_expiry,
	.lacks = expiry_lacks,
};

/* TLS ------------------------------------------------------------------------------------------------------------ */

enum { DAYS_WARN = 14, DAYS_FAIL = 3, DAY_S = 24 * 60 * 60 };

struct tls_talk {
	struct tls_context *strict, *old;
	struct link *now, *before;
};

static int make_contexts(struct dialogue *d, struct tls_talk *t)
{
	struct tls_options strict = {.ca_file = d->r->site->target->tls.ca, .alpn = "http/1.1"},
			   old = {.insecure = true, .old = true};
	struct err e;
	int r = tls_context_new(&strict, &t->strict, &e);
	if (r == 0)
		r = tls_context_new(&old, &t->old, &e);
	if (r < 0)
		dialogue_unknown(d, "%s", e.text);
	return r;
}

static void judge_certificate(struct dialogue *d, const struct tls_talk *t)
{
	int64_t left_s;
	const char *version;
	if (!t->now->connected) {
		dialogue_fail(d, "the TLS handshake fails: %s", t->now->error_text);
		return;
	}
	if (!tls_context_seen(t->strict, &left_s, &version)) {
		dialogue_unknown(d, "it showed no certificate");
		return;
	}
	if (left_s < DAYS_FAIL * DAY_S)
		dialogue_fail(d, "the certificate, or one of its chain, ends in %.1f days", (double)left_s / DAY_S);
	else if (left_s < DAYS_WARN * DAY_S)
		dialogue_warn(d, "the certificate, or one of its chain, ends in %.1f days", (double)left_s / DAY_S);
	else
		dialogue_pass(d, "%s, a chain and a name that verify, %lld days left", version, (long long)left_s / DAY_S);
}

static void talk_tls(struct dialogue *d)
{
	struct tls_talk *t = d->state;
	TALK_BEGIN(d);
	if (make_contexts(d, t) < 0)
		goto over;
	t->now = dialogue_link(
		d, &(struct link_options){.label = "TLS 1.2 or newer, verified", .tls = t->strict, .raw = true});
	t->before = dialogue_link(d, &(struct link_options){.label = "TLS 1.0 and 1.1 alone", .tls = t->old, .raw = true});
	TALK_AWAIT(d, 2 * dialogue_patience(d),
		   (t->now->connected || t->now->refused) && (t->before->connected || t->before->refused));
	judge_certificate(d, t);
	if (t->before->connected)
		dialogue_fail(d, "TLS 1.0 or 1.1 is accepted");
	else if (t->before->error == -ETIMEDOUT || !t->before->refused)
		dialogue_unknown(d, "an offer of TLS 1.0 and 1.1 alone was not answered");
	for (size_t i = 0; i < d->n_links; i++)
		link_reset(d->links[i]);
over:
	TALK_END(d);
}

static void stop_tls(struct dialogue *d)
{
	struct tls_talk *t = d->state;
	tls_context_free(t->strict);
	tls_context_free(t->old);
}

const struct dialogue_row dialogue_security_tls = {
	.check = "security.tls", .about = "verifies the certificate, counts its days, and offers TLS 1.0 and 1.1 alone",
	.needs = NEEDS_TLS, .state_size = sizeof(struct tls_talk), .talk = talk_tls, .stop = stop_tls,
};

/* Forwarded addresses -------------------------------------------------------------------------------------------- */

struct forwarded {
	char address[24];
	struct link *links[2];
};

static void claim(struct dialogue *d, struct forwarded *f)
{
	/* 203.0.113.0/24 is for documentation (RFC 5737): nobody has it. */
	snprintf(f->address, sizeof(f->address), "203.0.113.%u", 1 + (unsigned)rng_below(&d->rng, 254));
	struct opt_pair old[] = {{"X-Forwarded-For", f->address}, {"X-Real-IP", f->address}};
	struct opt_pair standard = {"Forwarded", arena_printf(&d->arena, "for=%s", f->address)};
	f->links[0] = dialogue_link(
		d, &(struct link_options){.label = "with X-Forwarded-For and X-Real-IP", .fields = old, .n_fields = 2});
	f->links[1] = dialogue_link(d, &(struct link_options){.label = "with Forwarded", .fields = &standard, .n_fields = 1});
}

static const struct journal_entry *address_of(const struct dialogue *d, const struct link *l)
{
	const struct journal_entry *e = journal_find(d->r->journal, l->id, LOG_WORD_connect);
	return e && e->address[0] ? e : NULL;
}

static void talk_forwarded(struct dialogue *d)
{
	struct forwarded *f = d->state;
	TALK_BEGIN(d);
	claim(d, f);
	TALK_AWAIT(d, dialogue_patience(d), link_settled(f->links[0]) && link_settled(f->links[1]));
	TALK_AWAIT(d, DIALOGUE_LOG_MS, address_of(d, f->links[0]) && address_of(d, f->links[1]));
	for (size_t i = 0; i < ARRAY_LEN(f->links); i++) {
		const struct journal_entry *e = address_of(d, f->links[i]);
		if (!e)
			dialogue_unknown(d, "the log has no address of the connection %s", f->links[i]->label);
		else if (strstr(e->address, f->address))
			dialogue_fail(d, "the address that a client claimed is believed: the log has %s", e->address);
		else
			dialogue_pass(d, "%s was claimed, the log has %s", f->address, e->address);
	}
	TALK_END(d);
}

const struct dialogue_row dialogue_security_forwarded = {
	.check = "security.forwarded", .about = "claims another address in X-Forwarded-For, and looks for it in the log",
	.needs = NEEDS_LOG_ADDRESS, .state_size = sizeof(struct forwarded), .talk = talk_forwarded,
};
