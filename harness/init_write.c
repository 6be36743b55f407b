/*
 * The file. What was found is filled in, what was not stands there as a comment with what it is good for: the reader
 * edits, he does not search. Whatever a server said is printable before it comes here, and stands in quotation marks or
 * behind a '#'.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "harness/base/clock.h"
#include "harness/base/unit.h"
#include "harness/init.h"

const char *init_quoted(struct init *in, const char *text)
{
	struct buf b CLEANUP(buf_fini) = {0};
	buf_init(&b, 2 * strlen(text) + 3);
	buf_append_u8(&b, '"');
	for (const char *at = text; *at; at++) {
		if (*at == '"' || *at == '\\')
			buf_append_u8(&b, '\\');
		if (*at == '$' && at[1] == '{')
			buf_append_u8(&b, '$');
		buf_append_u8(&b, (uint8_t)*at);
	}
	buf_append_u8(&b, '"');
	return arena_strdup(&in->arena, buf_cstr(&b));
}

static void write_head(struct init *in, struct buf *b)
{
	const struct init_found *f = &in->found;
	char now[CLOCK_RFC3339_LEN];
	clock_rfc3339(now, sizeof(now));
	buf_printf(b,
		   "# What `wsquall init` %s saw of %s at %s.\n"
		   "# Filled in: what it found. Commented: what only you know, and what it is good for; all keys are "
		   "explained in\n"
		   "# docs/target-file.md. Try it: wsquall certify THIS-FILE --dry-run\n",
		   WSQUALL_VERSION, in->target.url.text, now);
	if (f->server)
		buf_printf(b, "# The server calls itself: %s\n", f->server);
	buf_printf(b, "wsquall: 1\nname: %s\nurl: %s\n", init_quoted(in, in->target.url.host_field),
		   init_quoted(in, in->target.url.text));
}

/* The environment variable that a header's value is to come from: WSQUALL_AUTHORIZATION. */
static const char *variable_of(struct init *in, const char *header)
{
	char *name = arena_printf(&in->arena, "WSQUALL_%s", header);
	for (char *at = name; at && *at; at++)
		*at = isalnum((unsigned char)*at) ? (char)toupper((unsigned char)*at) : '_';
	return name;
}

static void write_reach(struct init *in, struct buf *b)
{
	if (in->headers->len) {
		buf_printf(b, "\n# Sent with every opening handshake. Values are secret: they come from the "
			      "environment, and are never shown.\n"
			      "headers:\n");
		for (size_t i = 0; i < in->headers->len; i++)
			buf_printf(b, "  %s: \"${%s}\"\n", init_quoted(in, in->headers->items[i].key),
				   variable_of(in, in->headers->items[i].key));
	} else {
		buf_printf(b, "# headers: {Authorization: \"Bearer ${CHAT_TOKEN}\"}   # sent with every handshake; "
			      "from the environment, never shown\n");
	}
	if (in->ca)
		buf_printf(b, "tls: {ca: %s}\n", init_quoted(in, in->ca));
	else if (in->insecure)
		buf_printf(b, "# The certificate is not verified, as you asked.\ntls: {insecure: true}\n");
	else if (in->target.url.tls)
		buf_printf(
			b,
			"# tls: {ca: ca.pem, server_name: chat.example}         # the certificate was good as it is\n");
}

static void write_echo(struct init *in, struct buf *b)
{
	const struct init_found *f = &in->found;
	buf_printf(
		b,
		"\n# Many cases of the conformance suite need a place where each message comes back as it was sent.\n");
	if (f->echo && strcmp(f->echo_url, in->target.url.target) == 0)
		buf_printf(b, "# Here a text message came back.\necho: %s\n", init_quoted(in, in->target.url.text));
	else if (f->echo)
		buf_printf(b, "# A text message did not come back from the URL, but it did from here.\necho: %s\n",
			   init_quoted(in, f->echo_url));
	else
		buf_printf(b, "# A text message did not come back, from /echo neither: those cases will be skipped, "
			      "and say so.\necho: none\n");
}

