/* Workloads against the real wsquall-server: in peace, under faults, and when it is killed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/pem.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/load/test_rig.h"
#include "harness/net/test_certs.h"

static void peace(void **state)
{
	(void)state;
	struct rig r;
	rig_init(&r, "wsquall");
	rig_options(&r, "subscribers=7 publishers=3 channels=3 quiet_channels=1 channels_each=2");
	rig_options(&r, "rate=300/s open_rate=0/s payload=800B");
	rig_server(&r, 0, NULL, 0);
	rig_open(&r);
	assert_true(rig_run(&r, rig_up));
	workload_publish(r.workload, true);
	rig_run_ms(&r, 500);
	rig_end(&r);
	size_t n = rig_count(&r, EVENT_PUBLISH, EVENT_OK);
	assert_int_equal(n, rig_count(&r, EVENT_PUBLISH, EVENT_INVOKE));
	assert_in_range(n, 10, 200);
	assert_int_equal(rig_count(&r, EVENT_END, EVENT_OK), 10);
	for (size_t i = 0; i < 10; i++) {
		const struct event *end = rig_last(&r, EVENT_END, EVENT_OK, i);
		assert_int_equal(end->code, 1000);
		assert_int_equal(end->by, END_BY_CLIENT);
		assert_true(end->clean);
		assert_non_null(end->id);
		assert_int_equal(end->node, 1);
	}
	assert_int_equal(rig_count(&r, EVENT_SUBSCRIBE, EVENT_OK), 14);
	assert_int_equal(rig_count(&r, EVENT_ERROR, EVENT_INFO), 0);
	rig_fini(&r);
}

static const char quick[] = "open_rate=0/s reconnect.base=20ms reconnect.cap=100ms";

/* Each connection is reset again and again: everybody comes back, resumes, and is given everything once. */
static void resets(void **state)
{
	(void)state;
	struct rig r;
	rig_init(&r, "wsquall");
	rig_options(&r, quick);
	rig_options(&r, "subscribers=5 publishers=2 channels=2 channels_each=2 rate=200/s keyed=true");
	rig_server(&r, 0, NULL, 0);
	rig_open(&r);
	assert_true(rig_run(&r, rig_up));
	workload_publish(r.workload, true);
	for (int i = 0; i < 4; i++) {
		struct toxic *s = rig_fault(&r, false, "reset_peer", "timeout=30ms");
		struct toxic *p = rig_fault(&r, true, "reset_peer", "timeout=50ms");
		rig_run_ms(&r, 150);
		rig_heal(&r, false, s);
		rig_heal(&r, true, p);
		rig_run_ms(&r, 300);
	}
	rig_end(&r);
	const struct event *end = NULL;
	for (size_t i = 0; (end = rig_last(&r, EVENT_END, EVENT_OK, i)) && end->by != END_BY_NETWORK; i++)
		;
	assert_non_null(end);
	assert_int_equal(end->code, 1006);
	assert_string_equal(end->note, "RST");
	assert_false(end->clean);
	const struct event *asked;
	for (size_t i = 0; (asked = rig_last(&r, EVENT_SUBSCRIBE, EVENT_INVOKE, i)); i++)
		assert_int_equal(asked->resumes, asked->connection > 1);
	assert_int_equal(rig_count(&r, EVENT_PUBLISH, EVENT_INFO), 0);
	assert_int_equal(rig_count(&r, EVENT_PUBLISH, EVENT_FAIL), 0);
	rig_fini(&r);
}

static size_t ends_with(const struct rig *r, const char *note)
{
	size_t n = 0;
	const struct event *end;
	for (size_t i = 0; (end = rig_last(r, EVENT_END, EVENT_OK, i)); i++)
		n += end->by == END_BY_NETWORK && end->code == 1006 && strcmp(end->note, note) == 0;
	return n;
}

static bool all_gave_up(struct rig *r)
{
	return ends_with(r, "no answer to a Ping") >= r->options.subscribers;
}

