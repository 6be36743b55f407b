/* Namespaces: made, seen by others, entered without moving, gone. */
#include <netinet/in.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/net/interface.h"
#include "harness/net/test_space.h"

static void assert_not_moved(ino_t before)
{
	dev_t device;
	ino_t now;
	assert_int_equal(netns_id(NULL, &device, &now), 0);
	assert_int_equal(now, before);
}

static int inode_inside(void *arg)
{
	struct stat st;
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/task/%d/ns/net", (int)gettid());
	if (stat(path, &st) < 0)
		return -errno;
	*(ino_t *)arg = st.st_ino;
	return 7;
}

static void test_anonymous(void **state)
{
	(void)state;
	struct netns ns;
	struct err e;
	dev_t device;
	ino_t own, inside, id;
	space_enter();
	assert_int_equal(netns_id(NULL, &device, &own), 0);
	if (netns_new(NULL, &ns, &e) < 0)
		space_skip(e.text);
	assert_int_equal(netns_id(&ns, &device, &id), 0);
	assert_int_not_equal(id, own);
	assert_int_equal(netns_run(&ns, inode_inside, &inside), 7);
	assert_int_equal(inside, id);
	assert_not_moved(own);
	netns_close(&ns);
	netns_close(&ns);
	assert_int_equal(netns_run(&ns, inode_inside, &inside), 7); /* -1: ours */
	assert_int_equal(inside, own);
}

static void test_named(void **state)
{
	(void)state;
	struct netns ns, again;
	struct err e;
	char name[64], path[128];
	struct stat st;
	dev_t device;
	ino_t id, id_again;
	snprintf(name, sizeof(name), "wsq-%d-test", (int)getpid());
	snprintf(path, sizeof(path), NETNS_FOLDER "/%s", name);
	int r = netns_new(name, &ns, &e);
	if (r == -EPERM || r == -EACCES || r == -EROFS)
		space_skip(e.text);
	assert_int_equal(r, 0);
	assert_int_equal(netns_open(name, &again, &e), 0);
	assert_int_equal(netns_id(&ns, &device, &id), 0);
	assert_int_equal(netns_id(&again, &device, &id_again), 0);
	assert_int_equal(id, id_again);
	assert_string_equal(again.name, name);
	netns_close(&again);
	assert_int_equal(netns_new(name, &again, &e), -EEXIST);
	char *const words[] = {name, NULL};
	assert_int_equal(undo_netns.undo(words), 0);
	assert_int_equal(stat(path, &st), -1);
	assert_int_equal(undo_netns.undo(words), 0);
	assert_int_equal(netns_open(name, &again, &e), -ENOENT);
	char other[] = "production";
	char *const foreign[] = {other, NULL};
	assert_int_equal(undo_netns.undo(foreign), -EINVAL);
	netns_close(&ns);
}

static const struct {
	const char *text;
	int error;
} wrong[] = {
	{"no-such-namespace-here", -ENOENT},
	{"/etc/passwd", -EINVAL},
	{"/no/such", -ENOENT},
	{"", -EINVAL},
	{"pid:0", -ENOENT},
	{"pid:x", -ENOENT},
	{".", -EINVAL},
	{"..", -EINVAL},
	{"/dev/null", -EINVAL},
	{"12345678901234567890123456789012345678901234567890123456789012345", -EINVAL},
};

static void test_wrong_names(void **state)
{
	(void)state;
	struct netns ns = {.fd = 77};
	struct err e;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		assert_int_equal(netns_open(wrong[i].text, &ns, &e), wrong[i].error);
		assert_non_null(strstr(e.text, wrong[i].text));
		assert_int_equal(ns.fd, 77);
	}
	assert_int_equal(netns_new("a/b", &ns, &e), -EINVAL);
	assert_int_equal(netns_new("", &ns, &e), -EINVAL);
}

static void test_pid(void **state)
{
	(void)state;
	struct netns ns;
	struct err e;
	char text[32];
	dev_t device;
	ino_t own, id;
	snprintf(text, sizeof(text), "pid:%d", (int)getpid());
	assert_int_equal(netns_open(text, &ns, &e), 0);
	assert_int_equal(netns_id(NULL, &device, &own), 0);
	assert_int_equal(netns_id(&ns, &device, &id), 0);
	assert_int_equal(id, own);
	netns_close(&ns);
}

