/* Names of what can happen. */
#include "harness/history/event.h"

#include "harness/base/span.h"

static const struct {
	const char *name, *about;
} kinds[] = {
#define EVENT(NAME, name, about) [EVENT_##NAME] = {name, about},
#include "harness/history/events.def"
#undef EVENT
};
static const char *const types[] = {"invoke", "ok", "fail", "info"};
static const char *const ends[] = {"", "client", "server", "network"};

const char *event_kind_name(enum event_kind kind)
{
	return kinds[kind].name;
}

const char *event_kind_about(enum event_kind kind)
{
	return kinds[kind].about;
}

const char *event_type_name(enum event_type type)
{
	return types[type];
}

const char *end_by_name(enum end_by by)
{
	return ends[by];
}
