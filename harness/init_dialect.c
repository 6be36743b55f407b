/*
 * Which protocol an application speaks is found by speaking it: each built-in dialect opens a session, subscribes to a
 * channel of its own and publishes on it. What counts is what only a server that understood could have said.
 */
#include <stdio.h>
#include <stdlib.h>

#include "harness/init.h"
#include "harness/target/session.h"

enum {
	DIALECT_WAIT_MS = 2000, /* for the next step of a session */
	OFFER_MAX = 2048,       /* octets of one offer of subprotocols */
	CHANNEL = 1,
};

/* Beside those of the dialects: what else is in use, from the registry of IANA and the libraries that have their own.
 */
static const char *const other_subprotocols[] = {
	"graphql-transport-ws",
	"graphql-ws",
	"mqtt",
	"wamp.2.json",
	"v12.stomp",
	"actioncable-v1-json",
	"json.reliable.webpubsub.azure.v1",
	"json.webpubsub.azure.v1",
	"centrifuge-json",
	"ws+meta.nchan",
	"wsquall.v1",
	"ocpp2.0.1",
	"ocpp1.6",
};

/* --- subprotocols --- */

/* The one it took of the offer, as a copy; NULL: none. */
static const char *offer(struct init *in, const char *list)
{
	struct init_visit v = {.subprotocols = list};
	struct span took;
	const char *name = NULL;
	v.target = in->talk_target;
	init_visit_run(in, &v);
	if (v.status == 101 && handshake_reply_count(&v.conn.reply, "Sec-WebSocket-Protocol", &took) &&
	    handshake_is_token(took))
		name = arena_printf(&in->arena, "%.*s", (int)took.len, (const char *)took.p);
	init_visit_fini(&v);
	return name;
}

struct offers {
	const char *names[64];
	size_t n;
};

static void add_offer(struct offers *o, const char *name)
{
	for (size_t i = 0; i < o->n; i++)
		if (strcmp(o->names[i], name) == 0)
			return;
	if (o->n < ARRAY_LEN(o->names))
		o->names[o->n++] = name;
}

static void all_offers(struct init *in, struct offers *o)
{
	const struct dialect *d;
	const char *name;
	for (size_t i = 0; (name = dialect_builtin_name(i)); i++)
		for (size_t k = 0; dialect_load(name, NULL, &in->arena, &d, NULL) == 0 && k < d->subprotocols.len; k++)
			add_offer(o, d->subprotocols.items[k]);
	for (size_t i = 0; i < ARRAY_LEN(other_subprotocols); i++)
		add_offer(o, other_subprotocols[i]);
}

/* Where in the offers; their number: nowhere. */
static size_t find_offer(const struct offers *o, const char *name)
{
	size_t at = 0;
	while (name && at < o->n && strcmp(o->names[at], name) != 0)
		at++;
	return name ? at : o->n;
}

static void keep_offer(struct init *in, struct offers *o, size_t at)
{
	in->found.subprotocols[in->found.n_subprotocols++] = o->names[at];
	o->names[at] = o->names[--o->n];
}

/* All at once: the server chooses, again and again, until it takes none of the rest. */
static void offer_lists(struct init *in, struct offers *o)
{
	while (o->n && in->found.n_subprotocols < INIT_SUBPROTOCOLS_MAX) {
		struct buf list CLEANUP(buf_fini) = {0};
		buf_init(&list, OFFER_MAX);
		for (size_t i = 0; i < o->n; i++)
			buf_printf(&list, "%s%s", i ? ", " : "", o->names[i]);
		size_t at = find_offer(o, offer(in, buf_cstr(&list)));
		if (at == o->n)
			return;
		keep_offer(in, o, at);
	}
}

void init_look_subprotocols(struct init *in)
{
	static const char made_up[] = "wsquall-init-made-up";
	struct init_found *f = &in->found;
	struct offers o = {.n = 0};
	init_tell(in, "for subprotocols that it takes");
	const char *took = offer(in, made_up);
	f->any_subprotocol = took && strcmp(took, made_up) == 0;
	if (f->any_subprotocol)
		return;
	all_offers(in, &o);
	offer_lists(in, &o);
	/* Some servers understand no list. */
	for (size_t i = 0; f->n_subprotocols == 0 && i < o.n; i++)
		if (find_offer(&o, offer(in, o.names[i])) == i)
			keep_offer(in, &o, i);
}

/* --- dialects --- */

enum proof { PROOF_NONE, PROOF_SUBPROTOCOL, PROOF_READY, PROOF_SUBSCRIBED, PROOF_DELIVERED };
static const char *const proofs[] = {
	[PROOF_SUBPROTOCOL] = "it takes the subprotocol",
	[PROOF_READY] = "it answered the first message",
	[PROOF_SUBSCRIBED] = "it confirmed a subscription",
	[PROOF_DELIVERED] = "a message came back to its subscriber",
};

struct attempt {
	struct init_visit *v;
	struct session *session;
	const struct dialect *dialect;
	enum proof proof;
	bool hearing; /* what is called now is called because the server said something */
	bool published;
	char channel[48], data[64];
};

static void prove(struct attempt *a, enum proof p)
{
	if (p > a->proof)
		a->proof = p;
}

static void on_say(void *owner, struct span message, bool binary)
{
	struct attempt *a = owner;
	init_visit_say(a->v, binary ? OPCODE_BINARY : OPCODE_TEXT, message);
}

