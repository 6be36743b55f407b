/* How many may come: in all, from one address, and in one second. */
#include <math.h>
#include <stdio.h>

#include "harness/base/clock.h"
#include "harness/readiness/rows.h"

enum {
	CROWD_MAX = 2000,          /* connections that are opened for a limit */
	TOGETHER = 16,             /* handshakes under way at once */
	SOURCES = 8,               /* addresses of ours on loopback */
	RATE_MAX = 1000,           /* handshakes a second that are tried to be passed */
	BACK_MS = 10000,           /* a place that was left is free again within this */
	EMPTY_MS = 1500,           /* for a limit of handshakes a second to forget */
};

struct crowd_talk {
	struct link *links[CROWD_MAX + TOGETHER];
	struct link *again, *other;
	size_t n, opened, refused;
	uint64_t began_us;
	double seconds;
};

/* Loopback has many addresses, so that one limit can be told from another; else there is only ours. */
static const char *source(struct dialogue *d, size_t i)
{
	const struct sockaddr_in *to = (const struct sockaddr_in *)&d->r->site->door.list[0];
	if (to->sin_family != AF_INET || (ntohl(to->sin_addr.s_addr) >> 24) != 127 || d->r->site->target->source)
		return NULL;
	return arena_printf(&d->arena, "127.0.0.%zu", 2 + i % 200);
}

static bool on_loopback(struct dialogue *d)
{
	return source(d, 0);
}

static void count(struct crowd_talk *t)
{
	t->opened = t->refused = 0;
	for (size_t i = 0; i < t->n; i++) {
		t->opened += t->links[i]->opened;
		t->refused += t->links[i]->refused;
	}
}

static bool settled_from(const struct crowd_talk *t, size_t from)
{
	for (size_t i = from; i < t->n; i++)
		if (!link_settled(t->links[i]))
			return false;
	return true;
}

static const struct link *first_refused(const struct crowd_talk *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->links[i]->refused)
			return t->links[i];
	return NULL;
}

static void judge_refused(struct dialogue *d, const struct link *l, const char *what)
{
	if (l->status != 429 && l->status != 503)
		dialogue_warn(d, "%s is refused with %s, not with 503 or 429", what, link_how(l));
	else if (!l->retry_after)
		dialogue_warn(d, "%s is refused with %d that does not say when to come back (Retry-After)", what, l->status);
	else
		dialogue_pass(d, "%s is refused with %d and Retry-After", what, l->status);
}

/* TOGETHER of them, or what is left; spaced where handshakes have a limit of their own. */
static void open_some(struct dialogue *d, struct crowd_talk *t, size_t most, const char *from)
{
	for (size_t i = 0; i < TOGETHER && t->n < most; i++)
		t->links[t->n++] = dialogue_link(d, &(struct link_options){.label = "one of many", .source = from});
}

static uint64_t pace_ms(const struct dialogue *d)
{
	double rate = d->r->site->contract.handshake_rate;
	return rate > 0 ? (uint64_t)ceil(TOGETHER * 2000 / rate) : 0;
}

/* Politely: what is left behind by other ends is another matter. */
static void leave_all(struct dialogue *d)
{
	for (size_t i = 0; i < d->n_links; i++)
		if (link_alive(d->links[i]))
			link_close(d->links[i], 1000, "");
}

static bool all_left(const struct dialogue *d)
{
	for (size_t i = 0; i < d->n_links; i++)
		if (d->links[i]->opened && !link_gone(d->links[i]))
			return false;
	return true;
}

/* All connections ------------------------------------------------------------------------------------------------ */

/* So many from one address that its own limit is not in the way. */
static const char *spread(struct dialogue *d, const struct crowd_talk *t)
{
	uint64_t per_ip = d->r->site->contract.per_ip;
	return per_ip > TOGETHER ? source(d, t->n / (per_ip / 2)) : source(d, t->n / TOGETHER);
}

static void judge_full(struct dialogue *d, const struct crowd_talk *t)
{
	uint64_t max = d->r->site->contract.max_connections;
	const struct link *refused = first_refused(t);
	dialogue_note(d, "%zu connections open, %zu refused", t->opened, t->refused);
	if (t->opened > max)
		dialogue_fail(d, "%zu connections are open, where %llu are allowed", t->opened, (unsigned long long)max);
	else if (refused)
		judge_refused(d, refused, "one connection too many");
	else
		dialogue_unknown(d, "not all of %zu connections were answered", t->n);
}