/* Nothing comes and nothing tells: only a Ping without an answer shows it. */
static void silence(void **state)
{
	(void)state;
	struct rig r;
	rig_init(&r, "wsquall");
	rig_options(&r, quick);
	rig_options(&r, "subscribers=3 publishers=1 rate=100/s ping=100ms ping_timeout=200ms");
	rig_server(&r, 0, NULL, 0);
	rig_open(&r);
	assert_true(rig_run(&r, rig_up));
	workload_publish(r.workload, true);
	rig_run_ms(&r, 100);
	struct toxic *t = rig_fault(&r, false, "half_open", "who=server");
	assert_true(rig_run(&r, all_gave_up));
	rig_heal(&r, false, t);
	rig_end(&r);
	rig_fini(&r);
}

/* Latency delays everything and loses nothing. */
static void latency(void **state)
{
	(void)state;
	struct rig r;
	rig_init(&r, "wsquall");
	rig_options(&r, quick);
	rig_options(&r, "subscribers=3 publishers=2 rate=200/s");
	rig_server(&r, 0, NULL, 0);
	rig_open(&r);
	rig_fault(&r, false, "latency", "latency=60ms jitter=30ms");
	rig_fault(&r, true, "latency", "latency=20ms jitter=20ms");
	assert_true(rig_run(&r, rig_up));
	workload_publish(r.workload, true);
	rig_run_ms(&r, 400);
	rig_end(&r);
	assert_int_equal(rig_count(&r, EVENT_END, EVENT_OK), 5);
	rig_fini(&r);
}

static bool all_down(struct rig *r)
{
	struct workload_state s;
	workload_state(r->workload, &s);
	return s.up == 0;
}

/* The server is killed and comes back empty: epochs change, what was published before is not owed. */
static void kills(void **state)
{
	(void)state;
	struct rig r;
	rig_init(&r, "wsquall");
	rig_options(&r, quick);
	rig_options(&r, "subscribers=4 publishers=2 rate=500/s");
	rig_server(&r, 0, NULL, 0);
	uint16_t port = r.servers[0].port;
	rig_open(&r);
	assert_true(rig_run(&r, rig_up));
	workload_publish(r.workload, true);
	rig_run_ms(&r, 200);
	kill(r.servers[0].pid, SIGKILL);
	assert_true(rig_run(&r, all_down));
	process_stop(&r.servers[0]);
	rig_run_ms(&r, 200);
	assert_true(rig_count(&r, EVENT_CONNECT, EVENT_FAIL) > 0);
	assert_int_equal(rig_last(&r, EVENT_CONNECT, EVENT_FAIL, 0)->code, 0);
	rig_server(&r, 0, NULL, port);
	assert_true(rig_run(&r, rig_up));
	assert_int_equal(rig_last(&r, EVENT_SUBSCRIBE, EVENT_OK, 0)->recovered, RECOVERED_NO);
	assert_int_equal(rig_last(&r, EVENT_SUBSCRIBE, EVENT_OK, 0)->epoch, 2);
	assert_int_equal(rig_last(&r, EVENT_SUBSCRIBE, EVENT_INVOKE, 0)->epoch, 1);
	rig_run_ms(&r, 200);
	workload_publish(r.workload, false);
	assert_true(rig_run(&r, rig_settled));
	workload_free(TAKE_PTR(r.workload));
	rig_fini(&r);
}

/* Told to end: every client sees 1001, says so, and that the server began. */
static void drain(void **state)
{
	(void)state;
	static const char *const args[] = {"--drain-notice", "0", "--drain-spread", "0", NULL};
	struct rig r;
	rig_init(&r, "wsquall");
	rig_options(&r, quick);
	rig_options(&r, "subscribers=4 publishers=1 rate=50/s");
	rig_server(&r, 0, args, 0);
	rig_open(&r);
	assert_true(rig_run(&r, rig_up));
	kill(r.servers[0].pid, SIGTERM);
	assert_true(rig_run(&r, all_down));
	for (size_t i = 0; i < 5; i++) {
		const struct event *end = rig_last(&r, EVENT_END, EVENT_OK, i);
		assert_non_null(end);
		assert_int_equal(end->code, 1001);
		assert_int_equal(end->by, END_BY_SERVER);
		assert_true(end->clean);
	}
	rig_fini(&r);
}

