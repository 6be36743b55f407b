/*
 * Established connections are killed in the kernel, without a proxy between: a firewall or NAT that is started anew, an
 * administrator with `ss -K`. The program here sees ECONNABORTED, its peer a RST. Only connections of the addresses of
 * the node or interface that is named.
 */
#include "faults/link.h"
#include "harness/net/loop.h"
#include "harness/net/sock_destroy.h"

enum { PORT_MAX = 65535 };
#define SHARE_STEPS (UINT64_C(1) << 53)

struct sock_destroy_options {
	const char *remote;
	uint64_t port, local_port, remote_port, every_ms;
	double share;
};

static int remote_check(const char *text, struct err *e)
{
	uint8_t address[16];
	return sock_match_address(text, address, e);
}

#define PORT(NAME, HELP)                                                                                               \
	{.name = #NAME, .type = OPT_U64, .offset = offsetof(struct sock_destroy_options, NAME), .def = "0",            \
	 .max = PORT_MAX, .help = HELP "; 0: any"}

static const struct opt sock_destroy_options[] = {
	PORT(port, "only connections with this port on either side"),
	PORT(local_port, "only connections with this port here"),
	PORT(remote_port, "only connections with this port there"),
	{.name = "remote", .type = OPT_STRING, .offset = offsetof(struct sock_destroy_options, remote),
	 .check = remote_check, .help = "only connections with this address there"},
	{.name = "share", .type = OPT_PERCENT, .offset = offsetof(struct sock_destroy_options, share), .def = "100%",
	 .help = "how many of them, chosen by chance"},
	{.name = "every", .type = OPT_DURATION, .offset = offsetof(struct sock_destroy_options, every_ms), .def = "0ms",
	 .help = "again and again; 0ms: once"},
	{0},
};

struct killing {
	struct timer timer;
};

static bool chosen(void *owner)
{
	struct fault_run *run = owner;
	const struct sock_destroy_options *o = run->options;
	return (double)rng_below(&run->rng, SHARE_STEPS) < o->share * (double)SHARE_STEPS;
}

static int kill_all(struct fault_run *run, struct err *e)
{
	const struct sock_destroy_options *o = run->options;
	struct sock_match m = {.port = (uint16_t)o->port, .local_port = (uint16_t)o->local_port,
			       .remote_port = (uint16_t)o->remote_port, .has_remote = o->remote != NULL,
			       .chosen = chosen, .owner = run};
	struct links l = {.n = 0};
	int r = o->remote ? sock_match_address(o->remote, m.remote, e) : 0;
	if (r == 0)
		r = links_find(run->site, LINK_FROM, &l, e);
	if (r < 0)
		return r;
	for (size_t i = 0; r >= 0 && i < l.n; i++) {
		r = link_kill(&l.ends[i], &m, e);
		if (r >= 0)
			fault_tell(run, "kill", l.ends[i].node, 0, "connections=%d", r);
	}
	links_fini(&l);
	return r < 0 ? r : 0;
}

static void on_time(void *owner);

static int again(struct fault_run *run, struct err *e)
{
	const struct sock_destroy_options *o = run->options;
	struct killing *s = run->state;
	if (!o->every_ms)
		return 0;
	int r = timer_start(&s->timer, run->site->loop, o->every_ms, on_time, run);
	return r < 0 ? err_set(e, -r, "out of memory") : 0;
}

static void on_time(void *owner)
{
	struct fault_run *run = owner;
	struct err e;
	int r = kill_all(run, &e);
	if (r == 0)
		r = again(run, &e);
	if (r < 0) {
		fault_tell(run, "failed", NULL, 0, "%s", e.text);
		fault_done(run, r);
	}
}

static int on_start(struct fault_run *run, struct err *e)
{
	int r = kill_all(run, e);
	return r < 0 ? r : again(run, e);
}

static void on_stop(struct fault_run *run)
{
	struct killing *s = run->state;
	timer_fini(&s->timer);
}

static void on_probe(const struct fault_site *site, struct fault_probe *ret)
{
	(void)site;
	link_probe(LINK_NEED_DESTROY, "by SOCK_DESTROY over sock_diag", ret);
}

static const struct fault_action sock_destroy_action = {
	.state_size = sizeof(struct killing),
	.undo = "nothing: what was killed stays so",
	.probe = on_probe,
	.start = on_start,
	.stop = on_stop,
};
static const struct fault_link sock_destroy_link = {.action = &sock_destroy_action};

const struct fault fault_sock_destroy = {
	.name = "sock_destroy",
	.about = "established connections are killed in the kernel",
	.known_as = "restarted firewalls and NATs",
	.options = sock_destroy_options,
	.options_size = sizeof(struct sock_destroy_options),
	.link = &sock_destroy_link,
};
