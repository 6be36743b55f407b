#pragma once
/*
 * The kernel's network emulator (sch_netem) with every parameter it has, on one interface. It shapes what the interface
 * sends: for both directions of a link put one on each end.
 *
 * The message is built by hand, struct tc_netem_qopt followed by attributes, because libnl-route 3.7 knows neither loss
 * models, rate, slots, ECN, the seed nor delays past 274 s. Sources: tc-netem(8), linux/pkt_sched.h,
 * net/sched/sch_netem.c. What is known to go wrong is handled here:
 *	- the limit is in packets, 1000 by default, and what exceeds it is dropped silently: 0 means computed from rate
 *	  and delay (netem_limit);
 *	- a delay past 274 s needs the 64-bit attribute: it is read back, and refused when the kernel did not take it;
 *	- jitter past 2.147 s is cut by the kernel: refused;
 *	- jitter reorders unless keep_order or a rate is set;
 *	- a share that is above 0 and rounds to 0 of 2^32 is refused.
 */
#include <stdbool.h>
#include <stdint.h>

#include "harness/base/buf.h"
#include "harness/base/err.h"

struct netlink;
struct nl_msg;

enum netem_distribution { NETEM_UNIFORM, NETEM_NORMAL, NETEM_PARETO, NETEM_PARETONORMAL, NETEM_DISTRIBUTIONS };
/* For option tables: "uniform" "normal" "pareto" "paretonormal", NULL. */
extern const char *const netem_distribution_names[];

enum netem_loss_model { NETEM_LOSS_RANDOM, NETEM_LOSS_GEMODEL, NETEM_LOSS_STATE };
/* For option tables: "random" "gemodel" "state", NULL. */
extern const char *const netem_loss_model_names[];

/* Shares are 0 to 1. All zero: a netem that changes nothing. */
struct netem {
	/* Each packet waits delay +- jitter. */
	uint64_t delay_ns, jitter_ns;
	double delay_correlation;
	enum netem_distribution distribution; /* of the jitter; NETEM_UNIFORM: within +- jitter, else jitter is sigma */
	bool keep_order; /* jitter never reorders: a rate keeps order, so one of 34 Gbit/s is set if none is */

	enum netem_loss_model loss_model;
	double loss, loss_correlation;     /* NETEM_LOSS_RANDOM */
	struct {                           /* NETEM_LOSS_GEMODEL: good and bad state */
		double p, r;               /* good to bad, bad to good */
		double bad_loss, good_loss; /* "1-h" and "1-k" of tc: loss in the bad (usually 1) and the good state (0) */
	} gemodel;
	struct {                           /* NETEM_LOSS_STATE: 1 good, 2 good within a burst, 3 burst loss, 4 lone loss */
		double p13, p31, p32, p23, p14;
	} state;

	double duplicate, duplicate_correlation;
	double reorder, reorder_correlation; /* that share is sent at once, the others wait; needs a delay */
	uint32_t reorder_gap;              /* only every gap-th packet may; 0: 1 */
	double corrupt, corrupt_correlation; /* one bit of the packet is turned */

	uint64_t rate;                     /* octets a second; 0: no limit */
	int32_t packet_overhead;           /* octets added to each packet, may be negative */
	uint32_t cell_size;                /* octets of a link cell, 0 none */
	int32_t cell_overhead;             /* octets a cell */

	struct {                           /* packets leave in slots, as on Wi-Fi or mobile uplinks; all 0: none */
		uint64_t min_delay_ns, max_delay_ns; /* between slots; or */
		enum netem_distribution distribution; /* other than uniform: with delay and jitter */
		uint64_t delay_ns, jitter_ns;
		uint32_t max_packets, max_octets; /* a slot; 0: no limit */
	} slot;

	bool ecn;                          /* marks instead of dropping, where a packet can carry it */
	uint32_t limit;                    /* packets; 0: computed */
	bool has_seed;                     /* Linux 6.6 and later; ignored by older ones */
	uint64_t seed;
};

#define NETEM_DELAY32_MAX_NS (UINT32_MAX * 64ull)  /* 32-bit ticks of 64 ns: 274.9 s */
#define NETEM_DELAY_MAX_NS (24ull * 3600 * 1000000000) /* a day */
#define NETEM_JITTER_MAX_NS ((uint64_t)INT32_MAX)  /* 2.147 s: the kernel keeps it in 32 bits */
#define NETEM_RATE_IN_ORDER UINT64_C(4294967294)   /* octets a second: what keep_order sets */
#define NETEM_RATE_MAX UINT64_C(1250000000000)     /* 10 Tbit/s */
enum { NETEM_TABLE_LEN = 4096, NETEM_LIMIT_DEFAULT = 1000, NETEM_LIMIT_MAX = 100000000, NETEM_HEADER_MAX = 65535 };

/* It changes nothing: all is zero, but for the seed. */
bool netem_is_none(const struct netem *n);
/* 0, or -EINVAL with what does not fit and why. */
int netem_check(const struct netem *n, struct err *e);
/* The limit that is set for n: its own, or enough for what is under way at its rate (unknown: 10 Gbit/s) and delay. */
uint32_t netem_limit(const struct netem *n);
/*
 * The values of a delay table (TCA_NETEM_DELAY_DIST): the inverse of the distribution function in units of 1/8192 of
 * sigma, value for value as tc's own files have them. NETEM_UNIFORM: the kernel's own without a table.
 */
void netem_table(enum netem_distribution d, int16_t table[NETEM_TABLE_LEN]);

/*
 * TCA_OPTIONS with everything, to be put into a RTM_NEWQDISC: what netem_set() sends. n is checked. over: an older
 * netem is changed, and what is not sent would stay as it was; else what is zero is left out, as tc does. -EINVAL,
 * -ENOMEM.
 */
int netem_put(struct nl_msg *m, const struct netem *n, bool over, struct err *e);
/*
 * Makes or replaces the root qdisc of the interface (qdisc.h); `handle`: of ours (qdisc.h). A
 * netem of that handle keeps what it holds. -ENOENT when the kernel has no sch_netem, with a sentence that says which
 * module or package; -EOPNOTSUPP when the kernel did not take a delay past NETEM_DELAY32_MAX_NS; nothing is changed
 * then.
 */
int netem_set(struct netlink *nl, unsigned ifindex, uint32_t handle, const struct netem *n, struct err *e);
/*
 * Reads the root qdisc back, as the kernel has it: shares are in steps of 1/2^32; the distributions and keep_order are
 * not told by the kernel. -ENOENT: no netem at the root.
 */
int netem_get(struct netlink *nl, unsigned ifindex, struct netem *ret_netem, struct err *e);
/* Reads TCA_OPTIONS of a netem. -EINVAL when it is cut. */
int netem_parse(const void *options, size_t len, struct netem *ret_netem);
/* "delay 100ms 10ms loss 1% rate 125000B/s limit 1000" in tc's words and order, of what is not zero. */
int netem_print(const struct netem *n, struct buf *b);
/* Returns -ENOENT and says what to load or install. */
int netem_missing(struct err *e);
