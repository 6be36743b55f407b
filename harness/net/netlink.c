/*
 * Requests and answers over netlink. libnl builds and frames the messages; the answers are read here, because libnl
 * turns the kernel's errno into codes of its own and drops the sentence that comes with it.
 */
#include "harness/net/netlink.h"

#include <linux/netlink.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "harness/net/netns.h"

enum { WHAT_MAX = 200, ANSWER_TIMEOUT_S = 20 };

struct netlink {
	struct nl_sock *sock;
	int fd;
	uint8_t *answer; /* NETLINK_ANSWER_MAX octets */
};

struct opening {
	struct nl_sock *sock;
	int protocol;
};

static int connect_inside(void *arg)
{
	struct opening *o = arg;
	int r = nl_connect(o->sock, o->protocol);
	return r < 0 ? -(errno ? errno : EPROTO) : 0;
}

int netlink_open(const struct netns *ns, int protocol, struct netlink **ret_netlink, struct err *e)
{
	const struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};
	const int one = 1;
	struct netlink *n = calloc(1, sizeof(*n));
	struct opening o = {.sock = nl_socket_alloc(), .protocol = protocol};
	uint8_t *answer = malloc(NETLINK_ANSWER_MAX);
	int r = n && o.sock && answer ? 0 : -ENOMEM;
	if (r == 0)
		r = netns_run(ns, connect_inside, &o);
	if (r < 0) {
		nl_socket_free(o.sock);
		free(answer);
		free(n);
		return err_set(e, -r, "cannot open a netlink socket: %s", strerror(-r));
	}
	nl_socket_disable_auto_ack(o.sock);
	*n = (struct netlink){.sock = o.sock, .fd = nl_socket_get_fd(o.sock), .answer = answer};
	/* Each of these is a better sentence or a guard against hanging; without them it works as well. */
	setsockopt(n->fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	setsockopt(n->fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	setsockopt(n->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	*ret_netlink = n;
	return 0;
}

int netlink_open_named(const char *netns, int protocol, struct netlink **ret_netlink)
{
	struct netns ns CLEANUP(netns_close) = {.fd = -1};
	int r = strcmp(netns, "-") == 0 ? 0 : netns_open_same(netns, &ns);
	if (r == -ENOENT)
		return 1;
	return r < 0 ? r : netlink_open(&ns, protocol, ret_netlink, NULL);
}

void netlink_close(struct netlink *n)
{
	if (!n)
		return;
	nl_socket_free(n->sock);
	free(n->answer);
	free(n);
}

void cleanup_netlink(struct netlink **n)
{
	netlink_close(*n);
}

void cleanup_nl_msg(struct nl_msg **m)
{
	nlmsg_free(*m);
}

struct nl_msg *netlink_request(int type, int flags, const void *header, size_t len)
{
	struct nl_msg *m = nlmsg_alloc_size(NETLINK_MESSAGE_MAX);
	if (!m)
		return NULL;
	struct nlmsghdr *h = nlmsg_put(m, NL_AUTO_PORT, NL_AUTO_SEQ, type, 0, NLM_F_REQUEST | flags);
	if (h && nlmsg_append(m, (void *)(uintptr_t)header, len, NLMSG_ALIGNTO) == 0)
		return m;
	nlmsg_free(m);
	return NULL;
}

/* The kernel's own words in an error message, or NULL. */
static const char *kernel_sentence(struct nlmsghdr *h)
{
	struct nlmsgerr *error = nlmsg_data(h);
	size_t at = sizeof(*error);
	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return NULL;
	if (!(h->nlmsg_flags & NLM_F_CAPPED) && error->msg.nlmsg_len > NLMSG_HDRLEN)
		at += NLMSG_ALIGN(error->msg.nlmsg_len - NLMSG_HDRLEN);
	if (at > (size_t)nlmsg_datalen(h))
		return NULL;
	const struct nlattr *text = nla_find((struct nlattr *)((uint8_t *)error + at), nlmsg_datalen(h) - (int)at,
					     NLMSGERR_ATTR_MSG);
	if (!text || nla_len(text) <= 1 || memchr(nla_data(text), 0, (size_t)nla_len(text)) == NULL)
		return NULL;
	return nla_data(text);
}

static int refusal(struct nlmsghdr *h, int error, struct err *e, const char *what)
{
	const char *sentence = kernel_sentence(h);
	if (!sentence)
		return err_set(e, -error, "%s: %s", what, strerror(-error));
	size_t len = strcspn(sentence, "\n");
	while (len > 0 && (sentence[len - 1] == '.' || sentence[len - 1] == ' '))
		len--;
	return err_set(e, -error, "%s: %.*s (%s)", what, (int)len, sentence, strerror(-error));
}

/* One read; the octets are in n->answer. */
static int receive(struct netlink *n, struct err *e, const char *what)
{
	for (;;) {
		struct sockaddr_nl from = {0};
		struct iovec io = {n->answer, NETLINK_ANSWER_MAX};
		struct msghdr m = {.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &io, .msg_iovlen = 1};
		ssize_t got = recvmsg(n->fd, &m, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set(e, errno, "%s: no answer from the kernel: %s", what, strerror(errno));
		if (m.msg_flags & MSG_TRUNC)
			return err_set(e, EMSGSIZE, "%s: the kernel's answer has more than %d octets", what, NETLINK_ANSWER_MAX);
		if (from.nl_pid == 0)
			return (int)got;
	}
}

struct reading {
	uint32_t first, last; /* sequence numbers that are waited for */
	int (*on_message)(void *owner, struct nlmsghdr *h);
	void *owner;
};

/* Until `last` is acknowledged or the dump is done. The first refusal is what is returned. */
static int read_answers(struct netlink *n, const struct reading *reading, struct err *e, const char *what)
{
	int result = 0;
	for (;;) {
		int left = receive(n, e, what);
		if (left < 0)
			return left;
		for (struct nlmsghdr *h = (struct nlmsghdr *)n->answer; nlmsg_ok(h, left); h = nlmsg_next(h, &left)) {
			if (h->nlmsg_seq - reading->first > reading->last - reading->first)
				continue; /* of an earlier request that was given up */
			if (h->nlmsg_type != NLMSG_ERROR && h->nlmsg_type != NLMSG_DONE) {
				if (reading->on_message && result == 0)
					result = reading->on_message(reading->owner, h);
				continue;
			}
			int error = nlmsg_datalen(h) >= (int)sizeof(int) ? *(int *)nlmsg_data(h) : 0;
			if (error < 0 && result == 0)
				result = refusal(h, error, e, what);
			/* A refusal of the first of several is one of the whole transaction. */
			if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_seq == reading->last ||
			    (error < 0 && h->nlmsg_seq == reading->first))
				return result;
		}
	}
}

static int send_all(struct netlink *n, const void *octets, size_t len, struct err *e, const char *what)
{
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	for (;;) {
		ssize_t sent = sendto(n->fd, octets, len, 0, (const struct sockaddr *)&kernel, sizeof(kernel));
		if (sent == (ssize_t)len)
			return 0;
		if (sent < 0 && errno == EINTR)
			continue;
		return err_set(e, sent < 0 ? errno : EMSGSIZE, "%s: the request could not be sent: %s", what,
			       strerror(sent < 0 ? errno : EMSGSIZE));
	}
}

static int request(struct netlink *n, struct nl_msg *m, struct reading *reading, struct err *e, const char *what)
{
	if (!m)
		return err_set(e, ENOMEM, "%s: out of memory", what);
	nl_complete_msg(n->sock, m);
	struct nlmsghdr *h = nlmsg_hdr(m);
	reading->first = reading->last = h->nlmsg_seq;
	int r = send_all(n, h, h->nlmsg_len, e, what);
	return r < 0 ? r : read_answers(n, reading, e, what);
}

int netlink_call(struct netlink *n, struct nl_msg *m, struct err *e, const char *what, ...)
{
	char text[WHAT_MAX];
	struct reading reading = {0};
	va_list ap;
	va_start(ap, what);
	vsnprintf(text, sizeof(text), what, ap);
	va_end(ap);
	if (m)
		nlmsg_hdr(m)->nlmsg_flags |= NLM_F_ACK;
	return request(n, m, &reading, e, text);
}

int netlink_dump(struct netlink *n, struct nl_msg *m, int (*on_message)(void *owner, struct nlmsghdr *h), void *owner,
		 struct err *e, const char *what, ...)
{
	char text[WHAT_MAX];
	struct reading reading = {.on_message = on_message, .owner = owner};
	va_list ap;
	va_start(ap, what);
	vsnprintf(text, sizeof(text), what, ap);
	va_end(ap);
	if (m && !(nlmsg_hdr(m)->nlmsg_flags & NLM_F_ACK))
		nlmsg_hdr(m)->nlmsg_flags |= NLM_F_DUMP;
	return request(n, m, &reading, e, text);
}

int netlink_batch(struct netlink *n, struct nl_msg *const *messages, size_t len, struct err *e, const char *what, ...)
{
	char text[WHAT_MAX];
	uint8_t *octets CLEANUP(cleanup_free) = malloc(NETLINK_MESSAGE_MAX);
	struct reading reading = {0};
	size_t used = 0;
	va_list ap;
	va_start(ap, what);
	vsnprintf(text, sizeof(text), what, ap);
	va_end(ap);
	if (!octets)
		return err_set(e, ENOMEM, "%s: out of memory", text);
	for (size_t i = 0; i < len; i++) {
		if (!messages[i])
			return err_set(e, ENOMEM, "%s: out of memory", text);
		nl_complete_msg(n->sock, messages[i]);
		struct nlmsghdr *h = nlmsg_hdr(messages[i]);
		if (used + NLMSG_ALIGN(h->nlmsg_len) > NETLINK_MESSAGE_MAX)
			return err_set(e, EMSGSIZE, "%s: more than %d octets", text, NETLINK_MESSAGE_MAX);
		memset(octets + used, 0, NLMSG_ALIGN(h->nlmsg_len));
		memcpy(octets + used, h, h->nlmsg_len);
		used += NLMSG_ALIGN(h->nlmsg_len);
		if (i == 0)
			reading.first = h->nlmsg_seq;
		if (h->nlmsg_flags & NLM_F_ACK)
			reading.last = h->nlmsg_seq;
	}
	int r = send_all(n, octets, used, e, text);
	return r < 0 ? r : read_answers(n, &reading, e, text);
}
