#pragma once
/*
 * What `wsquall proxy` runs: its command line, and its configuration file in YAML by the same option table (conf.h):
 *
 *	seed: 7
 *	listen_api: 127.0.0.1:8474
 *	proxies:
 *	  - name: ws
 *	    listen: 127.0.0.1:8666
 *	    upstream: 127.0.0.1:9000
 *	    toxics:
 *	      - latency: {latency: 100ms, jitter: 20ms}
 *	        stream: upstream
 *	        toxicity: 50%
 *
 * A toxic is its fault's name with the options, as in a scenario, and beside it name, stream, toxicity and duration. A
 * file that begins with '[' is Toxiproxy's configuration, JSON: [{"name", "listen", "upstream", "enabled"}]. Both
 * become the JSON of plan.h, so that a file, the command line and the API mean the same.
 */
#include <jansson.h>

#include "harness/base/opt.h"

struct config {
	const char *config, *listen_api, *token_file, *event_log;
	bool event_times, check_config, help, seed_given;
	uint64_t seed, api_timeout_ms;
	struct opt_map proxy;      /* name: "listen=upstream" */
	struct opt_sections proxies;
};

/* A row is FILE_ONLY or CLI_ONLY where it is not for both. Made at the first call; its sections are the faults. */
const struct opt *config_table(void);
/* The rows of the command line alone, which need no faults: for help and manuals. */
extern const struct opt config_command_table[];

/*
 * The file of --config, if there is one, then argv (what a file says is overridden). What is written lives in the
 * arena; ret_proxies, a new reference, is the list for plan_read(). -EINVAL, -ENOENT, -EFBIG, -ENOMEM, ...; a sentence.
 */
int config_read(int argc, char *const *argv, struct arena *a, struct config *ret, struct opt_strings *ret_words,
		json_t **ret_proxies, struct err *e);

/* "127.0.0.1:8474", "[::1]:0", ":8474" (every address). host has `size` octets. -EINVAL with a sentence. */
int config_split_address(const char *text, char *host, size_t size, uint16_t *ret_port, struct err *e);
