/*
 * Runs a fuzz target over every file of the given folders, so that what fuzzing once found stays found in ordinary
 * test runs, with any compiler. An empty folder is an error: a corpus that got lost must not look like a pass.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "harness/base/buf.h"
#include "harness/base/err.h"
#include "harness/fuzz/fuzz.h"

enum { INPUT_MAX = 1 << 20 };

/* 1: ran, 0: not a regular file, negative errno. */
static int replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct stat st;
	if (!f || fstat(fileno(f), &st) < 0) {
		int r = -errno;
		if (f)
			fclose(f);
		return r;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > INPUT_MAX) {
		fclose(f);
		return S_ISREG(st.st_mode) ? -EFBIG : 0;
	}
	/* Exactly as large as the input, so that a sanitizer sees a read past its end. */
	size_t len = (size_t)st.st_size;
	uint8_t *data = malloc(len ? len : 1);
	int r = !data ? -ENOMEM : fread(data, 1, len, f) == len ? 1 : -EIO;
	fclose(f);
	if (r == 1)
		LLVMFuzzerTestOneInput(data, len);
	free(data);
	return r;
}

/* Number of inputs, or negative errno. */
static int replay_folder(const char *folder)
{
	DIR *dir = opendir(folder);
	if (!dir)
		return -errno;
	int n = 0, r = 0;
	for (struct dirent *e; r >= 0 && (e = readdir(dir));) {
		struct buf path CLEANUP(buf_fini);
		buf_init(&path, 4096);
		r = e->d_name[0] == '.' ? 0 : buf_printf(&path, "%s/%s", folder, e->d_name);
		if (r == 0 && path.len)
			r = replay_file(buf_cstr(&path));
		if (r < 0)
			fprintf(stderr, "%s: %s\n", buf_cstr(&path), strerror(-r));
		n += r > 0;
	}
	closedir(dir);
	return r < 0 ? r : n;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: %s FOLDER...\n", argv[0]);
		return 64;
	}
	for (int i = 1; i < argc; i++) {
		int n = replay_folder(argv[i]);
		if (n <= 0) {
			fprintf(stderr, "%s: %s\n", argv[i], n < 0 ? strerror(-n) : "no inputs");
			return 1;
		}
		printf("%s: %d inputs\n", argv[i], n);
	}
	return 0;
}
