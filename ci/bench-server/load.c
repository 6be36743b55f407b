/*
 * Load for a WebSocket server on this machine: one mode a run, one line of JSON about it. What the server's processes
 * used is part of the line, so that a figure can be given per CPU-second of the server, which on a shared machine is
 * worth more than a figure per second.
 */
#include "ci/bench-server/load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TIME_MAX_S 120 /* after which a run ends as failed: a server that answers nothing must not hold the bench */

static const struct mode {
	const char *name;
	void (*run)(const struct load *load);
	const char *help;
} modes[] = {
	{ "echo", load_echo, "each connection has one message under way: messages, wall_s, cpu_s" },
	{ "fanout", load_fanout, "one publishes, all others subscribe: messages, deliveries, wall_s, cpu_s" },
	{ "connect", load_connect, "opens connections: opened, wall_s, cpu_s" },
	{ "idle", load_idle, "holds connections: opened, resident_before, resident (octets), processes, wall_s, cpu_s" },
	{ "broadcast", load_broadcast,
	  "publishes at a rate to subscribers: expected, delivered, gaps, p50_ms, p99_ms, worst_ms, resident" },
};

#define FIELD(name) offsetof(struct load, name)

static const struct option {
	const char *name;
	size_t offset;
	const char *help;
} options[] = {
	{ "--port", FIELD(port), "of the server on 127.0.0.1" },
	{ "--pid", FIELD(server_pid), "of the server; what its descendants use counts too" },
	{ "--connections", FIELD(connections), "in all; subscribers of fanout and broadcast" },
	{ "--size", FIELD(size), "octets of a message, at least 10 for fanout and broadcast" },
	{ "--messages", FIELD(messages), "to measure (echo, fanout)" },
	{ "--warm", FIELD(warm), "messages before that" },
	{ "--outstanding", FIELD(outstanding), "messages under way (fanout)" },
	{ "--rate", FIELD(rate), "messages a second (broadcast)" },
	{ "--seconds", FIELD(seconds), "for which to publish (broadcast)" },
	{ "--processes", FIELD(processes), "that share the connections (idle, broadcast)" },
	{ "--subscribe", FIELD(subscribe), "1: subscribe too (idle)" },
};

static void usage(void)
{
	fputs("usage: load MODE --port N [--path /PATH] [OPTION N]...\n", stderr);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		fprintf(stderr, "  %-14s %s\n", modes[i].name, modes[i].help);
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		fprintf(stderr, "  %-14s %s\n", options[i].name, options[i].help);
	exit(64);
}

static void option_set(struct load *load, const char *name, const char *value)
{
	char *rest;

	if (strcmp(name, "--path") == 0) {
		load->path = value;
		return;
	}
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (strcmp(options[i].name, name) != 0)
			continue;
		errno = 0;
		*(size_t *)((char *)load + options[i].offset) = strtoul(value, &rest, 10);
		if (*rest || errno || *value < '0' || *value > '9')
			usage();
		return;
	}
	usage();
}

int main(int argc, char **argv)
{
	/* Every run dials from addresses of its own: 127.64.0.0/10 by process id, apart from what a person may use. */
	struct load load = {
		.path = "/", .connections = 100, .size = 20, .messages = 100000, .outstanding = 8, .rate = 100,
		.seconds = 5, .processes = 1, .source = 0x7f400001u + (((uint32_t)getpid() & 0x3fff) << 8),
	};

	if (argc < 2 || argc % 2)
		usage();
	for (int i = 2; i < argc; i += 2)
		option_set(&load, argv[i], argv[i + 1]);
	if (load.port == 0 || load.port > 65535 || load.connections == 0 || load.processes == 0 || load.size < 10)
		usage();
	alarm(TIME_MAX_S);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(modes[i].name, argv[1]) == 0) {
			modes[i].run(&load);
			return fflush(stdout) ? 70 : 0;
		}
	}
	usage();
}
