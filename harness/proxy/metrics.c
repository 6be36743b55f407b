/* Prometheus text by hand: names, labels and one number a line. */
#include "harness/proxy/metrics.h"

#include <stdlib.h>
#include <string.h>

enum { STATUS_MIN = 100, STATUS_MAX = 600 };

/* What happened by the toxics of one proxy. */
struct tally {
	const struct proxy *proxy;
	struct tally *next;
	uint64_t hits[];           /* by fault, in the order of faults.def */
};

struct metrics {
	struct tally *tallies;     /* the one used last comes first */
	uint64_t requests[STATUS_MAX - STATUS_MIN];
};

int metrics_new(struct metrics **ret_metrics)
{
	struct metrics *m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	*ret_metrics = m;
	return 0;
}

void metrics_free(struct metrics *m)
{
	if (!m)
		return;
	while (m->tallies)
		metrics_forget(m, m->tallies->proxy);
	free(m);
}

static struct tally **find(const struct metrics *m, const struct proxy *p)
{
	struct tally **t = (struct tally **)&m->tallies;
	while (*t && (*t)->proxy != p)
		t = &(*t)->next;
	return t;
}

void metrics_forget(struct metrics *m, const struct proxy *p)
{
	struct tally **at = find(m, p), *t = *at;
	if (!t)
		return;
	*at = t->next;
	free(t);
}

void metrics_count_toxic(struct metrics *m, const struct proxy *p, const struct fault_event *event)
{
	struct tally **at = find(m, p), *t = *at;
	if (t)
		*at = t->next;
	else
		t = calloc(1, sizeof(*t) + faults_len * sizeof(t->hits[0]));
	if (!t)
		return;
	t->proxy = p;
	t->next = m->tallies;
	m->tallies = t;
	for (size_t i = 0; i < faults_len; i++)
		if (faults[i]->name == event->fault)
			t->hits[i]++;
}

void metrics_count_request(struct metrics *m, unsigned status)
{
	if (status >= STATUS_MIN && status < STATUS_MAX)
		m->requests[status - STATUS_MIN]++;
}

/* Printing --------------------------------------------------------------------------------------------------------- */

static void print_label(struct buf *b, const char *name, const char *value, const char *behind)
{
	buf_printf(b, "%s=\"", name);
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			buf_append_u8(b, '\\');
		if (*value == '\n')
			buf_append(b, "\\n", 2);
		else
			buf_append_u8(b, (uint8_t)*value);
	}
	buf_printf(b, "\"%s", behind);
}

static void print_head(struct buf *b, const char *name, const char *type, const char *help)
{
	buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void print_bytes(struct buf *b, const struct proxies *set, const char *name, const char *help, bool sent)
{
	struct proxy_counters c;
	print_head(b, name, "counter", help);
	for (struct proxy *p = proxies_next(set, NULL); p; p = proxies_next(set, p)) {
		proxy_count(p, &c);
		for (enum direction d = 0; d < DIRECTIONS; d++) {
			buf_printf(b, "%s{direction=\"%s\",", name, direction_name(d));
			print_label(b, "listener", proxy_listen(p), ",");
			print_label(b, "proxy", proxy_name(p), ",");
			print_label(b, "upstream", proxy_upstream(p), "} ");
			buf_printf(b, "%llu\n", (unsigned long long)(sent ? c.sent[d] : c.received[d]));
		}
	}
}

/* The plain counters of a proxy. */
static const struct row {
	const char *name, *type, *help;
	size_t offset;
	const char *how;           /* the value of the label "how", or NULL */
} rows[] = {
#define COUNTER(member) offsetof(struct proxy_counters, member)
	{"wsquall_proxy_connections_active", "gauge", "Connections that are open.", COUNTER(open), NULL},
	{"wsquall_proxy_connections_total", "counter", "Connections accepted.", COUNTER(accepted), NULL},
	{"wsquall_proxy_connections_failed_total", "counter", "Connections whose upstream did not open.", COUNTER(failed),
	 NULL},
	{"wsquall_proxy_accept_pauses_total", "counter", "Times without a descriptor to accept with.",
	 COUNTER(accept_pauses), NULL},
	{"wsquall_proxy_connections_ended_total", "counter", "Connections ended, and how.", COUNTER(ended_fin), "fin"},
	{"wsquall_proxy_connections_ended_total", NULL, NULL, COUNTER(ended_rst), "rst"},
	{"wsquall_proxy_connections_ended_total", NULL, NULL, COUNTER(ended_toxic), "toxic"},
	{"wsquall_proxy_connections_ended_total", NULL, NULL, COUNTER(ended_user), "user"},
	{"wsquall_proxy_connections_ended_total", NULL, NULL, COUNTER(ended_other), "other"},
#undef COUNTER
};

static void print_row(struct buf *b, const struct proxies *set, const struct row *row)
{
	struct proxy_counters c;
	if (row->type)
		print_head(b, row->name, row->type, row->help);
	for (struct proxy *p = proxies_next(set, NULL); p; p = proxies_next(set, p)) {
		proxy_count(p, &c);
		buf_printf(b, "%s{", row->name);
		print_label(b, "proxy", proxy_name(p), "");
		if (row->how)
			buf_printf(b, ",how=\"%s\"", row->how);
		buf_printf(b, "} %llu\n", (unsigned long long)*(const uint64_t *)((const char *)&c + row->offset));
	}
}

static void print_hits(const struct metrics *m, struct buf *b, const struct proxies *set)
{
	print_head(b, "wsquall_proxy_toxic_events_total", "counter", "Events of toxics, by type.");
	for (struct proxy *p = proxies_next(set, NULL); p; p = proxies_next(set, p)) {
		const struct tally *t = *find(m, p);
		for (size_t i = 0; t && i < faults_len; i++) {
			if (!t->hits[i])
				continue;
			buf_printf(b, "wsquall_proxy_toxic_events_total{");
			print_label(b, "proxy", proxy_name(p), ",");
			buf_printf(b, "type=\"%s\"} %llu\n", faults[i]->name, (unsigned long long)t->hits[i]);
		}
	}
}

int metrics_print(const struct metrics *m, const struct proxies *set, struct buf *b)
{
	print_bytes(b, set, "toxiproxy_proxy_received_bytes_total", "Octets received on a proxy, by direction.", false);
	print_bytes(b, set, "toxiproxy_proxy_sent_bytes_total", "Octets sent on a proxy, by direction.", true);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		print_row(b, set, &rows[i]);
	print_hits(m, b, set);
	print_head(b, "wsquall_api_requests_total", "counter", "Requests to the API, by status.");
	for (unsigned i = 0; i < STATUS_MAX - STATUS_MIN; i++)
		if (m->requests[i])
			buf_printf(b, "wsquall_api_requests_total{code=\"%u\"} %llu\n", i + STATUS_MIN,
				   (unsigned long long)m->requests[i]);
	return buf_printf(b, "# HELP wsquall_proxies Proxies that there are.\n# TYPE wsquall_proxies gauge\n"
			     "wsquall_proxies %zu\n", proxies_count(set));
}
