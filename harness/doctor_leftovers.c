/* What runs left that were killed together with their guard: told, and with --clean undone. */
#include <stdlib.h>
#include <string.h>

#include "faults/stray.h"
#include "faults/undo.h"
#include "harness/doctor.h"

struct leftovers {
	struct doctor *doctor;
	size_t n;
	pid_t known[STRAY_PIDS_MAX];
	size_t n_known;
};

/* The journal's name begins with the number of its run. */
static void remember(struct leftovers *l, const char *journal)
{
	const char *slash = strrchr(journal, '/');
	pid_t pid = slash ? (pid_t)strtol(slash + 1, NULL, 10) : 0;
	if (pid > 0 && l->n_known < STRAY_PIDS_MAX)
		l->known[l->n_known++] = pid;
}

static void on_found(void *owner, const struct guard_leftover *left)
{
	static const char *const states[] = {[GUARD_LEFT_FOUND] = "left", [GUARD_LEFT_UNDONE] = "undone",
					     [GUARD_LEFT_FAILED] = "failed", [GUARD_LEFT_DAMAGED] = "damaged"};
	struct leftovers *l = owner;
	struct doctor *d = l->doctor;
	struct buf detail CLEANUP(buf_fini) = {0};
	buf_init(&detail, 1 << 14);
	buf_printf(&detail, "%s", left->description);
	if (left->state == GUARD_LEFT_FAILED)
		buf_printf(&detail, ": %s", strerror(-left->error));
	if (left->journal && left->state == GUARD_LEFT_FOUND)
		remember(l, left->journal);
	if (d->json)
		doctor_row_json(d, "leftover", left->journal, NULL, states[left->state], buf_cstr(&detail));
	else
		buf_printf(&d->out, "%-8s  %s%s%s%s\n", states[left->state], buf_cstr(&detail), left->journal ? " (" : "",
			   left->journal ? left->journal : "", left->journal ? ")" : "");
	if (left->state != GUARD_LEFT_UNDONE)
		d->ok = false;
	l->n++;
}

void doctor_leftovers(struct doctor *d, bool clean)
{
	struct leftovers l = {.doctor = d};
	struct err e;
	if (guard_leftovers(undo_kinds, clean, on_found, &l, &e) < 0) {
		d->ok = false;
		if (d->json)
			doctor_row_json(d, "leftover", NULL, NULL, "failed", e.text);
		else
			buf_printf(&d->out, "%-8s  %s\n", "failed", e.text);
	}
	strays(clean, l.known, l.n_known, on_found, &l);
	if (clean && !d->json && l.n == 0)
		buf_printf(&d->out, "nothing was left\n");
	if (!clean && !d->json && l.n > 0)
		buf_printf(&d->out, "'wsquall doctor --clean' undoes what is left\n");
}
