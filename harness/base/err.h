#pragma once
/*
 * Result and error conventions.
 *
 * A function that can fail because of the environment returns `int`: 0 or a positive result, or a negative errno,
 * forwarded unchanged. `ret_` out-parameters come last and stay untouched on failure. A function that reads what a user
 * wrote also takes a `struct err *` and fills it with one clear sentence (no trailing full stop, no newline). Our own
 * bugs are asserts. What a peer does wrong is data.
 */
#include <errno.h>
#include <stddef.h>

#include "harness/base/limits.h"

struct err {
	char text[ERR_TEXT_MAX];
};

/*
 * Writes the sentence (cut at ERR_TEXT_MAX - 1, between characters) and returns -code; `code` is a positive errno. e
 * may be NULL.
 */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
#ifdef __clang_analyzer__
/* What the analyzer cannot see from outside: that the result is below 0. */
#define err_set(...) __extension__({ int below_ = err_set(__VA_ARGS__); below_ < 0 ? below_ : -1; })
#endif

/* Ownership leaves a self-cleaning local: the variable is NULL (-1) afterwards. */
#define TAKE_PTR(p) __extension__({ __typeof__(p) taken_ = (p); (p) = NULL; taken_; })
#define TAKE_FD(fd) __extension__({ int taken_ = (fd); (fd) = -1; taken_; })

#define CLEANUP(f) __attribute__((cleanup(f)))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

void cleanup_free(void *p);   /* char *s CLEANUP(cleanup_free) */
void cleanup_fd(int *fd);     /* int fd CLEANUP(cleanup_fd); -1 is ignored */
