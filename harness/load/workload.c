/* All clients of a workload, and what can be said of them together. */
#include "harness/load/workload.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/base/clock.h"
#include "harness/base/hash.h"
#include "harness/load/workload_internal.h"

void workload_tell(struct workload *w, struct event *e)
{
	e->at_us = w->site.now_us(w->site.owner);
	history_add(w->site.history, e);
}

uint32_t workload_epoch(struct workload *w, uint32_t channel, struct span epoch)
{
	uint64_t hash = hash_fnv1a(epoch);
	if (w->site.dialect->cursor_of_connection)
		channel = 1; /* an epoch is the session's: the same one on each of its channels */
	if (epoch.len == 0 || channel < 1 || channel > w->n_channels)
		return 0;
	struct workload_channel *ch = &w->channels[channel - 1];
	for (uint32_t i = ch->n_epochs; i-- > 0;)
		if (ch->epochs[i] == hash)
			return i + 1;
	if (ch->n_epochs == WORKLOAD_EPOCHS_MAX)
		return WORKLOAD_EPOCHS_MAX + 1;
	if ((ch->n_epochs & (ch->n_epochs - 1)) == 0) { /* a power of two, or none: full */
		uint64_t *epochs = realloc(ch->epochs, (ch->n_epochs ? 2 * ch->n_epochs : 1) * sizeof(*epochs));
		if (!epochs)
			return WORKLOAD_EPOCHS_MAX + 1;
		ch->epochs = epochs;
	}
	ch->epochs[ch->n_epochs] = hash;
	return ++ch->n_epochs;
}

/* Subscribers begin at the channel of their number; publishers that need one at theirs. */
static uint32_t first_channel(const struct workload *w, const struct client *c)
{
	if (c->publisher)
		return (uint32_t)((c->number - w->options.subscribers - 1) % w->n_published);
	return (c->number - 1) % w->n_channels;
}

uint32_t workload_subscription(const struct workload *w, const struct client *c, uint32_t k)
{
	return (first_channel(w, c) + k) % w->n_channels + 1;
}

int workload_which(const struct workload *w, const struct client *c, uint32_t channel)
{
	if (channel < 1 || channel > w->n_channels)
		return -1;
	uint32_t k = (channel - 1 + w->n_channels - first_channel(w, c)) % w->n_channels;
	return k < c->n_channels ? (int)k : -1;
}

/* Making ----------------------------------------------------------------------------------------------------------- */

static int can(const struct workload_site *site, const struct workload_options *o, struct err *e)
{
	const struct dialect *d = site->dialect;
	int r = workload_check(o, e);
	if (r < 0)
		return r;
	if (site->n_ways == 0)
		return err_set(e, EINVAL, "there is no way to the target");
	if (o->publishers && !d->can_publish)
		return err_set(e, ENOTSUP, "the dialect %s cannot publish", d->name);
	if (d->channel_by == DIALECT_CHANNEL_BY_URL && o->channels_each > 1)
		return err_set(e, ENOTSUP, "a connection in the dialect %s has one channel: channels_each must be 1", d->name);
	if (d->transport == DIALECT_SSE && o->publishers && !d->publish_by_http)
		return err_set(e, ENOTSUP, "the dialect %s would publish over an event stream, which cannot be", d->name);
	return 0;
}

static int make(struct workload *w)
{
	const struct workload_options *o = &w->options;
	struct rng rng;
	rng_init(&rng, w->site.seed, "workload");
	w->run = (uint32_t)rng_u64(&rng);
	w->sizes = payload_sizes(o->payload, o->vary, w->contract.max_message);
	buf_init(&w->frame, WORKLOAD_SCRATCH_MAX);
	buf_init(&w->message, WORKLOAD_SCRATCH_MAX);
	w->n_published = (uint32_t)o->channels;
	w->n_channels = (uint32_t)(o->channels + o->quiet_channels);
	w->n_clients = (uint32_t)(o->subscribers + o->publishers);
	w->channels = calloc(w->n_channels, sizeof(*w->channels));
	w->clients = calloc(w->n_clients, sizeof(*w->clients));
	if (!w->channels || !w->clients)
		return -ENOMEM;
	for (uint32_t i = 0; i < w->n_channels; i++)
		snprintf(w->channels[i].name, sizeof(w->channels[i].name), "wsquall-%llx-%u", (unsigned long long)w->site.seed,
			 i + 1);
	int r = account_new(w->n_channels, (uint32_t)o->publishers, (uint32_t)(o->subscribers * o->channels_each),
			    w->contract.delivery == DELIVERY_AT_MOST_ONCE, &w->account);
	for (uint32_t i = 0; r == 0 && i < w->n_clients; i++)
		r = client_init(&w->clients[i], w, i + 1);
	w->state.clients = w->n_clients;
	w->state.wanted = o->subscribers * o->channels_each;
	return r;
}