static bool fills_up(struct dialogue *d)
{
	const struct contract *c = &d->r->site->contract;
	if (!c->max_connections)
		return false;
	if (c->max_connections > CROWD_MAX)
		dialogue_note(d, "%llu connections are more than are opened here", (unsigned long long)c->max_connections);
	else if (c->per_ip && c->per_ip <= c->max_connections && !on_loopback(d))
		dialogue_note(d, "from one address the limit of all connections cannot be reached");
	else
		return true;
	return false;
}

/* Handshakes a second -------------------------------------------------------------------------------------------- */

static void judge_handshakes(struct dialogue *d, const struct crowd_talk *t)
{
	double rate = d->r->site->contract.handshake_rate;
	const struct link *refused = NULL;
	size_t others = 0;
	for (size_t i = 0; i < t->n; i++) {
		if (t->links[i]->status == 429 && !refused)
			refused = t->links[i];
		others += t->links[i]->refused && t->links[i]->status != 429;
	}
	dialogue_note(d, "%zu handshakes in %.2f s: %zu let in, %zu refused otherwise than by 429", t->n, t->seconds,
		      t->opened, others);
	if (refused || others)
		judge_refused(d, refused ? refused : first_refused(t), "one handshake too many");
	else if ((double)t->opened > 2 * rate * (1 + t->seconds))
		dialogue_fail(d, "%zu handshakes are taken in %.2f s, where %.0f a second are allowed", t->opened, t->seconds, rate);
	else
		dialogue_unknown(d, "%zu handshakes in %.2f s are not clearly more than %.0f a second", t->n, t->seconds, rate);
}

/* How many at once: enough for a distant target, and so few that no other limit refuses them. */
static size_t storm_size(const struct dialogue *d)
{
	const struct contract *c = &d->r->site->contract;
	size_t n = c->handshake_rate > TOGETHER ? (size_t)c->handshake_rate : TOGETHER;
	if (c->max_connections && n > c->max_connections / 2)
		n = (size_t)c->max_connections / 2 + 1;
	return c->per_ip && n > c->per_ip / 2 ? (size_t)c->per_ip / 2 + 1 : n;
}

static void storm(struct dialogue *d, struct crowd_talk *t, size_t n)
{
	for (size_t i = 0; i < n; i++, t->n++)
		t->links[t->n] = dialogue_link(d, &(struct link_options){.label = "one handshake of many", .brief = true,
									 .source = source(d, t->n % SOURCES)});
}

static bool storms(const struct dialogue *d, const struct crowd_talk *t)
{
	double rate = d->r->site->contract.handshake_rate;
	double wanted = 3 * rate * (1 + (double)(clock_now_us() - t->began_us) / 1e6);
	return t->n + storm_size(d) <= CROWD_MAX && (double)t->n < wanted && !t->refused;
}

static void talk_connections(struct dialogue *d)
{
	struct crowd_talk *t = d->state;
	const struct contract *c = &d->r->site->contract;
	TALK_BEGIN(d);
	if (fills_up(d)) {
		while (t->n <= c->max_connections && !t->refused) {
			open_some(d, t, c->max_connections + 1, spread(d, t));
			TALK_AWAIT(d, 2 * dialogue_patience(d), settled_from(t, t->n > TOGETHER ? t->n - TOGETHER : 0));
			count(t);
			if (d->late)
				break;
			if (pace_ms(d))
				TALK_PAUSE(d, pace_ms(d));
		}
		judge_full(d, t);
		leave_all(d);
		TALK_AWAIT(d, dialogue_patience(d), all_left(d));
		t->began_us = clock_now_us();
		do {
			TALK_PAUSE(d, EMPTY_MS);
			t->again = dialogue_link(d, &(struct link_options){.label = "one who comes when the others are gone"});
			TALK_AWAIT(d, dialogue_patience(d), link_settled(t->again));
		} while (!t->again->opened && dialogue_since_ms(t->began_us) < BACK_MS);
		if (!t->again->opened)
			dialogue_fail(d, "nobody is let in after all others have left: %s", link_how(t->again));
		leave_all(d);
	}
	if (c->handshake_rate <= 0 || 3 * c->handshake_rate > RATE_MAX)
		TALK_STOP(d);
	TALK_PAUSE(d, EMPTY_MS);
	t->n = t->refused = 0;
	t->began_us = clock_now_us();
	while (storms(d, t)) {
		storm(d, t, storm_size(d));
		TALK_AWAIT(d, dialogue_patience(d), settled_from(t, 0) && all_left(d));
		count(t);
	}
	t->seconds = (double)(clock_now_us() - t->began_us) / 1e6;
	judge_handshakes(d, t);
	TALK_AWAIT(d, dialogue_patience(d), all_left(d));
	TALK_PAUSE(d, EMPTY_MS);
	TALK_END(d);
}