/* Dropped by ourselves, in the middle; and the number of a connection in its set of faults. */
static void drops(void **state)
{
	(void)state;
	struct rig r;
	uint32_t client, connection;
	rig_init(&r, "wsquall");
	rig_options(&r, quick);
	rig_options(&r, "subscribers=4 publishers=2 rate=200/s keyed=true");
	rig_server(&r, 0, NULL, 0);
	rig_open(&r);
	assert_true(rig_run(&r, rig_up));
	workload_publish(r.workload, true);
	for (int i = 0; i < 3; i++) {
		rig_run_ms(&r, 100);
		workload_drop(r.workload, i == 1 ? 0 : 2);
		assert_true(rig_run(&r, rig_up));
	}
	workload_find_connection(r.workload, false, 2 * 7 + 3, &client, &connection);
	assert_true(client == 3 && connection == 2);
	workload_find_connection(r.workload, true, 2 * 7 + 3, &client, &connection);
	assert_true(client == 0 && connection == 0);
	rig_end(&r);
	assert_int_equal(ends_with(&r, "dropped by us"), 2 + 6 + 2);
	rig_fini(&r);
}

/* Event streams, and publishing by HTTP. */
static void event_streams(void **state)
{
	(void)state;
	struct rig r;
	rig_init(&r, "sse");
	rig_options(&r, quick);
	rig_options(&r, "subscribers=6 publishers=2 channels=3 rate=200/s");
	rig_server(&r, 0, NULL, 0);
	rig_open(&r);
	assert_true(rig_run(&r, rig_up));
	workload_publish(r.workload, true);
	rig_run_ms(&r, 200);
	workload_drop(r.workload, 3);
	rig_run_ms(&r, 200);
	rig_end(&r);
	assert_true(rig_count(&r, EVENT_PUBLISH, EVENT_OK) > 10);
	rig_fini(&r);
}

/* Who publishes by HTTP has one request after the other on its way: when that takes long, its turns pass. */
static void slow_publishes(void **state)
{
	(void)state;
	struct rig r;
	struct workload_state s;
	rig_init(&r, "sse");
	rig_options(&r, quick);
	rig_options(&r, "subscribers=2 publishers=2 channels=1 rate=500/s");
	rig_server(&r, 0, NULL, 0);
	rig_open(&r);
	assert_true(rig_run(&r, rig_up));
	struct toxic *toxic = rig_fault(&r, true, "latency", "latency=50ms");
	workload_publish(r.workload, true);
	for (int i = 0; i < 8; i++) {
		rig_run_ms(&r, 50);
		workload_state(r.workload, &s);
		assert_in_range(s.waiting, 0, 8);
	}
	assert_true(s.skipped > 10);
	rig_heal(&r, true, toxic);
	rig_end(&r);
	rig_fini(&r);
}

/* Publishes without an answer are ok when somebody was given them, and unknown when nobody was. */
static void no_answers(void **state)
{
	(void)state;
	for (int subscribers = 1; subscribers >= 0; subscribers--) {
		struct rig r;
		rig_init(&r, "plain");
		rig_options(&r, quick);
		rig_options(&r, subscribers ? "subscribers=2 publishers=1 rate=100/s answer=1s"
					    : "subscribers=0 publishers=1 rate=100/s answer=300ms");
		rig_server(&r, 0, NULL, 0);
		rig_open(&r);
		assert_true(rig_run(&r, rig_up));
		workload_publish(r.workload, true);
		rig_run_ms(&r, 300);
		rig_end(&r);
		size_t ok = rig_count(&r, EVENT_PUBLISH, EVENT_OK), info = rig_count(&r, EVENT_PUBLISH, EVENT_INFO);
		assert_int_equal(rig_count(&r, EVENT_PUBLISH, EVENT_FAIL), 0);
		assert_true(subscribers ? ok > 5 && info == 0 : info > 5 && ok == 0);
		assert_string_equal(subscribers ? rig_last(&r, EVENT_PUBLISH, EVENT_OK, 0)->note
						: rig_last(&r, EVENT_PUBLISH, EVENT_INFO, 0)->text,
				    subscribers ? "no answer; a subscriber was given it" : "publishes are not answered");
		rig_fini(&r);
	}
}

static bool one_is_refused(struct rig *r)
{
	struct workload_state s;
	workload_state(r->workload, &s);
	return s.up == 2 && rig_count(r, EVENT_CONNECT, EVENT_FAIL) > 1;
}

