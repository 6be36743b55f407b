#pragma once
/* The modes of the load, and what the command line tells them. */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What the command line asks for; each mode reads what it needs. */
struct load {
	size_t port;
	size_t server_pid; /* root of the server's processes; 0: measure the load alone */
	const char *path; /* request-target */
	size_t connections; /* of echo, connect, idle; subscribers of fanout and broadcast */
	size_t size; /* octets of a message's text */
	size_t messages; /* echo, fanout: until so many have arrived */
	size_t warm; /* messages before the measurement begins */
	size_t outstanding; /* fanout: published and not yet arrived everywhere */
	size_t rate; /* broadcast: published a second */
	size_t seconds; /* broadcast */
	size_t processes; /* idle, broadcast: of the load */
	size_t subscribe; /* idle: 1 also subscribes */
	uint32_t source; /* first source address, host order */
};

/* Each prints one line of JSON on stdout and returns; see modes[] in load.c for the members. */
void load_echo(const struct load *load);
void load_fanout(const struct load *load);
void load_connect(const struct load *load);
void load_idle(const struct load *load);
void load_broadcast(const struct load *load);
