/* Sockets are listed, chosen here, and destroyed one by one by their cookie, so that no later one of that address is
 * hit. */
#include "harness/net/sock_destroy.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/buf.h"
#include "harness/net/netlink.h"
#include "harness/net/netns.h"

enum { SOCKETS_MAX = 1 << 20 };

/* A connection: what has a peer and is not over. */
#define STATES                                                                                                         \
	(1u << TCP_ESTABLISHED | 1u << TCP_FIN_WAIT1 | 1u << TCP_FIN_WAIT2 | 1u << TCP_CLOSE_WAIT |                    \
	 1u << TCP_LAST_ACK | 1u << TCP_CLOSING | 1u << TCP_SYN_SENT)

struct one {
	struct inet_diag_sockid id;
	uint8_t family;
};

struct listing {
	const struct sock_match *match;
	struct buf found; /* struct one */
};

int sock_match_address(const char *text, uint8_t to[16], struct err *e)
{
	struct in_addr four;
	if (inet_pton(AF_INET6, text, to) == 1)
		return 0;
	if (inet_pton(AF_INET, text, &four) != 1)
		return err_set(e, EINVAL, "expected an IPv4 or IPv6 address, such as 10.0.0.1");
	memset(to, 0, 10);
	memset(to + 10, 0xff, 2);
	memcpy(to + 12, &four, 4);
	return 0;
}

static bool address_is(uint8_t family, const uint32_t *address, const uint8_t wanted[16])
{
	uint8_t as6[16] = {[10] = 0xff, [11] = 0xff};
	memcpy(family == AF_INET ? as6 + 12 : as6, address, family == AF_INET ? 4 : 16);
	return memcmp(as6, wanted, sizeof(as6)) == 0;
}

static bool matches(const struct sock_match *m, const struct inet_diag_msg *s)
{
	uint16_t local = ntohs(s->id.idiag_sport), remote = ntohs(s->id.idiag_dport);
	return (!m->has_local || address_is(s->idiag_family, s->id.idiag_src, m->local)) &&
	       (!m->has_remote || address_is(s->idiag_family, s->id.idiag_dst, m->remote)) &&
	       (!m->local_port || m->local_port == local) && (!m->remote_port || m->remote_port == remote) &&
	       (!m->port || m->port == local || m->port == remote);
}

static int on_socket(void *owner, struct nlmsghdr *h)
{
	struct listing *l = owner;
	const struct inet_diag_msg *s = nlmsg_data(h);
	if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY || nlmsg_datalen(h) < (int)sizeof(*s) || !matches(l->match, s))
		return 0;
	const struct one found = {.id = s->id, .family = s->idiag_family};
	return buf_append(&l->found, &found, sizeof(found));
}

static struct nl_msg *diag_request(int type, const struct one *one)
{
	const struct inet_diag_req_v2 header = {
		.sdiag_family = one->family, .sdiag_protocol = IPPROTO_TCP, .idiag_states = STATES, .id = one->id,
	};
	return netlink_request(type, 0, &header, sizeof(header));
}

static int list(struct netlink *nl, struct listing *l, struct err *e)
{
	static const uint8_t families[] = {AF_INET, AF_INET6};
	int r = 0;
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(families); i++) {
		const struct one any = {.family = families[i]};
		struct nl_msg *m CLEANUP(cleanup_nl_msg) = diag_request(SOCK_DIAG_BY_FAMILY, &any);
		if (!l->match->family || l->match->family == families[i])
			r = netlink_dump(nl, m, on_socket, l, e, "cannot list the connections");
		if (r == -ENOENT && families[i] == AF_INET6)
			r = 0; /* a kernel without IPv6 */
	}
	return r;
}

static int refusal(int r, struct err *e)
{
	if (r == -EOPNOTSUPP)
		err_set(e, EOPNOTSUPP, "this kernel cannot kill connections (CONFIG_INET_DIAG_DESTROY is not set)");
	return r;
}

static int sock_each(const struct netns *ns, const struct sock_match *match, bool destroy, struct err *e)
{
	struct netlink *nl CLEANUP(cleanup_netlink) = NULL;
	struct listing l = {.match = match};
	int n = 0;
	buf_init(&l.found, SOCKETS_MAX * sizeof(struct one));
	int r = netlink_open(ns, NETLINK_SOCK_DIAG, &nl, e);
	if (r == 0)
		r = list(nl, &l, e);
	for (size_t at = 0; r == 0 && at < l.found.len; at += sizeof(struct one)) {
		const struct one *one = (const struct one *)(l.found.p + at);
		if (!destroy) {
			n++;
			continue;
		}
		if (match->chosen && !match->chosen(match->owner))
			continue;
		struct nl_msg *m CLEANUP(cleanup_nl_msg) = diag_request(SOCK_DESTROY, one);
		r = netlink_call(nl, m, e, "cannot kill a connection");
		if (r == 0)
			n++;
		else if (r == -ENOENT)
			r = 0; /* closed meanwhile */
		else
			r = refusal(r, e);
	}
	buf_fini(&l.found);
	return r < 0 ? r : n;
}

int sock_destroy(const struct netns *ns, const struct sock_match *match, struct err *e)
{
	return sock_each(ns, match, true, e);
}

int sock_count(const struct netns *ns, const struct sock_match *match, struct err *e)
{
	return sock_each(ns, match, false, e);
}

int sock_destroy_possible(const struct netns *ns, struct err *e)
{
	struct netlink *nl CLEANUP(cleanup_netlink) = NULL;
	const struct one nobody = {.family = AF_INET, .id.idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}};
	int r = netlink_open(ns, NETLINK_SOCK_DIAG, &nl, e);
	if (r < 0)
		return r;
	struct nl_msg *m CLEANUP(cleanup_nl_msg) = diag_request(SOCK_DESTROY, &nobody);
	r = netlink_call(nl, m, e, "cannot kill a connection");
	return r == -ENOENT ? 0 : refusal(r, e);
}
