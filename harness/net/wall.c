/*
 * Tables and chains of nf_tables by hand: a base chain whose policy is to drop needs no rule at all; rejecting takes
 * two rules of a few expressions. No program of the system (nft, iptables) is needed.
 */
#include "harness/net/wall.h"

#include <arpa/inet.h>
#include <assert.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

#include "harness/net/netlink.h"
#include "harness/net/netns.h"

enum {
	BATCH_MAX = 24,            /* messages */
	RAW_PRIORITY = -300,       /* before connection tracking */
	TCP_FLAGS_OFFSET = 13,     /* RFC 9293 3.1 */
	TCP_FLAG_RST_OCTET = 4,
};

struct batch {
	struct nl_msg *messages[BATCH_MAX];
	size_t len;
	bool lost; /* out of memory */
	const struct wall *wall;
};

static struct nl_msg *batch_add(struct batch *b, int type, int flags, uint8_t family, uint16_t resource)
{
	const struct nfgenmsg header = {.nfgen_family = family, .version = NFNETLINK_V0, .res_id = htons(resource)};
	struct nl_msg *m = b->len < BATCH_MAX ? netlink_request(type, flags, &header, sizeof(header)) : NULL;
	if (m)
		b->messages[b->len++] = m;
	else
		b->lost = true;
	return m;
}

static struct nl_msg *nft_add(struct batch *b, int message, int flags, uint8_t family)
{
	return batch_add(b, NFNL_SUBSYS_NFTABLES << 8 | message, flags, family, 0);
}

/* Every put goes through these: what did not fit or had no message makes the batch lost. */
static void put(struct batch *b, struct nl_msg *m, int attribute, const void *data, size_t len)
{
	if (!m || nla_put(m, attribute, (int)len, data) < 0)
		b->lost = true;
}

static void put_text(struct batch *b, struct nl_msg *m, int attribute, const char *text)
{
	put(b, m, attribute, text, strlen(text) + 1);
}

static void put_be32(struct batch *b, struct nl_msg *m, int attribute, uint32_t value)
{
	const uint32_t big = htonl(value);
	put(b, m, attribute, &big, sizeof(big));
}

static struct nlattr *nest(struct batch *b, struct nl_msg *m, int attribute)
{
	struct nlattr *n = m ? nla_nest_start(m, attribute | NLA_F_NESTED) : NULL;
	if (!n)
		b->lost = true;
	return n;
}

static void nest_end(struct nl_msg *m, struct nlattr *n)
{
	if (n)
		nla_nest_end(m, n);
}

static void add_table(struct batch *b, uint8_t family)
{
	struct nl_msg *m = nft_add(b, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL, family);
	put_text(b, m, NFTA_TABLE_NAME, b->wall->name);
}

/* device: of the netdev family, or NULL. */
static void add_chain(struct batch *b, uint8_t family, const char *name, uint32_t hook, const char *device,
		      uint32_t policy)
{
	struct nl_msg *m = nft_add(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL, family);
	put_text(b, m, NFTA_CHAIN_TABLE, b->wall->name);
	put_text(b, m, NFTA_CHAIN_NAME, name);
	struct nlattr *n = nest(b, m, NFTA_CHAIN_HOOK);
	put_be32(b, m, NFTA_HOOK_HOOKNUM, hook);
	put_be32(b, m, NFTA_HOOK_PRIORITY, (uint32_t)RAW_PRIORITY);
	if (device)
		put_text(b, m, NFTA_HOOK_DEV, device);
	nest_end(m, n);
	put_be32(b, m, NFTA_CHAIN_POLICY, policy);
	put_text(b, m, NFTA_CHAIN_TYPE, "filter");
}

static struct nlattr *expression(struct batch *b, struct nl_msg *m, const char *name, struct nlattr **ret_data)
{
	struct nlattr *element = nest(b, m, NFTA_LIST_ELEM);
	put_text(b, m, NFTA_EXPR_NAME, name);
	*ret_data = nest(b, m, NFTA_EXPR_DATA);
	return element;
}

