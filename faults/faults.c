/* The list of faults, and what can be said of each without starting it. */
#include <stdio.h>
#include <string.h>

#include "faults/fault.h"
#include "faults/filter.h"
#include "faults/link.h"

#define FAULT(name) extern const struct fault fault_##name;
#include "faults/faults.def"
#undef FAULT

const struct fault *const faults[] = {
#define FAULT(name) &fault_##name,
#include "faults/faults.def"
#undef FAULT
};
const size_t faults_len = ARRAY_LEN(faults);

static const struct {
	const char *name, *about;
} planes[] = {
#define PLANE(NAME, name, about) {name, about},
#include "faults/planes.def"
#undef PLANE
};

const char *fault_plane_name(enum fault_plane plane)
{
	return planes[plane].name;
}

const char *fault_plane_about(enum fault_plane plane)
{
	return planes[plane].about;
}

const char *fault_means_name(enum fault_means means)
{
	static const char *const names[] = {
		[FAULT_DRIVEN] = "driven", [FAULT_EMULATED] = "emulated", [FAULT_MISSING] = "missing"};
	return names[means];
}

const struct fault *fault_find(const char *name)
{
	for (size_t i = 0; i < faults_len; i++)
		if (strcmp(faults[i]->name, name) == 0)
			return faults[i];
	return NULL;
}

/* What it does on this plane; NULL: nothing, or the plane is STREAM. */
const struct fault_action *fault_action(const struct fault *f, enum fault_plane plane)
{
	const struct fault_action *const actions[FAULT_PLANES] = {
		[FAULT_LINK] = f->link ? f->link->action : NULL,
		[FAULT_PROCESS] = f->process, [FAULT_PEER] = f->peer, [FAULT_BACKPLANE] = f->backplane, [FAULT_HOOK] = f->hook,
	};
	return actions[plane];
}

bool fault_has_plane(const struct fault *f, enum fault_plane plane)
{
	return plane == FAULT_STREAM ? f->stream != NULL : fault_action(f, plane) != NULL;
}

const char *fault_undo(const struct fault *f, enum fault_plane plane)
{
	static const char *const usual[FAULT_PLANES] = {
		[FAULT_STREAM] = "what was held passes on; connections that were ended stay so",
		[FAULT_LINK] = "the interface gets back what it had",
		[FAULT_PROCESS] = "nothing: what was ended stays so",
		[FAULT_PEER] = "our connections are closed",
		[FAULT_BACKPLANE] = "nothing: what was ended stays so",
		[FAULT_HOOK] = "nothing but what the command itself undoes",
	};
	const struct fault_action *action = fault_action(f, plane);
	return action && action->undo ? action->undo : usual[plane];
}

void fault_probe(const struct fault *f, enum fault_plane plane, const struct fault_site *site, struct fault_probe *ret)
{
	static const char *const how[FAULT_PLANES] = {
		[FAULT_STREAM] = "by a filter in the proxy and in our own clients",
		[FAULT_LINK] = "in the kernel's network",
		[FAULT_PROCESS] = "by signals and limits",
		[FAULT_PEER] = "by connections of ours",
		[FAULT_BACKPLANE] = "on the broker's processes",
		[FAULT_HOOK] = "by the command of the target file",
	};
	const struct fault_action *action = fault_action(f, plane);
	*ret = (struct fault_probe){.means = fault_has_plane(f, plane) ? FAULT_DRIVEN : FAULT_MISSING};
	if (action && action->probe)
		action->probe(site, ret);
	else if (plane == FAULT_STREAM && f->stream && f->stream->certificate)
		snprintf(ret->why, sizeof(ret->why), "by the certificate of a proxy with tls; missing where TLS passes, and in our "
						     "own clients");
	else if (ret->means == FAULT_DRIVEN)
		snprintf(ret->why, sizeof(ret->why), "%s", how[plane]);
	else
		snprintf(ret->why, sizeof(ret->why), "%s does not work on this plane", f->name);
}