/* How it talks: what it says by itself, and how it answers a Ping, a text, a Close. */
static void write_talk(struct init *in, struct buf *b)
{
	const struct init_found *f = &in->found;
	if (f->bare_status)
		buf_printf(b,
			   "# The URL as it is answers with HTTP %d; with the query of its dialect it takes the "
			   "handshake. Scenarios add it; for\n"
			   "# `wsquall certify` alone write it into `url`: %s\n",
			   f->bare_status, init_quoted(in, in->talk_target ? in->talk_target : in->target.url.target));
	if (f->early_close)
		buf_printf(b, "# %s it closes at once, with %d.\n",
			   in->talk_subprotocol ? "Without one of its subprotocols" : "Told nothing,", f->early_close);
	if (!f->pong && (!f->early_close || in->talk_subprotocol))
		buf_printf(b, "# A Ping was not answered, which RFC 6455 5.5.2 demands: expect the cases about Pings "
			      "to fail.\n");
	if (f->first)
		buf_printf(b, "# Before anything was said it sent %u message%s; the first: %s\n", f->unasked,
			   f->unasked > 1 ? "s" : "", f->first);
	if (f->text_close)
		buf_printf(b,
			   "# A text that it did not know made it close the connection with %d%s. Such a text is also "
			   "of use:\n"
			   "# close_trigger: \"wsquall\"\n",
			   f->text_close, f->text_close == 1006 ? " (without a Close frame)" : "");
	else
		buf_printf(b, "# close_trigger: \"please close\"   # a text message after which the server closes by "
			      "itself\n");
	if (f->answer_close == 1000 || f->answer_close == 1005)
		buf_printf(b, "# Our Close 1000 was answered%s%s.\n",
			   f->answer_close == 1005 ? " by an empty Close" : " by the same",
			   f->answer_fin ? ", and then the connection ended" : "; the connection stayed open");
	else if (f->answer_close)
		buf_printf(b, "# Our Close 1000 was answered by Close %d.\n", f->answer_close);
	else if (!f->early_close || in->talk_subprotocol)
		buf_printf(b, "# Our Close 1000 was not answered by a Close, which RFC 6455 5.5.1 demands.\n");
}

static void write_origins(const struct init_found *f, struct buf *b)
{
	if (f->origin_status >= 400 && f->origin_status_echo >= 400)
		buf_printf(b,
			   "# That Origin was refused with HTTP %d; which one is allowed?\n"
			   "origins: {forbidden: \"https://wsquall-init.invalid\"}   # allowed: "
			   "\"https://chat.example\"\n",
			   f->origin_status);
	else if (f->origin_status >= 400)
		buf_printf(b,
			   "# An Origin that nobody can have allowed was refused with HTTP %d, but not by the echo, "
			   "where the cases go.\n"
			   "# origins: {allowed: \"https://chat.example\", forbidden: \"https://evil.example\"}\n",
			   f->origin_status);
	else
		buf_printf(b, "# An Origin that nobody can have allowed was let in: any page may connect with its "
			      "visitor's cookies. If that is not meant:\n"
			      "# origins: {allowed: \"https://chat.example\", forbidden: \"https://evil.example\"}\n");
}

static void write_handshake(struct init *in, struct buf *b)
{
	const struct init_found *f = &in->found;
	buf_printf(b, "\n");
	if (f->any_subprotocol)
		buf_printf(b, "# It takes any subprotocol that is offered, also one that does not exist: name those it "
			      "really speaks.\n");
	if (f->n_subprotocols) {
		buf_printf(b, "# It took these when they were offered, in this order.\nsubprotocols: [");
		for (size_t i = 0; i < f->n_subprotocols; i++)
			buf_printf(b, "%s%s", i ? ", " : "", init_quoted(in, f->subprotocols[i]));
		buf_printf(b, "]\n");
	} else {
		buf_printf(b, "# subprotocols: [chat.v2, chat.v1]   # none of the well-known ones was taken\n");
	}
	buf_printf(b, f->deflate ? "# permessage-deflate is taken: %s\n" : "# permessage-deflate was not taken.\n",
		   f->deflate);
	if (f->absent_status >= 400)
		buf_printf(b,
			   "# A path that should not exist was answered with HTTP %d. Also possible: protected, "
			   "redirect, text_only, other.\n"
			   "paths: {absent: /wsquall-init-no-such-path}\n",
			   f->absent_status);
	else
		buf_printf(b, "# Any path seems to be taken. Also possible: protected, redirect, text_only, other.\n# "
			      "paths: {absent: /no-such-path}\n");
	write_origins(f, b);
}

static void write_dialect(struct init *in, struct buf *b)
{
	const struct init_found *f = &in->found;
	buf_printf(b, "\n# The application's protocol: how clients subscribe, publish and resume. Chaos scenarios and "
		      "load need it.\n");
	if (f->dialect)
		buf_printf(b, "# Found by speaking it: %s.\ndialect: %s\n", f->dialect_proof, f->dialect);
	else if (f->echo && strcmp(f->echo_url, in->target.url.target) == 0)
		buf_printf(b, "# Not looked for: this URL sends everything back. Name the URL of the service as `url`, "
			      "or write it here.\n"
			      "# dialect: ./my-dialect.yaml\n");
	else
		buf_printf(b, "# None of the built-in ones (`wsquall list dialects`) was understood; "
			      "docs/adding-a-dialect.md tells how to write one.\n"
			      "# dialect: ./my-dialect.yaml\n");
	buf_printf(
		b,
		"# variables: {token: \"${CHAT_TOKEN}\"}                  # of the dialect's messages; never shown\n"
		"# credentials: {valid: \"Bearer ${CHAT_TOKEN}\", expired: \"Bearer ${OLD_TOKEN}\"}   # never shown\n"
		"\n# What the server promises; nothing else is demanded of it. A dialect has promises of its own, "
		"which these replace.\n"
		"# contract: {delivery: at-least-once, ordered: true, heartbeat: 30s, heartbeat_timeout: 10s, "
		"max_message: 1MiB,\n"
		"#            resume_window: 2m, drain: 30s, recovery: 30s, max_connections: 5000, per_ip: 100}\n"
		"# peak: {connections: 2000, publish_rate: 100/s}       # load is tested at twice this\n");
}

