/*
 * A harness that is killed in the middle of a link fault leaves nothing: neither of its own topology nor on an
 * interface that was there before. And two at once do not touch each other.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "faults/test_link_rig.h"
#include "faults/undo.h"
#include "harness/base/guard.h"
#include "harness/net/netlink.h"

struct victim {
	pid_t pid;
	int told, errors;          /* what it says; the standard error of it and its guard: at its end all is undone */
	char folder[64];
};

/* In the child: a guard, a network of its own, the fault on the interface of somebody else's; then it waits. */
static void be_victim(struct link_rig *rig, const char *fault, const char *options, int tell)
{
	static const char *const own[] = {"one", "two", NULL};
	struct topology *t = NULL;
	struct err e = {""};
	const struct topology_options o = {.nodes = own, .host = true};
	struct topology_options with = o;
	if (guard_start(undo_kinds, &rig->site.guard, &e) < 0)
		dprintf(tell, "guard: %s", e.text);
	with.guard = rig->site.guard;
	if (rig->site.guard && topology_new(&with, &t, &e) < 0)
		dprintf(tell, "topology: %s", e.text);
	else if (rig->site.guard && !link_rig_start(rig, fault, options, &e))
		dprintf(tell, "fault: %s", e.text);
	else
		dprintf(tell, "ready");
	for (;;)
		pause();
}

static void victim_start(struct victim *v, struct link_rig *rig, const char *fault, const char *options)
{
	int told[2], errors[2];
	char said[600] = "";
	snprintf(v->folder, sizeof(v->folder), "/tmp/wsq-test-guard-XXXXXX");
	assert_non_null(mkdtemp(v->folder));
	assert_int_equal(pipe2(told, O_CLOEXEC) + pipe2(errors, O_CLOEXEC), 0);
	fflush(stdout);
	v->pid = fork();
	assert_true(v->pid >= 0);
	if (v->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setenv("WSQUALL_RUN_DIR", v->folder, 1);
		dup2(errors[1], 2);
		be_victim(rig, fault, options, told[1]);
	}
	close(told[1]);
	close(errors[1]);
	v->told = told[0];
	v->errors = errors[0];
	assert_true(read(v->told, said, sizeof(said) - 1) > 0);
	if (strcmp(said, "ready") != 0) {
		kill(v->pid, SIGKILL);
		waitpid(v->pid, NULL, 0);
		fail_msg("%s %s: %s", fault, options, said);
	}
}

static void victim_kill(struct victim *v)
{
	char said[1024];
	ssize_t n;
	assert_int_equal(kill(v->pid, SIGKILL), 0);
	assert_int_equal(waitpid(v->pid, NULL, 0), v->pid);
	while ((n = read(v->errors, said, sizeof(said) - 1)) > 0) {
		said[n] = 0;
		fail_msg("the guard says: %s", said);
	}
	close(v->told);
	close(v->errors);
	rmdir(v->folder);
}

/* Namespaces and interfaces with a name of that process. */
static bool left_of(pid_t pid)
{
	char command[256];
	snprintf(command, sizeof(command), "ls /run/netns /sys/class/net 2>/dev/null | grep -q '^wsq-%d-'", (int)pid);
	return system(command) == 0;
}

static const struct {
	const char *fault, *options;
	unsigned needs;            /* LINK_NEED_ bits without which it is left out */
} rows[] = {
	{"partition", ""}, {"partition", "direction=from"}, {"partition", "direction=to"}, {"partition", "style=reject"},
	{"partition", "by=down"}, {"partition", "by=address"}, {"partition", "by=blackhole", LINK_NEED_IFB},
	{"partition", "by=netem direction=from", LINK_NEED_NETEM}, {"partition", "by=netem", LINK_NEED_NETEM | LINK_NEED_IFB},
	{"link_down", ""}, {"handover", "address=10.77.0.9/24"}, {"half_open", ""}, {"sock_destroy", "share=0% every=1s"},
	{"latency", "latency=10ms", LINK_NEED_NETEM},
	{"loss", "", LINK_NEED_NETEM}, {"duplicate", "", LINK_NEED_NETEM}, {"reorder", "", LINK_NEED_NETEM},
	{"corrupt", "", LINK_NEED_NETEM}, {"slot", "", LINK_NEED_NETEM},
	{"netem", "limit=5", LINK_NEED_NETEM}, {"bandwidth", "rate=1MB", LINK_NEED_NETEM}, {"none", "", LINK_NEED_NETEM},
};

/* A namespace with a name, that outlives those who hurt it, and the way to it. */
static void name_it(struct link_rig *rig)
{
	rig->site.topology = NULL;
	rig->site.link_node = NULL;
	rig->site.interface = "eth0";
	rig->site.netns = rig->client_node->netns.name;
	if (geteuid() != 0 || !rig->site.netns[0])
		space_skip("namespaces with names need root");
}

static void test_killed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct link_rig rig;
		struct victim v;
		if (link_can(rows[i].needs, NULL) < 0)
			continue;
		print_message("%s %s\n", rows[i].fault, rows[i].options);
		link_rig_open(&rig, AF_INET6);
		name_it(&rig);
		victim_start(&v, &rig, rows[i].fault, rows[i].options);
		assert_true(left_of(v.pid));
		victim_kill(&v);
		assert_false(left_of(v.pid));
		link_rig_assert_as_before(&rig);
		int client = space_connect(&rig.client_node->netns, &rig.address), server = space_accept(rig.listener);
		assert_true(client >= 0);
		space_send(server, "again");
		space_expect(client, "again");
		close(client);
		close(server);
		link_rig_close(&rig);
	}
}

/* What could not be undone when the fault was stopped is not forgotten: the guard undoes it. */
static void test_refused(void **state)
{
	(void)state;
	char folder[] = "/tmp/wsq-test-guard-XXXXXX";
	assert_non_null(mkdtemp(folder));
	setenv("WSQUALL_RUN_DIR", folder, 1);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct link_rig rig;
		struct err e;
		if (link_can(rows[i].needs, NULL) < 0)
			continue;
		print_message("%s %s\n", rows[i].fault, rows[i].options);
		link_rig_open(&rig, AF_INET6);
		name_it(&rig);
		assert_int_equal(guard_start(undo_kinds, &rig.site.guard, &e), 0);
		struct fault_run *run = link_rig_must(&rig, rows[i].fault, rows[i].options);
		space_powers(0);
		fault_stop(run);
		space_powers(SPACE_ALL);
		assert_int_equal(guard_stop(rig.site.guard), 0);
		link_rig_close(&rig);
	}
	unsetenv("WSQUALL_RUN_DIR");
	assert_int_equal(rmdir(folder), 0);
}

/* Two on the two ends of one link: what one heals, or leaves to its guard, is not the other's. */
static void test_two(void **state)
{
	(void)state;
	struct link_rig rig;
	struct victim a, b;
	struct err e;
	link_rig_open(&rig, AF_INET);
	name_it(&rig);
	victim_start(&a, &rig, "partition", "direction=from");
	/* The same interface is taken. */
	assert_null(link_rig_start(&rig, "partition", "direction=from", &e));
	assert_non_null(strstr(e.text, "has a root qdisc of its own already (blackhole"));
	rig.site.netns = rig.server_node->netns.name;
	victim_start(&b, &rig, "partition", "direction=from");
	victim_kill(&a);
	assert_true(left_of(b.pid));
	space_send(rig.client, "up");
	space_expect(rig.server, "up");
	link_rig_assert_cut(rig.server, rig.client, "down");
	victim_kill(&b);
	assert_false(left_of(b.pid));
	space_expect(rig.client, "down");
	link_rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_two),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
