#pragma once
/* The target file that the tests of conf.h read, and the fixture they share; after cmocka.h. */
#include <string.h>

#include "harness/base/conf.h"

#define GOOD "wsquall: 1\nurl: ws://a\n"
#define WITH_FIXTURE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

static const char *const deliveries[] = {"at-most-once", "at-least-once", NULL};

struct contract {
	int delivery;
	bool ordered;
	uint64_t max_message, heartbeat;
};

struct node {
	const char *name, *log;
	struct opt_strings start;
	struct contract contract;
};

struct target {
	int64_t version;
	const char *name, *url, *echo;
	struct opt_map headers, credentials;
	struct opt_strings subprotocols;
	struct contract contract;
	bool has_contract;
	uint64_t seed;
	double rate;
	struct opt_sections nodes;
};

static int check_url(const char *text, struct err *e)
{
	return strncmp(text, "ws://", 5) == 0 ? 0 : err_set(e, EINVAL, "expected a ws:// URL");
}

static const struct opt contract_table[] = {
	{.name = "delivery", .type = OPT_ENUM, .offset = offsetof(struct contract, delivery), .choices = deliveries},
	{.name = "ordered", .type = OPT_FLAG, .offset = offsetof(struct contract, ordered)},
	{.name = "max_message", .type = OPT_SIZE, .offset = offsetof(struct contract, max_message), .def = "64KiB"},
	{.name = "heartbeat",
	 .type = OPT_DURATION,
	 .offset = offsetof(struct contract, heartbeat),
	 .def = "25s",
	 .min = 1000,
	 .max = 3600000},
	{0},
};

static const struct opt node_table[] = {
	{.name = "name", .type = OPT_STRING, .offset = offsetof(struct node, name), .flags = OPT_REQUIRED},
	{.name = "log", .type = OPT_STRING, .offset = offsetof(struct node, log), .def = "none"},
	{.name = "start", .type = OPT_STRINGS, .offset = offsetof(struct node, start)},
	{.name = "contract", .type = OPT_SECTION, .offset = offsetof(struct node, contract), .sub = contract_table},
	{0},
};

static const struct opt table[] = {
	{.name = "wsquall",
	 .type = OPT_INT,
	 .offset = offsetof(struct target, version),
	 .flags = OPT_REQUIRED,
	 .min = 1,
	 .max = 1,
	 .help = "version of this format"},
	{.name = "name", .type = OPT_STRING, .offset = offsetof(struct target, name)},
	{.name = "url",
	 .type = OPT_STRING,
	 .offset = offsetof(struct target, url),
	 .flags = OPT_REQUIRED,
	 .check = check_url,
	 .help = "where the server is"},
	{.name = "echo", .type = OPT_STRING, .offset = offsetof(struct target, echo), .def = "none"},
	{.name = "headers", .type = OPT_MAP, .offset = offsetof(struct target, headers)},
	{.name = "credentials",
	 .type = OPT_MAP,
	 .offset = offsetof(struct target, credentials),
	 .flags = OPT_SECRET,
	 .check = check_url},
	{.name = "subprotocols",
	 .type = OPT_STRINGS,
	 .offset = offsetof(struct target, subprotocols),
	 .flags = OPT_COMMAS,
	 .def = "a,b"},
	{.name = "contract",
	 .type = OPT_SECTION,
	 .offset = offsetof(struct target, contract),
	 .sub = contract_table,
	 .seen = OPT_SEEN(struct target, has_contract)},
	{.name = "seed", .type = OPT_U64, .offset = offsetof(struct target, seed)},
	{.name = "rate", .type = OPT_RATE, .offset = offsetof(struct target, rate), .def = "1/s"},
	{.name = "nodes",
	 .type = OPT_SECTIONS,
	 .offset = offsetof(struct target, nodes),
	 .sub = node_table,
	 .item_size = sizeof(struct node)},
	{.name = "verbose", .type = OPT_FLAG, .offset = offsetof(struct target, has_contract), .flags = OPT_CLI_ONLY},
	{0},
};

struct fixture {
	struct arena arena;
	struct target t;
	struct err e;
};

static int set_up(void **state)
{
	static struct fixture f;
	memset(&f, 0xaa, sizeof(f));
	arena_init(&f.arena, 16 << 20);
	*state = &f;
	return opt_defaults(table, &f.t, &f.arena);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	arena_fini(&f->arena);
	return 0;
}

static int read_text(struct fixture *f, struct span text)
{
	f->e.text[0] = 0;
	return conf_read_text(text, "t.yaml", table, &f->t, &f->arena, &f->e);
}