static void write_nodes(struct init *in, struct buf *b)
{
	const struct init_found *f = &in->found;
	const char *ready = NULL;
	for (enum init_page p = INIT_READYZ; p < INIT_PAGES && !ready; p++)
		if (f->pages[p] == 200)
			ready = init_page_path(p);
	buf_printf(b, "\n# Processes that wsquall may stop, kill and start again. Leave them out for a deployment that "
		      "nobody may hurt.\n");
	if (f->pid)
		buf_printf(b, "# What listens there now is process %ld (%s).\n", f->pid, f->command ? f->command : "?");
	if (ready)
		buf_printf(b,
			   "# GET %s answers 200; whether it turns to 503 before the node ends is for a rolling "
			   "restart to see.\n",
			   ready);
	else
		buf_printf(b, "# No page of health was found at %s, %s, %s or %s.\n", init_page_path(INIT_READYZ),
			   init_page_path(INIT_HEALTHZ), init_page_path(INIT_READY), init_page_path(INIT_HEALTH));
	buf_printf(b,
		   "# nodes:\n#   - {name: a, url: %s, start: [./server, --port, \"%u\"],\n"
		   "#      ready: \"%s%s\", pidfile: a.pid, log: a.log}\n",
		   init_quoted(in, in->target.url.text), in->target.url.port, init_origin(in), ready ? ready : "/readyz");
	buf_printf(
		b,
		"# backplane: [{name: redis, ready: \"redis://127.0.0.1:6379\", pidfile: /run/redis.pid}]\n"
		"# hooks: {restart: \"kubectl rollout restart deploy/chat\"}\n"
		"# front: {idle: 60s, cookie: node, forwards: true}     # the load balancer or proxy before the nodes\n"
		"# restart: {close_codes: [\"1001\", \"1012\"]}             # what clients may see when a node is told "
		"to end\n");
}

static void write_evidence(struct init *in, struct buf *b)
{
	const struct init_found *f = &in->found;
	buf_printf(b, "\n# The server's own log, joined with what the clients saw: close codes, reasons, who was too "
		      "slow.\n");
	if (f->id_header)
		buf_printf(b,
			   "# This field of the answer was another in each connection; it joins them if the log has "
			   "it, too.\nid_header: %s\n",
			   f->id_header);
	else
		buf_printf(b, "# id_header: X-Request-Id    # field of the handshake's answer with the connection's "
			      "id, as the log has it\n");
	buf_printf(b, "# logs: {files: [server.log], format: json, event: /event, connection: /conn, code: /code, "
		      "reason: /reason, time: /ts,\n"
		      "#        words: {connect: [connected], disconnect: [disconnected], slow: [slow_consumer]}}\n");
	if (f->metrics_samples) {
		buf_printf(b, "\n# GET %s is a page of metrics%s.\nmetrics:\n  url: %s\n", init_page_path(INIT_METRICS),
			   f->memory ? ", with the memory of the process" : "",
			   init_quoted(in, arena_printf(&in->arena, "%s%s", init_origin(in), init_page_path(INIT_METRICS))));
		init_metrics_write(in, b);
	} else {
		buf_printf(b,
			   "\n# No page of metrics was found at %s.\n# metrics: {url: "
			   "\"http://127.0.0.1:9100/metrics\", connections: ws_connections_active}\n",
			   init_page_path(INIT_METRICS));
	}
	buf_printf(b, "\n# How much may be hurt, and when never (local time).\n"
		      "# guard: {abort_if: {connections_lost: 50%%, for: 30s}, max_affected: 20%%, never_between: "
		      "[\"Fri 16:00\", \"Mon 08:00\"]}\n"
		      "\n# Deviations that you accept, each with its reason.\n"
		      "# known: [{case: utf8/overlong-slash-2, reason: \"...\"}]\n");
}

int init_write(struct init *in, struct buf *b)
{
	write_head(in, b);
	write_reach(in, b);
	write_echo(in, b);
	write_talk(in, b);
	write_handshake(in, b);
	write_dialect(in, b);
	write_nodes(in, b);
	write_evidence(in, b);
	return b->len < b->max ? 0 : -ENOBUFS;
}
