/* The addresses of an interface by rtnetlink. */
#include <arpa/inet.h>
#include <limits.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/clock.h"
#include "harness/net/interface.h"

static size_t family_len(int family)
{
	return family == AF_INET ? 4 : 16;
}

#define NO_BROADCAST ",nobrd"
#define PEER ",peer="

static int host_parse(int family, const char *text, size_t len, uint8_t octets[16])
{
	char host[INET6_ADDRSTRLEN + 1];
	if (len >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, len);
	host[len] = 0;
	return inet_pton(family, host, octets) == 1 ? 0 : -EINVAL;
}

/* "24", and where it ends. */
static int prefix_parse(const char *text, unsigned max, unsigned *ret_prefix, const char **ret_end)
{
	size_t digits = strspn(text, "0123456789");
	unsigned prefix = digits > 0 && digits <= 3 ? (unsigned)strtoul(text, NULL, 10) : UINT_MAX;
	if (prefix > max)
		return -EINVAL;
	*ret_prefix = prefix;
	*ret_end = text + digits;
	return 0;
}

int interface_address_parse(const char *text, struct interface_address *ret_address, struct err *e)
{
	struct interface_address a = {.family = strchr(text, ':') ? AF_INET6 : AF_INET};
	const unsigned bits = (unsigned)family_len(a.family) * 8;
	const char *rest = text + strcspn(text, "/");
	int r = host_parse(a.family, text, (size_t)(rest - text), a.octets);
	a.prefix = bits;
	if (r == 0 && *rest == '/')
		r = prefix_parse(rest + 1, bits, &a.prefix, &rest);
	if (r == 0 && a.family == AF_INET && strncmp(rest, NO_BROADCAST, strlen(NO_BROADCAST)) == 0) {
		a.no_broadcast = true;
		rest += strlen(NO_BROADCAST);
	}
	if (r == 0 && strncmp(rest, PEER, strlen(PEER)) == 0) {
		a.has_peer = true;
		rest += strlen(PEER);
		r = host_parse(a.family, rest, strlen(rest), a.peer);
		rest += strlen(rest);
	}
	if (r < 0 || *rest)
		return err_set(e, EINVAL, "expected an address such as 10.0.0.1/24 or fd00::1/64, with a prefix of 0 to %u", bits);
	*ret_address = a;
	return 0;
}

const char *interface_address_text(const struct interface_address *a, char *text)
{
	char host[INET6_ADDRSTRLEN] = "?", peer[INET6_ADDRSTRLEN] = "";
	inet_ntop(a->family, a->octets, host, sizeof(host));
	if (a->has_peer)
		inet_ntop(a->family, a->peer, peer, sizeof(peer));
	snprintf(text, INTERFACE_ADDRESS_TEXT, "%s/%u%s%s%s", host, a->prefix, a->no_broadcast ? NO_BROADCAST : "",
		 a->has_peer ? PEER : "", peer);
	return text;
}

static struct nl_msg *address_request(int type, int flags, unsigned index, const struct interface_address *a)
{
	const struct ifaddrmsg header = {
		.ifa_family = (uint8_t)a->family, .ifa_prefixlen = (uint8_t)a->prefix, .ifa_index = index,
		.ifa_flags = a->family == AF_INET6 ? IFA_F_NODAD : 0,
	};
	struct nl_msg *m = netlink_request(type, flags, &header, sizeof(header));
	int len = (int)family_len(a->family);
	bool broadcast = a->family == AF_INET && a->prefix <= 30 && type == RTM_NEWADDR && !a->no_broadcast;
	uint8_t last[4];
	memcpy(last, a->octets, sizeof(last));
	for (unsigned bit = a->prefix; broadcast && bit < 32; bit++)
		last[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	if (m && nla_put(m, IFA_LOCAL, len, a->octets) == 0 &&
	    nla_put(m, IFA_ADDRESS, len, a->has_peer ? a->peer : a->octets) == 0 &&
	    (!broadcast || nla_put(m, IFA_BROADCAST, len, last) == 0))
		return m;
	nlmsg_free(m);
	return NULL;
}

int interface_address_add(struct netlink *nl, unsigned index, const struct interface_address *a, struct err *e)
{
	char text[INTERFACE_ADDRESS_TEXT];
	struct nl_msg *m CLEANUP(cleanup_nl_msg) = address_request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, index, a);
	int r = netlink_call(nl, m, e, "cannot add the address %s", interface_address_text(a, text));
	return r == -EEXIST ? 0 : r;
}