/* "meta KEY == value" */
static void match_meta(struct batch *b, struct nl_msg *m, uint32_t key, const void *value, size_t len)
{
	struct nlattr *data, *element = expression(b, m, "meta", &data);
	put_be32(b, m, NFTA_META_DREG, NFT_REG_1);
	put_be32(b, m, NFTA_META_KEY, key);
	nest_end(m, data);
	nest_end(m, element);
	element = expression(b, m, "cmp", &data);
	put_be32(b, m, NFTA_CMP_SREG, NFT_REG_1);
	put_be32(b, m, NFTA_CMP_OP, NFT_CMP_EQ);
	struct nlattr *n = nest(b, m, NFTA_CMP_DATA);
	put(b, m, NFTA_DATA_VALUE, value, len);
	nest_end(m, n);
	nest_end(m, data);
	nest_end(m, element);
}

static void reject(struct batch *b, struct nl_msg *m, bool tcp)
{
	const uint8_t code = NFT_REJECT_ICMPX_ADMIN_PROHIBITED;
	struct nlattr *data, *element = expression(b, m, "reject", &data);
	put_be32(b, m, NFTA_REJECT_TYPE, tcp ? NFT_REJECT_TCP_RST : NFT_REJECT_ICMPX_UNREACH);
	if (!tcp)
		put(b, m, NFTA_REJECT_ICMP_CODE, &code, sizeof(code));
	nest_end(m, data);
	nest_end(m, element);
}

static void put_value(struct batch *b, struct nl_msg *m, int attribute, uint8_t octet)
{
	struct nlattr *n = nest(b, m, attribute);
	put(b, m, NFTA_DATA_VALUE, &octet, sizeof(octet));
	nest_end(m, n);
}

/* "tcp flags & rst != 0", of a packet that is known to be TCP. */
static void match_rst(struct batch *b, struct nl_msg *m)
{
	struct nlattr *data, *element = expression(b, m, "payload", &data);
	put_be32(b, m, NFTA_PAYLOAD_DREG, NFT_REG_1);
	put_be32(b, m, NFTA_PAYLOAD_BASE, NFT_PAYLOAD_TRANSPORT_HEADER);
	put_be32(b, m, NFTA_PAYLOAD_OFFSET, TCP_FLAGS_OFFSET);
	put_be32(b, m, NFTA_PAYLOAD_LEN, 1);
	nest_end(m, data);
	nest_end(m, element);
	element = expression(b, m, "bitwise", &data);
	put_be32(b, m, NFTA_BITWISE_SREG, NFT_REG_1);
	put_be32(b, m, NFTA_BITWISE_DREG, NFT_REG_1);
	put_be32(b, m, NFTA_BITWISE_LEN, 1);
	put_value(b, m, NFTA_BITWISE_MASK, TCP_FLAG_RST_OCTET);
	put_value(b, m, NFTA_BITWISE_XOR, 0);
	nest_end(m, data);
	nest_end(m, element);
	element = expression(b, m, "cmp", &data);
	put_be32(b, m, NFTA_CMP_SREG, NFT_REG_1);
	put_be32(b, m, NFTA_CMP_OP, NFT_CMP_NEQ);
	put_value(b, m, NFTA_CMP_DATA, 0);
	nest_end(m, data);
	nest_end(m, element);
}