int workload_new(const struct workload_site *site, const struct workload_options *o, struct workload **ret_workload,
		 struct err *e)
{
	int r = can(site, o, e);
	if (r < 0)
		return r;
	struct workload *w = calloc(1, sizeof(*w));
	if (!w)
		return err_set(e, ENOMEM, "no memory for the workload");
	w->site = *site;
	w->options = *o;
	w->contract = site->contract ? *site->contract : site->dialect->contract;
	if (site->dialect->transport == DIALECT_ADAPTER)
		r = adapter_start(site->loop, &site->dialect->adapter, &w->adapter, e);
	if (r < 0) {
		workload_free(w);
		return r;
	}
	r = make(w);
	if (r < 0) {
		workload_free(w);
		return err_set(e, -r, "no workload: %s", strerror(-r));
	}
	*ret_workload = w;
	return 0;
}

void workload_free(struct workload *w)
{
	if (!w)
		return;
	pace_stop(w);
	timer_fini(&w->lag);
	for (uint32_t i = 0; w->clients && i < w->n_clients; i++)
		client_fini(&w->clients[i]);
	for (uint32_t i = 0; w->channels && i < w->n_channels; i++)
		free(w->channels[i].epochs);
	adapter_stop(w->adapter);
	account_free(w->account);
	buf_fini(&w->frame);
	buf_fini(&w->message);
	free(w->clients);
	free(w->channels);
	free(w);
}

/* Telling it ------------------------------------------------------------------------------------------------------- */

void workload_open(struct workload *w)
{
	pace_open(w);
}

void workload_publish(struct workload *w, bool on)
{
	if (!w->closing)
		pace_publish(w, on ? UINT64_MAX : 0);
}

void workload_publish_some(struct workload *w, uint64_t n)
{
	if (!w->closing)
		pace_publish(w, n);
}

uint64_t workload_unpublished(const struct workload *w)
{
	return w->publishing && w->turns_left != UINT64_MAX ? w->turns_left : 0;
}

void workload_acks(struct workload *w, bool on)
{
	for (uint32_t i = 0; i < w->options.subscribers; i++) {
		session_set_acks(w->clients[i].session, on);
		client_after(&w->clients[i]);
	}
}

void workload_take_over(struct workload *w, double share)
{
	uint64_t n = (uint64_t)(share * (double)w->options.subscribers + 0.5);
	for (uint32_t i = 0; i < n; i++)
		client_take_over(&w->clients[i]);
}

void workload_close(struct workload *w)
{
	w->closing = true;
	pace_stop(w);
	for (uint32_t i = 0; i < w->n_clients; i++)
		client_close(&w->clients[i]);
}

bool workload_closed(const struct workload *w)
{
	for (uint32_t i = 0; i < w->n_clients; i++)
		if (w->clients[i].phase != CLIENT_DONE)
			return false;
	return true;
}

void workload_drop(struct workload *w, uint64_t n)
{
	uint64_t dropped = 0;
	for (uint32_t i = 0; i < w->n_clients && (n == 0 || dropped < n); i++) {
		if (!client_is_up(&w->clients[i]) || !w->clients[i].transport)
			continue;
		client_drop(&w->clients[i], "dropped by us");
		dropped++;
	}
}

/* Asking it -------------------------------------------------------------------------------------------------------- */

void workload_state(const struct workload *w, struct workload_state *ret)
{
	*ret = w->state;
	ret->missing = account_missing(w->account);
}

bool workload_settled(const struct workload *w)
{
	const struct workload_state *s = &w->state;
	return s->up == s->clients && s->subscribed == s->wanted && s->waiting == 0 &&
	       w->doubt_until_us <= clock_now_us() && account_even(w->account);
}

const char *workload_channel_name(const struct workload *w, uint32_t channel)
{
	assert(channel >= 1 && channel <= w->n_channels);
	return w->channels[channel - 1].name;
}

uint32_t workload_channels(const struct workload *w)
{
	return w->n_channels;
}

void workload_find_connection(const struct workload *w, bool publishers, uint64_t number, uint32_t *ret_client,
			      uint32_t *ret_connection)
{
	uint64_t client = number % (w->n_clients + 1), connection = number / (w->n_clients + 1);
	bool is = client && connection && connection <= UINT32_MAX && publishers == (client > w->options.subscribers);
	*ret_client = is ? (uint32_t)client : 0;
	*ret_connection = is ? (uint32_t)connection : 0;
}
