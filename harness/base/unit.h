#pragma once
/*
 * Quantities with their unit, read from what a user wrote and printed back. A unit is never left out and never guessed.
 *
 *	duration  ms s m h d                        200ms 1.5s 2m     stored in whole milliseconds
 *	micros    us ms s m h d                     50us 1.5ms 2s     stored in whole microseconds
 *	size      B kB KB MB GB TB KiB MiB GiB TiB  256B 64KiB 1MB    stored in whole octets
 *	rate      /s /m /h                          100/s 0.5/s 30/m  stored a second
 *	percent   %                                 1% 0.1% 100%      stored as a share, 0 to 1
 *
 * k (or K), M, G and T are powers of 1000; Ki, Mi, Gi and Ti powers of 1024.
 *
 * A number is digits, then optionally a point and digits: no sign, no exponent, no spaces, nothing between number and
 * unit. Anything finer than the stored unit (0.5ms, 0.3B) or above the stored type is an error; nothing is rounded.
 */
#include "harness/base/buf.h"
#include "harness/base/err.h"

/*
 * 0, or -EINVAL with a sentence that says what is expected and does not repeat the text: "expected a duration with its
 * unit (ms, s, m, h, d), such as 25s". The result is untouched then. e may be NULL.
 */
int unit_duration_parse(struct span text, uint64_t *ret_ms, struct err *e);
int unit_micros_parse(struct span text, uint64_t *ret_us, struct err *e);
int unit_size_parse(struct span text, uint64_t *ret_octets, struct err *e);
int unit_rate_parse(struct span text, double *ret_per_second, struct err *e);
int unit_percent_parse(struct span text, double *ret_share, struct err *e);

/* Appends what the parser of its kind reads back to the same value: "1.5s", "2m", "1MiB", "1MB", "1500B", "100/s". */
int unit_duration_print(struct buf *b, uint64_t ms);
int unit_micros_print(struct buf *b, uint64_t us);
int unit_size_print(struct buf *b, uint64_t octets);
/* per_second: finite, 0 to 1e15. What no 15 decimals in any of the units can say exactly is cut there. */
int unit_rate_print(struct buf *b, double per_second);
/* share: 0 to 1. */
int unit_percent_print(struct buf *b, double share);

/* The grammars above as regular expressions (ECMA 262, for JSON Schema). */
#define UNIT_DURATION_PATTERN "^[0-9]+(\\.[0-9]+)?(ms|s|m|h|d)$"
#define UNIT_MICROS_PATTERN "^[0-9]+(\\.[0-9]+)?(us|ms|s|m|h|d)$"
#define UNIT_PERCENT_PATTERN "^[0-9]+(\\.[0-9]+)?%$"
#define UNIT_SIZE_PATTERN "^[0-9]+(\\.[0-9]+)?(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)$"
#define UNIT_RATE_PATTERN "^[0-9]+(\\.[0-9]+)?/(s|m|h)$"
