/*
 * What we say in the opening handshake: the key, the accept value it must be answered with, and a request in which a
 * case can spoil any line.
 */
#include "harness/ws/handshake.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>

/* RFC 6455 1.3 */
static const char GUID[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

void handshake_key(const uint8_t nonce[16], char out[HANDSHAKE_KEY_LEN + 1])
{
	EVP_EncodeBlock((unsigned char *)out, nonce, 16);
}

void handshake_accept(struct span key, char out[HANDSHAKE_ACCEPT_LEN + 1])
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned sum_len = 0;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	/* Without SHA-1 there is no WebSocket at all: nothing a caller could do about it. */
	if (!ctx || !EVP_DigestInit_ex(ctx, EVP_sha1(), NULL) || !EVP_DigestUpdate(ctx, key.p, key.len) ||
			!EVP_DigestUpdate(ctx, GUID, sizeof(GUID) - 1) || !EVP_DigestFinal_ex(ctx, sum, &sum_len) || sum_len != 20)
		abort();
	EVP_MD_CTX_free(ctx);
	EVP_EncodeBlock((unsigned char *)out, sum, 20);
}

void handshake_request_init(struct handshake_request *r, struct span target, struct span host, struct span key)
{
	*r = (struct handshake_request){
		.method = SPAN_LIT("GET"),
		.target = target,
		.version = SPAN_LIT("HTTP/1.1"),
		.fields = {
			{.name = SPAN_LIT("Host"), .value = host},
			{.name = SPAN_LIT("Upgrade"), .value = SPAN_LIT("websocket")},
			{.name = SPAN_LIT("Connection"), .value = SPAN_LIT("Upgrade")},
			{.name = SPAN_LIT("Sec-WebSocket-Key"), .value = key},
			{.name = SPAN_LIT("Sec-WebSocket-Version"), .value = SPAN_LIT("13")},
		},
		.n_fields = 5,
	};
}

struct handshake_field *handshake_request_find(struct handshake_request *r, const char *name)
{
	for (size_t i = 0; i < r->n_fields; i++)
		if (span_eq_nocase(r->fields[i].name, span_str(name)))
			return &r->fields[i];
	return NULL;
}

/* Removes the fields with this name from index `from` on; the others keep their order. */
static void drop_from(struct handshake_request *r, const char *name, size_t from)
{
	size_t kept = from;
	for (size_t i = from; i < r->n_fields; i++)
		if (!span_eq_nocase(r->fields[i].name, span_str(name)))
			r->fields[kept++] = r->fields[i];
	r->n_fields = kept;
}

void handshake_request_drop(struct handshake_request *r, const char *name)
{
	drop_from(r, name, 0);
}

static int add_field(struct handshake_request *r, struct handshake_field field)
{
	if (r->n_fields == sizeof(r->fields) / sizeof(r->fields[0]))
		return -ENOSPC;
	r->fields[r->n_fields++] = field;
	return 0;
}

int handshake_request_set(struct handshake_request *r, const char *name, struct span value)
{
	struct handshake_field *field = handshake_request_find(r, name);
	if (!field)
		return handshake_request_add(r, name, value);
	field->value = value;
	field->raw = (struct span){0};
	drop_from(r, name, (size_t)(field - r->fields) + 1);
	return 0;
}

int handshake_request_add(struct handshake_request *r, const char *name, struct span value)
{
	return add_field(r, (struct handshake_field){.name = span_str(name), .value = value});
}

int handshake_request_add_raw(struct handshake_request *r, struct span raw)
{
	return add_field(r, (struct handshake_field){.raw = raw});
}

static int append_all(struct buf *b, const struct span *parts, size_t n)
{
	int res = 0;
	for (size_t i = 0; i < n && res == 0; i++)
		res = buf_append_span(b, parts[i]);
	return res;
}

static int write_parts(const struct handshake_request *r, struct buf *b)
{
	const struct span eol = r->lf_only ? SPAN_LIT("\n") : SPAN_LIT("\r\n");
	int res = append_all(b, (struct span[]){r->method, SPAN_LIT(" "), r->target, SPAN_LIT(" "), r->version, eol}, 6);
	for (size_t i = 0; i < r->n_fields && res == 0; i++) {
		const struct handshake_field *f = &r->fields[i];
		if (f->raw.p)
			res = buf_append_span(b, f->raw);
		else
			res = append_all(b, (struct span[]){f->name, SPAN_LIT(": "), f->value, eol}, 4);
	}
	return res ? res : append_all(b, (struct span[]){eol, r->body}, 2);
}

int handshake_request_write(const struct handshake_request *r, struct buf *b)
{
	if (r->raw.p)
		return buf_append_span(b, r->raw);
	size_t before = b->len;
	int res = write_parts(r, b);
	if (res < 0)
		b->len = before;
	return res;
}