static void accept_it(struct batch *b, struct nl_msg *m)
{
	struct nlattr *data, *element = expression(b, m, "immediate", &data);
	put_be32(b, m, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	struct nlattr *n = nest(b, m, NFTA_IMMEDIATE_DATA), *verdict = nest(b, m, NFTA_DATA_VERDICT);
	put_be32(b, m, NFTA_VERDICT_CODE, NF_ACCEPT);
	nest_end(m, verdict);
	nest_end(m, n);
	nest_end(m, data);
	nest_end(m, element);
}

enum verdict { PASS_RST, REJECT_TCP, REJECT_UDP };

static void add_rule(struct batch *b, const char *chain, uint32_t key, enum verdict verdict)
{
	const uint8_t protocol = verdict == REJECT_UDP ? IPPROTO_UDP : IPPROTO_TCP;
	char interface[IFNAMSIZ] = "";
	struct nl_msg *m = nft_add(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, NFPROTO_INET);
	memcpy(interface, b->wall->interface, strnlen(b->wall->interface, IFNAMSIZ - 1));
	put_text(b, m, NFTA_RULE_TABLE, b->wall->name);
	put_text(b, m, NFTA_RULE_CHAIN, chain);
	struct nlattr *n = nest(b, m, NFTA_RULE_EXPRESSIONS);
	match_meta(b, m, key, interface, sizeof(interface));
	match_meta(b, m, NFT_META_L4PROTO, &protocol, sizeof(protocol));
	if (verdict == PASS_RST) {
		match_rst(b, m);
		accept_it(b, m);
	} else {
		reject(b, m, verdict == REJECT_TCP);
	}
	nest_end(m, n);
}

static void add_rejecting(struct batch *b, const char *chain, uint32_t key)
{
	/* The answer to what arrived leaves by the same interface. */
	add_rule(b, chain, key, PASS_RST);
	add_rule(b, chain, key, REJECT_TCP);
	add_rule(b, chain, key, REJECT_UDP);
}

/* In the hooks of IP: what is for us, from us, and passing through. */
static void add_ip(struct batch *b)
{
	add_table(b, NFPROTO_INET);
	add_chain(b, NFPROTO_INET, "forward", NF_INET_FORWARD, NULL, NF_ACCEPT);
	if (b->wall->in) {
		add_chain(b, NFPROTO_INET, "in", NF_INET_LOCAL_IN, NULL, NF_ACCEPT);
		add_rejecting(b, "in", NFT_META_IIFNAME);
		add_rejecting(b, "forward", NFT_META_IIFNAME);
	}
	if (b->wall->out) {
		add_chain(b, NFPROTO_INET, "out", NF_INET_LOCAL_OUT, NULL, NF_ACCEPT);
		add_rejecting(b, "out", NFT_META_OIFNAME);
		add_rejecting(b, "forward", NFT_META_OIFNAME);
	}
}

static int batch_send(struct batch *b, struct netlink *nl, struct err *e)
{
	if (b->len > 1)
		nlmsg_hdr(b->messages[b->len - 1])->nlmsg_flags |= NLM_F_ACK;
	batch_add(b, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	int r = b->lost ? err_set(e, ENOMEM, "out of memory")
			: netlink_batch(nl, b->messages, b->len, e, "cannot wall off the interface %s with nf_tables",
					b->wall->interface);
	for (size_t i = 0; i < b->len; i++)
		nlmsg_free(b->messages[i]);
	b->len = 0;
	return r;
}

int wall_build(struct netlink *nl, const struct wall *w, struct err *e)
{
	struct batch b = {.wall = w};
	assert(w->style == WALL_REJECT || (w->in && !w->out));
	batch_add(&b, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	if (w->style == WALL_REJECT) {
		add_ip(&b);
	} else {
		add_table(&b, NFPROTO_NETDEV);
		add_chain(&b, NFPROTO_NETDEV, "in", NF_NETDEV_INGRESS, w->interface, NF_DROP);
	}
	return batch_send(&b, nl, e);
}

static int remove_family(struct netlink *nl, const char *name, uint8_t family, struct err *e)
{
	const struct wall w = {.name = name, .interface = name};
	struct batch b = {.wall = &w};
	batch_add(&b, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	struct nl_msg *m = nft_add(&b, NFT_MSG_DELTABLE, 0, family);
	put_text(&b, m, NFTA_TABLE_NAME, name);
	int r = batch_send(&b, nl, e);
	return r == -ENOENT || r == -EOPNOTSUPP || r == -EAFNOSUPPORT ? 0 : r;
}

int wall_remove(struct netlink *nl, const char *name, struct err *e)
{
	int r = remove_family(nl, name, NFPROTO_NETDEV, e), s = remove_family(nl, name, NFPROTO_INET, e);
	return r < 0 ? r : s;
}

static int undo_run(char *const *words)
{
	struct netlink *nl CLEANUP(cleanup_netlink) = NULL;
	if (strncmp(words[1], GUARD_NAMES, strlen(GUARD_NAMES)) != 0)
		return -EINVAL;
	int r = netlink_open_named(words[0], NETLINK_NETFILTER, &nl);
	return r ? (r > 0 ? 0 : r) : wall_remove(nl, words[1], NULL);
}

static void undo_describe(char *const *words, struct buf *b)
{
	buf_printf(b, "takes down the nf_tables table %s", words[1]);
}

const struct guard_kind undo_wall = {.name = "wall", .words = 2, .undo = undo_run, .describe = undo_describe};
