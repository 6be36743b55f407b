#ifndef SERVER_CLOCK_H
#define SERVER_CLOCK_H

/* Seconds. The first never goes back and starts anywhere; the second is Unix time. */
double clock_monotonic_s(void);
double clock_unix_s(void);

#endif
