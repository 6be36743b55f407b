/*
 * tls_expired, tls_swap: what their options may be, and that octets pass. What is shown to clients is seen in
 * harness/proxy/test_proxy_certificates.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "faults/test_bench.h"

static void what_makes_no_sense(void **state)
{
	static const struct {
		const char *fault, *options, *says;
	} rows[] = {
		{"tls_expired", "ago=999ms", "expected a duration"},
		{"tls_expired", "ago=90000h", "expected a duration"},
		{"tls_expired", "authority=a.pem", "authority and authority_key are given both"},
		{"tls_expired", "authority=/nowhere.pem authority_key=/nowhere.pem", "'/nowhere.pem': No such file"},
		{"tls_expired", "authority=/dev/null authority_key=/dev/null", "cannot be used"},
		{"tls_swap", "key=a.pem", "certificate and key are given both"},
		{"tls_swap", "certificate=/nowhere.pem key=/nowhere.pem", "'/nowhere.pem': No such file"},
		{"tls_swap", "certificate=a key=b name=c", "leave out certificate and key"},
		{"tls_swap", "certificate=a key=b authority_key=c", "leave out certificate and key"},
		{"tls_swap", "authority_key=a.pem", "authority and authority_key are given both"},
		{"tls_swap", "name=\xc3\xa9.test", "expected a DNS name"},
		{"tls_swap", "name=", "expected a DNS name"},
	};
	struct bench b;
	(void)state;
	bench_init(&b);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *said = bench_refusal(&b, rows[i].fault, rows[i].options);
		if (!said || !strstr(said, rows[i].says))
			fail_msg("%s %s: '%s'", rows[i].fault, rows[i].options, said ? said : "taken");
	}
	assert_int_equal(b.toxics.n, 0);
	bench_fini(&b);
}

/* A refused change leaves the certificate that is shown; another one takes its place. */
static void the_certificate_is_of_the_toxic(void **state)
{
	struct bench b;
	(void)state;
	bench_init(&b);
	assert_null(chain_certificate(b.chain));
	bench_add(&b, "none", "", 0);
	struct toxic *expired = bench_add(&b, "tls_expired", "", 0), *swapped = bench_add(&b, "tls_swap", "", 0);
	assert_ptr_equal(chain_certificate(b.chain), swapped->certificate);
	const struct tls_context *was = swapped->certificate;
	bench_change(&b, swapped, "name=other.test");
	assert_true(chain_certificate(b.chain) == swapped->certificate && swapped->certificate != was);
	assert_string_equal(buf_cstr(&b.events), "tls_swap_downstream hit conn=1 downstream at=0\n"
						 "tls_swap_downstream hit conn=1 downstream at=0\n");
	bench_remove(&b, swapped);
	assert_ptr_equal(chain_certificate(b.chain), expired->certificate);
	bench_feed(&b, DOWNSTREAM, bench_pattern(), BENCH_PATTERN, 4096);
	bench_assert_out(&b, DOWNSTREAM, bench_pattern(), BENCH_PATTERN);
	bench_remove(&b, expired);
	assert_null(chain_certificate(b.chain));
	bench_fini(&b);
}

static void where_no_TLS_is_ended_there_is_none(void **state)
{
	static const char *const names[] = {"tls_expired", "tls_swap"};
	struct bench b;
	(void)state;
	bench_init(&b);
	b.toxics.certificate = NULL; /* as in a proxy that passes TLS, and around our own clients */
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_non_null(strstr(bench_refusal(&b, names[i], ""), "only a proxy with \"tls\" can"));
	bench_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_makes_no_sense), cmocka_unit_test(the_certificate_is_of_the_toxic),
		cmocka_unit_test(where_no_TLS_is_ended_there_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
