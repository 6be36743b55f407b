#pragma once
/* Time. Pure logic takes `now` as an argument; only the edges call these. */
#include <stddef.h>
#include <stdint.h>

uint64_t clock_now_us(void); /* monotonic */
uint64_t clock_unix_s(void); /* since 1970, as the machine believes */
/* RFC 3339 with milliseconds, UTC: "2026-01-02T03:04:05.678Z"; buf of at least CLOCK_RFC3339_LEN octets. */
enum { CLOCK_RFC3339_LEN = 25 };
void clock_rfc3339(char *buf, size_t len);
