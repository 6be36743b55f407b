/* Tokens: what is taken and what is refused, by vectors that other programs signed; and where credentials stand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "server-under-test/auth.h"
#include "server-under-test/test_auth_vectors.h"

static int open_with(struct auth **ret, const char *algorithm, const char *key, size_t len, struct err *err)
{
	char path[] = "test_auth_XXXXXX";
	struct config config = { .auth_key = path, .auth_algorithm = algorithm };
	int fd = mkstemp(path);
	int r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, key, len), len);
	close(fd);
	r = auth_open(ret, &config, err);
	unlink(path);
	return r;
}

static struct auth *auth_for(const char *algorithm, const char *key)
{
	struct auth *auth;
	struct err err = { "" };

	if (open_with(&auth, algorithm, key, strlen(key), &err) < 0)
		fail_msg("%s", err.text);
	return auth;
}

/* taken: with the key of its algorithm. key NULL: SECRET. */
static const struct {
	const char *name, *token, *algorithm, *key;
	bool taken;
} tokens[] = {
#define HS(token, taken) { #token, token, "HS256", SECRET, taken }
#define WITH(token, algorithm, key, taken) { #token " " algorithm, token, algorithm, key, taken }
	HS(hs256_good, true),
	HS(hs256_channels, true),
	HS(hs256_no_channels, true),
	HS(huge_good, true),
	HS(exp_gone_4, true),
	HS(exp_float, true),
	HS(nbf_in_5, true),
	HS(sub_256, true),
	WITH(hs256_good, "HS256", SECRET "\n", true),
	WITH(hs256_good, "HS256", SECRET "\r\n", true),
	WITH(rs256_good, "RS256", rsa_public, true),
	WITH(es256_good, "ES256", ec_public, true),
	WITH(hs256_good, "HS256", SECRET "\n\n", false),
	WITH(hs256_good, "HS256", SECRET " ", false),
	WITH(hs256_good, "RS256", rsa_public, false),
	WITH(hs256_good, "ES256", ec_public, false),
	WITH(rs256_good, "HS256", SECRET, false),
	WITH(rs256_good, "ES256", ec_public, false),
	WITH(es256_good, "RS256", rsa_public, false),
	WITH(es256_as_rs256, "RS256", rsa_public, false),
	WITH(confused_rsa, "RS256", rsa_public, false),
	WITH(confused_ec, "ES256", ec_public, false),
	WITH(alg_none, "RS256", rsa_public, false),
	HS(alg_none, false),
	HS(alg_none_signed, false),
	HS(alg_empty, false),
	HS(alg_lower, false),
	HS(alg_hs512, false),
	HS(hs256_other_key, false),
	HS(critical, false),
	HS(exp_gone_5, false),
	HS(exp_negative, false),
	HS(exp_zero, false),
	HS(exp_text, false),
	HS(exp_true, false),
	HS(exp_null, false),
	HS(exp_missing, false),
	HS(exp_huge, false),
	HS(exp_twice, false),
	HS(nbf_in_6, false),
	HS(nbf_text, false),
	HS(sub_missing, false),
	HS(sub_empty, false),
	HS(sub_number, false),
	HS(sub_257, false),
	HS(sub_nul, false),
	HS(channels_text, false),
	HS(channels_numbers, false),
	HS(channels_null, false),
	HS(claims_list, false),
	HS(claims_cut, false),
	HS(huge, false),
	WITH("", "HS256", SECRET, false),
	WITH(".", "HS256", SECRET, false),
	WITH("..", "HS256", SECRET, false),
	WITH("a.b", "HS256", SECRET, false),
	WITH("a.b.c", "HS256", SECRET, false),
	WITH("a.b.c.d", "HS256", SECRET, false),
	WITH("e30.e30.", "HS256", SECRET, false),
	WITH("bnVsbA.e30.AA", "HS256", SECRET, false),
	WITH("\xff\xfe.\x01.\x02", "HS256", SECRET, false),
};

static void test_tokens(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
		struct auth *auth = auth_for(tokens[i].algorithm, tokens[i].key);
		const char *why = NULL;
		struct identity *identity = auth_check(auth, text_from(tokens[i].token), NOW_S, &why);

		if (!identity != !tokens[i].taken)
			fail_msg("%s: %s", tokens[i].name, why ? why : "it was taken");
		if (!identity && !why)
			fail_msg("%s: refused without a reason", tokens[i].name);
		identity_free(identity);
		auth_close(auth);
	}
}

/* Whatever octet is changed, the token is not good any more. */
static void test_tampered(void **state)
{
	static const char *const good[][3] = {
		{ hs256_good, "HS256", SECRET }, { rs256_good, "RS256", rsa_public }, { es256_good, "ES256", ec_public },
	};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct auth *auth = auth_for(good[i][1], good[i][2]);
		char *token = strdup(good[i][0]);
		size_t len = strlen(token);
		const char *why;

		/* The last character of a part carries bits that mean nothing. */
		for (size_t at = 0; at < len; at++) {
			char was = token[at];

			if (was == '.' || at + 1 == len || token[at + 1] == '.')
				continue;
			token[at] = was == 'A' ? 'B' : 'A';
			if (auth_check(auth, text_of(token, len), NOW_S, &why))
				fail_msg("%s: octet %zu may be changed", good[i][1], at);
			token[at] = was;
		}
		for (size_t cut = 0; cut < len; cut++)
			assert_null(auth_check(auth, text_of(token, cut), NOW_S, &why));
		free(token);
		auth_close(auth);
	}
}