const struct dialogue_row dialogue_limit_connections = {
	.check = "limit.connections", .about = "opens one connection more than are allowed, and more handshakes a second",
	.needs = NEEDS_CONNECTIONS, .alone = true, .state_size = sizeof(struct crowd_talk), .talk = talk_connections,
};

/* One address ---------------------------------------------------------------------------------------------------- */

static void judge_address(struct dialogue *d, const struct crowd_talk *t)
{
	uint64_t per_ip = d->r->site->contract.per_ip;
	const struct link *refused = first_refused(t);
	dialogue_note(d, "%zu connections open, %zu refused", t->opened, t->refused);
	if (t->opened > per_ip)
		dialogue_fail(d, "one address has %zu connections, where %llu are allowed", t->opened, (unsigned long long)per_ip);
	else if (refused)
		dialogue_pass(d, "one connection too many of one address is refused: %s", link_how(refused));
	else
		dialogue_unknown(d, "not all of %zu connections were answered", t->n);
}

/* Leaves without a word: what is freed by an orderly end alone leaks here. */
static void drop_some(struct crowd_talk *t, size_t n)
{
	for (size_t i = 0; i < t->n && n; i++)
		if (link_alive(t->links[i])) {
			link_reset(t->links[i]);
			n--;
		}
}

static void talk_per_ip(struct dialogue *d)
{
	struct crowd_talk *t = d->state;
	uint64_t per_ip = d->r->site->contract.per_ip;
	TALK_BEGIN(d);
	while (t->n <= per_ip && !t->refused) {
		open_some(d, t, per_ip + 1, source(d, 100));
		TALK_AWAIT(d, 2 * dialogue_patience(d), settled_from(t, t->n > TOGETHER ? t->n - TOGETHER : 0));
		count(t);
		if (d->late)
			break;
		if (pace_ms(d))
			TALK_PAUSE(d, pace_ms(d));
	}
	judge_address(d, t);
	if (!t->refused)
		goto over;
	if (on_loopback(d)) {
		t->other = dialogue_link(d, &(struct link_options){.label = "from another address", .source = source(d, 101)});
		TALK_AWAIT(d, dialogue_patience(d), link_settled(t->other));
		if (!t->other->opened)
			dialogue_fail(d, "while one address is at its limit another one is refused, too: %s", link_how(t->other));
	}
	drop_some(t, t->opened / 2 + 1);
	t->began_us = clock_now_us();
	do {
		TALK_PAUSE(d, EMPTY_MS / 3);
		t->again = dialogue_link(d, &(struct link_options){.label = "in the place of one that was cut",
								   .source = source(d, 100)});
		TALK_AWAIT(d, dialogue_patience(d), link_settled(t->again));
	} while (!t->again->opened && dialogue_since_ms(t->began_us) < BACK_MS);
	if (!t->again->opened)
		dialogue_fail(d, "%zu connections were cut, and their places are not free again: %s", t->opened / 2 + 1,
			      link_how(t->again));
over:
	leave_all(d);
	TALK_AWAIT(d, dialogue_patience(d), all_left(d));
	TALK_PAUSE(d, EMPTY_MS);
	TALK_END(d);
}

static const char *per_ip_lacks(const struct site *s)
{
	return s->contract.per_ip > CROWD_MAX ? "the limit of one address is more than are opened here" : NULL;
}

const struct dialogue_row dialogue_limit_per_ip = {
	.check = "limit.per_ip",
	.about = "opens one connection more than one address may have, cuts some, and comes again",
	.needs = NEEDS_PER_IP,
	.alone = true,
	.state_size = sizeof(struct crowd_talk),
	.talk = talk_per_ip,
	.lacks = per_ip_lacks,
};
