/* Networks of namespaces: TCP crosses them, two of them never meet, nothing is left. */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/net/dial.h"
#include "harness/net/interface.h"
#include "harness/net/test_space.h"
#include "harness/net/topology.h"

static const char *const two[] = {"client", "server", NULL};

static struct topology *topology_make(const char *const *nodes, bool host)
{
	struct topology *t = NULL;
	struct err e = {""};
	const struct topology_options o = {.nodes = nodes, .host = host};
	space_enter();
	int r = topology_new(&o, &t, &e);
	if (r == -EOPNOTSUPP || r == -EPERM)
		space_skip(e.text);
	if (r < 0)
		fail_msg("%s", e.text);
	return t;
}

static void cross(const struct netns *from, const struct topology_node *to, int family)
{
	struct sockaddr_storage address;
	topology_address(to, family, 0, &address);
	int listener = space_listen(&to->netns, &address);
	int client = space_connect(from, &address);
	assert_true(client >= 0);
	int server = space_accept(listener);
	space_send(client, "there");
	space_expect(server, "there");
	space_send(server, "and back");
	space_expect(client, "and back");
	close(client);
	close(server);
	close(listener);
}

static void test_tcp(void **state)
{
	(void)state;
	static char before[SPACE_LISTING_MAX], during[SPACE_LISTING_MAX], after[SPACE_LISTING_MAX];
	space_listing(before);
	struct topology *t = topology_make(two, false);
	const struct topology_node *client = topology_find(t, "client"), *server = topology_find(t, "server");
	assert_int_equal(topology_len(t), 2);
	assert_ptr_equal(topology_node(t, 1), server);
	assert_null(topology_node(t, 2));
	assert_null(topology_find(t, "nobody"));
	assert_null(topology_host_interface(t));
	space_listing(during);
	if (client->netns.name[0])
		assert_non_null(strstr(during, client->netns.name));
	for (int round = 0; round < 2; round++) {
		cross(&client->netns, server, round ? AF_INET6 : AF_INET);
		cross(&server->netns, client, round ? AF_INET6 : AF_INET);
	}
	topology_free(t);
	space_listing(after);
	assert_string_equal(after, before);
}

/* From the address of a node of one network nobody of another is reached, though both have the same. */
static void test_two_at_once(void **state)
{
	(void)state;
	struct topology *a = NULL, *b = NULL;
	struct err e;
	const struct topology_options o = {.nodes = two, .subnet = "10.99.0.0"};
	struct sockaddr_storage address;
	space_enter();
	if (topology_new(&o, &a, &e) < 0)
		space_skip(e.text);
	assert_int_equal(topology_new(&o, &b, &e), 0);
	topology_address(topology_find(a, "server"), AF_INET, 0, &address);
	int listener = space_listen(&topology_find(a, "server")->netns, &address);
	assert_int_equal(space_connect(&topology_find(b, "client")->netns, &address), -ECONNREFUSED);
	int client = space_connect(&topology_find(a, "client")->netns, &address), server = space_accept(listener);
	topology_free(b);
	space_send(client, "still here");
	space_expect(server, "still here");
	close(client);
	close(server);
	close(listener);
	topology_free(a);
}

static void test_host(void **state)
{
	(void)state;
	static char before[SPACE_LISTING_MAX], after[SPACE_LISTING_MAX];
	if (geteuid() != 0)
		space_skip("an interface in the host's namespace needs root");
	space_listing(before);
	struct topology *t = topology_make(two, true);
	assert_int_equal(strncmp(topology_host_interface(t), "wsq-", 4), 0);
	cross(NULL, topology_find(t, "server"), AF_INET);
	cross(NULL, topology_find(t, "client"), AF_INET6);
	topology_free(t);
	space_listing(after);
	assert_string_equal(after, before);
}