static void test_identity(void **state)
{
	struct auth *auth = auth_for("HS256", SECRET);
	const char *why;
	struct identity *identity = auth_check(auth, text_from(hs256_good), NOW_S, &why);
	struct identity *narrow = auth_check(auth, text_from(hs256_channels), NOW_S, &why);
	struct identity *none = auth_check(auth, text_from(hs256_no_channels), NOW_S, &why);
	static const struct {
		const char *channel;
		bool allowed;
	} rows[] = {
		{ "news", true }, { "news2", false }, { "new", false }, { "room/", true }, { "room/1", true },
		{ "room", false }, { "*x", true }, { "ax", false }, { "", false }, { "room/*", true },
	};

	(void)state;
	assert_string_equal(identity->subject, "alice");
	assert_true(identity->expires_at == NOW_S + 3600);
	assert_null(identity->channels);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(identity_allows(NULL, text_from(rows[i].channel)));
		assert_true(identity_allows(identity, text_from(rows[i].channel)));
		assert_false(identity_allows(none, text_from(rows[i].channel)));
		if (identity_allows(narrow, text_from(rows[i].channel)) != rows[i].allowed)
			fail_msg("channel %s", rows[i].channel);
	}
	identity_free(identity);
	identity_free(narrow);
	identity_free(none);
	auth_close(auth);
}

static void test_keys(void **state)
{
	static const struct {
		const char *algorithm, *key, *says;
	} rows[] = {
		{ "HS256", "", "is empty" },
		{ "HS256", "\n", "is empty" },
		{ "HS256", rsa_public, "PEM" },
		{ "RS256", "", "no public key" },
		{ "RS256", SECRET, "no public key" },
		{ "RS256", ec_public, "no RSA key" },
		{ "RS256", weak_public, "2048" },
		{ "ES256", rsa_public, "P-256" },
	};
	char *large = calloc(1, 20000);
	struct auth *auth;
	struct err err;
	struct config config = { .auth_key = "there/is/no/such/file", .auth_algorithm = "HS256" };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(open_with(&auth, rows[i].algorithm, rows[i].key, strlen(rows[i].key), &err), -22);
		assert_null(auth);
		assert_non_null(strstr(err.text, rows[i].says));
		assert_null(strstr(err.text, "secret of the tests"));
	}
	assert_int_equal(open_with(&auth, "HS256", large, 20000, &err), -22);
	free(large);
	assert_int_equal(auth_open(&auth, &config, &err), -22);
	assert_non_null(strstr(err.text, "No such file"));
	config.auth_key = NULL;
	assert_int_equal(auth_open(&auth, &config, &err), 0);
	assert_null(auth);
}

static void test_credentials(void **state)
{
	static const struct {
		const char *authorization, *query, *cookie, *token;
	} rows[] = {
		{ "", "", "", "" },
		{ "Bearer h", "token=q", "wsquall_token=c", "h" },
		{ "bEARER  h ", "", "", "h" },
		{ "Basic h", "token=q", "wsquall_token=c", "q" },
		{ "Bearer", "token=q", "", "q" },
		{ "Bearer ", "", "wsquall_token=c", "c" },
		{ "Bearerh", "", "wsquall_token=c", "c" },
		{ "", "a=b&token=q%2e%2Er&token=second", "", "q..r" },
		{ "", "token=", "wsquall_token=c", "c" },
		{ "", "token", "wsquall_token=c", "c" },
		{ "", "Token=q", "wsquall_token=c", "c" },
		{ "", "token=%2", "", "%2" },
		{ "", "token=%zz", "", "%zz" },
		{ "", "token=a%3Db=c", "", "a=b=c" },
		{ "", "&&=&token=q", "", "q" },
		{ "", "", "a=b; wsquall_token=c; wsquall_token=d", "c" },
		{ "", "", "wsquall_token=\"c\"", "c" },
		{ "", "", "wsquall_token = c ;x", "c" },
		{ "", "", ";;=;wsquall_token", "" },
		{ "", "", "xwsquall_token=c", "" },
	};
	char buffer[AUTH_TOKEN_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct text token = auth_credentials(text_from(rows[i].authorization), text_from(rows[i].query),
						     text_from(rows[i].cookie), buffer);

		if (!text_equal(token, rows[i].token))
			fail_msg("row %zu: %.*s", i, (int)token.len, token.p);
	}
}

static void test_query_too_long(void **state)
{
	char buffer[4];
	struct text value;

	(void)state;
	assert_true(query_value(text_from("x=abcd"), "x", buffer, 4, &value));
	assert_true(text_equal(value, "abcd"));
	assert_true(query_value(text_from("x=%61bcd"), "x", buffer, 4, &value));
	assert_true(text_equal(value, "abcd"));
	assert_true(query_value(text_from("x=abcde&y=1"), "x", buffer, 4, &value));
	assert_true(text_equal(value, "abcde"));
	assert_false(query_value(text_from("x=abcde&y=1"), "z", buffer, 4, &value));
	assert_false(query_value(text_of(NULL, 0), "x", buffer, 4, &value));
	assert_false(cookie_value(text_of(NULL, 0), "x", &value));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tokens),	 cmocka_unit_test(test_tampered),    cmocka_unit_test(test_identity),
		cmocka_unit_test(test_keys),	 cmocka_unit_test(test_credentials), cmocka_unit_test(test_query_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
