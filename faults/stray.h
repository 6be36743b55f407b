#pragma once
/*
 * Objects with a name of ours (wsq-<pid>-...) whose process is gone and that no journal tells of: its folder was
 * elsewhere, or was removed. Namespaces under /run/netns, interfaces of our own namespace, control groups. A name whose
 * number is that of a process that lives, ours or not, is left alone. Folders may be shared with others that count
 * processes differently: names that were made in a PID namespace of its own (guard_prefix) have no number and are never
 * taken for strays, and inside of one nothing is.
 */
#include "harness/base/guard.h"

enum { STRAY_PIDS_MAX = 256, STRAY_NAMES_MAX = 1024, STRAY_DEPTH_MAX = 12 };

/* The process number in a name of ours; 0: it is none of ours. */
pid_t stray_pid(const char *name);
/*
 * Tells each, with a NULL journal; clean: removes it first. Those of the processes known[0..n) are passed over: their
 * journals have been told. Returns how many were told.
 */
int strays(bool clean, const pid_t *known, size_t n,
	   void (*on_found)(void *owner, const struct guard_leftover *left), void *owner);
