/* The keys of `workload`. */
#include "harness/load/account.h"
#include "harness/load/workload.h"
#include "harness/target/session.h"

#define AT(member) .offset = offsetof(struct workload_options, member)

const struct opt workload_table[] = {
	{.name = "subscribers", .type = OPT_U64, AT(subscribers), .def = "10", .max = WORKLOAD_CLIENTS_MAX,
	 .help = "clients that listen"},
	{.name = "publishers", .type = OPT_U64, AT(publishers), .def = "2", .max = WORKLOAD_CLIENTS_MAX,
	 .help = "clients that publish"},
	{.name = "channels", .type = OPT_U64, AT(channels), .def = "1", .min = 1, .max = WORKLOAD_CHANNELS_MAX,
	 .help = "channels that are published on"},
	{.name = "quiet_channels", .type = OPT_U64, AT(quiet_channels), .def = "0", .max = WORKLOAD_CHANNELS_MAX,
	 .help = "channels that are subscribed and never published on"},
	{.name = "channels_each", .type = OPT_U64, AT(channels_each), .def = "1", .min = 1, .max = SESSION_CHANNELS_MAX,
	 .help = "channels of one subscriber; the first begins at the first channel, the second at the second"},
	{.name = "rate", .type = OPT_RATE, AT(rate), .def = "20/s", .max = WORKLOAD_RATE_MAX,
	 .help = "messages published in all, whatever the target does"},
	{.name = "payload", .type = OPT_SIZE, AT(payload), .def = "128B", .max = WORKLOAD_PAYLOAD_MAX,
	 .help = "size of one message's data; a message needs up to 96B anyway"},
	{.name = "vary", .type = OPT_PERCENT, AT(vary), .def = "50%",
	 .help = "messages are smaller than `payload` by up to this much, and one in 32 is up to eight times as large, as "
		 "far as the target takes it; 0%: all are of one size"},
	{.name = "open_rate", .type = OPT_RATE, AT(open_rate), .def = "100/s", .max = WORKLOAD_RATE_MAX,
	 .help = "connections opened while the workload comes up; 0/s: all at once"},
	{.name = "keyed", .type = OPT_FLAG, AT(keyed), .def = "false",
	 .help = "give each publish a key, and repeat it while its outcome is unknown"},
	{.name = "ping", .type = OPT_DURATION, AT(ping_ms), .def = "5s", .max = BACKOFF_WAIT_MAX_MS,
	 .help = "a client that hears nothing for this long pings; 0ms: never"},
	{.name = "ping_timeout", .type = OPT_DURATION, AT(ping_timeout_ms), .def = "5s", .min = 1,
	 .max = BACKOFF_WAIT_MAX_MS, .help = "and gives its connection up when nothing at all comes for this long"},
	{.name = "answer", .type = OPT_DURATION, AT(answer_ms), .def = "10s", .min = 1, .max = BACKOFF_WAIT_MAX_MS,
	 .help = "how long a subscribe or publish waits for its answer"},
	{.name = "reconnect", .type = OPT_SECTION, AT(reconnect), .sub = backoff_table,
	 .help = "when a client that lost its connection tries again"},
	{0},
};

int workload_check(const struct workload_options *o, struct err *e)
{
	uint64_t channels = o->channels + o->quiet_channels;
	if (o->subscribers + o->publishers == 0)
		return err_set(e, EINVAL, "a workload without subscribers and publishers does nothing");
	if (o->subscribers + o->publishers > WORKLOAD_CLIENTS_MAX)
		return err_set(e, EINVAL, "subscribers and publishers are more than %d", WORKLOAD_CLIENTS_MAX);
	if (channels > WORKLOAD_CHANNELS_MAX)
		return err_set(e, EINVAL, "channels and quiet_channels are more than %d", WORKLOAD_CHANNELS_MAX);
	if (o->channels_each > channels)
		return err_set(e, EINVAL, "channels_each is %llu, but there are only %llu channels",
			       (unsigned long long)o->channels_each, (unsigned long long)channels);
	if (o->reconnect.base_ms > o->reconnect.cap_ms)
		return err_set(e, EINVAL, "reconnect.base is longer than reconnect.cap");
	if (o->subscribers * o->channels_each * o->publishers > ACCOUNT_CELLS_MAX)
		return err_set(e, EINVAL, "subscribers times channels_each times publishers is more than %d", ACCOUNT_CELLS_MAX);
	if (channels * o->publishers > ACCOUNT_CELLS_MAX)
		return err_set(e, EINVAL, "channels times publishers is more than %d", ACCOUNT_CELLS_MAX);
	return 0;
}