/* What is refused before it is open: the status, why, and another try. */
static void refusals(void **state)
{
	(void)state;
	static const char *const args[] = {"--limit-per-address", "2", NULL};
	struct rig r;
	rig_init(&r, "wsquall");
	rig_options(&r, quick);
	rig_options(&r, "subscribers=3 publishers=0");
	rig_server(&r, 0, args, 0);
	rig_open(&r);
	assert_true(rig_run(&r, one_is_refused));
	assert_int_equal(rig_last(&r, EVENT_CONNECT, EVENT_FAIL, 0)->code, 429);
	assert_non_null(rig_last(&r, EVENT_CONNECT, EVENT_FAIL, 0)->id);
	workload_close(r.workload);
	assert_true(rig_run(&r, rig_closed));
	workload_free(TAKE_PTR(r.workload));
	rig_check(&r, true);
	rig_fini(&r);
}

/* Too many messages: each refused publish is a fail with the target's code, and nobody waits for it. */
static void rate_limits(void **state)
{
	(void)state;
	static const char *const args[] = {"--rate-messages", "20", "--rate-burst", "20", NULL};
	struct rig r;
	rig_init(&r, "wsquall");
	rig_options(&r, quick);
	rig_options(&r, "subscribers=2 publishers=1 rate=150/s");
	rig_server(&r, 0, args, 0);
	rig_open(&r);
	assert_true(rig_run(&r, rig_up));
	workload_publish(r.workload, true);
	rig_run_ms(&r, 300);
	rig_end(&r);
	assert_true(rig_count(&r, EVENT_PUBLISH, EVENT_FAIL) > 5);
	assert_string_equal(rig_last(&r, EVENT_PUBLISH, EVENT_FAIL, 0)->text, "rate_limited");
	rig_fini(&r);
}

/* A certificate of an authority that the client knows, as files for the server. */
static void write_certificate(const struct certs *c, char *cert, char *key)
{
	static const struct cert_spec spec = {.san = "DNS:localhost,IP:127.0.0.1", .from_days = -1, .to_days = 1};
	SSL_CTX *ctx = certs_server(c, &spec);
	FILE *f = fdopen(mkstemp(cert), "w");
	PEM_write_X509(f, SSL_CTX_get0_certificate(ctx));
	fclose(f);
	f = fdopen(mkstemp(key), "w");
	PEM_write_PrivateKey(f, SSL_CTX_get0_privatekey(ctx), NULL, NULL, 0, NULL, NULL);
	fclose(f);
	SSL_CTX_free(ctx);
}

/* With TLS, faults work below it and above it, and the certificate is verified. */
static void over_tls(void **state)
{
	(void)state;
	char cert[] = "/tmp/wsquall-test-cert-XXXXXX", key[] = "/tmp/wsquall-test-key-XXXXXX";
	const char *const args[] = {"--tls-cert", cert, "--tls-key", key, NULL};
	struct certs certs;
	struct tls_context *tls;
	struct err e;
	struct rig r;
	certs_init(&certs);
	write_certificate(&certs, cert, key);
	assert_int_equal(tls_context_new(&(struct tls_options){.ca_file = certs.ca_file}, &tls, &e), 0);
	rig_init(&r, "wsquall");
	rig_options(&r, quick);
	rig_options(&r, "subscribers=3 publishers=1 rate=100/s keyed=true");
	rig_server(&r, 0, args, 0);
	r.ways[0].tls = tls;
	r.ways[0].server_name = "localhost";
	rig_open(&r);
	assert_true(rig_run(&r, rig_up));
	workload_publish(r.workload, true);
	struct toxic *late = rig_fault(&r, false, "latency", "latency=20ms");
	struct toxic *again = rig_fault(&r, false, "reset_peer", "timeout=50ms");
	rig_run_ms(&r, 150);
	rig_heal(&r, false, again);
	rig_heal(&r, false, late);
	rig_run_ms(&r, 150);
	rig_end(&r);
	assert_true(ends_with(&r, "RST") >= 3);
	rig_fini(&r);
	tls_context_free(tls);
	certs_fini(&certs);
	unlink(cert);
	unlink(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(peace),
		cmocka_unit_test(resets),
		cmocka_unit_test(silence),
		cmocka_unit_test(latency),
		cmocka_unit_test(kills),
		cmocka_unit_test(drain),
		cmocka_unit_test(drops),
		cmocka_unit_test(event_streams), cmocka_unit_test(slow_publishes),
		cmocka_unit_test(no_answers),
		cmocka_unit_test(refusals),
		cmocka_unit_test(rate_limits),
		cmocka_unit_test(over_tls),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
