/* The parameters of the application protocol in paths, queries and fields, and what is malformed about them. */
#include "server-under-test/http/http_params.h"

#include "server-under-test/auth.h"
#include "server-under-test/http/http_route.h"

#define NUMBER_BUFFER 64 /* octets of a parameter that is looked at */

bool http_param_channel(struct text rest, char buffer[HTTP_CHANNEL_BUFFER], struct text *ret)
{
	return http_unescape(rest, buffer, HTTP_CHANNEL_BUFFER, ret) && hub_channel_name_ok(*ret);
}

/* A decimal number of at most `max`; above that it is max. False: it is none. */
static bool number_parse(struct text t, uint64_t max, uint64_t *ret, bool *ret_over)
{
	uint64_t number = 0;

	*ret_over = false;
	for (size_t i = 0; i < t.len; i++) {
		uint64_t digit = (uint64_t)(unsigned char)t.p[i] - '0';

		if (t.p[i] < '0' || t.p[i] > '9')
			return false;
		*ret_over |= number > (max - digit) / 10;
		number = *ret_over ? max : number * 10 + digit;
	}
	*ret = number;
	return t.len > 0;
}

bool http_position_parse(struct text text, struct position *ret)
{
	const char *colon = text.len > 0 ? memchr(text.p, ':', text.len) : NULL;
	size_t epoch_len = colon ? (size_t)(colon - text.p) : 0;
	uint64_t seq;
	bool over;

	if (epoch_len == 0 || epoch_len > EPOCH_MAX)
		return false;
	for (size_t i = 0; i < epoch_len; i++)
		if (text.p[i] <= 0x20 || text.p[i] >= 0x7f)
			return false;
	if (!number_parse(text_of(colon + 1, text.len - epoch_len - 1), UINT64_MAX, &seq, &over) || over)
		return false;
	memcpy(ret->epoch, text.p, epoch_len);
	ret->epoch[epoch_len] = '\0';
	ret->seq = seq;
	return true;
}

static enum http_param position_of(struct text query, const char *name, struct position *ret)
{
	char buffer[NUMBER_BUFFER];
	struct text value;

	if (!query_value(query, name, buffer, sizeof(buffer), &value))
		return HTTP_PARAM_ABSENT;
	return http_position_parse(value, ret) ? HTTP_PARAM_OK : HTTP_PARAM_BAD;
}

enum http_param http_param_last_event(const struct handshake_request *r, struct text query, struct position *ret)
{
	if (r->last_event_id.count == 0)
		return position_of(query, "lastEventId", ret);
	if (r->last_event_id.count > 1)
		return HTTP_PARAM_BAD;
	return http_position_parse(r->last_event_id.v[0], ret) ? HTTP_PARAM_OK : HTTP_PARAM_BAD;
}

enum http_param http_param_since(struct text query, struct position *ret)
{
	return position_of(query, "since", ret);
}

enum http_param http_param_wait(struct text query, unsigned *ret_s)
{
	char buffer[NUMBER_BUFFER];
	struct text value;
	uint64_t number;
	bool over;

	*ret_s = HTTP_WAIT_DEFAULT_S;
	if (!query_value(query, "wait", buffer, sizeof(buffer), &value))
		return HTTP_PARAM_ABSENT;
	if (!number_parse(value, HTTP_WAIT_MAX_S, &number, &over))
		return HTTP_PARAM_BAD;
	*ret_s = (unsigned)number;
	return HTTP_PARAM_OK;
}

const char *http_fault_ws(const struct handshake_request *r, struct text rest, struct text query)
{
	char buffer[NUMBER_BUFFER];
	struct text value;
	uint64_t number;
	bool over;

	(void)r;
	(void)rest;
	if (!query_value(query, "window", buffer, sizeof(buffer), &value))
		return NULL;
	return number_parse(value, UINT32_MAX, &number, &over) ? NULL : "the window is not a number";
}

static const char *fault_of_channel(struct text rest)
{
	char buffer[HTTP_CHANNEL_BUFFER];
	struct text channel;

	return http_param_channel(rest, buffer, &channel) ? NULL : "the path names no proper channel";
}

const char *http_fault_publish(const struct handshake_request *r, struct text rest, struct text query)
{
	(void)r;
	(void)query;
	return fault_of_channel(rest);
}

const char *http_fault_sse(const struct handshake_request *r, struct text rest, struct text query)
{
	struct position since;
	const char *fault = fault_of_channel(rest);

	if (!fault && http_param_last_event(r, query, &since) == HTTP_PARAM_BAD)
		fault = "the last event id is not EPOCH:SEQ";
	return fault;
}

const char *http_fault_poll(const struct handshake_request *r, struct text rest, struct text query)
{
	struct position since;
	unsigned wait_s;
	const char *fault = fault_of_channel(rest);

	(void)r;
	if (!fault && http_param_since(query, &since) == HTTP_PARAM_BAD)
		fault = "since is not EPOCH:SEQ";
	if (!fault && http_param_wait(query, &wait_s) == HTTP_PARAM_BAD)
		fault = "wait is not a number of seconds";
	return fault;
}
