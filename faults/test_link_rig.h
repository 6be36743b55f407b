#pragma once
/*
 * For the tests of link faults: two nodes, a client and a server, one connection between them with ordinary sockets,
 * and faults started as a user would. Everything that fails, fails the test.
 */
#include "faults/fault.h"
#include "faults/link.h"
#include "harness/base/buf.h"
#include "harness/net/interface.h"
#include "harness/net/loop.h"
#include "harness/net/qdisc.h"
#include "harness/net/route.h"
#include "harness/net/test_space.h"
#include "harness/net/topology.h"

struct link_rig {
	struct topology *topology;
	const struct topology_node *client_node, *server_node;
	struct loop loop;
	struct fault_site site;    /* the topology, the client's link */
	struct sockaddr_storage address; /* of the listener */
	int listener, client, server;
	struct buf events;         /* a line an event: "latency hit client direction=from ..." */
	struct qdisc qdiscs[2];    /* of the client's eth0 and of its port, before */
	struct interface_saved had; /* the client's eth0, before */
};

/* Skips the test where there are no namespaces. */
void link_rig_open(struct link_rig *rig, int family);
/* Everything of the interfaces is as it was; then closes. */
void link_rig_close(struct link_rig *rig);
/* Sets "key=value" of a fault. */
void link_rig_option(const struct fault *f, void *options, struct arena *a, const char *word);
/* "key=value key=value"; NULL and the sentence of the refusal in `why` when it is refused. */
struct fault_run *link_rig_start(struct link_rig *rig, const char *fault, const char *options, struct err *why);
/* As link_rig_start, but a refusal fails the test; skips it when the machine lacks what the fault needs. */
struct fault_run *link_rig_must(struct link_rig *rig, const char *fault, const char *options);
/* The site is the client's eth0 as a plain interface from now on. */
void link_rig_plain(struct link_rig *rig);
/* A netlink socket of the client's namespace, or of the hub. */
struct netlink *link_rig_netlink(struct link_rig *rig, bool hub);
/* The test has changed addresses or routes of the client: how they are now is how they were before. */
void link_rig_look_again(struct link_rig *rig);
/* The interfaces of the client are as at the beginning. */
void link_rig_assert_as_before(struct link_rig *rig);
/* Runs the loop until `what` is in the events. */
void link_rig_wait(struct link_rig *rig, const char *what);
/* Nothing of what is sent from `from` comes to `to`, however often it is sent again. */
void link_rig_assert_cut(int from, int to, const char *text);
/* Neither data, FIN nor RST is there. */
void link_rig_assert_silent(int fd);
/* The next read ends with that errno. */
void link_rig_assert_error(int fd, int error);
