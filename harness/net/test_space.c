/* What the tests in network namespaces share: everything here is the ordinary sockets API, none of the code under test.
 */
#include "harness/net/test_space.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <dirent.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness/net/address.h"

void space_skip(const char *why)
{
	printf("SKIP: %s\n", why);
	fflush(stdout);
	skip();
	abort();
}

/* A test that failed has not come to its end. */
static void take_away_what_is_left(void)
{
	char ours[32], path[512];
	DIR *d = opendir(NETNS_FOLDER);
	snprintf(ours, sizeof(ours), GUARD_NAMES "%d-", (int)getpid());
	for (struct dirent *entry; d && (entry = readdir(d));)
		if (strncmp(entry->d_name, ours, strlen(ours)) == 0) {
			snprintf(path, sizeof(path), NETNS_FOLDER "/%s", entry->d_name);
			umount2(path, MNT_DETACH);
			unlink(path);
		}
	if (d)
		closedir(d);
}

void space_enter(void)
{
	static bool registered;
	struct err e;
	if (!registered)
		registered = atexit(take_away_what_is_left) == 0;
	if (netns_become_root(&e) < 0)
		space_skip(e.text);
}

void space_powers(uint64_t capabilities)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	assert_int_equal(syscall(SYS_capget, &header, data), 0);
	for (size_t i = 0; i < ARRAY_LEN(data); i++)
		data[i].effective = data[i].permitted & (uint32_t)(capabilities >> 32 * i);
	assert_int_equal(syscall(SYS_capset, &header, data), 0);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list_folder(const char *folder, char *text)
{
	char *names[1024];
	size_t n = 0;
	DIR *d = opendir(folder);
	for (struct dirent *entry; d && (entry = readdir(d)) && n < ARRAY_LEN(names);)
		if (entry->d_name[0] != '.')
			names[n++] = strdup(entry->d_name);
	if (d)
		closedir(d);
	qsort(names, n, sizeof(*names), by_name);
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(text);
		/* Of this process alone: tests run side by side. */
		char ours[32];
		snprintf(ours, sizeof(ours), "wsq-%d-", (int)getpid());
		if (strncmp(names[i], "wsq-", 4) != 0 || strncmp(names[i], ours, strlen(ours)) == 0)
			snprintf(text + len, SPACE_LISTING_MAX - len, "%s/%s\n", folder, names[i]);
		free(names[i]);
	}
}

void space_listing(char ret_text[SPACE_LISTING_MAX])
{
	ret_text[0] = 0;
	list_folder("/run/netns", ret_text);
	list_folder("/sys/class/net", ret_text);
}

static void limit_waits(int fd)
{
	const struct timeval hang = {.tv_sec = SPACE_HANG_S};
	const int one = 1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &hang, sizeof(hang));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &hang, sizeof(hang));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

int space_listen(const struct netns *ns, struct sockaddr_storage *address)
{
	socklen_t len = sizeof(*address);
	int fd = netns_socket(ns, address->ss_family, SOCK_STREAM, 0);
	assert_true(fd >= 0);
	limit_waits(fd);
	assert_int_equal(bind(fd, (struct sockaddr *)address, address_len(address)), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)address, &len), 0);
	return fd;
}

int space_connect(const struct netns *ns, const struct sockaddr_storage *to)
{
	int fd = netns_socket(ns, to->ss_family, SOCK_STREAM, 0);
	assert_true(fd >= 0);
	limit_waits(fd);
	if (connect(fd, (const struct sockaddr *)to, address_len(to)) == 0)
		return fd;
	int r = -errno;
	close(fd);
	return r;
}

int space_accept(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(fd >= 0);
	limit_waits(fd);
	return fd;
}

void space_send(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

void space_expect(int fd, const char *text)
{
	char got[4096];
	size_t len = strlen(text);
	assert_true(len < sizeof(got));
	ssize_t n = recv(fd, got, len, MSG_WAITALL);
	assert_int_equal(n, len);
	got[n] = 0;
	assert_string_equal(got, text);
}

static struct tcp_info info_of(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	return info;
}

unsigned space_unacked(int fd)
{
	return info_of(fd).tcpi_unacked;
}

unsigned space_retransmits(int fd)
{
	return info_of(fd).tcpi_retransmits;
}

void space_wait_acked(int fd)
{
	for (int i = 0; i < SPACE_HANG_S * 1000; i++) {
		if (space_unacked(fd) == 0)
			return;
		poll(NULL, 0, 1);
	}
	fail_msg("the octets were not acknowledged within %d s", SPACE_HANG_S);
}

void space_wait_retransmits(int fd, unsigned times)
{
	for (int i = 0; i < SPACE_HANG_S * 100; i++) {
		if (space_retransmits(fd) >= times)
			return;
		poll(NULL, 0, 10);
	}
	fail_msg("the octets were not sent again within %d s", SPACE_HANG_S);
}
