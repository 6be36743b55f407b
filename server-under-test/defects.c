/* The table of deliberate bugs: what the suite is tested with, so that every case is known to be able to fail. */
#include "server-under-test/defects.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

bool defects_on[DEFECT_COUNT];

static const struct {
	const char *name;
	const char *about;
	const char *catches;
	enum defect_kind kind;
} rows[] = {
#define DEFECT(name, about, catches) { #name, about, catches, DEFECT_KIND_WIRE },
#define DEFECT_SERVICE(name, about, checks) { #name, about, checks, DEFECT_KIND_SERVICE },
#define DEFECT_NODES(name, about, checks) { #name, about, checks, DEFECT_KIND_NODES },
#include "server-under-test/defects.def"
#undef DEFECT
};
static const char *const kinds[] = { [DEFECT_KIND_WIRE] = "wire", [DEFECT_KIND_SERVICE] = "service",
				     [DEFECT_KIND_NODES] = "nodes" };

const char *defects_name(unsigned index)
{
	return rows[index].name;
}

int defects_kind(const char *name, enum defect_kind *ret)
{
	for (unsigned i = 0; i < DEFECT_COUNT; i++) {
		if (strcmp(rows[i].name, name) == 0) {
			*ret = rows[i].kind;
			return 0;
		}
	}
	return -ENOENT;
}

int defects_enable(const char *name, struct err *err)
{
	for (unsigned i = 0; i < DEFECT_COUNT; i++) {
		if (strcmp(rows[i].name, name) == 0) {
			defects_on[i] = true;
			return 0;
		}
	}
	err_set(err, "there is no defect %s (--list-defects prints them)", name);
	return -EINVAL;
}

static json_t *globs_of(const char *catches)
{
	json_t *globs = json_array();

	while (*catches) {
		size_t len = strcspn(catches, " ");

		if (len > 0)
			json_array_append_new(globs, json_stringn(catches, len));
		catches += len;
		catches += *catches == ' ';
	}
	return globs;
}

int defects_print(void)
{
	json_t *array = json_array();
	int r;

	for (unsigned i = 0; i < DEFECT_COUNT; i++)
		json_array_append_new(array, json_pack("{s:s, s:s, s:s, s:o}", "name", rows[i].name, "kind",
						       kinds[rows[i].kind], "about", rows[i].about, "catches",
						       globs_of(rows[i].catches)));
	r = json_dumpf(array, stdout, JSON_INDENT(1));
	json_decref(array);
	putchar('\n');
	return r < 0 || fflush(stdout) != 0 ? -EIO : 0;
}
