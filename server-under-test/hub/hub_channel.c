/*
 * A channel lives here from the first subscription until nobody has been on it for a while. Publishing and history need
 * none: they go to the store. So nothing is lost with a channel that is dropped.
 */
#include "server-under-test/hub/hub_channel.h"

#include <assert.h>
#include <stdlib.h>

bool hub_channel_name_ok(struct text name)
{
	static const char others[] = "._-/";

	if (name.len < 1 || name.len > CHANNEL_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.p[i];

		if (!(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    !memchr(others, c, sizeof(others) - 1))
			return false;
	}
	return true;
}

const char *hub_channel_name(const struct channel *channel)
{
	return channel->name;
}

const char *hub_channel_epoch(const struct channel *channel)
{
	return channel->newest.epoch;
}

uint64_t hub_channel_newest(const struct channel *channel)
{
	return channel->newest.seq;
}

struct channel *channel_find(const struct hub *hub, struct text name)
{
	struct table_node *node = table_find(&hub->channels, name);

	return node ? TABLE_ENTRY(node, struct channel, node) : NULL;
}

static void on_attached(struct store_op *op, const struct store_answer *answer)
{
	struct channel *channel = LIST_ENTRY(op, struct channel, attach);
	struct walk walk;

	assert(channel->state == CHANNEL_ATTACHING);
	walk_begin(channel, &walk);
	if (answer->status != HUB_OK) {
		channel->state = CHANNEL_DETACHED;
		waiting_fail(channel, false);
	} else {
		channel->state = CHANNEL_ATTACHED;
		channel->newest = answer->newest;
		waiting_pass(channel);
	}
	publishes_pass(channel, false);
	walk_end(channel, &walk);
}

static void on_aged(struct ring *ring)
{
	struct channel *channel = LIST_ENTRY(ring, struct channel, ring);

	fanout_evict(channel);
}

static struct channel *channel_new(struct hub *hub, struct text name)
{
	struct channel *channel = calloc(1, sizeof(*channel));

	if (!channel)
		abort();
	assert(name.len >= 1 && name.len <= CHANNEL_NAME_MAX);
	memcpy(channel->name, name.p, name.len);
	channel->hub = hub;
	channel->attach.done = on_attached;
	list_init(&channel->waiting);
	list_init(&channel->publishes);
	list_init(&channel->idle);
	ring_init(&channel->ring, hub->loop, hub->config);
	channel->ring.aged = on_aged;
	channel->node.key = text_of(channel->name, name.len);
	table_add(&hub->channels, &channel->node);
	return channel;
}

struct channel *channel_get(struct hub *hub, struct text name)
{
	struct channel *channel = channel_find(hub, name);

	if (!channel)
		channel = channel_new(hub, name);
	return channel;
}

void channel_attach(struct channel *channel)
{
	struct hub *hub = channel->hub;

	if (channel->state != CHANNEL_DETACHED)
		return;
	channel->state = CHANNEL_ATTACHING;
	hub->ops->attach(hub->store, channel->name, &channel->attach);
}

void channel_free(struct channel *channel)
{
	struct hub *hub = channel->hub;

	assert(!channel->first && list_empty(&channel->waiting) && !channel->walks);
	channel_idle_stop(channel);
	table_remove(&hub->channels, &channel->node);
	ring_fini(&channel->ring);
	fill_fini(channel);
	free(channel);
}

static bool droppable(const struct channel *channel)
{
	return channel->state != CHANNEL_ATTACHING && !channel->walks && !channel->fill.busy &&
	       list_empty(&channel->publishes);
}

static void channel_drop(struct channel *channel)
{
	struct hub *hub = channel->hub;

	if (channel->state == CHANNEL_ATTACHED)
		hub->ops->detach(hub->store, channel->name);
	channel_free(channel);
}

/* Too many idle ones, or one that has been so for too long: the longest idle go. */
static void idle_trim(struct hub *hub)
{
	double left_s = 0;
	struct link *next;

	for (struct link *link = hub->idle.next; link != &hub->idle; link = next) {
		struct channel *channel = LIST_ENTRY(link, struct channel, idle);

		next = link->next;
		left_s = channel->idle_since_s + HUB_IDLE_S - ev_now(hub->loop);
		if (left_s > 0 && hub->idle_count <= HUB_IDLE_MAX)
			break;
		if (droppable(channel))
			channel_drop(channel);
	}
	ev_timer_stop(hub->loop, &hub->idle_timer);
	if (list_empty(&hub->idle))
		return;
	ev_timer_set(&hub->idle_timer, left_s > HUB_IDLE_STEP_S ? left_s : HUB_IDLE_STEP_S, 0.0);
	ev_timer_start(hub->loop, &hub->idle_timer);
}

void channel_on_idle_timer(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	idle_trim(timer->data);
}

void channel_check_idle(struct channel *channel)
{
	struct hub *hub = channel->hub;

	if (channel->first || !list_empty(&channel->waiting))
		return;
	if (channel->state == CHANNEL_DETACHED && droppable(channel)) {
		channel_free(channel);
		return;
	}
	if (!list_empty(&channel->idle))
		return;
	list_append(&hub->idle, &channel->idle);
	channel->idle_since_s = ev_now(hub->loop);
	if (++hub->idle_count == 1 || hub->idle_count > HUB_IDLE_MAX)
		idle_trim(hub);
}

void channel_idle_stop(struct channel *channel)
{
	if (list_empty(&channel->idle))
		return;
	list_remove(&channel->idle);
	channel->hub->idle_count--;
}
