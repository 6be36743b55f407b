/*
 * Who the client is behind proxies. Each proxy appends the address it saw, so only entries to the right of the first
 * one that nobody trusted wrote are worth anything: the field is read from its end.
 */
#include "server-under-test/http/trusted_proxies.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "server-under-test/defects.h"
#include "server-under-test/http/handshake_rules.h"

#define MAPPED_BITS 96 /* of ::ffff:0:0/96, where the addresses of IPv4 are */

static const uint8_t mapped[MAPPED_BITS / 8] = { [10] = 0xff, [11] = 0xff };

static bool is_mapped(const uint8_t address[16])
{
	return memcmp(address, mapped, sizeof(mapped)) == 0;
}

/* *ret_v4: it was written as an address of IPv4 */
static bool address_parse(struct text text, uint8_t address[16], bool *ret_v4)
{
	char copy[INET6_ADDRSTRLEN];

	if (text.len >= sizeof(copy) || memchr(text.len > 0 ? text.p : "", '\0', text.len))
		return false;
	memcpy(copy, text.len > 0 ? text.p : "", text.len);
	copy[text.len] = '\0';
	memcpy(address, mapped, sizeof(mapped));
	*ret_v4 = inet_pton(AF_INET, copy, address + sizeof(mapped)) == 1;
	return *ret_v4 || inet_pton(AF_INET6, copy, address) == 1;
}

static void address_print(const uint8_t address[16], char ip[LOG_IP_MAX])
{
	if (is_mapped(address))
		inet_ntop(AF_INET, address + sizeof(mapped), ip, LOG_IP_MAX);
	else
		inet_ntop(AF_INET6, address, ip, LOG_IP_MAX);
}

static bool network_parse(struct text text, struct network *network)
{
	const char *slash = text.len > 0 ? memchr(text.p, '/', text.len) : NULL;
	struct text bits = slash ? text_of(slash + 1, text.len - (size_t)(slash + 1 - text.p)) : text_of("", 0);
	unsigned max;
	bool v4;

	if (slash)
		text.len = (size_t)(slash - text.p);
	if (!address_parse(text, network->address, &v4))
		return false;
	max = v4 ? 128 - MAPPED_BITS : 128;
	network->bits = slash ? 0 : max;
	if (slash && (bits.len == 0 || bits.len > 3))
		return false;
	for (size_t i = 0; i < bits.len; i++) {
		if (bits.p[i] < '0' || bits.p[i] > '9')
			return false;
		network->bits = network->bits * 10 + (unsigned)(bits.p[i] - '0');
	}
	if (network->bits > max)
		return false;
	network->bits += v4 ? MAPPED_BITS : 0;
	return true;
}

int trusted_proxies_parse(struct trusted_proxies *proxies, const struct config_list *list, struct err *err)
{
	int r = 0;

	proxies->count = 0;
	for (unsigned i = 0; i < list->count; i++) {
		if (network_parse(text_from(list->items[i]), &proxies->networks[proxies->count])) {
			proxies->count++;
		} else {
			err_set(err, "option --trusted-proxies cannot be \"%s\"; it takes addresses and networks as "
				"10.0.0.0/8", list->items[i]);
			r = -EINVAL;
		}
	}
	return r;
}

static bool network_has(const struct network *network, const uint8_t address[16])
{
	unsigned whole = network->bits / 8;
	unsigned rest = network->bits % 8;

	if (memcmp(network->address, address, whole) != 0)
		return false;
	return rest == 0 || (network->address[whole] ^ address[whole]) >> (8 - rest) == 0;
}

static bool is_trusted(const struct trusted_proxies *proxies, const uint8_t address[16])
{
	for (unsigned i = 0; i < proxies->count; i++)
		if (network_has(&proxies->networks[i], address))
			return true;
	return false;
}

/* Takes the last element of a comma list. False at the end. */
static bool take_last(struct text *rest, struct text *ret_element)
{
	while (rest->len > 0) {
		size_t start = rest->len;

		while (start > 0 && rest->p[start - 1] != ',')
			start--;
		*ret_element = text_trim(text_of(rest->p + start, rest->len - start));
		rest->len = start > 0 ? start - 1 : 0;
		if (ret_element->len > 0)
			return true;
	}
	return false;
}

void trusted_proxies_client(const struct trusted_proxies *proxies, const char *peer, const struct field_lines *field,
			    char ip[LOG_IP_MAX])
{
	uint8_t address[16];
	uint8_t client[16];
	struct text element;
	bool v4;

	snprintf(ip, LOG_IP_MAX, "%s", peer);
	if (!address_parse(text_from(peer), client, &v4))
		return;
	address_print(client, ip);
	if (!is_trusted(proxies, client) && !defect(security_forwarded_believed))
		return;
	for (unsigned i = field->count; i-- > 0;) {
		struct text rest = field->v[i];

		while (take_last(&rest, &element)) {
			if (!address_parse(element, address, &v4))
				return;
			memcpy(client, address, sizeof(client));
			if (!is_trusted(proxies, client)) {
				address_print(client, ip);
				return;
			}
		}
	}
	address_print(client, ip);
}
