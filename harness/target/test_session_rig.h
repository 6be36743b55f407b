#pragma once
/* For tests of sessions: one session whose doings are lines of a log, which expect() compares and empties. */
#include "harness/target/session.h"

extern struct buf log_;
extern struct session *s;
extern void (*inside)(void); /* done within the next callback */

int setup(void **state);
int teardown(void **state);
/* A session in a built-in dialect; its client is called "me". */
void begin(const char *dialect);
/* The same in the dialect of this text. */
void begin_text(const char *text);
#define expect(text) expect_(text, __LINE__)
void expect_(const char *text, int line);
/* A message comes. */
void hear(const char *text);
void request(const char *base, const char *target, bool resumes);