static void on_ready(void *owner, const struct session_news *n)
{
	struct attempt *a = owner;
	if (n->ok && a->hearing)
		prove(a, PROOF_READY);
	init_visit_wait(a->v, DIALECT_WAIT_MS);
}

static void on_subscribed(void *owner, const struct session_news *n)
{
	struct attempt *a = owner;
	if (!n->ok)
		return;
	if (a->hearing)
		prove(a, PROOF_SUBSCRIBED);
	if (a->dialect->can_publish && !a->dialect->publish_by_http && !a->published) {
		a->published = true;
		session_publish(a->session, CHANNEL, a->channel, span_str(a->data), NULL, 1);
	}
	init_visit_wait(a->v, DIALECT_WAIT_MS);
}

static void on_message(void *owner, const struct session_news *n)
{
	struct attempt *a = owner;
	if (!a->hearing || span_find(n->data, span_str(a->channel)) < 0)
		return;
	prove(a, PROOF_DELIVERED);
	init_visit_end(a->v);
}

static void on_news(void *owner, const struct session_news *n)
{
	(void)owner;
	(void)n;
}

static void on_acked(void *owner, uint32_t channel, uint64_t seq)
{
	(void)owner;
	(void)channel;
	(void)seq;
}

static void on_ping(void *owner)
{
	(void)owner;
}

static void on_unknown(void *owner, struct span message)
{
	(void)owner;
	(void)message;
}

static void on_http(void *owner, uint64_t op, const char *method, const char *target, const char *type,
		    struct span body)
{
	struct attempt *a = owner;
	(void)method;
	(void)target;
	(void)type;
	(void)body;
	session_http_done(a->session, op, 0, span_of(NULL, 0));
}

static void on_event(struct init_visit *v, const struct conn_event *e)
{
	struct attempt *a = v->owner;
	if (e->kind == CONN_REPLY) {
		init_visit_wait(v, DIALECT_WAIT_MS);
		session_open(a->session, 0);
	} else if (e->kind == CONN_MESSAGE) {
		a->hearing = true;
		session_receive(a->session, e->octets, e->opcode == OPCODE_BINARY, 0);
		a->hearing = false;
	} else if (e->kind == CONN_PING) {
		init_visit_say(v, OPCODE_PONG, e->octets);
	} else if (e->kind == CONN_CLOSE) {
		init_visit_end(v);
	}
}

static const char *join(struct init *in, const struct opt_strings *names)
{
	const char *list = names->len ? names->items[0] : NULL;
	for (size_t i = 1; i < names->len; i++)
		list = arena_printf(&in->arena, "%s, %s", list, names->items[i]);
	return list;
}

static bool took_subprotocol(const struct init *in, const struct dialect *d)
{
	for (size_t i = 0; i < d->subprotocols.len; i++)
		for (size_t k = 0; k < in->found.n_subprotocols; k++)
			if (strcmp(d->subprotocols.items[i], in->found.subprotocols[k]) == 0)
				return true;
	return false;
}

static enum proof attempt(struct init *in, const struct dialect *d, const char **ret_target)
{
	static const struct session_events events = {
		.say = on_say,
		.http = on_http,
		.ready = on_ready,
		.subscribed = on_subscribed,
		.published = on_news,
		.message = on_message,
		.moved = on_news,
		.acked = on_acked,
		.ping = on_ping,
		.error = on_news,
		.unknown = on_unknown,
	};
	struct init_visit v = {.on_event = on_event, .subprotocols = join(in, &d->subprotocols)};
	struct attempt a = {.v = &v, .dialect = d, .proof = took_subprotocol(in, d) ? PROOF_SUBPROTOCOL : PROOF_NONE};
	struct opt_pair client = {"client", "wsquall-init"};
	struct opt_map variables = {.items = &client, .len = 1};
	struct session_request q;
	/* An echo confirms everything, and a channel in the URL would be another place. */
	bool can = d->transport == DIALECT_WEBSOCKET && d->channel_by == DIALECT_CHANNEL_BY_MESSAGE;
	if (!can || (in->found.echo && strcmp(in->found.echo_url, in->target.url.target) == 0))
		return a.proof;
	if (session_new(d, &variables, &events, &a, &a.session) < 0)
		return a.proof;
	snprintf(a.channel, sizeof(a.channel), "wsquall-init-%016llx", (unsigned long long)rng_u64(&in->rng));
	snprintf(a.data, sizeof(a.data), "{\"wsquall\":\"%s\"}", a.channel);
	v.owner = &a;
	if (session_subscribe(a.session, CHANNEL, a.channel) == 0 &&
	    session_request(a.session, in->target.url.target, &q) == 0) {
		v.target = q.target;
		v.headers = q.headers;
		v.n_headers = q.n_headers;
		*ret_target = arena_strdup(&in->arena, q.target);
		init_visit_run(in, &v);
		init_visit_fini(&v);
	}
	session_free(a.session);
	return a.proof;
}

void init_look_dialect(struct init *in)
{
	enum proof best = PROOF_NONE;
	const struct dialect *d;
	const char *name;
	for (size_t i = 0; best < PROOF_DELIVERED && (name = dialect_builtin_name(i)); i++) {
		if (dialect_load(name, NULL, &in->arena, &d, NULL) < 0)
			continue;
		const char *target = NULL;
		init_tell(in, "whether it speaks the dialect %s", d->name);
		enum proof p = attempt(in, d, &target);
		if (p <= best)
			continue;
		best = p;
		in->talk_target = in->found.bare_status ? target : NULL;
		in->found.dialect = d->name;
		in->found.dialect_proof = proofs[p];
	}
}
