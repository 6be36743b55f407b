/* The answers of proxies: RFC 9110 15, and the ones that are written for WebSocket clients that may not come in. */
#include "faults/http_answer.h"

#include "harness/base/err.h"

static const struct {
	int status;
	const char *phrase;
} phrases[] = {
	{200, "OK"},
	{301, "Moved Permanently"},
	{302, "Found"},
	{303, "See Other"},
	{307, "Temporary Redirect"},
	{308, "Permanent Redirect"},
	{400, "Bad Request"},
	{401, "Unauthorized"},
	{403, "Forbidden"},
	{404, "Not Found"},
	{405, "Method Not Allowed"},
	{407, "Proxy Authentication Required"},
	{408, "Request Timeout"},
	{413, "Content Too Large"},
	{414, "URI Too Long"},
	{421, "Misdirected Request"},
	{426, "Upgrade Required"},
	{429, "Too Many Requests"},
	{431, "Request Header Fields Too Large"},
	{500, "Internal Server Error"},
	{501, "Not Implemented"},
	{502, "Bad Gateway"},
	{503, "Service Unavailable"},
	{504, "Gateway Timeout"},
	{505, "HTTP Version Not Supported"},
	{511, "Network Authentication Required"},
};

const char *http_answer_phrase(int status)
{
	for (size_t i = 0; i < ARRAY_LEN(phrases); i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return "Status";
}

int http_answer_write(struct buf *b, int status, const char *location, uint64_t retry_after_s)
{
	struct buf page CLEANUP(buf_fini) = {0};
	const char *phrase = http_answer_phrase(status);
	buf_init(&page, HTTP_ANSWER_TEXT_MAX);
	int r = buf_printf(&page, "<html><head><title>%d %s</title></head><body><h1>%d %s</h1></body></html>\n", status,
			   phrase, status, phrase);
	if (r == 0)
		r = buf_printf(b, "HTTP/1.1 %d %s\r\nServer: proxy\r\nContent-Type: text/html\r\nContent-Length: %zu\r\n"
			       "Connection: close\r\n", status, phrase, page.len);
	if (r == 0 && location && *location)
		r = buf_printf(b, "Location: %s\r\n", location);
	if (r == 0 && retry_after_s)
		r = buf_printf(b, "Retry-After: %llu\r\n", (unsigned long long)retry_after_s);
	if (r == 0)
		r = buf_append_span(b, SPAN_LIT("\r\n"));
	return r == 0 ? buf_append_span(b, buf_span(&page)) : r;
}