int interface_address_delete(struct netlink *nl, unsigned index, const struct interface_address *a, struct err *e)
{
	char text[INTERFACE_ADDRESS_TEXT];
	struct nl_msg *m CLEANUP(cleanup_nl_msg) = address_request(RTM_DELADDR, 0, index, a);
	int r = netlink_call(nl, m, e, "cannot take away the address %s", interface_address_text(a, text));
	return r == -EADDRNOTAVAIL || r == -ENODEV ? 0 : r;
}

struct group {
	unsigned index;
	uint8_t octets[16];
	bool joined;
};

static int group_read(void *owner, struct nlmsghdr *h)
{
	struct group *g = owner;
	struct nlattr *a[IFA_MAX + 1];
	const struct ifaddrmsg *header = nlmsg_data(h);
	if (nlmsg_parse(h, sizeof(*header), a, IFA_MAX, NULL) == 0 && header->ifa_index == g->index && a[IFA_MULTICAST] &&
	    nla_len(a[IFA_MULTICAST]) == (int)sizeof(g->octets))
		g->joined = g->joined || memcmp(nla_data(a[IFA_MULTICAST]), g->octets, sizeof(g->octets)) == 0;
	return 0;
}

int interface_address_wait(struct netlink *nl, unsigned index, const struct interface_address *a, struct err *e)
{
	const uint64_t until_us = clock_now_us() + INTERFACE_READY_MS * UINT64_C(1000);
	const struct ifaddrmsg header = {.ifa_family = AF_INET6};
	struct group g = {.index = index, .octets = {0xff, 0x02, [11] = 0x01, 0xff}};
	memcpy(g.octets + 13, a->octets + 13, 3);
	while (a->family == AF_INET6 && !g.joined) {
		char text[INTERFACE_ADDRESS_TEXT];
		struct nl_msg *m CLEANUP(cleanup_nl_msg) = netlink_request(RTM_GETMULTICAST, 0, &header, sizeof(header));
		int r = netlink_dump(nl, m, group_read, &g, e, "cannot list the multicast groups");
		if (r < 0)
			return r;
		if (!g.joined && clock_now_us() > until_us)
			return err_set(e, ETIMEDOUT, "the address %s is not ready after %d ms", interface_address_text(a, text),
				       INTERFACE_READY_MS);
		if (!g.joined)
			poll(NULL, 0, 1);
	}
	return 0;
}

struct address_list {
	unsigned index;
	struct interface_address *to;
	int n;
};

static int address_read(void *owner, struct nlmsghdr *h)
{
	struct address_list *list = owner;
	struct nlattr *a[IFA_MAX + 1];
	const struct ifaddrmsg *header = nlmsg_data(h);
	if (h->nlmsg_type != RTM_NEWADDR || nlmsg_parse(h, sizeof(*header), a, IFA_MAX, NULL) < 0 ||
	    (list->index && header->ifa_index != list->index) || header->ifa_scope == RT_SCOPE_LINK ||
	    list->n == INTERFACE_ADDRESSES_MAX || (header->ifa_family != AF_INET && header->ifa_family != AF_INET6))
		return 0;
	/* IPv6 mostly tells only IFA_ADDRESS; of a point-to-point link that is the other end. */
	const struct nlattr *own = a[IFA_LOCAL] ? a[IFA_LOCAL] : a[IFA_ADDRESS], *peer = a[IFA_ADDRESS];
	const size_t len = family_len(header->ifa_family);
	if (!own || nla_len(own) != (int)len || (peer && nla_len(peer) != (int)len))
		return 0;
	struct interface_address *to = &list->to[list->n++];
	*to = (struct interface_address){.family = header->ifa_family, .prefix = header->ifa_prefixlen,
					 .no_broadcast = header->ifa_family == AF_INET && !a[IFA_BROADCAST]};
	memcpy(to->octets, nla_data(own), len);
	to->has_peer = peer && memcmp(nla_data(peer), to->octets, len) != 0;
	if (to->has_peer)
		memcpy(to->peer, nla_data(peer), len);
	return 0;
}

int interface_addresses(struct netlink *nl, unsigned index, struct interface_address *ret_addresses, struct err *e)
{
	const struct ifaddrmsg header = {.ifa_family = AF_UNSPEC};
	struct nl_msg *m CLEANUP(cleanup_nl_msg) = netlink_request(RTM_GETADDR, 0, &header, sizeof(header));
	struct address_list list = {.index = index, .to = ret_addresses};
	int r = netlink_dump(nl, m, address_read, &list, e, "cannot list the addresses");
	return r < 0 ? r : list.n;
}
