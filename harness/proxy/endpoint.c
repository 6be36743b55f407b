/* "host:port" as a person writes it: names, IPv4, IPv6 in brackets, no host for every address. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/escape.h"
#include "harness/net/address.h"
#include "harness/proxy/proxy_internal.h"

static bool parse_port(const char *text, uint16_t *ret)
{
	unsigned long port = 0;
	size_t len = strspn(text, "0123456789");
	if (len == 0 || len > 5 || text[len])
		return false;
	port = strtoul(text, NULL, 10);
	if (port > UINT16_MAX)
		return false;
	*ret = (uint16_t)port;
	return true;
}

static bool set_literal(struct endpoint *ep)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&ep->address;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ep->address;
	if (inet_pton(AF_INET, ep->host, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(ep->port);
		return true;
	}
	if (ep->host[0] && inet_pton(AF_INET6, ep->host, &in6->sin6_addr) != 1)
		return false;
	in6->sin6_family = AF_INET6; /* no host: in6addr_any, which takes IPv4 too */
	in6->sin6_port = htons(ep->port);
	return true;
}

/* why: the end of the sentence, behind the address. */
static int refuse(const char *what, const char *text, const char *why, struct err *e)
{
	struct buf shown CLEANUP(buf_fini) = {0};
	return err_set(e, EINVAL, "%s '%s'%s", what, escape_word(&shown, text), why);
}

int endpoint_parse(const char *text, const char *what, struct endpoint *ret, struct err *e)
{
	struct endpoint ep = {0};
	const char *colon = text ? strrchr(text, ':') : NULL, *host = text;
	bool listens = strcmp(what, "listen") == 0;
	if (!text || strlen(text) >= sizeof(ep.text))
		return err_set(e, EINVAL, "%s wants an address, \"host:port\"", what);
	if (!colon || !parse_port(colon + 1, &ep.port))
		return refuse(what, text, " has no port: \"host:port\", with a port up to 65535", e);
	size_t len = (size_t)(colon - text);
	bool bracketed = len >= 2 && text[0] == '[' && colon[-1] == ']';
	if (bracketed) {
		host++;
		len -= 2;
	}
	memcpy(ep.host, host, len);
	if (!bracketed && strchr(ep.host, ':'))
		return refuse(what, text, ": an IPv6 address stands in brackets, \"[::1]:80\"", e);
	if (strlen(ep.host) != strcspn(ep.host, " \t\r\n/@[]%") || (bracketed && !len))
		return refuse(what, text, " is not \"host:port\"", e);
	if (!listens && (!len || !ep.port))
		return refuse(what, text, " needs a host and a port other than 0", e);
	ep.literal = set_literal(&ep);
	if (bracketed && !ep.literal)
		return refuse(what, text, ": no IPv6 address in the brackets", e);
	snprintf(ep.text, sizeof(ep.text), "%s", text);
	*ret = ep;
	return 0;
}

int endpoint_resolve(struct endpoint *ep, struct err *e)
{
	struct dial_addresses found;
	if (ep->literal)
		return 0;
	int r = dial_resolve(ep->host, ep->port, &found, e);
	if (r == 0)
		ep->address = found.list[0];
	return r;
}
