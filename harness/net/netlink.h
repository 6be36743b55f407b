#pragma once
/*
 * Talking to the kernel's networking: a netlink socket of one namespace, requests that wait for their answer, and the
 * kernel's own sentence when it refuses (extended acknowledgement). Messages are built with libnl-3's nlmsg_* and nla_*
 * calls. Sources: netlink(7), rtnetlink(7), linux/netlink.h.
 */
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stddef.h>

#include "harness/base/err.h"

struct netns;
struct netlink;

enum {
	NETLINK_MESSAGE_MAX = 80 << 10,  /* octets of a request: a netem with both delay tables has 64 KiB */
	NETLINK_ANSWER_MAX = 256 << 10,  /* octets of one read */
};

/* protocol: NETLINK_ROUTE, NETLINK_SOCK_DIAG, NETLINK_NETFILTER. ns NULL: our own namespace. -ENOMEM, -EPERM, ... */
int netlink_open(const struct netns *ns, int protocol, struct netlink **ret_netlink, struct err *e);
/*
 * For undos, whose words name the namespace: as for netns_open_same, or "-" for our own. 1: it is gone, and with it
 * what was to be undone. 0, or a negative errno.
 */
int netlink_open_named(const char *netns, int protocol, struct netlink **ret_netlink);
/* NULL is fine. */
void netlink_close(struct netlink *n);
/* Also as a CLEANUP function: struct netlink *n CLEANUP(cleanup_netlink). */
void cleanup_netlink(struct netlink **n);

/* A request with `header` after struct nlmsghdr, room for NETLINK_MESSAGE_MAX; NULL without memory. */
struct nl_msg *netlink_request(int type, int flags, const void *header, size_t len);
void cleanup_nl_msg(struct nl_msg **m);

/*
 * Sends, waits for the kernel's word. On refusal its negative errno and "<what>: <the kernel's own words> (<errno>)";
 * what: "cannot make the interface eth0". m stays the caller's. -EMSGSIZE when the message outgrew its room.
 */
int netlink_call(struct netlink *n, struct nl_msg *m, struct err *e, const char *what, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * Sends with NLM_F_DUMP (a request with NLM_F_ACK: for one object, without it) and gives each answer to on_message;
 * once that returned other than 0 it is not called again, and this is returned. As netlink_call otherwise.
 */
int netlink_dump(struct netlink *n, struct nl_msg *m, int (*on_message)(void *owner, struct nlmsghdr *h), void *owner,
		 struct err *e, const char *what, ...) __attribute__((format(printf, 6, 7)));

/*
 * Several requests in one transaction (nf_tables): all of them take effect or none. One of them must ask for an
 * acknowledgement (NLM_F_ACK), the last one that does something: that is waited for.
 */
int netlink_batch(struct netlink *n, struct nl_msg *const *messages, size_t len, struct err *e, const char *what, ...)
	__attribute__((format(printf, 5, 6)));
