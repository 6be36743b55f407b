#pragma once
/*
 * The counters of all proxies as Prometheus text (exposition format 0.0.4): Toxiproxy's two under its names
 * (toxiproxy_proxy_received_bytes_total, ..._sent_...), and ours.
 */
#include "harness/proxy/proxy.h"

/* What toxics did and requests asked, which proxies do not count themselves. */
struct metrics;

int metrics_new(struct metrics **ret_metrics);
void metrics_free(struct metrics *m);
/* An event of a toxic of p. */
void metrics_count_toxic(struct metrics *m, const struct proxy *p, const struct fault_event *event);
/* p goes: forgets what was counted of it. */
void metrics_forget(struct metrics *m, const struct proxy *p);
void metrics_count_request(struct metrics *m, unsigned status);
/* -ENOBUFS, -ENOMEM */
int metrics_print(const struct metrics *m, const struct proxies *set, struct buf *b);
