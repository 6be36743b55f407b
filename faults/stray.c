/* What no journal tells of is still ours by its name. */
#include "faults/stray.h"

#include <dirent.h>
#include <ftw.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/net/interface.h"
#include "harness/net/netns.h"

#define CGROUP_FOLDER "/sys/fs/cgroup"

extern const struct guard_kind undo_cgroup;

struct names {
	char *items[STRAY_NAMES_MAX];
	size_t n;
};

pid_t stray_pid(const char *name)
{
	char *end;
	if (strncmp(name, GUARD_NAMES, strlen(GUARD_NAMES)) != 0)
		return 0;
	const char *number = name + strlen(GUARD_NAMES);
	if (*number < '1' || *number > '9')
		return 0;
	errno = 0;
	long pid = strtol(number, &end, 10);
	return *end == '-' && !errno && pid <= INT32_MAX ? (pid_t)pid : 0;
}

/* path: a path, or a name alone. */
static void keep(struct names *l, const char *path)
{
	const char *slash = strrchr(path, '/');
	pid_t pid = stray_pid(slash ? slash + 1 : path);
	if (!pid || l->n == STRAY_NAMES_MAX || kill(pid, 0) == 0 || errno != ESRCH)
		return;
	l->items[l->n] = strdup(path);
	l->n += l->items[l->n] != NULL;
}

static void find_namespaces(struct names *l)
{
	DIR *d = opendir(NETNS_FOLDER);
	for (struct dirent *entry; d && (entry = readdir(d));)
		keep(l, entry->d_name);
	if (d)
		closedir(d);
}

static void find_interfaces(struct names *l)
{
	struct if_nameindex *all = if_nameindex();
	for (struct if_nameindex *i = all; i && i->if_index; i++)
		keep(l, i->if_name);
	if_freenameindex(all);
}

static int remove_interface(const char *name)
{
	struct netlink *nl CLEANUP(cleanup_netlink) = NULL;
	int r = netlink_open(NULL, NETLINK_ROUTE, &nl, NULL);
	return r < 0 ? r : interface_delete(nl, name, NULL);
}

static struct names *walked; /* ftw(3) hands on nothing of ours */

static int look(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	if (type == FTW_D)
		keep(walked, path);
	return where->level >= STRAY_DEPTH_MAX ? FTW_SKIP_SUBTREE : FTW_CONTINUE;
}

static void find_cgroups(struct names *l)
{
	walked = l;
	nftw(CGROUP_FOLDER, look, 16, FTW_PHYS | FTW_ACTIONRETVAL);
	walked = NULL;
}

/* Its processes go to the group above. */
static int remove_cgroup(const char *path)
{
	char above[512];
	snprintf(above, sizeof(above), "%.*s", (int)(strrchr(path, '/') - path), path);
	char group[512];
	snprintf(group, sizeof(group), "%s", path);
	return undo_cgroup.undo((char *const[]){group, above, NULL});
}

static const struct {
	const char *noun;
	void (*find)(struct names *l);
	int (*remove)(const char *name);
} kinds[] = {
	{"the network namespace", find_namespaces, netns_delete},
	{"the interface", find_interfaces, remove_interface},
	{"the control group", find_cgroups, remove_cgroup},
};

static bool is_known(const char *name, const pid_t *known, size_t n)
{
	const char *slash = strrchr(name, '/');
	pid_t pid = stray_pid(slash ? slash + 1 : name);
	for (size_t i = 0; i < n; i++)
		if (known[i] == pid)
			return true;
	return false;
}

int strays(bool clean, const pid_t *known, size_t n,
	   void (*on_found)(void *owner, const struct guard_leftover *left), void *owner)
{
	int told = 0;
	for (size_t k = 0; guard_pids_are_global() && k < ARRAY_LEN(kinds); k++) {
		struct names l = {.n = 0};
		kinds[k].find(&l);
		for (size_t i = 0; i < l.n; i++) {
			char text[640];
			struct guard_leftover left = {.description = text};
			if (!is_known(l.items[i], known, n)) {
				snprintf(text, sizeof(text), "%s %s, of a run that no journal tells of", kinds[k].noun, l.items[i]);
				left.error = clean ? kinds[k].remove(l.items[i]) : 0;
				left.state = !clean ? GUARD_LEFT_FOUND : left.error < 0 ? GUARD_LEFT_FAILED : GUARD_LEFT_UNDONE;
				on_found(owner, &left);
				told++;
			}
			free(l.items[i]);
		}
	}
	return told;
}