/* Two processes at once, each with its own network to the host: they choose different subnets and both work. */
static void test_two_runs(void **state)
{
	(void)state;
	static char before[SPACE_LISTING_MAX], after[SPACE_LISTING_MAX];
	int status, ready[2], go[2];
	char octet;
	if (geteuid() != 0)
		space_skip("an interface in the host's namespace needs root");
	space_listing(before);
	struct topology *t = topology_make(two, true);
	assert_int_equal(pipe(ready) + pipe(go), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct topology *theirs = topology_make(two, true);
		cross(NULL, topology_find(theirs, "client"), AF_INET);
		if (write(ready[1], "x", 1) != 1 || read(go[0], &octet, 1) != 1)
			_exit(1);
		topology_free(theirs);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &octet, 1), 1);
	cross(NULL, topology_find(t, "client"), AF_INET);
	assert_int_equal(write(go[1], "x", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	cross(NULL, topology_find(t, "server"), AF_INET);
	topology_free(t);
	space_listing(after);
	assert_string_equal(after, before);
}

struct dialled {
	struct loop loop;
	struct stream *stream;
	int error;
	bool open;
};

static void on_dial_open(void *owner)
{
	struct dialled *d = owner;
	d->open = true;
	loop_stop(&d->loop);
}

static void on_dial_data(void *owner, struct span data)
{
	(void)owner;
	(void)data;
}

static void on_dial_eof(void *owner, bool clean)
{
	(void)owner;
	(void)clean;
}

static void on_dial_error(void *owner, int error)
{
	struct dialled *d = owner;
	d->error = error;
	loop_stop(&d->loop);
}

/* The harness's own connections come from inside a node; from a namespace without an address nobody gets there. */
static void test_dial(void **state)
{
	(void)state;
	static const struct stream_events events = {on_dial_open, on_dial_data, on_dial_eof, on_dial_error};
	struct topology *t = topology_make(two, false);
	const struct topology_node *server = topology_find(t, "server");
	struct dial_addresses addresses = {.n = 1};
	topology_address(server, AF_INET, 0, &addresses.list[0]);
	int listener = space_listen(&server->netns, &addresses.list[0]);
	for (int inside = 0; inside < 2; inside++) {
		struct dialled d = {.error = 0};
		const struct dial_options o = {.addresses = &addresses, .connect_timeout_ms = inside ? 0 : 200,
					       .netns = inside ? &topology_find(t, "client")->netns : topology_hub(t)};
		assert_int_equal(loop_init(&d.loop), 0);
		assert_int_equal(dial(&d.loop, &o, &events, &d, &d.stream), 0);
		loop_run(&d.loop);
		assert_int_equal(d.open, inside);
		assert_int_equal(d.error != 0, !inside);
		stream_free(d.stream);
		loop_fini(&d.loop);
	}
	close(listener);
	topology_free(t);
}

static const struct {
	const char *nodes[3], *subnet, *says;
} wrong[] = {
	{{"Client"}, NULL, "'Client' is no name of a node"}, {{"hub"}, NULL, "'hub'"}, {{""}, NULL, "''"},
	{{"a-very-long-name"}, NULL, "at most"}, {{"-a"}, NULL, "'-a'"}, {{"a", "a"}, NULL, "two nodes are called 'a'"},
	{{"a"}, "10.1.2.3", "'10.1.2.3' is no subnet"}, {{"a"}, "nonsense", "'nonsense' is no subnet"},
};

static void test_wrong(void **state)
{
	(void)state;
	static char before[SPACE_LISTING_MAX], after[SPACE_LISTING_MAX];
	space_enter();
	space_listing(before);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct topology *t = NULL;
		struct err e;
		const struct topology_options o = {.nodes = wrong[i].nodes, .subnet = wrong[i].subnet};
		assert_int_equal(topology_new(&o, &t, &e), -EINVAL);
		assert_non_null(strstr(e.text, wrong[i].says));
		assert_null(t);
	}
	topology_free(NULL);
	space_listing(after);
	assert_string_equal(after, before);
}

/* What could not be taken away is not forgotten: the guard does it. */
static void test_refused(void **state)
{
	(void)state;
	static const struct guard_kind *const kinds[] = {&undo_netns, &undo_link, NULL};
	static char before[SPACE_LISTING_MAX], after[SPACE_LISTING_MAX];
	char folder[] = "/tmp/wsq-test-guard-XXXXXX";
	struct topology_options o = {.nodes = two, .host = true};
	struct topology *t = NULL;
	struct err e;
	space_enter();
	assert_non_null(mkdtemp(folder));
	setenv("WSQUALL_RUN_DIR", folder, 1);
	space_listing(before);
	assert_int_equal(guard_start(kinds, &o.guard, &e), 0);
	int r = topology_new(&o, &t, &e);
	if (r < 0) {
		assert_int_equal(guard_stop(o.guard), 0);
		assert_int_equal(rmdir(folder), 0);
		assert_true(r == -EOPNOTSUPP || r == -EPERM);
		space_skip(e.text);
	}
	space_powers(0);
	topology_free(t);
	space_powers(SPACE_ALL);
	assert_int_equal(guard_stop(o.guard), 0);
	space_listing(after);
	assert_string_equal(after, before);
	unsetenv("WSQUALL_RUN_DIR");
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_two_at_once),
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_two_runs),
		cmocka_unit_test(test_dial),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
