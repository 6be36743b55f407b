/* The script of a client with OpenSSL; see test_tls_client.h. */
#include "harness/proxy/test_tls_client.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

enum { PATIENCE_S = 60 };

static void say_error(struct tls_client *c, const char *what, SSL *ssl, int result)
{
	int error = SSL_get_error(ssl, result), system_error = errno;
	unsigned long code = ERR_peek_last_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;
	if (error == SSL_ERROR_ZERO_RETURN)
		reason = "close_notify";
	else if (error == SSL_ERROR_SYSCALL && system_error == ECONNRESET)
		reason = "rst";
	snprintf(c->said, sizeof(c->said), "%s: %s", what, reason ? reason : "?");
}

static bool send_much(SSL *ssl)
{
	static uint8_t octets[MUCH];
	bed_pattern(octets, MUCH, 0, 1);
	return SSL_write(ssl, octets, MUCH) == MUCH;
}

static bool expect_much(SSL *ssl)
{
	static uint8_t got[MUCH], wanted[MUCH];
	bed_pattern(wanted, MUCH, 0, 1);
	for (int at = 0, n; at < MUCH; at += n)
		if ((n = SSL_read(ssl, got + at, MUCH - at)) <= 0)
			return false;
	return memcmp(got, wanted, MUCH) == 0;
}

static bool step_done(struct tls_client *c, SSL *ssl, const char *step)
{
	char got[256] = "";
	int n = 1;
	if (step[0] == '>')
		n = SSL_write(ssl, step + 2, (int)strlen(step + 2));
	else if (strcmp(step, "close") == 0)
		n = SSL_shutdown(ssl) < 0 ? -1 : 1;
	else if (strcmp(step, "wait") == 0)
		sem_wait(&c->go);
	else if (strcmp(step, "rst") == 0)
		bed_rst(&c->fd);
	else if (strcmp(step, "send much") == 0)
		n = send_much(ssl);
	else if (strcmp(step, "expect much") == 0)
		n = expect_much(ssl);
	else
		for (size_t at = 0; n > 0 && at < strlen(step + 2); at += n > 0 ? (size_t)n : 0)
			n = SSL_read(ssl, got + at, (int)(strlen(step + 2) - at));
	if (n <= 0)
		say_error(c, got[0] ? got : step, ssl, n);
	else if (step[0] == '<' && strcmp(got, step + 2) != 0)
		snprintf(c->said, sizeof(c->said), "got '%.100s', want '%.100s'", got, step + 2);
	return !c->said[0];
}

static void run_tls(struct tls_client *c)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(ctx);
	SSL_set_fd(ssl, c->fd);
	ERR_clear_error();
	if (c->alpn) {
		unsigned char list[64] = {(unsigned char)strlen(c->alpn)};
		memcpy(list + 1, c->alpn, list[0]);
		SSL_set_alpn_protos(ssl, list, list[0] + 1u);
	}
	int r = SSL_connect(ssl);
	if (r != 1)
		say_error(c, "connect", ssl, r);
	for (const char *const *step = c->script; r == 1 && *step && step_done(c, ssl, *step); step++)
		;
	if (!c->said[0] && (r = SSL_read(ssl, c->said, 1)) <= 0)
		say_error(c, "end", ssl, r);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
}

static void *client_main(void *arg)
{
	struct tls_client *c = arg;
	if (!c->plain) {
		run_tls(c);
	} else {
		char octet[64];
		ssize_t n = send(c->fd, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL);
		while (n > 0)
			n = recv(c->fd, octet, sizeof(octet), 0);
		snprintf(c->said, sizeof(c->said), "end: %s", n == 0 || errno == ECONNRESET ? "closed" : strerror(errno));
	}
	c->done = true;
	return NULL;
}

void client_start(struct tls_client *c, struct bed *b)
{
	struct timeval patience = {.tv_sec = PATIENCE_S};
	c->fd = bed_connect(b);
	sem_init(&c->go, 0, 0);
	fcntl(c->fd, F_SETFL, 0);
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(pthread_create(&c->thread, NULL, client_main, c), 0);
}

void client_go(struct tls_client *c)
{
	sem_post(&c->go);
}

void client_join(struct tls_client *c, struct bed *b, const char *said)
{
	while (!c->done)
		bed_turn(b);
	pthread_join(c->thread, NULL);
	bed_close(&c->fd);
	sem_destroy(&c->go);
	if (!said)
		return;
	size_t before = strlen(c->said) > strlen(said) ? strlen(c->said) - strlen(said) : 0;
	if (strcmp(c->said + before, said) != 0) /* the ending of what it says */
		fail_msg("the client says '%s', not '%s'; events:\n%s", c->said, said, buf_cstr(&b->events));
}