static void test_spawn(void **state)
{
	(void)state;
	struct netns ns;
	struct err e;
	char got[256] = "", expected[64];
	int out[2], status;
	pid_t pid;
	dev_t device;
	ino_t id;
	space_enter();
	if (netns_new(NULL, &ns, &e) < 0)
		space_skip(e.text);
	assert_int_equal(pipe(out), 0);
	const char *const argv[] = {"readlink", "/proc/self/ns/net", NULL};
	const int fds[3] = {-1, out[1], 2};
	assert_int_equal(netns_spawn(&ns, argv, fds, &pid, &e), 0);
	close(out[1]);
	assert_int_equal(netns_id(&ns, &device, &id), 0);
	snprintf(expected, sizeof(expected), "net:[%llu]\n", (unsigned long long)id);
	assert_int_equal(read(out[0], got, sizeof(got) - 1), strlen(expected));
	assert_string_equal(got, expected);
	close(out[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	const char *const missing[] = {"/no/such/program", NULL};
	assert_int_equal(netns_spawn(&ns, missing, NULL, &pid, &e), -ENOENT);
	assert_string_equal(e.text, "cannot start /no/such/program: No such file or directory");
	netns_close(&ns);
}

static bool leads_to(const char *text, unsigned long long inode, const struct netns *expected)
{
	char same[64];
	struct netns ns = {.fd = -1};
	dev_t device, expected_device;
	ino_t id, expected_id;
	snprintf(same, sizeof(same), "%s@%llu", text, inode);
	if (netns_open_same(same, &ns) < 0)
		return false;
	assert_int_equal(netns_id(&ns, &device, &id), 0);
	assert_int_equal(netns_id(expected, &expected_device, &expected_id), 0);
	netns_close(&ns);
	return id == expected_id;
}

/* A process number leads to the namespace it led to, and to no other. */
static void test_same(void **state)
{
	(void)state;
	static const char *const argv[] = {"sleep", "60", NULL};
	struct netns ns;
	struct err e;
	char first[32], own[32];
	pid_t pids[2];
	dev_t device;
	ino_t id;
	space_enter();
	if (netns_new(NULL, &ns, &e) < 0)
		space_skip(e.text);
	for (size_t i = 0; i < ARRAY_LEN(pids); i++)
		assert_int_equal(netns_spawn(&ns, argv, NULL, &pids[i], &e), 0);
	assert_int_equal(netns_id(&ns, &device, &id), 0);
	snprintf(first, sizeof(first), "pid:%d", (int)pids[0]);
	snprintf(own, sizeof(own), "pid:%d", (int)getpid());
	assert_true(leads_to(first, id, &ns));
	assert_true(leads_to(own, id, &ns)); /* the number is another process's by now */
	assert_false(leads_to(first, 1, &ns));
	kill(pids[0], SIGKILL);
	assert_int_equal(waitpid(pids[0], NULL, 0), pids[0]);
	assert_true(leads_to(first, id, &ns)); /* by the other */
	kill(pids[1], SIGKILL);
	assert_int_equal(waitpid(pids[1], NULL, 0), pids[1]);
	assert_false(leads_to(first, id, &ns));
	netns_close(&ns);
}

/* As nobody: 0 when TCP worked over `lo` of a namespace made without root, 77 with the reason when that is not allowed.
 */
static int without_root(void)
{
	struct netns ns;
	struct netlink *nl;
	struct err e;
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_storage address = {0};
	if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
		return 1;
	prctl(PR_SET_DUMPABLE, 1); /* as in a process that never was root: its /proc/self is its own */
	if (netns_new(NULL, &ns, &e) != -EPERM || !strstr(e.text, "CAP_SYS_ADMIN"))
		return 2;
	if (netns_become_root(&e) < 0) {
		printf("SKIP: %s\n", e.text);
		fflush(stdout);
		return 77;
	}
	if (netns_new(NULL, &ns, &e) < 0 || netlink_open(&ns, NETLINK_ROUTE, &nl, &e) < 0 ||
	    interface_set_up(nl, "lo", true, &e) < 0) {
		printf("%s\n", e.text);
		return 3;
	}
	netlink_close(nl);
	memcpy(&address, &to, sizeof(to));
	int listener = space_listen(&ns, &address), client = space_connect(&ns, &address);
	if (client < 0 || listener < 0)
		return 4;
	/* Nobody outside has it: the same address, another namespace. */
	if (space_connect(NULL, &address) != -ECONNREFUSED)
		return 5;
	return 0;
}

static void test_without_root(void **state)
{
	(void)state;
	int status;
	if (geteuid() != 0)
		space_skip("not root already: the other tests are this one");
	fflush(stdout);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(without_root());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_root), /* first: it forks */
		cmocka_unit_test(test_anonymous),
		cmocka_unit_test(test_named),
		cmocka_unit_test(test_wrong_names),
		cmocka_unit_test(test_pid),
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_spawn),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
